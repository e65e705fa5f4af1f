"""Picking up OGBench's cube and placing it somewhere else, again and again: what the world `cube` learns from.

It is OGBench's own Markov oracle, at the pace of env steps. That oracle was made for 20 decisions a second and always moves at
full speed; here one action is held for a quarter of a second, so that it says how far to go.
Source: `ogbench.manipspace.oracles`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from ogbench.manipspace.oracles.markov.cube_markov import CubeMarkovOracle

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted
from armillary.worlds.cube.simulator import LYING

LENGTH, TURN = 0.108, 0.335
"""How far an action of 1 takes the hand in an env step: m along an axis, rad."""
STEEPEST = 0.8  # along z: faster, the hand swings aside by more than the oracle takes for being above its target
GAIN, TURN_GAIN = 5, 3  # the oracle's own, from what is left to go to an action
PATIENCE = 30  # env steps after which it gives a target up


class PickAndPlace(CubeMarkovOracle):
    """The oracle for one cube: tell it a target by `begin`, then ask for actions with `act`."""

    def __init__(self) -> None:
        super().__init__(env=None)

    def begin(
        self,
        cube: Float[np.ndarray, " 3"],
        cube_yaw: float,
        hand: Float[np.ndarray, " 3"],
        hand_yaw: float,
    ) -> None:
        """A new target: where the cube shall be (m, rad), and then the hand."""
        self._target, self._target_yaw, self._final_pos, self._hand_yaw = cube, cube_yaw, hand, hand_yaw
        self._done, self._step, self._max_step = False, 0, PATIENCE

    def act(self, truth: Mapping[str, np.ndarray]) -> Float[np.ndarray, " 5"]:
        """The action on the truth of one environment, by stream."""
        yaw = np.arctan2(*truth["hand_turn"][::-1])
        to_go = (self._hand_yaw - yaw + np.pi) % (2 * np.pi) - np.pi
        self._final_yaw = yaw + to_go / (TURN_GAIN * TURN)
        info = {
            "proprio/effector_pos": truth["hand"],
            "proprio/effector_yaw": np.array([yaw]),
            "proprio/gripper_opening": truth["gripper"][:1],
            "proprio/gripper_contact": truth["gripper"][1:],
            "privileged/target_block": 0,
            "privileged/block_0_pos": truth["cube"],
            "privileged/block_0_yaw": np.array([np.arctan2(*truth["cube_turn"][::-1]) / 4]),
            "privileged/target_block_pos": self._target,
            "privileged/target_block_yaw": np.array([self._target_yaw]),
        }
        action = self.select_action(None, info)
        action[2] = np.clip(action[2], -STEEPEST, STEEPEST)
        return action

    def shape_diff(self, diff: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
        """What is left to go (m), so that the oracle's gain makes of it the action that goes there."""
        return diff / (GAIN * LENGTH)

    def shortest_yaw(self, eff_yaw: float, obj_yaw: float, n: int = 4) -> float:
        """A yaw on the way to the nearest of those that look like `obj_yaw`, as far as the oracle's gain needs it to be."""
        return eff_yaw + (super().shortest_yaw(eff_yaw, obj_yaw, n) - eff_yaw) / (TURN_GAIN * TURN)


@dataclass
class CubePlay(Scripted):
    """To random places, with an error in each action and now and then a random one: an actor to record with.

    Args:
        table, reach: where cubes and hands may go, lowest and highest (m).
        noise: the most that the standard deviation of errors is, as a share of the actions' bounds; each target has its own.
        random: share of actions that are uniform.
    """

    table: Float[np.ndarray, "2 2"] = field(repr=False)
    reach: Float[np.ndarray, "2 3"] = field(repr=False)
    noise: float = 0.3
    random: float = 0.1

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {"oracle": np.array([PickAndPlace() for _ in range(n)], object), "noise": np.zeros(n)}

    def choose(
        self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator
    ) -> Float[np.ndarray, "n 5"]:
        actions = np.empty((len(memory["oracle"]), 5), np.float32)
        for i, oracle in enumerate(memory["oracle"]):
            # Numbers are drawn whether or not they are used, so that one environment does not change what another does.
            place, hand, turns = rng.uniform(*self.table), rng.uniform(*self.reach), rng.uniform(-np.pi, np.pi, 2)
            noise, error, uniform, lot = rng.random(), rng.standard_normal(5), rng.uniform(-1, 1, 5), rng.random()
            if oracle.done or memory["began"][i]:
                oracle.begin(np.append(place, LYING), turns[0], hand, turns[1])
                memory["noise"][i] = noise * self.noise
            action = oracle.act({name: values[i].astype(float) for name, values in observations.items() if name != "image"})
            actions[i] = uniform if lot < self.random else np.clip(action + memory["noise"][i] * error, -1, 1)
        return actions
