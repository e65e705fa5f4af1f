"""`armillary VERB`: thin; each verb calls one public function. Bad input is one line and exit status 2, never a traceback.

Verbs import what they need when they run, so that help comes quickly and nothing asks for an extra that it does not use.
"""

import errno
import json
import sys
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from armillary.errors import ArmillaryError
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES, Recipe

RecipeChoice = tyro.extras.subcommand_type_from_defaults(
    {name.replace("_", "-"): recipe for name, recipe in RECIPES.items()},
    {
        "two-room": "Small images of a world that stays the same: seconds on a CPU.",
        "two-room-random-door": "Small images of a world whose layout varies: two minutes on a CPU.",
        "maze": "Small images of corridors, another layout in every episode: ten minutes on a CPU.",
        "reacher": "Small images in which velocity matters: ten minutes on a CPU.",
        "push-t": "Small images of something that is pushed: ten minutes on a CPU.",
        "robot": "Camera and joint states at control rate: minutes on a CPU.",
        "lewm": "LeWM (arXiv 2603.19312), 18 M parameters: hours on a GPU.",
    },
    prefix_names=False,
)
console = Console()


def demo(
    out: Path = Path("runs/demo"),
    door: Literal["fixed", "random"] = "fixed",
    pairs: int = 200,
    any_goal: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Record a world, learn it, plan to goals, be judged and show it: the whole loop in a minute, on a CPU.

    Args:
        out: folder of everything that it writes; a demo that is there already is replaced.
        door: always in the middle of the wall, or somewhere else in every episode (two minutes more).
        pairs: start and goal pairs to be judged on, in different rooms.
        any_goal: take goals from anywhere instead.
        seed: of recording, weights and training.
        device: auto, cpu, cuda or mps.
    """
    from armillary.demo import demo

    _show(demo(out, door, pairs=pairs, any_goal=any_goal, seed=seed, device=device).summary(), out)


def record(
    world: Positional[str],
    out: Path,
    episodes: int = 1000,
    steps: int = 18,
    options: tuple[str, ...] = (),
    policy: Literal["play", "random", "smooth"] = "play",
    hold: int = 1,
    envs: int = 100,
    seed: int = 0,
) -> None:
    """Record behaviour without a goal in a simulated world, into a new store of episodes.

    Args:
        world: its name, such as two_room, or gym:ID for any Gymnasium environment with pixels.
        out: the new store.
        episodes: how many.
        steps: env steps of an episode.
        options: of the world, as name=value, such as door=random.
        policy: play is the world's own, random is uniform, smooth a random walk over the actions.
        hold: env steps that each action of the random policy is held for.
        envs: environments that are stepped together.
        seed: of the world and the actions, below 10000: seeds beyond are for evaluation.
    """
    from armillary.episodes.policies import random_policy, smooth_policy
    from armillary.episodes.record import record
    from armillary.evaluation.run import SEED
    from armillary.worlds import make

    if not 0 <= seed < SEED:
        raise ArmillaryError(f"seed {seed}: take one from 0 to {SEED - 1}; those beyond are for evaluation")
    chosen = _pairs(options)
    if set(chosen) & {"num_envs", "max_steps"}:
        raise ArmillaryError("num_envs and max_steps are no --options; give --envs and --steps")
    env = make(world, num_envs=min(envs, episodes), max_steps=steps, **chosen)
    about = {"world": world, "options": chosen}
    if hold != 1 and policy != "random":
        raise ArmillaryError(f"--hold is for --policy random, and this is {policy}")
    policies = {
        "play": env.play,
        "random": lambda: random_policy(env.stream_spec, hold),
        "smooth": lambda: smooth_policy(env.stream_spec),
    }
    record(env, policies[policy](), out, episodes=episodes, seed=seed, info=about, progress=True)
    info(out)


def import_() -> None:
    """Import somebody's recording into a new store of episodes; `armillary import --help` lists the formats."""


def import_lerobot(
    path: Positional[Path],
    out: Path,
    image_size: int | None = 64,
    cameras: tuple[str, ...] | None = None,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
) -> None:
    """A LeRobot dataset, v2.0, v2.1 or v3.0.

    Args:
        path: the dataset's folder.
        out: the new store.
        image_size: cameras are reduced to this many pixels a side on the way; None keeps them as they are.
        cameras: which ones; all unless given.
        missing: what to do about episodes or videos that the metadata names and that are not there.
        max_episodes: stop after so many.
    """
    from armillary.episodes.formats.lerobot import import_lerobot

    print(import_lerobot(path, out, image_size=image_size, cameras=cameras, missing=missing, max_episodes=max_episodes))


def import_swm(
    path: Positional[Path],
    out: Path,
    image_size: int | None = 64,
    streams: tuple[str, ...] | None = None,
    truth: tuple[str, ...] = (),
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
) -> None:
    """A recording of stable-worldmodel: Lance, HDF5 or a folder.

    Args:
        path: the recording's folder, or its file.
        out: the new store.
        image_size: images are reduced to this many pixels a side on the way; None keeps them as they are.
        streams: columns that a model may see; pixels unless given.
        truth: columns to keep as ground truth, which no model sees.
        missing: what to do about episodes that are unfit.
        max_episodes: stop after so many.
    """
    from armillary.episodes.formats.swm import import_swm

    options = {"streams": streams, "truth": truth, "missing": missing, "max_episodes": max_episodes}
    print(import_swm(path, out, image_size=image_size, **options))


def import_table(
    path: Positional[Path],
    out: Path,
    time: str | None = None,
    controls: tuple[str, ...] = (),
    truth: tuple[str, ...] = (),
    episode: str | None = None,
    ignore: tuple[str, ...] = (),
    gap: float | None = None,
    clock: Literal["rows", "hold"] = "rows",
    missing: Literal["refuse", "skip"] = "refuse",
    longest: int = 100_000,
    max_episodes: int | None = None,
) -> None:
    """Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a sensor.

    Args:
        path: a file, or a folder of them.
        out: the new store.
        time: the column of dates, or of seconds.
        controls: columns that say what was done; without any, the recording has no actions.
        truth: columns of labels, which no model sees.
        episode: a column that changes where an episode ends.
        ignore: columns that stay out.
        gap: seconds between two rows that end an episode; ten times the median step unless given.
        clock: take rows as they come, or hold them on the even clock of the median step.
        missing: refuse rows in which a number is missing, or skip them, which ends an episode there.
        longest: rows of an episode; what is longer is cut.
        max_episodes: stop after so many.
    """
    from armillary.episodes.formats.table import import_table

    columns = {"time": time, "controls": controls, "truth": truth, "episode": episode, "ignore": ignore}
    options = {"gap": gap, "clock": clock, "missing": missing, "longest": longest, "max_episodes": max_episodes}
    print(import_table(path, out, **columns, **options))


def info(path: Positional[Path]) -> None:
    """Say what a store of episodes, a checkpoint or a run's folder holds.

    Args:
        path: of any of these.
    """
    from armillary.episodes.store import Episodes
    from armillary.model import WorldModel

    if path.suffix == ".safetensors" or (path / "model.safetensors").exists():
        model = WorldModel.load(path, "cpu")
        spec, about = model.spec, {"parameters": f"{sum(p.numel() for p in model.parameters()):,}", **vars(model.config)}
        about |= {"action coordinates": f"{model.blocks.dim} of {model.blocks.size}", **model.provenance}
    else:
        episodes = Episodes.open(path)
        spec, lengths = episodes.spec, episodes.lengths
        about = {"episodes": len(episodes), "rows": int(lengths.sum()), **episodes.info}
        if len(episodes):
            about["rows of an episode"] = f"{lengths.min()} to {lengths.max()}"
    streams = Table("stream", "kind", "shape", "unit", "")
    for stream in spec.streams:
        units = ", ".join(dict.fromkeys(stream.unit))
        streams.add_row(stream.name, stream.kind, str(stream.shape), units, "truth" if stream.truth else "")
    streams.add_row("action", spec.action.kind, str((spec.action.n,)), ", ".join(dict.fromkeys(spec.action.unit)), "")
    rate = f"{spec.rate:g} Hz" if spec.rate else "no rate"
    console.print(f"[bold]{path}[/bold], {rate}", streams, *(f"{name}: {value}" for name, value in about.items()), sep="\n")


def doctor(store: Positional[Path], held_out: float = 0.1) -> None:
    """Is this recording fit to learn from? Alignment, dead channels, duplicates, coverage: a table and a verdict.

    The exit status is 1 where the verdict is fail.

    Args:
        store: the store of episodes.
        held_out: share or number of episodes that training would hold out, searched for duplicates of the others.
    """
    from armillary.episodes.clips import split
    from armillary.episodes.doctor import diagnose
    from armillary.episodes.store import Episodes

    episodes = Episodes.open(store)
    report = diagnose(episodes, parts=split(episodes, held_out) if len(episodes) > 1 else ())
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    table = Table("", "check", "found", "what to do")
    for row in report.rows:
        table.add_row(f"[{colours[row.verdict]}]{row.verdict}", row.check, row.value, row.advice)
    console.print(table, f"verdict: [{colours[report.verdict]}]{report.verdict}")
    sys.exit(1 if report.verdict == "fail" else 0)


def train(
    store: Positional[Path],
    out: Path,
    recipe: RecipeChoice,
    size: Literal["nano", "tiny", "small", "base"] | None = None,
    streams: tuple[str, ...] | None = None,
    held_out: float = 0.1,
    device: str = "auto",
    budget_mb: float = 512,
    resume: bool = False,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a world model on a store of episodes. The recipe comes last, and each of its fields can be changed after it.

    With several processes: torchrun --nproc-per-node N -m armillary.cli train ...

    Args:
        store: the recording.
        out: the run's folder; gets model.safetensors and metrics.jsonl.
        recipe: what to train, and how.
        size: width, depth and resolution together, in place of the recipe's.
        streams: observed streams to learn from; all unless given.
        held_out: share (below 1) or number of the episodes that the model never sees.
        device: auto, cpu, cuda or mps.
        budget_mb: memory for decoded frames, in MB; what is larger is kept decoded in a file beside the run.
        resume: go on with the run in --out that a kill or a power cut ended.
        config: seed, logging, saving.
    """
    from armillary.episodes.store import Episodes
    from armillary.evaluation.prediction import evaluate_prediction
    from armillary.evaluation.run import default_horizons
    from armillary.training.fit import fit

    episodes = Episodes.open(store)
    chosen: Recipe = recipe.sized(size) if size else recipe
    horizons = default_horizons(episodes.spec.rate, chosen.model.skip)

    def validate(model, held) -> dict[str, float]:
        return evaluate_prediction(model, episodes, held, horizons, untrained=False).summary()

    fit(
        episodes,
        out,
        chosen,
        config,
        streams=streams,
        held_out=held_out,
        device=device,
        budget_mb=budget_mb,
        validate=validate,
        resume=resume,
    )
    console.print(f"the model is [bold]{out / 'model.safetensors'}[/bold]; judge it with: armillary eval {out}")


def eval_(
    run: Positional[Path],
    recording: Path | None = None,
    pairs: str = "200",
    constraints: tuple[str, ...] = (),
    horizons: tuple[float, ...] = (),
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Judge a trained run: prediction and probes on held-out episodes, control in its world. Writes results and a report.

    Args:
        run: the run's folder.
        recording: where its recording is now, if it was moved.
        pairs: how many pairs of start and goal to draw, or a file of them; 0 leaves control out.
        constraints: on pairs, as name=value, such as cross=true.
        horizons: of prediction, in seconds, or in env steps where the recording has no rate.
        seed: of baselines and probes.
        device: auto, cpu, cuda or mps.
    """
    from armillary.evaluation.run import evaluate_run

    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options = {"constraints": _pairs(constraints), "horizons": horizons or None, "seed": seed, "device": device}
    _show(evaluate_run(run, recording=recording, pairs=chosen, **options).summary(), run)


def report(run: Positional[Path]) -> None:
    """Write report.html anew from the results that `armillary eval` left in a run's folder.

    Args:
        run: the run's folder.
    """
    from armillary.evaluation.run import report_run

    console.print(f"look at [bold]{report_run(run)}[/bold]")


def bench() -> None:
    """Measure, as the published tables were; `armillary bench --help` lists what there is."""


def bench_control(
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
    from armillary.evaluation.suite import bench_control
    from armillary.evaluation.suite_table import load_runs, render
    from armillary.files import write_whole

    if not table:
        bench_control(worlds, seeds, pairs=pairs, shifted=shifted, out=out, runs=runs, again=again, device=device)
    page = render(load_runs(out))
    if table:
        docs.parent.mkdir(parents=True, exist_ok=True)
        write_whole(docs, page)
    print(page)


def bench_diagnose(
    run: Positional[Path],
    recording: Path | None = None,
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
    options = {"constraints": _pairs(constraints), "seed": seed, "device": device}
    found = diagnose(run, recording=recording, pairs=chosen, **options)
    found.save(run / "diagnosis.json")
    console.print(found.table())


def bench_speed(
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


GROUPS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "import": (import_.__doc__, {"lerobot": import_lerobot, "swm": import_swm, "table": import_table}),
    "bench": (bench.__doc__, {"control": bench_control, "diagnose": bench_diagnose, "speed": bench_speed}),
}
"""Verbs that have verbs of their own."""


def main(arguments: list[str] | None = None) -> None:
    """The command line; exits with 2 on bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verbs = {
        "demo": demo,
        "record": record,
        "import": import_,
        "info": info,
        "doctor": doctor,
        "train": train,
        "eval": eval_,
        "report": report,
        "bench": bench,
    }
    program, about = "armillary", "Armillary: record a world, learn how it works, plan in it, and be judged honestly."
    if arguments and arguments[0] in GROUPS:
        (about, verbs), program, arguments = GROUPS[arguments[0]], f"armillary {arguments[0]}", arguments[1:]
    try:
        tyro.extras.subcommand_cli_from_dict(verbs, prog=program, description=about, args=arguments)
    except ArmillaryError as error:
        _fail(str(error))
    except OSError as error:
        full = f"the disk is full ({error.filename or 'while writing'}); make room and try again"
        _fail(full if error.errno == errno.ENOSPC else str(error))
    except KeyboardInterrupt:
        _fail("interrupted", status=130)


def _fail(message: str, status: int = 2) -> None:
    print(f"armillary: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


def _pairs(options: tuple[str, ...]) -> dict[str, Any]:
    """name=value to a dictionary; values are read as JSON where they are JSON."""
    chosen = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise ArmillaryError(f"{option!r} is not of the form name=value")
        try:
            chosen[name] = json.loads(value)
        except json.JSONDecodeError:
            chosen[name] = value
    return chosen


def _show(summary: dict[str, Any], run: Path) -> None:
    table = Table("result", "")
    for name, value in summary.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    console.print(table, f"look at [bold]{run / 'report.html'}[/bold]")


if __name__ == "__main__":
    main()
