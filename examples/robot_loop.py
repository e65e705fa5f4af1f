"""For a roboticist: drive a control loop at 30 Hz with a trained agent, in one thread.

At each tick the last decided action is sent and the sensors are read; the next action is decided before the next tick. A
decision that takes longer is late: the robot holds its action for the ticks that it missed, and they are counted. The robot
here is a simulated world; replace `step` by your own. `armillary bench speed RUN --hz 30` says whether decisions fit.

    python examples/robot_loop.py --out runs/loop
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import torch
import tyro

import armillary as arm
from armillary.training.recipes import RECIPES

Observation = dict[str, np.ndarray]


def loop(agent: arm.Agent, step: Callable[[np.ndarray], Observation], ticks: int, hz: float) -> int:
    """Act for so many ticks; returns how many were missed. `step` sends an action (1, n) and reads what is sensed (1, ...)."""
    limits = np.float32(agent.model.spec.action.low), np.float32(agent.model.spec.action.high)
    action, missed, tick = np.zeros((1, len(limits[0])), np.float32), 0, perf_counter()
    for _ in range(ticks):
        observation = step(action)
        decided = np.clip(agent.act(observation).values, *limits)
        tick += 1 / hz
        late = perf_counter() - tick
        while late > 0:  # the robot went on with the action that it had
            step(action)
            missed, tick, late = missed + 1, tick + 1 / hz, late - 1 / hz
        sleep(-late)
        action = decided
    return missed


def main(out: Path = Path("runs/loop"), episodes: int = 200, steps: int | None = None, ticks: int = 90, hz: float = 30) -> None:
    """Record and train a small agent, and let it act for `ticks` ticks at `hz`; `steps` replaces the recipe's of each stage."""
    torch.set_num_threads(1)
    world = arm.make("two_room", num_envs=20, max_steps=72)
    recording = arm.record(world, world.play(), out / "recording", episodes=episodes)
    stages = tuple(replace(stage, steps=steps or stage.steps) for stage in RECIPES["two_room"].stages)
    arm.fit(recording, out / "run", replace(RECIPES["two_room"], stages=stages))

    agent, robot = arm.Agent.load(out / "run"), arm.make("two_room", autoreset_mode="Disabled")
    agent.start([0], goals=robot.reset(seed=20_000)[0])  # what the sensors give at the goal
    robot.reset(seed=30_000)
    missed = loop(agent, lambda action: robot.step(action)[0], ticks, hz)
    print(f"{ticks} ticks at {hz:g} Hz, {missed} missed")


if __name__ == "__main__":
    tyro.cli(main)
