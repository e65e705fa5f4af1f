"""For whoever has an environment of their own: from Gymnasium's interface to a judged agent, with two functions.

    python examples/own_world.py --out runs/puck

In this folder, `armillary record own_world:make` and `armillary eval RUN --world own_world:make` do the same.
"""

from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import tyro
from gymnasium.spaces import Box, Dict

import armillary as arm
from armillary.training.recipes import RECIPES
from armillary.worlds.own import own_world


class Puck(gymnasium.Env):  # slides on a table, seen from above
    observation_space = Dict({"image": Box(0, 255, (64, 64, 3), np.uint8), "place": Box(0, 1, (2,), np.float32)})
    action_space = Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(0.1, 0.9, 2)
        return self.see(), {}

    def step(self, action):
        self.place = np.clip(self.place + 0.1 * action, 0.1, 0.9)
        return self.see(), 0.0, False, False, {}

    def see(self):
        away = np.linalg.norm(np.indices((64, 64)).T / 64 - self.place, axis=-1)
        image = np.where(away[..., None] < 0.06, [220, 40, 40], 230)
        return {"image": image.astype(np.uint8), "place": self.place.astype(np.float32)}


def sample_goal(env, rng):  # move to a goal, and say what is seen there
    env.place = rng.uniform(0.1, 0.9, 2)
    return env.see()


def make(num_envs=1, **settings):  # states are the flat numbers of the observation; no model sees them
    task = {"sample_goal": sample_goal, "success": lambda state, goal: np.abs(state - goal).max(axis=1) < 0.05}
    return own_world(Puck, num_envs, **task, truth=["place"], budget=16, **settings)


def main(out: Path = Path("runs/puck"), episodes: int = 200, steps: int | None = None, goals: int = 50) -> None:
    world = arm.make(make, num_envs=20, max_steps=18)
    stages = tuple(replace(stage, steps=steps or stage.steps) for stage in RECIPES["two_room"].stages)
    recording = arm.record(world, world.play(), out / "recording", episodes=episodes)
    arm.fit(recording, out / "run", replace(RECIPES["two_room"], stages=stages))
    result = arm.evaluate(out / "run", world=make, pairs=goals, horizons=(1, 4)).summary()
    print(f"goals reached: {result['success']:.0%}, random actions: {result['success_random']:.0%}")


if __name__ == "__main__":
    tyro.cli(main)
