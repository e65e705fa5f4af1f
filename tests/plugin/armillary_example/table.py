"""A world: a puck on a table, with a goal to be pushed to."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from armillary.worlds.own import OwnWorld, own_world

SIDE, STEP, NEAR = 16, 0.2, 0.15
GRID = (np.mgrid[:SIDE, :SIDE].T + 0.5) / SIDE


class Puck(gymnasium.Env):
    observation_space = Dict({"image": Box(0, 255, (SIDE, SIDE, 3), np.uint8), "place": Box(0, 1, (2,), np.float32)})
    action_space = Box(-1, 1, (2,), np.float32)
    metadata = {"render_fps": 10}  # noqa: RUF012

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.place = self.np_random.uniform(0, 1, 2)
        return self.see(), {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.place = np.clip(self.place + STEP * action, 0, 1)
        return self.see(), 0.0, False, False, {}

    def see(self) -> dict[str, np.ndarray]:
        bright = np.exp(-np.square(GRID - self.place).sum(-1) / 0.02)
        return {"image": np.uint8(255 * bright[..., None].repeat(3, -1)), "place": self.place.astype(np.float32)}


def sample_goal(env: Puck, rng: np.random.Generator) -> dict[str, np.ndarray]:
    env.place = rng.uniform(0, 1, 2)
    return env.see()


def success(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    return np.abs(state - goal).max(axis=1) < NEAR


def make(num_envs: int = 1, **settings: Any) -> OwnWorld:
    return own_world(Puck, num_envs, sample_goal=sample_goal, success=success, truth=["place"], budget=8, **settings)
