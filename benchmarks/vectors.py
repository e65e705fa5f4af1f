"""Control where the observation is a vector: the recipe `control_vectors` on worlds of one's own (`vector_worlds.py`).

    python benchmarks/vectors.py --out results/vectors.json      # all tasks and seeds
    python benchmarks/vectors.py car --seeds 0 --development     # one task, on the pairs that settings are chosen on

A seed is one recording, one training and one judgement, with the rows of every table and goal-conditioned behaviour cloning on
the same latents. Pairs are planned for together, which is faster and rounds differently than one by one. Writes --out FILE,
where given: a run that is in it already is not repeated, unless the recipe or the pairs have changed.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro
from vector_worlds import DEVELOPMENT, TASKS, Task

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.acting.habit import HabitActor, HabitConfig, train_habit
from armillary.device import one_thread
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED, EvalSet, make_eval_set
from armillary.files import as_json, parse_json, write_whole
from armillary.latents import learned_from
from armillary.provenance import commit, machine
from armillary.suite.methods import HABITS
from armillary.suite.run import short
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

CLONING = HABITS["behaviour_cloning"]
"""As it is tuned for the control suite."""
RECIPE = RECIPES["control_vectors"]
BATCH = 100


def main(
    tasks: tyro.conf.Positional[tuple[str, ...]] = tuple(TASKS),
    seeds: tuple[int, ...] = (0, 1, 2),
    pairs: int = 200,
    development: bool = False,
    cloning: HabitConfig = CLONING,
    out: Path | None = None,
) -> None:
    """Record, train and judge.

    Args:
        tasks: names of tasks.
        seeds: of recording, weights and training.
        pairs: of start and goal.
        development: draw pairs under the development seed, to choose settings on.
        cloning: settings of behaviour cloning.
        out: JSON file of the result; none is written by default.
    """
    results = parse_json(out.read_text()) if out is not None and out.exists() else {}
    for name in tasks:
        chosen = draw(TASKS[name], pairs, DEVELOPMENT_SEED if development else TEST_SEED)
        about = {
            "tuned_on": name in DEVELOPMENT,
            "recipe": RECIPE.to_json(),
            "cloning": asdict(cloning),
            "pairs_hash": chosen.hash,
            "rejected": chosen.rejected,
        }
        about, found = json.loads(json.dumps(about)), results.get(name, {})
        same = all(found.get(key) == value for key, value in about.items())
        results[name] = {**about, "runs": found["runs"] if same else {}}
        for seed in seeds:
            if str(seed) not in results[name]["runs"]:
                results[name]["runs"][str(seed)] = run = judge(TASKS[name], chosen, seed, cloning)
                shares = (f"{row} {100 * told['success']['value']:.1f}" for row, told in run["rows"].items())
                print(f"{name}, seed {seed}, {run['train_cpu_seconds']:.0f} CPU s of training: {', '.join(shares)}", flush=True)
                if out is not None:
                    write_whole(out, as_json(results, indent=1) + "\n")


def draw(task: Task, pairs: int, seed: int) -> EvalSet:
    """Pairs of a task, the same for all training seeds."""
    world = task.make(BATCH, autoreset_mode="Disabled")
    return make_eval_set(world, pairs, seed, budget=task.budget, random_hold=RECIPE.model.skip)


def learn(task: Task, folder: Path, seed: int) -> tuple[Agent, Episodes]:
    """An agent, and the recording of play that it learned from."""
    world = task.make(BATCH, max_steps=task.steps)
    episodes = record(world, world.play(), folder / "recording", episodes=task.episodes, seed=seed)
    model = fit(episodes, folder / "run", RECIPE, TrainConfig(seed=seed, progress=False), held_out=0.05, device="cpu")
    return Agent.of(model, AgentConfig.of(model), seed=seed, exact=False), episodes


def judge(task: Task, pairs: EvalSet, seed: int, cloning: HabitConfig) -> dict[str, Any]:
    """One seed's table, with the outcome of every pair."""
    pairs.refuse([seed])
    began = time.process_time()
    with TemporaryDirectory() as folder:
        agent, episodes = learn(task, Path(folder), seed)
        trained, model = time.process_time() - began, agent.model
        habit = train_habit(model, episodes, cloning, which=learned_from(model, episodes), seed=seed)
        facts = {"recording_hash": episodes.content_hash(), "frames": model.provenance["frames"]}
    with one_thread():
        world = task.make(BATCH, autoreset_mode="Disabled")
        table = evaluate(world, pairs, agent, others={"behaviour_cloning": HabitActor(model, habit)}, seed=seed)
    facts |= {"versions": model.provenance["versions"], "machine": machine(), "commit": commit(), "train_cpu_seconds": trained}
    return {**facts, "cpu_seconds": time.process_time() - began, **short(table)}


if __name__ == "__main__":
    tyro.cli(main)
