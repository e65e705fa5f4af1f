"""A puck on a table, as an environment of somebody who knows Gymnasium, and the functions that make it a task."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from armillary.worlds.own import own_world

STEP, NEAR = 0.2, 0.1
SPACE = Dict({"image": Box(0, 255, (16, 16, 3), np.uint8), "place": Box(0, 1, (2,), np.float32)})
ACTIONS = Box(-1, 1, (2,), np.float32)


def draw(places):
    """(n, 16, 16, 3) of places (n, 2)."""
    grid = (np.arange(16) + 0.5) / 16
    far = (grid[None, :, None] - places[:, 0, None, None]) ** 2 + (grid[None, None] - places[:, 1, None, None]) ** 2
    return np.repeat((255 * np.exp(-far / 0.02)).astype(np.uint8)[..., None], 3, axis=3)


class Puck(gymnasium.Env):
    """Slides by up to STEP along each axis; ends at the edge of the table, as episodes of Gymnasium do."""

    observation_space, action_space = SPACE, ACTIONS
    metadata = {"render_fps": 10}  # noqa: RUF012

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(0, 1, 2)
        return self.see(), {}

    def step(self, action):
        self.place = np.clip(self.place + STEP * action, 0, 1)
        return self.see(), 0.0, bool((self.place % 1 == 0).any()), False, {}

    def see(self):
        return {"image": draw(self.place[None])[0], "place": self.place.astype(np.float32)}


class BlindPuck(Puck):
    """Without a camera."""

    observation_space = SPACE["place"]

    def see(self):
        return self.place.astype(np.float32)


class Pucks(VectorEnv):
    """N of them at once."""

    single_observation_space, single_action_space = SPACE, ACTIONS

    def __init__(self, num_envs):
        self.num_envs, self.metadata = num_envs, {"autoreset_mode": AutoresetMode.DISABLED}
        self.observation_space, self.action_space = batch_space(SPACE, num_envs), batch_space(ACTIONS, num_envs)

    def reset(self, *, seed=None, options=None):
        self.places = np.random.default_rng(seed).uniform(0, 1, (self.num_envs, 2))
        return self.see(), {}

    def step(self, actions):
        self.places = np.clip(self.places + STEP * actions, 0, 1)
        nothing = np.zeros(self.num_envs, bool)
        return self.see(), nothing.astype(float), nothing, nothing, {}

    def see(self):
        return {"image": draw(self.places), "place": self.places.astype(np.float32)}


class SeededPucks(Pucks):
    """Each of them starts under its own seed."""

    def reset(self, *, seed=None, options=None):
        seeds = seed if isinstance(seed, list) else [None if seed is None else seed + i for i in range(self.num_envs)]
        self.places = np.stack([np.random.default_rng(each).uniform(0, 1, 2) for each in seeds])
        return self.see(), {}


def sample_goal(env, rng):
    env.place = rng.uniform(0, 1, 2)
    return env.see()


def push_to_goal(env, rng):
    """By acting alone."""
    for action in rng.uniform(-1, 1, (12, 2)):
        seen, *_ = env.step(action)
    return seen


def push_to_goals(envs, rng):
    """All of them, by acting alone."""
    for action in rng.uniform(-1, 1, (12, envs.num_envs, 2)):
        seen, *_ = envs.step(action)
    return seen


def sample_goals(envs, rng):
    envs.places = rng.uniform(0, 1, envs.places.shape)
    return envs.see()


def set_place(env, state):
    env.place = state
    return env.see()


def set_places(envs, states):
    envs.places = states
    return envs.see()


def success(state, goal):
    return np.abs(state - goal).max(axis=1) < NEAR


def shortest_path(start, goal):
    return np.abs(start - goal).max(axis=1) / STEP


def oracle(state, goal):
    return np.clip((goal - state) / STEP, -1, 1).astype(np.float32)


def settable(num_envs=1, **settings):
    """All that there is to tell."""
    more = {"state": lambda env: env.place, "set_state": set_place, "shortest_path": shortest_path, "oracle": oracle}
    return own_world(Puck, num_envs, sample_goal=sample_goal, success=success, truth=["place"], **more, **settings)


def seeded(num_envs=1, **settings):
    """The two functions alone."""
    return own_world(Puck, num_envs, sample_goal=push_to_goal, success=success, budget=8, **settings)


def blind(num_envs=1, **settings):
    """Nothing but a vector is sensed."""
    return own_world(BlindPuck, num_envs, sample_goal=push_to_goal, success=success, budget=8, **settings)


def vector(num_envs=1, max_steps=None, autoreset_mode="Disabled"):
    """Of an environment that is a vector."""
    more = {"state": lambda envs: envs.places, "set_state": set_places}
    return own_world(Pucks(num_envs), sample_goal=sample_goals, success=success, **more)


def seeded_vector(num_envs=1, max_steps=None, autoreset_mode="Disabled"):
    """The two functions alone, of a vector."""
    return own_world(SeededPucks(num_envs), sample_goal=push_to_goals, success=success, budget=8)
