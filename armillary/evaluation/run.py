"""Judge a trained run by all that its recording and its world allow, and leave the results and the page in its folder.

The checkpoint says which recording it is of and which episodes it has not seen; the recording says which world it is of. So a
run's folder is all that is needed, as long as the recording is where it was.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig, load_habit
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED, EvalSet, make_eval_set
from armillary.evaluation.control.rollouts import drawing
from armillary.evaluation.judge import RESULTS, Judgement, judge
from armillary.evaluation.latent.prediction import fitting_horizons
from armillary.evaluation.report.illustrate import illustrate
from armillary.model.world_model import WorldModel, require_finished
from armillary.training.folder import one_writer
from armillary.worlds.world import GYM, HasScenes, Judged, has_goals, make, make_named, names

SCENES = 25
"""Of each property that can be violated."""
PAIRS = "pairs.json"
LEAD = "What a world model learned, and how well it does."


def evaluate_run(
    run: str | Path,
    *,
    recording: str | Path | None = None,
    world: str | Callable[..., Any] | None = None,
    pairs: int | str | Path = 200,
    constraints: Mapping[str, Any] | None = None,
    horizons: Sequence[float] | None = None,
    agent: AgentConfig | None = None,
    development: bool = False,
    seed: int = 0,
    device: str = "auto",
    title: str | None = None,
    lead: str = LEAD,
    log: Callable[[str], None] = lambda line: None,
) -> Judgement:
    """Judge the model in `run`, and write `results.json`, `report.html` and, where there is a world, `pairs.json` there.

    Args:
        run: a folder with `model.safetensors`.
        recording: where the recording is now, if it was moved. It must be the one that the model was trained on.
        world: to judge control in, as for `make`: `package.module:make` or a function of yours. Default: the world of the
            recording, if it is one that a file may name.
        pairs: how many to draw for control, or a file of them; 0 leaves control out.
        constraints: of the world's sampler, such as `cross=True`.
        horizons: of prediction, in seconds, or in env steps where the recording has no rate.
        agent: how the model is acted with. Default: as its checkpoint says.
        development: draw pairs and scenes under the development seed, to choose settings on; by default they are test pairs.
        seed: of baselines and probes.
        device: auto, cpu, cuda or mps.
        title, lead: of the page.
        log: gets a line about each part of the evaluation.

    Raises:
        ArmillaryError: no model or no recording there; pairs that cannot be drawn; a negative seed; a folder that cannot be
            written to, or in which another process evaluates.
        SpecMismatch: the recording is another one than the model was trained on.
    """
    if seed < 0:
        raise ArmillaryError(f"seed {seed}: take 0 or more")
    run = Path(run)
    model, episodes = open_run(run, recording, device)
    made_from = model.provenance
    agent = AgentConfig.of(model) if agent is None else agent
    chosen = habit = judged = None
    pairs_seed = DEVELOPMENT_SEED if development else TEST_SEED
    scenes: Sequence[Any] = ()
    recorded = str(episodes.info.get("world", ""))
    if world is None and recorded and pairs != 0 and not has_goals(recorded):
        print(f"no control: {why_not_judged(recorded)}; prediction alone")
    elif (world or recorded) and pairs != 0:
        recorded_under = made_from.get("recording_seed")
        judged, chosen = world_and_pairs(episodes.info, pairs, constraints or {}, recorded_under, pairs_seed, world)
        habit = load_habit(run, model, agent)
        Agent.of(model, agent, habit)  # or else it is refused before the work
        if isinstance(judged, HasScenes):
            try:
                scenes = judged.scenes(SCENES, pairs_seed, model.config.skip)
            except ArmillaryError as error:
                print(f"no scenes: {error}", file=sys.stderr)
    with one_writer(run, "evaluation.lock", "evaluates"), one_thread(model.config.is_small):
        judgement = judge(
            model,
            episodes=episodes,
            held_out=made_from["held_out"],
            horizons=horizons or _default_horizons(model, episodes),
            world=judged,
            pairs=chosen,
            agent=agent,
            habit=habit,
            scenes=scenes,
            seed=seed,
            log=log,
        )
        judgement.facts |= {"title": title or run.name, "lead": lead, "recording": episodes.path}
        if chosen is not None:
            chosen.save(run / PAIRS)
        judgement.save(run / RESULTS)
        title = judgement.facts["title"]
        illustrate(run, judgement, title=title, lead=lead, model=model, episodes=episodes, world=judged, pairs=chosen)
    return judgement


def open_run(run: Path, recording: str | Path | None = None, device: str = "auto") -> tuple[WorldModel, Episodes]:
    """A run's model, and the recording that it was trained on; see `evaluate_run` for arguments and errors."""
    model = WorldModel.load(run, device)
    made_from = model.provenance
    where = recording or made_from.get("recording")
    if where is None:
        raise ArmillaryError(f"{run}: the checkpoint does not say which recording it is of; give --recording")
    if recording is None and "://" in str(where):
        raise ArmillaryError(
            f"{run}: the checkpoint names the recording {where}, which is not on this machine; to read it from "
            "there, name it: --recording"
        )
    if "://" not in str(where):
        where = Path(where).resolve()
        if not where.exists():
            raise ArmillaryError(f"{run}: there is no recording at {where}; say with --recording where it is")
    episodes = Episodes.open(where)
    if episodes.content_hash() != made_from.get("recording_hash"):
        raise SpecMismatch(
            f"{where} is not what {run} was trained on (hash {episodes.content_hash()[:12]}, trained on "
            f"{str(made_from.get('recording_hash'))[:12]}), and which episodes it has not seen is unknown; give --recording"
        )
    held_out = made_from.get("held_out")
    if not held_out or max(held_out) >= len(episodes):
        raise CorruptFile(f"{run}: the checkpoint names no held-out episodes, or some that {where} has not")
    return model, episodes.relative_to(model.spec)


