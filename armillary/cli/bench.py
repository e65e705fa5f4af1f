"""`armillary bench WHAT`: measure, as the published tables were."""

import sys
from pathlib import Path
from typing import Literal

from rich.text import Text
from tyro.conf import Positional

from armillary.cli.shared import StorePath, console, parse_options


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
) -> None:
    """The control suite: every world is recorded, learned and judged by every method, and under shifted factors of variation.

    Runs that are complete are not run again, and one that was killed goes on where it was.

    Args:
        worlds: which ones; all of the suite unless given.
        seeds: of recordings, weights and training.
        pairs: of start and goal in each evaluation set.
        shifted: pairs for each shifted factor.
        out: folder of the results, a JSON file a run.
        runs: folder of recordings and checkpoints; armillary eval takes what is in it.
        docs: the page of tables that --table writes.
        table: run nothing, and write the page from the results that there are.
        again: begin from nothing, even where a run is complete.
        device: auto, cpu, cuda or mps.
    """
    from armillary.files import write_whole
    from armillary.suite.run import bench_control
    from armillary.suite.tables import load_runs, render

    if not table:
        bench_control(worlds, seeds, pairs=pairs, shifted=shifted, out=out, runs=runs, again=again, device=device)
    page = render(load_runs(out))
    if table:
        docs.parent.mkdir(parents=True, exist_ok=True)
        write_whole(docs, page)
    print(page)


def figures(
    pages: tuple[Path, ...] = (),
    results: Path = Path("results"),
    check: bool = False,
) -> None:
    """Write the tables of README and docs anew from the raw results. Run it in a checkout.

    Args:
        pages: Markdown files with blocks of figures. Default: README.md, docs/benchmarks.md and docs/peer.md.
        results: folder of the raw results.
        check: change nothing, and fail (exit status 1) where a page differs from the results.
    """
    from armillary.suite.published import PAGES
    from armillary.suite.published import figures as write_figures

    differ = write_figures(pages or PAGES, results, check=check)
    for page in differ:
        console.print(Text(f"{page} {'differs from the raw results; run armillary bench figures' if check else 'written'}"))
    if check and differ:
        sys.exit(1)


def diagnose(
    run: Positional[Path],
    recording: StorePath | None = None,
    pairs: str = "40",
    constraints: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
) -> None:
    """What limits a model in its world? State, dynamics and distance are replaced by the truth in turn, on the same pairs.

    Writes RUN/diagnosis.json. Takes minutes to hours: for true dynamics the world itself goes through every imagined future.

    Args:
        run: the run's folder.
        recording: where its recording is now, if it was moved.
        pairs: how many pairs of start and goal to draw, or a file of them.
        constraints: on pairs, as name=value, such as cross=true.
        seed: of planners, of fresh play, and of what is learned from it.
        device: auto, cpu, cuda or mps.
    """
    from armillary.evaluation.diagnose import diagnose

    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options = {"constraints": parse_options(constraints), "seed": seed, "device": device}
    found = diagnose(run, recording=recording, pairs=chosen, **options)
    found.save(run / "diagnosis.json")
    console.print(found.table())


def speed(
    run: Positional[Path | None] = None,
    sizes: tuple[Literal["nano", "tiny", "small", "base"], ...] = ("nano", "tiny"),
    decisions: int = 200,
    batch: int = 1,
    out: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    captured: bool = False,
) -> None:
    """How long does a decision take on this machine? To encode, to plan, and on the way to the device and back.

    Args:
        run: a checkpoint or a run's folder; untrained models unless given.
        sizes: of untrained models, at 64 px (nano, tiny), 112 px (small) and 224 px (base, which is LeWM's and plans as LeWM
            does).
        decisions: that are timed; memory has to stay flat over 10000.
        batch: environments that are decided for at once.
        out: JSON file of the result; none is written unless given.
        seed: of observations, weights and planners.
        device: auto, cpu, cuda or mps.
        captured: from what is seen to the plan, a GPU has one recorded graph to do; elsewhere the same code runs step by step.
    """
    from armillary.evaluation.speed import measure_speed

    options = {"decisions": decisions, "batch": batch, "seed": seed, "device": device, "captured": captured}
    found = measure_speed(run, sizes=sizes, **options)
    if out is not None:
        found.save(out)
    console.print(found.table())


def monitor(
    path: Positional[Path],
    protocols: tuple[Literal["own", "free"], ...] | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    development: bool = False,
    out: Path | None = None,
) -> None:
    """Monitors side by side on public data: SKAB (a pump), TEP (a simulated chemical plant) or NAB (single sensors).

    Needs scikit-learn: pip install 'armillary[bench]'.

    Args:
        path: the benchmark's folder of data: SKAB's with anomaly-free and valve1, TEP's with d00.dat, NAB's with windows.json.
        protocols: own learns from the first rows of each file (SKAB, NAB), free from the file without faults (SKAB, TEP).
            Default: all that the benchmark has.
        seeds: of the world model.
        development: only the files that choices were made on.
        out: JSON file of the result. Default: none is written.
    """
    from armillary.files import as_json, write_whole
    from armillary.monitoring.bench import bench_monitor
    from armillary.monitoring.bench_table import render

    found = bench_monitor(path, protocols=protocols, seeds=seeds, development=development)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, as_json(found, indent=1) + "\n")
    print(render(found))
