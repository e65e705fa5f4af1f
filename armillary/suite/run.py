"""The control suite: world x method x training seed. A run is one JSON file, from a recording made anew to every table's rows.

A run records, trains, and is judged on the goals of its task (`tasks.py`); then again in the same world with one factor of
variation after the other turned on, which its recording may never have shown. Design choices:
- what is whole is kept at once: recording and checkpoint in the run's folder, each table in the JSON. A run that was killed
  goes on there; one that is complete is not run again; one of another task or recipe is refused. To run again removes what
  the suite has written (`own_run.py`), and nothing else;
- all methods (`methods.py`) have the same pairs.
"""

import json
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from armillary.acting.agent import Agent
from armillary.acting.config import HABIT, AgentConfig, load_habit
from armillary.acting.habit import HabitConfig
from armillary.console import plain_console
from armillary.device import one_thread, pick_device
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.control.evaluate import ControlResult, evaluate
from armillary.evaluation.control.lax import HasFieldProtocol, evaluate_field_protocol
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED, EvalSet, make_eval_set
from armillary.evaluation.judge import peak_memory_mb
from armillary.files import as_json, parse_json, write_whole
from armillary.latents import learned_from
from armillary.model.config import ModelConfig
from armillary.model.world_model import MODEL, STATE
from armillary.own_run import RECORDING, clear_run
from armillary.provenance import commit, machine
from armillary.suite.methods import methods
from armillary.suite.tasks import SUITE, Goals, Task
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.metrics import METRICS
from armillary.training.random_encoder import train_on_random_encoder
from armillary.training.recipes import RECIPES
from armillary.training.rows import TRAINING_ROWS
from armillary.training.stages import StageConfig
from armillary.worlds.world import Judged, make

RESULTS, RUNS = Path("results/control"), Path("runs/control")
ENVS = 100
"""Environments that are recorded together."""
DEFAULTS = {"without": (), "senses": None}
"""Of a task's settings, those that results leave out where they have this value."""
HELD_OUT = 0.05
"""Share of the episodes that training never sees."""
RANDOM_ENCODER = "random_encoder"
_TRAINED = (MODEL, STATE, METRICS, TRAINING_ROWS)
WRITTEN = (*_TRAINED, HABIT, *(f"{RANDOM_ENCODER}/{name}" for name in _TRAINED))
"""Files of a run's folder that the suite writes beside the recording."""


