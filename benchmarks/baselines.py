"""Tune the habits that stand beside a model: the same data, latents and pairs to choose on as the model had.

    armillary bench control --worlds two_room --seeds 0            # trains the model and keeps it under runs/control
    python benchmarks/baselines.py two_room --out results/baselines/two_room.json

Every width and number of steps of the grid is trained on the run's latents and judged on the development pairs of the task's
first set. The file has every trial with its interval; the best of each kind stands in `suite/methods.py`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import tyro

from armillary.acting.habit import HabitActor, train_habit
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED
from armillary.files import write_whole
from armillary.latents import learned_from
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.suite.methods import HABITS
from armillary.suite.run import RUNS, draw_pairs
from armillary.suite.tasks import SUITE


def main(
    world: tyro.conf.Positional[str],
    widths: tuple[int, ...] = (256, 512),
    steps: tuple[int, ...] = (1500, 6000),
    seed: int = 0,
    pairs: int = 200,
    runs: Path = RUNS,
    out: Path | None = None,
) -> None:
    """Train and judge every habit of the grid.

    Args:
        world: name of a task of the suite.
        widths: hidden widths to try.
        steps: numbers of optimiser steps to try.
        seed: training seed of the run whose latents are used.
        pairs: development pairs of start and goal.
        runs: folder of the suite's runs.
        out: JSON file of the result; none is written by default.
    """
    task, folder = SUITE[world], runs / f"{world}-{seed}"
    model, episodes = WorldModel.load(folder), Episodes.open(folder / "recording")
    first, *_ = task.sets.values()
    judged, chosen = draw_pairs(task, first, pairs, seed, runs / "pairs", DEVELOPMENT_SEED)
    trials = []
    for (kind, config), width, count in product(HABITS.items(), widths, steps):
        config = replace(config, width=width, steps=count)
        habit = train_habit(model, episodes, config, which=learned_from(model, episodes), seed=seed)
        with one_thread(model.config.is_small):
            table = evaluate(judged, chosen, others={kind: HabitActor(model, habit)}, singles=0, seed=seed)
        success = table.rows[kind].success
        trials.append({"kind": kind, "config": asdict(config), "success": asdict(success)})
        print(f"{kind}, width {width}, {count} steps: {success.percent()}", flush=True)
    facts = {"world": world, "seed": seed, "pairs": pairs, "development_hash": chosen.hash}
    facts |= {"machine": machine(), "commit": commit(), "best": {kind: best(trials, kind) for kind in HABITS}, "trials": trials}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, json.dumps(facts, indent=1) + "\n")


def best(trials: Sequence[dict], kind: str) -> dict:
    """The trial of this kind that held most goals; of equals the first, which is the smallest."""
    return max((trial for trial in trials if trial["kind"] == kind), key=lambda trial: trial["success"]["value"])


if __name__ == "__main__":
    tyro.cli(main)
