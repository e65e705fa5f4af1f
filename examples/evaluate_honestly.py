"""For a researcher: choose a planner on development pairs, and report it once on test pairs, beside its baselines.

Shows `arm.evaluate` with another agent, the two sets of start and goal pairs, and the rows that a success rate has to beat:
random actions, an untrained model in the same planner, and the model with its actions shuffled. Run it so:

    python examples/evaluate_honestly.py --out runs/honest
"""

from dataclasses import replace
from pathlib import Path

import tyro

import armillary as arm
from armillary.acting.config import AgentConfig
from armillary.planning import CEM, MPPI
from armillary.training.recipes import RECIPES

CANDIDATES = {"cem": CEM(), "mppi": MPPI(horizon=4, samples=48, sigma=0.8)}
ROWS = "random", "untrained", "shuffled", "model", "oracle"


def main(out: Path = Path("runs/honest"), episodes: int = 200, steps: int | None = None, pairs: int = 100) -> None:
    """Train once, compare planners on development pairs, and judge the better one on test pairs.

    Args:
        out: new folder of the recording and the run.
        episodes: number of episodes to record.
        steps: optimiser steps of each training stage. Default: as in the recipe.
        pairs: number of start and goal pairs in each set.
    """
    world = arm.make("two_room", num_envs=20, max_steps=72)
    recording = arm.record(world, world.play(), out / "recording", episodes=episodes)
    stages = tuple(replace(stage, steps=steps or stage.steps) for stage in RECIPES["two_room"].stages)
    arm.fit(recording, out / "run", replace(RECIPES["two_room"], stages=stages))

    chosen, best = "", -1.0
    for name, planner in CANDIDATES.items():
        result = arm.evaluate(out / "run", pairs=pairs, agent=AgentConfig(planner), development=True)
        success = result.control.rows["model"].success
        print(f"development pairs, {name}: {success.percent()}")
        if success.value > best:
            chosen, best = name, success.value

    result = arm.evaluate(out / "run", pairs=pairs, agent=AgentConfig(CANDIDATES[chosen]))
    for row in ROWS:
        print(f"test pairs, {chosen}, {row}: {result.control.rows[row].success.percent()}")


if __name__ == "__main__":
    tyro.cli(main)