def bench_control(
    worlds: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    *,
    pairs: int = 200,
    shifted: int = 100,
    out: str | Path = RESULTS,
    runs: str | Path = RUNS,
    again: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Run the suite; the result of each run, as `run_task` returns it.

    Args:
        worlds: names in SUITE. Default: all.
        seeds: of recording, weights and training.
        pairs: of start and goal in each evaluation set.
        shifted: pairs for each shifted factor.
        out: folder of the results, a JSON file a run.
        runs: folder of recordings, checkpoints and evaluation sets.
        again: begin from nothing, even where a run is complete.
        device: auto, cpu, cuda or mps.
        progress: say what is going on.

    Raises:
        ArmillaryError: before anything is run: a world that is not in the suite, a seed that belongs to evaluation, results of
            other settings.
        MissingExtra: the package of a world is not installed.
    """
    wanted = [(name, seed) for name in worlds or SUITE for seed in seeds]
    pick_device(device)
    for name, seed in wanted:
        if name not in SUITE:
            raise ArmillaryError(f"the suite has no world {name!r}; it has {', '.join(SUITE)}")
        if not 0 <= seed < DEVELOPMENT_SEED:
            raise ArmillaryError(f"seed {seed}: take some from 0 to {DEVELOPMENT_SEED - 1}; those beyond are for evaluation")
        make(SUITE[name].world, **SUITE[name].options)
        if not again:
            _begun(name, seed, pairs, shifted, Path(out))
    common: dict[str, Any] = {"pairs": pairs, "shifted": shifted, "out": out, "runs": runs, "again": again, "device": device}
    return [run_task(name, seed, **common, progress=progress) for name, seed in wanted]


def run_task(
    name: str,
    seed: int,
    *,
    pairs: int = 200,
    shifted: int = 100,
    out: str | Path = RESULTS,
    runs: str | Path = RUNS,
    again: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> dict[str, Any]:
    """One run, or what is missing of it: the content of `out/NAME-SEED.json`. `bench_control` explains the arguments.

    Its keys: `settings`; `recording` and `training`; `methods`; `sets` and `shift`, tables by name of the evaluation set or of
    the factor, as `ControlResult.to_json` has them, with the outcome of every pair (`short`); `development`, the model's table
    on the development pairs of the first set; `lax`, where a world has such a rule (`lax.py`); `complete`. Each part says of
    which commit it is, and the seconds it took. The run's folder, `runs/NAME-SEED`, is one that `armillary eval` takes.

    Raises:
        ArmillaryError: results, a recording or a checkpoint of other settings are in the way.
    """
    task, out, runs = SUITE[name], Path(out), Path(runs)
    path, folder, at = out / f"{name}-{seed}.json", runs / f"{name}-{seed}", commit()
    if again:
        clear_run(folder, _mark(name, seed), WRITTEN)
        _found(path)
        path.unlink(missing_ok=True)
    console, result = plain_console(quiet=not progress), _begun(name, seed, pairs, shifted, out)
    if result["complete"]:
        console.print(f"{path} is there already")
        return result
    out.mkdir(parents=True, exist_ok=True)

    def keep() -> None:
        write_whole(path, as_json(result, indent=1) + "\n")

    recorded = not again and (folder / RECORDING).exists() and Episodes.open(folder / RECORDING).unfinished is None
    with _part(console, f"{name}, seed {seed}: record") as spent:
        episodes = _recording(task, seed, folder / RECORDING, _mark(name, seed), again, progress)
    if "recording" not in result or not recorded:
        facts = {key: episodes.info[key] for key in ("policy", "versions")}
        facts |= {"episodes": len(episodes), "frames": int(episodes.lengths.sum()), "hash": episodes.content_hash()}
        result["recording"] = {"commit": at, **facts, **({} if recorded else spent)}
        keep()

    resumed = any((folder / part).exists() for part in (MODEL, STATE))
    config = TrainConfig(seed=seed, progress=progress)
    with _part(console, f"{name}, seed {seed}: train") as spent:
        kept: dict[str, Any] = {"streams": task.senses, "held_out": HELD_OUT, "device": device, "resume": resumed}
        model = fit(episodes, folder, RECIPES[task.recipe], config, **kept)
    if "training" not in result or not resumed:
        facts = {key: model.provenance[key] for key in ("frames", "train_seconds", "versions")}
        facts["parameters"] = sum(p.numel() for p in model.parameters())
        result |= {"training": {"commit": at, **facts, **({} if resumed else spent)}, "sets": {}, "shift": {}}
        keep()

    how, small = AgentConfig.of(model), model.config.is_small
    agent = Agent.of(model, how, load_habit(folder, model, how), seed=seed)
    first, *_ = task.sets.values()
    parts = [("sets", label, goals, pairs) for label, goals in task.sets.items()]
    for factor in getattr(make(task.world, **task.options), "all_factors", ()):
        parts.append(("shift", factor, replace(first, options={**first.options, "factors": [factor]}), shifted))
    for kind, label, goals, count in parts:
        if label in result[kind]:
            continue
        with _part(console, f"{name}, seed {seed}: {'shifted ' * (kind == 'shift')}{label}", small) as spent:
            world, chosen = draw_pairs(task, goals, count, seed, runs / "pairs")
            if kind == "sets":
                others = methods(agent, episodes, seed, task.without) if goals is first else {}
                if goals is first and "random_encoder" not in task.without:
                    frozen = train_on_random_encoder(
                        model, episodes, learned_from(model, episodes), folder / RANDOM_ENCODER, config
                    )
                    others["random_encoder"] = agent.changed(model=frozen, habit=None)
                result.setdefault("methods", {row: str(method) for row, method in {"model": agent, **others}.items()})
                table = evaluate(world, chosen, agent, others=others, seed=seed)
            else:
                table = evaluate(world, chosen, others={"model": agent}, singles=0, seed=seed)
        result[kind][label] = {"commit": at, **short(table), "rejected": chosen.rejected, **spent}
        success = table.rows["model"].success
        console.print(f"model {success.percent()}, {spent['seconds']:.0f} s" + ("" if table.ok else ", A CHECK IS RED"))
        keep()
    if "development" not in result:
        with _part(console, f"{name}, seed {seed}: development pairs", small) as spent:
            world, chosen = draw_pairs(task, first, pairs, seed, runs / "pairs", DEVELOPMENT_SEED)
            table = evaluate(world, chosen, others={"model": agent}, singles=0, seed=seed)
        result["development"] = {"commit": at, **short(table), **spent}
        keep()
    world = make(task.world, num_envs=task.batch, max_steps=None, autoreset_mode="Disabled", **task.options)
    if isinstance(world, HasFieldProtocol) and "lax" not in result:
        with _part(console, f"{name}, seed {seed}: by the field's rule", small) as spent:
            table = evaluate_field_protocol(world, agent, pairs, TEST_SEED)
        result["lax"] = {"commit": at, **table, **spent}
        keep()
    result |= {"complete": True, "peak_memory_mb": peak_memory_mb()}
    keep()
    return result


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Keys in which the settings of two runs differ.

    A setting of the recipe or habit that a run does not mention came later, with a default that does what was done before.
    """

    def whole(settings: dict[str, Any]) -> dict[str, Any]:
        model, stages, agent = (settings["recipe"].get(part, {}) for part in ("model", "stages", "agent"))
        stages = [asdict(StageConfig.from_json(stage)) for stage in stages]
        habit = {"habit": asdict(HabitConfig()) | agent["habit"]} if agent.get("habit") else {}
        recipe = {"model": asdict(ModelConfig()) | model, "stages": stages, "agent": {**agent, **habit}}
        return {**settings, "recipe": recipe}

    one, other = whole(one), whole(other)
    return [key for key in one if one[key] != other.get(key)]


def _begun(name: str, seed: int, pairs: int, shifted: int, out: Path) -> dict[str, Any]:
    """What there is of a run's results: nothing but its settings, at first."""
    path, task = out / f"{name}-{seed}.json", SUITE[name]
    settings = {
        "task": {name: value for name, value in asdict(task).items() if value != DEFAULTS.get(name, ...)},
        "recipe": RECIPES[task.recipe].to_json(),
        "pairs": pairs,
        "shifted": shifted,
    }
    fresh: dict[str, Any] = {"name": name, "seed": seed, "settings": json.loads(json.dumps(settings)), "machine": machine()}
    fresh |= {"sets": {}, "shift": {}, "complete": False}
    found = _found(path)
    if found is None:
        return fresh
    if differ := differing(fresh["settings"], found["settings"]):
        raise ArmillaryError(f"{path} is of another {' and '.join(differ)} than is asked for; run it again with --again")
    return found


def _found(path: Path) -> dict[str, Any] | None:
    """The results that are there, if any are."""
    if not path.exists():
        return None
    try:
        found = parse_json(path.read_text(), path)
        differing(found["settings"], found["settings"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{path} holds no results of the suite ({type(error).__name__}: {error})") from error
    return found


def _mark(name: str, seed: int) -> str:
    """What the recording of a run says, so that --again knows that the folder is the suite's."""
    return f"armillary bench control, {name}-{seed}"


def _recording(task: Task, seed: int, path: Path, mark: str, again: bool, progress: bool) -> Episodes:
    world = make(task.world, num_envs=min(ENVS, task.episodes), max_steps=task.steps, **task.options)
    about = {"world": task.world, "options": json.loads(json.dumps(task.options)), "made_by": mark}
    if again or not path.exists() or Episodes.open(path).unfinished is not None:
        how: dict[str, Any] = {"resume": not again, "overwrite": again, "progress": progress}
        record(world, world.play(), path, episodes=task.episodes, seed=seed, info=about, **how)
    episodes = Episodes.open(path)
    asked = (about["world"], about["options"], seed, world.version, task.episodes, task.steps + 1)
    info, longest = episodes.info, int(episodes.lengths.max())
    if asked != (info["world"], info["options"], info["seed"], info["versions"]["world"], len(episodes), longest):
        raise ArmillaryError(f"{path} is another recording than the task asks for; make it anew with --again")
    return episodes


def draw_pairs(
    task: Task, goals: Goals, n: int, seed: int, folder: Path, pairs_seed: int = TEST_SEED
) -> tuple[Judged, EvalSet]:
    """The world to be judged in, and n test (or development) pairs, made once for all training seeds and kept in `folder`."""
    options, constraints = {**task.options, **goals.options}, dict(goals.constraints)
    world = make(task.world, num_envs=task.batch, max_steps=None, autoreset_mode="Disabled", **options)
    budget = getattr(world, "budget", 2.0) if goals.budget is None else goals.budget
    more: dict[str, Any] = {"budget": budget, "random_hold": RECIPES[task.recipe].model.skip}
    asked = json.dumps([world.name, world.version, options, constraints, more, n, pairs_seed]).encode()
    # A few pairs, so that a set is made anew when the sampler was changed.
    few = np.concatenate(world.sample_pairs(8, np.random.default_rng(pairs_seed), **constraints))
    path = folder / f"{world.name}-{sha256(asked + few.tobytes()).hexdigest()[:16]}.json"
    if not path.exists():
        plain = json.loads(json.dumps(options))
        make_eval_set(world, n, pairs_seed, forbidden_seeds=[seed], options=plain, **more, **constraints).save(path)
    chosen = EvalSet.load(path)
    chosen.refuse([seed])
    return world, chosen


def short(table: ControlResult) -> dict[str, Any]:
    """With each pair's outcome in few bytes: `held` as 0 or 1, and `arrival` as the step, or - where the goal was not held."""
    plain = table.to_json()
    del plain["rollouts"]
    for row in plain["rows"].values():
        row["held"] = "".join(str(int(held)) for held in row["held"])
        row["arrival"] = " ".join("-" if step is None else str(step) for step in row["arrival"])
    return plain


@contextmanager
def _part(console: Console, title: str, small: bool = False) -> Generator[dict[str, float]]:
    """A part of a run, on one thread where it is small; its `seconds` on the wall and `cpu_seconds` once it has ended."""
    console.rule(title)
    spent: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    with one_thread(small):
        yield spent
    spent |= {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
