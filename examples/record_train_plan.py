"""For a student: learn a small world from random behaviour, then plan in it with what was learned.

Shows the whole loop in four calls: record, fit, evaluate, act. Nothing tells the model about rooms or walls; it sees images and
actions. Run it so:

    python examples/record_train_plan.py --out runs/two_room

It prints the share of goals that were reached, and writes `report.html` into the run's folder.
"""

from dataclasses import replace
from pathlib import Path

import tyro

import armillary as arm
from armillary.training.recipes import RECIPES


def main(out: Path = Path("runs/two_room"), episodes: int = 200, steps: int | None = None, goals: int = 100) -> None:
    """Record two rooms, learn them, be judged, and go to one goal.

    Args:
        out: new folder of the recording and the run.
        episodes: how many to record.
        steps: optimiser steps of each training stage. Default: as in the recipe. Fewer show the way, not the result.
        goals: pairs of start and goal to be judged on.
    """
    world = arm.make("two_room", num_envs=20, max_steps=72)
    recording = arm.record(world, world.play(), out / "recording", episodes=episodes)

    recipe = RECIPES["two_room"]
    recipe = replace(recipe, stages=tuple(replace(stage, steps=steps or stage.steps) for stage in recipe.stages))
    arm.fit(recording, out / "run", recipe)

    result = arm.evaluate(out / "run", pairs=goals, constraints={"cross": True}).summary()
    print(f"goals reached: {result['success']:.0%} [{result['success_low']:.0%}, {result['success_high']:.0%}]")
    print(f"random actions: {result['success_random']:.0%}; report: {out / 'run' / 'report.html'}")

    world = arm.make("two_room", autoreset_mode="Disabled")
    goal, _ = world.reset(seed=20_000)  # an observation is the goal
    agent = arm.Agent.load(out / "run")  # the agent that was judged
    agent.start([0], goal)
    observation, _ = world.reset(seed=30_000)
    for _ in range(20):
        observation, *_ = world.step(agent.act(observation).values)
    print(f"position {observation['position'][0].round(1)}, goal {goal['position'][0].round(1)}")


if __name__ == "__main__":
    tyro.cli(main)
