"""Actors that every comparison has: do nothing, random actions, and the world's own expert."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from armillary.acting.memory import grown
from armillary.actor import TRUE_STATE, Action, Actor, Observations, Started
from armillary.arguments import seed_of
from armillary.episodes.scripted import Scripted, uniform
from armillary.spec import ActionSpace

DRAWN = 64  # actions that are drawn for an environment at a time


@dataclass
class DoNothing(Scripted):
    """Zero actions; the first choice of a discrete space."""

    needs_observations = needs_truth = False
    space: ActionSpace

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        return np.zeros((len(memory["began"]), *self.space.shape), self.space.dtype)


@dataclass
class RandomBaseline(Actor):
    """Uniform actions within the bounds, each held for `hold` steps. They depend on `seed` and the environment's id alone.

    Raises:
        ArmillaryError: a box without bounds.
    """

    needs_observations = False
    space: ActionSpace
    hold: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        uniform(self.space, 1, np.random.default_rng(0))
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment. Random numbers begin again, under another seed if one is given."""
        self.seed = self.seed if seed is None else seed_of(seed)
        self._started, self._generators, self._steps = Started(), [], np.zeros(0, int)
        self._drawn = np.zeros((0, DRAWN, *self.space.shape), self.space.dtype)

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """See `Actor.start`."""
        known, rows = len(self._started), self._started.add(ids)
        new = self._started.ids[known:].tolist()
        self._generators += [np.random.default_rng((self.seed, i)) for i in new]
        self._steps, self._drawn = grown(self._steps, len(new)), grown(self._drawn, len(new))
        self._steps[rows] = 0

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """See `Actor.act`."""
        rows = self._started.rows(ids)
        number, step = np.divmod(self._steps[rows], self.hold)
        for row in rows[(number % DRAWN == 0) & (step == 0)]:
            self._drawn[row] = uniform(self.space, DRAWN, self._generators[row])
        self._steps[rows] += 1
        return Action(self._drawn[rows, number % DRAWN], "scripted")


@dataclass
class Oracle(Actor):
    """An expert who is told true states, such as a world's own: `Oracle(world.oracle)`.

    Args:
        expert: states (B, S) and their goals (B, S) to actions (B, n).
    """

    needs_observations, needs_truth, needs_goals = False, True, True
    expert: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment."""
        self._started, self._goals = Started(), {}

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """See `Actor.start`; the goals are full states (n, S), under `TRUE_STATE`."""
        rows = self._started.add(ids)
        if goals is not None:
            self._goals |= dict(zip(rows.tolist(), goals[TRUE_STATE], strict=True))

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """See `Actor.act`; the states now are (B, S), under `TRUE_STATE`.

        Raises:
            ArmillaryError: an environment has no goal, or was not started.
        """
        rows = self._started.rows(ids)
        self._started.require_goals(rows, np.isin(np.arange(len(self._started)), list(self._goals)))
        goals = np.stack([self._goals[row] for row in rows.tolist()])
        return Action(self.expert(observations[TRUE_STATE], goals), "scripted")