def local_recording(where: Any) -> str | None:
    """The recording that a file names, if it is on this machine: a stranger's file makes nobody connect to anywhere."""
    return where if isinstance(where, str) and "://" not in where and Path(where).exists() else None


def _default_horizons(model: WorldModel, episodes: Episodes) -> list[float]:
    """Those for which a held-out episode is long enough; it is said what is left out."""
    skip, context = model.config.skip, model.config.context
    usual = default_horizons(episodes.spec.rate, skip)
    fit, left_out = fitting_horizons(episodes, model.provenance["held_out"], usual, skip, context)
    if left_out:
        print(left_out, file=sys.stderr)
    return fit


def default_horizons(rate: float | None, skip: int) -> tuple[float, ...]:
    """Half a second to two, or 1 to 8 action blocks in env steps where there is no rate."""
    return (0.5, 1.0, 2.0) if rate else (1 * skip, 2 * skip, 4 * skip, 8 * skip)


def report_run(run: str | Path) -> Path:
    """Write a run's page anew from its `results.json` and `metrics.jsonl`, with what its checkpoint and recording still show.

    Raises:
        ArmillaryError: there are no results in `run`.
    """
    run = Path(run)
    require_finished(run)
    judgement = Judgement.load(run / RESULTS)
    facts: dict[str, Any] = judgement.facts
    parts: dict[str, Any] = {}
    if (recording := local_recording(facts.get("recording"))) and (run / "model.safetensors").exists():
        episodes = Episodes.open(recording)
        if episodes.content_hash() == facts.get("recording_hash"):
            model = WorldModel.load(run)
            parts = {"model": model, "episodes": episodes.relative_to(model.spec)}
    return illustrate(run, judgement, title=facts.get("title", run.name), lead=facts.get("lead", LEAD), **parts)


def world_and_pairs(
    info: Mapping[str, Any],
    pairs: int | str | Path,
    constraints: Mapping[str, Any],
    recorded_under: Any,
    seed: int = TEST_SEED,
    world: str | Callable[..., Any] | None = None,
) -> tuple[Judged, EvalSet]:
    if not isinstance(pairs, int):
        chosen = EvalSet.load(pairs)
        return judged_world(len(chosen), chosen.world, chosen.options, world), chosen
    options = info.get("options", {})
    made = judged_world(pairs, info.get("world"), options, world)
    _check_constraints(made, constraints)
    said: dict[str, Any] = {"budget": getattr(made, "budget", 2.0), "forbidden_seeds": [recorded_under], "options": options}
    with drawing(made, needed=False):  # while pairs are tried; some worlds draw slowly
        return made, make_eval_set(made, pairs, seed, **said, **constraints)


def judged_world(num_envs: int, name: Any, options: Any, world: str | Callable[..., Any] | None = None) -> Judged:
    """The world that a file names, with its options, or `world`, which the caller names; to be judged in.

    Raises:
        ArmillaryError: the file names a world that no file may; nothing is judged in that world.
    """
    settings = {"num_envs": num_envs, "max_steps": None, "autoreset_mode": "Disabled"}
    made = make_named(name, options, **settings) if world is None else make(world, **options, **settings)
    if not isinstance(made, Judged):
        raise ArmillaryError(why_not_judged(made.name))
    return made


def why_not_judged(world: str) -> str:
    """Why nothing is judged in a world of this name."""
    if world.startswith(GYM):
        return f"{world} has no goals and no success; make it a world of your own (armillary.worlds.own)"
    if world in names():
        return f"{world} has no goals and no success, so that agents are not judged in it"
    return f"the recording is of {world}, which no file may import; add --world {world} to judge in it"


def _check_constraints(world: Judged, constraints: Mapping[str, Any]) -> None:
    parameters = inspect.signature(world.sample_pairs).parameters.values()
    known = {p.name: p.annotation for p in parameters if p.kind == p.KEYWORD_ONLY}
    for name, value in constraints.items():
        if name not in known:
            raise ArmillaryError(f"{world.name} has no constraint {name!r} on pairs; it has {', '.join(known) or 'none'}")
        if not isinstance(value, known[name] | int):  # 3 is a fine float
            raise ArmillaryError(f"{world.name}: constraint {name} is {inspect.formatannotation(known[name])}, not {value!r}")
