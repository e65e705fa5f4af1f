"""The verbs of one word: the loop from record to report, and what looks into its files."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from armillary import kinds
from armillary.addresses import local_path
from armillary.cli.shared import StorePath, bold, console, parse_numbers, parse_options, show
from armillary.errors import ArmillaryError
from armillary.training.latent_actions import InverseConfig
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES, Recipe

RecipeChoice = tyro.extras.subcommand_type_from_defaults(
    {name.replace("_", "-"): recipe.with_every_term() for name, recipe in RECIPES.items()},
    {
        "two-room": "Small images of a world that stays the same: seconds on a CPU.",
        "two-room-random-door": "Small images of a world whose layout varies: two minutes on a CPU.",
        "maze": "Small images of corridors, another layout in every episode: ten minutes on a CPU.",
        "house": "Camera, depth and scan of apartments, another layout in every episode: minutes on a CPU.",
        "reacher": "Small images in which velocity matters: ten minutes on a CPU.",
        "push-t": "Small images of something that is pushed: ten minutes on a CPU.",
        "sensors": "A machine's sensors alone: seconds on a CPU.",
        "robot": "Camera and joint states at control rate: minutes on a CPU.",
        "lewm": "LeWM (arXiv 2603.19312), 18 M parameters: hours on a GPU.",
    },
    prefix_names=False,
)


def demo(
    out: Path = Path("runs/demo"),
    door: Literal["fixed", "random"] = "fixed",
    pairs: int = 80,
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

    show(demo(out, door, pairs=pairs, any_goal=any_goal, seed=seed, device=device).summary(), out)


def record(
    world: Positional[str],
    out: StorePath,
    episodes: int = 1000,
    steps: int = 18,
    options: tuple[str, ...] = (),
    policy: Literal["play", "random", "smooth"] = "play",
    hold: int = 1,
    envs: int = 100,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
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
        resume: go on with the same recording, which was interrupted. The world is stepped from the start once more and compared
            with what is stored, so that the result is that of an unbroken recording.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.policies import random_policy, smooth_policy
    from armillary.episodes.record import record
    from armillary.evaluation.pairs import DEVELOPMENT_SEED
    from armillary.worlds import make

    if not 0 <= seed < DEVELOPMENT_SEED:
        raise ArmillaryError(f"seed {seed}: take one from 0 to {DEVELOPMENT_SEED - 1}; those beyond are for evaluation")
    chosen = parse_options(options)
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
    if left_out := getattr(env, "left_out", None):
        about["left_out"] = left_out
    kept = {"resume": resume, "overwrite": overwrite}
    record(env, policies[policy](), out, episodes=episodes, seed=seed, info=about, **kept, progress=True)
    info(out)


def info(path: Positional[StorePath]) -> None:
    """Say what a store of episodes, a checkpoint or a run's folder holds.

    Args:
        path: of any of these.
    """
    from armillary.episodes.store import Episodes
    from armillary.model import MODEL, STATE, WorldModel
    from armillary.training import state

    local = local_path(path)
    if local is not None and local.name == STATE:
        local = local.parent
    if local is not None and (local.suffix == ".safetensors" or (local / MODEL).exists()):
        model = WorldModel.load(local, "cpu")
        spec, about = model.spec, {"parameters": f"{sum(p.numel() for p in model.parameters()):,}", **vars(model.config)}
        about |= {"action coordinates": f"{model.actions.dim} of {model.actions.size}", **model.provenance}
        about.pop("trained", None)  # hashes, for a later `train --from`
    elif local is not None and (local / STATE).exists():
        spec, at = state.describe(local / STATE)
        about = {"not finished": f"stage {at.stage + 1}, step {at.step}; add --resume to its train command to go on with it"}
    else:
        episodes = Episodes.open(path)
        spec, lengths = episodes.spec, episodes.lengths
        about = {"episodes": len(episodes), "rows": int(lengths.sum()), **episodes.info}
        if episodes.unfinished is not None:
            about["unfinished"] = f"{episodes.unfinished['command']} was interrupted, or is at it; --resume goes on with it"
        if len(episodes):
            about["rows of an episode"] = f"{lengths.min()} to {lengths.max()}"
    streams = Table("stream", "kind", "shape", "unit", "")
    for stream in spec.streams:
        units = ", ".join(dict.fromkeys(stream.unit))
        standing = "truth" if stream.truth else "optional" if stream.optional else ""
        shape = f"{stream.shape} {', '.join(kinds.of(stream).axes)}"
        streams.add_row(stream.name, stream.kind, shape, units, standing)
    streams.add_row("action", spec.action.kind, str((spec.action.n,)), ", ".join(dict.fromkeys(spec.action.unit)), "")
    rate = f"{spec.rate:g} Hz" if spec.rate else "no rate"
    title = Text.assemble(bold(path), f", {rate}")
    console.print(title, streams, *(f"{name}: {value}" for name, value in about.items()), sep="\n")


def merge(stores: Positional[tuple[StorePath, ...]], out: StorePath, resume: bool = False, overwrite: bool = False) -> None:
    """Make one recording of several. Streams that not all of them have become optional.

    Args:
        stores: the stores of episodes.
        out: the new store.
        resume: go on with a merge of the same stores that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.merge import merge
    from armillary.episodes.store import Episodes

    merge([Episodes.open(store) for store in stores], out, resume=resume, overwrite=overwrite, progress=True)
    info(out)


