"""Worlds whose observation is a vector, as somebody who knows Gymnasium would write them, for `vectors.py`.

Settings are chosen on `DEVELOPMENT`; nothing is chosen on `TEST`. An environment has a `state` that is set, and `see` says what
is sensed in it. A goal is to be held at rest, but for the car, which has no speed of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from gymnasium.spaces import Box

from armillary.actor import Actor
from armillary.episodes.scripted import Random, Scripted
from armillary.spec import ActionSpace
from armillary.worlds.own import OwnWorld, own_world

Expert = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""States and their goals (n, S) to actions (n, k), or to whether they are at their goals (n,)."""


@dataclass(frozen=True)
class Task:
    """An environment with goals."""

    env: Callable[[], gymnasium.Env]
    goal: Callable[[np.random.Generator], list[float] | np.ndarray]
    """draws the state of a goal"""
    success: Expert
    budget: int
    """env steps of a pair"""
    oracle: Expert | None = None
    play: Callable[[], Actor] | None = None
    """what is recorded; by default, random actions that are held for 4 steps"""
    episodes: int = 300
    steps: int = 90

    def make(self, num_envs: int = 1, **settings: Any) -> OwnWorld:
        """The task as a world."""
        told = {"state": lambda env: env.state, "set_state": enter, "success": self.success, "oracle": self.oracle}
        more = {"sample_goal": lambda env, rng: enter(env, self.goal(rng)), "budget": self.budget, "play": self.play}
        return own_world(self.env, num_envs, **told, **more, **settings)


def enter(env: Any, state: Any) -> np.ndarray:
    """Set an environment's state, and look."""
    env.state = np.array(state, float)
    return env.see()


