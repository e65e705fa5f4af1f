"""`armillary bench WHAT`: the benchmarks behind the published tables."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from armillary.cli.shared import OptionalStore, Outcome, RunPath, console, parse_options
from armillary.errors import ArmillaryError


def control(
    worlds: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0, 1, 2),
    pairs: int = 200,
    shifted: int = 100,
    out: Path = Path("results/control"),
    runs: Path = Path("runs/control"),
    docs: Path = Path("docs/control.md"),
    table: bool = False,
    again: bool = False,
    device: str = "auto",
) -> dict[str, list[dict[str, Any]]]:
    """Run the control suite: record, train and evaluate every world, with every baseline and under visual shifts.

    Complete runs are not repeated, and an interrupted run is continued.

    Args:
        worlds: tasks of the suite to run, of {tasks}. Default: all.
        seeds: random seeds of recordings, weights and training. Each is a run of its own.
        pairs: number of start and goal pairs in each evaluation set.
        shifted: number of pairs for each visual shift.
        out: folder of the results, one JSON file a run.
        runs: folder of recordings and checkpoints. armillary eval takes the runs in it.
        docs: the Markdown page that --table writes.
        table: run nothing, and write the page from existing results.
        again: start every run from scratch, even complete ones.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.files import write_whole
    from armillary.suite.run import bench_control
    from armillary.suite.tables import load_runs, render

    if not table:
        bench_control(worlds, seeds, pairs=pairs, shifted=shifted, out=out, runs=runs, again=again, device=device)
    found = load_runs(out)
    page = render(found)
    if table:
        docs.parent.mkdir(parents=True, exist_ok=True)
        write_whole(docs, page)
    print(page)
    return found


def figures(
    pages: tuple[Path, ...] = (),
    results: Path = Path("results"),
    check: bool = False,
) -> Outcome:
    """Write the tables of README and docs from the raw results. Run it in a checkout.

    Args:
        pages: Markdown files with blocks of figures. Default: README.md, and benchmarks.md, monitoring.md and peer.md of docs/.
        results: folder of the raw results.
        check: change nothing, and exit with status 1 if a page differs from the results.
    """
    from armillary.suite.published import PAGES
    from armillary.suite.published import figures as write_figures

    differ = write_figures(pages or PAGES, results, check=check)
    for page in differ:
        print(f"{page} {'differs from the raw results; run armillary bench figures' if check else 'written'}")
    return Outcome({"differ" if check else "written": differ}, int(check and bool(differ)))