def label(
    run: Positional[Path],
    recording: Positional[StorePath],
    out: StorePath,
    config: InverseConfig = InverseConfig(),  # noqa: B008 (frozen)
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Infer the actions of a recording that has none, by what the recording of a trained run shows.

    Args:
        run: the folder of a run, trained on episodes with actions, best with --recipe.model.objective.inverse.weight 1.
        recording: a store of episodes of the same streams.
        out: the new store, of the same episodes with actions; merge it with the run's recording, and train on both.
        config: of the networks that infer.
        seed: of the networks.
        device: auto, cpu, cuda or mps.
        resume: go on with the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.evaluation.labelling import label_recording

    kept = {"resume": resume, "overwrite": overwrite}
    share = label_recording(run, recording, out, config, seed=seed, device=device, **kept)
    told = f"R2 {share.value:.3f} [{share.low:.3f}, {share.high:.3f}] is inferred" if share else "there are none"
    console.print(f"of known actions that were held out, {told}")
    info(out)


def doctor(store: Positional[StorePath], held_out: float = 0.1) -> None:
    """Is this recording fit to learn from? Alignment, dead channels, duplicates, coverage: a table and a verdict.

    The exit status is 1 where the verdict is fail.

    Args:
        store: the store of episodes.
        held_out: share or number of episodes that training would hold out, searched for duplicates of the others.
    """
    from armillary.episodes.doctor import damage, diagnose
    from armillary.episodes.split import split
    from armillary.episodes.store import Episodes

    report = damage(store)
    if report is None:
        episodes, parts = Episodes.open(store), ()
        if len(episodes) > 1:
            try:
                parts = split(episodes, held_out)
            except ArmillaryError as error:
                console.print(Text(f"no split to look for duplicates in: {error}"))
        report = diagnose(episodes, parts=parts, bad=())
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    table = Table("", "check", "found", "what to do")
    for row in report.rows:
        table.add_row(Text(row.verdict, colours[row.verdict]), row.check, row.value, row.advice)
    console.print(table, Text.assemble("verdict: ", (report.verdict, colours[report.verdict])))
    sys.exit(1 if report.verdict == "fail" else 0)


def train(
    store: Positional[StorePath],
    out: Path,
    recipe: tyro.conf.AvoidSubcommands[RecipeChoice],
    size: Literal["nano", "tiny", "small", "base"] | None = None,
    streams: tuple[str, ...] | None = None,
    held_out: float = 0.1,
    held_out_episodes: tuple[str, ...] = (),
    device: str = "auto",
    budget_mb: float = 512,
    resume: bool = False,
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a world model on a store of episodes. The recipe comes last, and each of its fields can be changed after it.

    With several processes: torchrun --nproc-per-node N -m armillary.cli train ...

    Args:
        store: the recording.
        out: the run's folder; gets model.safetensors, metrics.jsonl and, where the recipe's agent has a habit,
            habit.safetensors.
        recipe: what to train, and how.
        size: width, depth and resolution together, in place of the recipe's.
        streams: observed streams to learn from; all unless given.
        held_out: share (below 1) or number of the episodes that the model never sees. A share is stable: appending episodes or
            adding a stream never moves an episode to the other side.
        held_out_episodes: the episodes to hold out instead, by their numbers in the store (40 41, or 40-49) or by what the
            source calls them (see docs/data.md).
        device: auto, cpu, cuda or mps.
        budget_mb: memory for decoded frames, in MB; what is larger is kept decoded in a file beside the run.
        resume: go on with the run in --out that a kill or a power cut ended.
        start: a checkpoint to go on from, with the recording's other streams beside its own; its shape and objective count.
        config: seed, logging, saving.
    """
    from armillary.episodes.store import Episodes
    from armillary.evaluation.prediction import evaluate_prediction, fitting_horizons
    from armillary.evaluation.run import default_horizons
    from armillary.model import MODEL, STATE, WorldModel
    from armillary.training.fit import fit

    if start and size:
        raise ArmillaryError("--size and --from exclude each other: a checkpoint has its size")
    episodes, model = Episodes.open(store), WorldModel.load(start, device) if start else None
    if episodes.unfinished is not None:
        print(f"{store} is unfinished: training on the {len(episodes)} episodes that it has so far", file=sys.stderr)
    chosen: Recipe = recipe.sized(size) if size else recipe
    shape = model.config if model else chosen.model
    horizons = default_horizons(episodes.spec.rate, shape.skip)

    def validate(held: np.ndarray) -> Callable[[WorldModel], dict[str, float]] | None:
        fit, left_out = fitting_horizons(episodes, held, horizons, shape.skip, shape.context)
        if left_out:
            print(f"armillary: {left_out}", file=sys.stderr)
        return (lambda model: evaluate_prediction(model, episodes, held, fit, untrained=False).summary()) if fit else None

    try:
        fit(
            episodes,
            out,
            chosen,
            config,
            streams=streams,
            held_out=parse_numbers(held_out_episodes) or held_out,
            device=device,
            budget_mb=budget_mb,
            validate=validate,
            resume=resume,
            start=model,
        )
    except KeyboardInterrupt:
        if (out / STATE).exists() or (out / MODEL).exists():
            print("armillary: what was trained so far is kept; add --resume to go on", file=sys.stderr)
        raise
    console.print(Text.assemble("the model is ", bold(out / "model.safetensors"), f"; judge it with: armillary eval {out}"))


def eval_(
    run: Positional[Path],
    recording: StorePath | None = None,
    pairs: str = "200",
    constraints: tuple[str, ...] = (),
    horizons: tuple[float, ...] = (),
    planner: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [SETTING=VALUE ...]")] = (),
    cost: str | None = None,
    habit: bool = True,
    execute: int | None = None,
    development: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Judge a trained run: prediction and probes on held-out episodes, control in its world. Writes results and a report.

    The agent that is judged is that of the run's recipe, saved in its checkpoint; --planner, --cost, --no-habit and --execute
    replace parts of it.

    Args:
        run: the run's folder.
        recording: where its recording is now, if it was moved.
        pairs: how many pairs of start and goal to draw, or a file of them; 0 leaves control out.
        constraints: on pairs, as name=value, such as cross=true.
        horizons: of prediction, in seconds, or in env steps where the recording has no rate.
        planner: search for plans with this planner, such as: icem horizon=4 samples=64. One of cem, icem, mppi, gradient,
            random_shooting, graph_search, stay_at_goal, or of an installed package. Default: as the run's recipe says.
        cost: minimise this cost, such as latent, or a sum, such as auto + 0.1*effort. One of auto, latent, effort, a distance
            that the model has learned (critic, contrast), or of an installed package. Default: as the run's recipe says.
        habit: plan from what the run's habit proposes, if it has one.
        execute: blocks of a plan that are carried out before the next is made. Default: as the run's recipe says.
        development: draw development pairs instead of test pairs. Choose settings on these, and report on test pairs once.
        seed: of baselines and probes.
        device: auto, cpu, cuda or mps.
    """
    from armillary.acting.config import AgentConfig
    from armillary.cli.planners import parse_planner
    from armillary.evaluation.run import evaluate_run
    from armillary.model import WorldModel

    agent = None
    if planner or cost is not None or not habit or execute is not None:
        saved = AgentConfig.of(WorldModel.load(run, "cpu"))
        agent = saved.changed(parse_planner(planner) if planner else None, cost, habit, execute)
    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options = {"constraints": parse_options(constraints), "horizons": horizons or None}
    options |= {"development": development, "seed": seed, "device": device}
    show(evaluate_run(run, recording=recording, pairs=chosen, agent=agent, **options).summary(), run)


def report(run: Positional[Path]) -> None:
    """Write report.html anew from the results that `armillary eval` left in a run's folder.

    Args:
        run: the run's folder.
    """
    from armillary.evaluation.run import report_run

    console.print(Text.assemble("look at ", bold(report_run(run))))


def watch(
    run: Positional[Path],
    table: Positional[str | None] = None,
    calibrate: bool = False,
    recording: StorePath | None = None,
    normal: StorePath | None = None,
    memory: float = 20.0,
    false_alarms_per_hour: float | None = None,
    time: tuple[str, ...] | None = None,
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    gap: float | None = None,
    seconds_per_row: float | None = None,
    missing: Literal["refuse", "skip", "hold", "interpolate"] = "refuse",
    longest_gap: int = 5,
    mute: tuple[str, ...] = (),
    form: Literal["csv", "json"] = "csv",
) -> None:
    """Watch a machine: how surprising is each row of a table, which sensors explain it, and is it an alarm? To standard output.

    Calibrate once, on normal running that the model was not trained on: armillary watch RUN --calibrate. Exit status: 0 without
    an alarm, 1 with one, 2 on bad input, 4 where nothing could be judged.

    Args:
        run: the run's folder.
        table: CSV or Parquet, a folder of such files, or - for CSV from standard input.
        calibrate: learn what is normal, from the episodes that training held out, and keep it with the checkpoint.
        recording: for --calibrate, where the run's recording is now, if it was moved.
        normal: for --calibrate, a recording of normal running to take instead.
        memory: for --calibrate, rows over which evidence is gathered: fewer find large faults sooner, more find smaller ones.
        false_alarms_per_hour: as many as you can live with; 1, or one in 1000 rows where rows are slower than 3.6 s.
        time: the column of dates or of numbers, or two of the date and of the time of day; default: as at the import.
        time_unit: of numbers of time; default: as at the import.
        day_first: whether 3/4/2026 is in April; default: as at the import, or by the dates themselves.
        zone: of dates that do not say one, such as Europe/Berlin; default: as at the import.
        gap: seconds without a row that end an episode; default: as at the import.
        seconds_per_row: where the recording has no clock.
        missing: refuse a number or a stamp that is missing, judge the others without it (skip), or hold the column's last one.
            interpolate, as in import, is refused: a row is judged before the next number is known.
        longest_gap: rows over which a number is held; after that it is missing.
        mute: names of sensors that are not judged, such as one that is known to be broken.
        form: CSV, or a line of JSON for each row and one with the summary.
    """
    from armillary.monitoring.calibrate import calibrate as learn_normal
    from armillary.monitoring.watch import watch

    if calibrate:
        found = learn_normal(run, recording=recording, normal=normal, memory=memory)
        kept = f"{found.rows} rows that the model was not trained on"
        print(f"calibrated on {kept}; charts of {found.detector}", file=sys.stderr)
    elif table is None:
        raise ArmillaryError("nothing to watch; name a table, or - for standard input")
    if table is not None:
        clock = {"time": time, "time_unit": time_unit, "day_first": day_first, "zone": zone}
        options = {
            **clock,
            "longest_gap": longest_gap,
            "gap": gap,
            "seconds_per_row": seconds_per_row,
            "missing": missing,
            "mute": mute,
            "form": form,
        }
        source = sys.stdin.buffer if table == "-" else table
        summary = watch(run, source, sys.stdout, false_alarms_per_hour=false_alarms_per_hour, **options)
        print(summary, file=sys.stderr)
        sys.exit(summary.status)


def imagine(
    run: Positional[Path],
    start: Annotated[str, tyro.conf.arg(name="from")],
    actions: Path,
    out: Path | None = None,
    recording: StorePath | None = None,
    interval: float = 0.9,
) -> None:
    """What if these controls were applied from here on? Every sensor and every known truth after each step, with intervals.

    Exit status: 0, 2 on bad input, 5 where a control or the start is outside what was recorded (the answer is printed).

    Args:
        run: the run's folder.
        start: TABLE:ROW, STORE:EPISODE:ROW, or EPISODE:ROW of the run's own recording; from 0, or from the end if negative.
        actions: the plan, a table with a column for each control and a row for each step, in the units of the recording.
        out: CSV file to write; to standard output unless given.
        recording: where the run's recording is now, if it was moved.
        interval: share of what happens that lies within the bounds, for plans like those that were recorded.
    """
    from armillary.files import write_whole
    from armillary.monitoring.what_if import what_if

    written = io.StringIO()
    found = what_if(run, start, actions, recording=recording, interval=interval)
    found.write(written)
    if out is None:
        sys.stdout.write(written.getvalue())
    else:
        write_whole(out, written.getvalue())
    for what in found.outside:
        print(f"armillary: outside the recording: {what}; the model extrapolates, and its bounds are a guess", file=sys.stderr)
    if found.outside:
        sys.exit(5)