class System(gymnasium.Env):
    """Base class: a state that an action moves."""

    action_space = Box(-1, 1, (2,), np.float32)
    numbers = 4

    def __init__(self) -> None:
        self.state = np.zeros(self.numbers)
        self.observation_space = Box(-np.inf, np.inf, self.see().shape, np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.state = self.begin(self.np_random)
        return self.see(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.state = self.move(self.state, np.clip(action, -1, 1).astype(float))
        return self.see(), 0.0, False, False, {}

    def see(self) -> np.ndarray:
        return self.state.astype(np.float32)

    def begin(self, rng: np.random.Generator) -> np.ndarray:
        raise NotImplementedError

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class PointMass(System):
    """Place and velocity in a square; the action accelerates."""

    drag = 0.0

    def begin(self, rng: np.random.Generator) -> np.ndarray:
        return still(rng.uniform(-0.8, 0.8, 2))

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        velocity = (1 - self.drag) * state[2:] + 0.1 * action
        place = state[:2] + 0.1 * velocity
        inside = np.clip(place, -1, 1)
        return np.concatenate([inside, np.where(inside == place, velocity, 0)])


class Doorway(PointMass):
    """With drag, and a wall along x = 0 that has a door of width 0.5 at y = 0.5."""

    drag = 0.05

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        after = super().move(state, action)
        if state[0] * after[0] > 0:
            return after
        share = state[0] / (state[0] - after[0]) if after[0] != state[0] else 0.0
        y = state[1] + share * (after[1] - state[1])
        return after if abs(y - 0.5) < 0.25 else np.array([np.copysign(1e-3, state[0]), after[1], 0, after[3]])


class Pendulum(PendulumEnv):
    """Gymnasium's Pendulum-v1: too weak to swing up at once."""

    see = PendulumEnv._get_obs


class Arm(System):
    """Two joints in a plane without gravity, driven by torques: angles and their velocities."""

    def begin(self, rng: np.random.Generator) -> np.ndarray:
        return still(rng.uniform(-np.pi, np.pi, 2))

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        angles, speeds = state[:2], state[2:]
        for _ in range(4):
            c, s = np.cos(angles[1]), np.sin(angles[1])
            torque = [20, 10] * action - 2 * speeds - s * np.array([-speeds[1] * (2 * speeds[0] + speeds[1]), speeds[0] ** 2])
            speeds = speeds + 0.0125 * np.linalg.solve([[3 + 2 * c, 1 + c], [1 + c, 1]], torque)
            angles = angles + 0.0125 * speeds
        return np.concatenate([angles, speeds])

    def see(self) -> np.ndarray:
        angles, speeds = self.state[:2], self.state[2:]
        return np.concatenate([np.cos(angles), np.sin(angles), speeds]).astype(np.float32)


class Car(System):
    """Place and heading; the action is speed and steering, and the tightest turn has a radius of 0.25."""

    numbers = 3

    def begin(self, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform([-0.8, -0.8, -np.pi], [0.8, 0.8, np.pi])

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        way, turn = 0.1 * action[0], 0.4 * action[0] * action[1]
        middle = state[2] + turn / 2
        place = state[:2] + way * np.array([np.cos(middle), np.sin(middle)])
        return np.append(np.clip(place, -1, 1), state[2] + turn)

    def see(self) -> np.ndarray:
        x, y, heading = self.state
        return np.array([x, y, np.cos(heading), np.sin(heading)], np.float32)


class Lift(System):
    """An arm of two links in MuJoCo that hangs from the shoulder: angles and their velocities. At rest, it falls."""

    physics = mujoco.MjModel.from_xml_string("""
<mujoco>
  <option timestep="0.01"><flag contact="disable" warmstart="disable"/></option>
  <default><joint axis="0 1 0" damping="0.5"/><geom type="capsule" fromto="0 0 0 0 0 -0.5" size="0.04" mass="1"/></default>
  <worldbody><body><joint/><geom/><body pos="0 0 -0.5"><joint/><geom/></body></body></worldbody>
</mujoco>""")
    data = mujoco.MjData(physics)

    def begin(self, rng: np.random.Generator) -> np.ndarray:
        return still(rng.uniform(-1.5, 1.5, 2))

    def move(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        data = self.data
        data.qpos[:], data.qvel[:], data.qfrc_applied[:] = state[:2], state[2:], [15, 5] * action
        mujoco.mj_step(self.physics, data, 5)
        return np.concatenate([data.qpos, data.qvel])

    see = Arm.see


class MountainCar(Continuous_MountainCarEnv):
    """Gymnasium's MountainCarContinuous-v0: place and velocity of a car too weak for the hill."""

    def see(self) -> np.ndarray:
        return np.array(self.state, np.float32)


class CartPole(CartPoleEnv):
    """Gymnasium's CartPole-v1, pushed to the left or to the right at every step."""

    see = MountainCar.see

    def step(self, action: Any) -> tuple:
        self.steps_beyond_terminated = None  # evaluation steps on
        return super().step(action)


class Sway(Scripted):
    """Play of the cart: balances at some place, and errs in a fifth of the steps."""

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {"place": np.zeros((n, 4))}

    def choose(self, observations: dict, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        anew = memory["began"] | (rng.random(len(memory["began"])) < 0.02)
        memory["place"][anew, 0] = rng.uniform(-2, 2, anew.sum())
        wanted = balance(observations["vector"], memory["place"])
        return np.where(rng.random(len(wanted)) < 0.2, 1 - wanted, wanted)


def still(numbers: np.ndarray) -> np.ndarray:
    """With velocities of zero."""
    return np.concatenate([numbers, np.zeros_like(numbers)])


def near(places: float, velocities: float, angles: bool = False) -> Expert:
    """Whether the first half of the state is at the goal's, and the other half, velocities, at rest."""

    def success(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        away = np.split(state - goal, 2, axis=1)
        apart = turned(away[0]) if angles else away[0]
        return (np.linalg.norm(apart, axis=1) < places) & (np.linalg.norm(away[1], axis=1) < velocities)

    return success


def turned(angles: np.ndarray) -> np.ndarray:
    """Angles from -pi to pi."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def parked(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    away = state - goal
    return (np.linalg.norm(away[:, :2], axis=1) < 0.15) & (np.abs(turned(away[:, 2])) < 0.3)


def balanced(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    return (np.abs(state[:, 0] - goal[:, 0]) < 0.25) & (np.abs(state[:, 2]) < 0.2) & (np.abs(state[:, 1]) < 0.6)


def glide(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Of the point mass: as fast as it can still brake."""
    away = goal[:, :2] - state[:, :2]
    wanted = np.sign(away) * np.minimum(np.sqrt(1.2 * np.abs(away)), 4 * np.abs(away))
    return np.clip((wanted - state[:, 2:]) / 0.1, -1, 1).astype(np.float32)


def through(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Of the point mass with a wall: by way of the door."""
    side = np.sign(state[:, :1])
    other, inside = side != np.sign(goal[:, :1]), np.abs(state[:, 1:2] - 0.5) < 0.2
    before, behind = np.array([0.15, 0.5]), np.array([-0.15, 0.5])
    way = np.where(inside, side * behind * [1, 0] + [0, 0.5], side * before * [1, 0] + [0, 0.5])
    return glide(state, np.where(other, np.concatenate([way, 0 * way], 1), goal))


def swing_up(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Of the pendulum: give it the energy of the top, then balance."""
    away, speed = turned(state[:, 0] - goal[:, 0]), state[:, 1]
    energy = speed**2 / 2 + 15 * np.cos(state[:, 0])
    pump = 2 * np.sign(speed) * np.sign(15.2 - energy)
    hold = -5 * np.sin(state[:, 0]) - (30 * away + 10 * speed) / 3
    return np.where(np.abs(away) + np.abs(speed) / 4 < 0.5, hold, pump).clip(-2, 2)[:, None].astype(np.float32)


def climb(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Of the car in the valley: push the way it goes until it has the goal's energy, and brake there."""
    (place, speed), wanted = state.T, goal[:, 0]
    lacking = speed**2 / 2 < 0.0025 / 3 * (np.sin(3 * wanted) - np.sin(3 * place))
    hold = (0.0025 * np.cos(3 * place) + 0.02 * (wanted - place) - 0.28 * speed) / 0.0015
    push = np.where(lacking, np.where(speed < 0, -1, 1), 0)
    return np.where(place > wanted - 0.1, hold, push).clip(-1, 1)[:, None].astype(np.float32)


def balance(state: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Of the pole on a cart."""
    away = (state[:, 0] - goal[:, 0]).clip(-2, 2)
    return (3 * away + 3.5 * state[:, 1] + 30 * state[:, 2] + 5 * state[:, 3] > 0).astype(np.int64)


DEVELOPMENT = {
    "point_mass": Task(PointMass, lambda rng: still(rng.uniform(-0.8, 0.8, 2)), near(0.1, 0.3), 60, glide),
    "pendulum": Task(Pendulum, lambda rng: [rng.uniform(-0.35, 0.35), 0], near(0.15, 0.6, angles=True), 100, swing_up),
    "arm": Task(Arm, lambda rng: still(rng.uniform(-np.pi, np.pi, 2)), near(0.2, 0.8, angles=True), 60),
    "car": Task(Car, lambda rng: rng.uniform([-0.8, -0.8, -np.pi], [0.8, 0.8, np.pi]), parked, 75),
}
TEST = {
    "doorway": Task(Doorway, lambda rng: still(rng.uniform(-0.8, 0.8, 2)), near(0.1, 0.3), 90, through),
    "lift": Task(Lift, lambda rng: still(rng.uniform(-1.5, 1.5, 2)), near(0.2, 0.8, angles=True), 60),
    "mountain_car": Task(
        MountainCar,
        lambda rng: [rng.uniform(0.4, 0.5), 0],
        near(0.05, 0.015),
        200,
        climb,
        lambda: Random(ActionSpace("box", 1, (-1.0,), (1.0,)), 20),
        episodes=150,
        steps=200,
    ),
    "cart_pole": Task(
        CartPole, lambda rng: [rng.uniform(-1, 1), 0, 0, 0], balanced, 150, balance, Sway, episodes=300, steps=150
    ),
}
TASKS = {**DEVELOPMENT, **TEST}