def diagnose(
    run: Positional[RunPath],
    recording: OptionalStore = None,
    world: str | None = None,
    pairs: str = "40",
    constraints: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Find what limits a model in its world: replace state, dynamics and distance by the truth in turn, on the same pairs.

    Writes RUN/diagnosis.json. Takes minutes to hours: with true dynamics, the world itself runs every imagined rollout. A world
    without set_state, without a shortest path or without ground truth has no rows that need it.

    Args:
        run: the run's folder, as train wrote it.
        recording: where the run's recording is now, if it was moved. Default: where it was at training.
        world: the world to diagnose it in, such as package.module:make, a function of yours. Default: the world of the
            recording, if it is a built-in one or of an installed package.
        pairs: number of start and goal pairs to sample, or a file of pairs.
        constraints: constraints on pairs as name=value, such as cross=true. Default: none.
        seed: random seed of planners, of fresh recordings, and of what is learned from them.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.evaluation.diagnose import diagnose
    from armillary.files import require_writable

    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options: dict[str, Any] = {"constraints": parse_options(constraints), "seed": seed, "device": device}
    require_writable(run / "diagnosis.json")
    found = diagnose(run, recording=recording, world=world, pairs=chosen, **options)
    found.save(run / "diagnosis.json")
    console.print(found.table())
    return asdict(found)


def physics(
    run: Positional[Annotated[Path | None, tyro.conf.arg(metavar="RUN")]] = None,
    recording: OptionalStore = None,
    data: Path | None = None,
    scenes: int | None = None,
    options: tuple[str, ...] = (),
    development: bool = False,
    untrained: int = 20,
    ceiling: bool = False,
    human: Path | None = None,
    out: Path | None = None,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Examine what a model has understood: is it more surprised by what cannot happen than by what can?

    The world of the run's recording stages the scenes, if it is physics, two_room, push_t or house. Otherwise they are made
    from held-out episodes: time reversed, frames swapped, actions exchanged, camera delayed, an arm frozen. With --data, they
    are movies of IntPhys or IntPhys 2. Shortcuts that need no understanding stand beside the model; an item that one solves
    says nothing about it.

    Args:
        run: the run's folder, as train wrote it. Default: none, with --human FOLDER.
        recording: where the run's recording is now, if it was moved. Default: where it was at training.
        data: folder of a published benchmark: dev of IntPhys, or Main or Debug of IntPhys 2. For models of one RGB image and a
            known rate. Default: none.
        scenes: number of scenes, of four clips, for each property and difficulty. Default: 60, or fewer where held-out episodes
            are too short; or all of --data.
        options: options of the world as name=value, such as variety=held_out. Default: as recorded.
        development: use the scenes to choose settings by. Report on the others, once.
        untrained: number of untrained networks to compare with.
        ceiling: compare with a particle filter on the true simulator, too. For the world physics; takes 2 to 4 s a scene.
        human: without RUN, the folder to write a page to on which a person takes the exam of the world physics, in 40 clips.
            With RUN, the answers that the page saved, to add to the table. Default: none.
        out: JSON file to write the result to. Default: none.
        seed: random seed of the untrained networks, or of the clips of a page.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.evaluation.surprise.exam import examine, examine_movies, write_human_page
    from armillary.files import require_writable

    if run is None:
        if human is None:
            raise ArmillaryError("expected RUN, the folder of a run; or --human FOLDER, to write a page for a person")
        page = write_human_page(human, options=parse_options(options), development=development, seed=seed)
        print(f"{page} written; open it in a browser")
        return {"page": str(page)}
    if data is not None and (recording or options or development or ceiling or human):
        raise ArmillaryError("--recording, --options, --development, --ceiling and --human are not for --data; leave them out")
    if out is not None:
        require_writable(out)
    common: dict[str, Any] = {"untrained": untrained, "seed": seed, "device": device}
    if data is not None:
        found = examine_movies(run, data, scenes=scenes, **common)
    else:
        asked: dict[str, Any] = {
            "options": parse_options(options),
            "development": development,
            "ceiling": ceiling,
            "human": human,
        }
        found = examine(run, recording=recording, scenes=60 if scenes is None else scenes, **asked, **common)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        found.save(out)
    console.print(found.table())
    return found.to_json()


def speed(
    run: Positional[Annotated[Path | None, tyro.conf.arg(metavar="RUN")]] = None,
    sizes: tuple[Literal["nano", "tiny", "small", "base"], ...] = ("nano", "tiny"),
    decisions: int = 200,
    batch: int = 1,
    out: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    captured: bool = False,
    hz: float | None = None,
) -> dict[str, Any]:
    """Measure how long a decision takes on this machine: to encode, to plan, and to move data to the device and back.

    Args:
        run: a run's folder or a checkpoint. Default: untrained models of --sizes.
        sizes: sizes of untrained models, at 64 px (nano, tiny), 112 px (small) and 224 px (base, which is LeWM's and plans as
            LeWM does).
        decisions: number of timed decisions. 10000 also show whether memory grows.
        batch: number of environments that one decision is for.
        out: JSON file to write the result to. Default: none.
        seed: random seed of observations, weights and planners.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
        hz: rate of a control loop in ticks a second, such as 30. Says whether decisions fit between its ticks, and how many are
            late. Default: none.
        captured: run encoding and planning as one recorded graph, which is faster on a GPU. Elsewhere it changes nothing.
    """
    from armillary.evaluation.speed import measure_speed
    from armillary.files import require_writable

    options = {"decisions": decisions, "batch": batch, "seed": seed, "device": device, "captured": captured, "hz": hz}
    if out is not None:
        require_writable(out)
    found = measure_speed(run, sizes=sizes, **options)
    if out is not None:
        found.save(out)
    console.print(found.table())
    return asdict(found)


def monitor(
    path: Positional[Path],
    protocols: tuple[Literal["own", "free"], ...] | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    development: bool = False,
    out: Path | None = None,
) -> dict[str, Any]:
    """Compare monitors on public data: SKAB (a pump), TEP (a simulated chemical plant) or NAB (single sensors).

    Needs scikit-learn: pip install 'armillary[bench]'.

    Args:
        path: the benchmark's data folder: SKAB's holds anomaly-free and valve1, TEP's d00.dat, NAB's windows.json.
        protocols: own: learn from the first rows of each file (SKAB, NAB); free: learn from the file without faults (SKAB,
            TEP). Default: all that the benchmark has.
        seeds: random seeds of the world model.
        development: use only the files that settings were chosen on.
        out: JSON file to write the result to. Default: none.
    """
    from armillary.files import as_json, require_writable, write_whole
    from armillary.monitoring.bench import bench_monitor
    from armillary.monitoring.bench_table import render

    if out is not None:
        require_writable(out)
    found = bench_monitor(path, protocols=protocols, seeds=seeds, development=development)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, as_json(found, indent=1) + "\n")
    print(render(found))
    return found
