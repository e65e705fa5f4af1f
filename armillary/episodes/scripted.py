"""Actors without a model: behaviour to record, by chance, by a function, or by a script with a memory.

All environments of one such actor share a random generator, so that the actions of a large vector are drawn in one go. What
`str(actor)` says is kept with the recording.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from armillary.actor import Action, Actor, Observations, Started
from armillary.arguments import seed_of
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace

Function = Callable[[dict[str, np.ndarray], np.random.Generator], np.ndarray]
"""A stateless policy: all streams (B, *shape), truth included, and a random generator, to actions (B, n) or choices (B,)."""


class Scripted(Actor):
    """Base class: `choose` says what to do, on what is seen and a memory, which has a row for each environment.

    Attributes:
        rng: the random generator; whoever has one of their own to draw from may put it here after `reset`.
    """

    needs_truth = True
    seed = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment. Random numbers begin again, under another seed if one is given."""
        self.seed = self.seed if seed is None else seed_of(seed)
        self.rng, self._started = np.random.default_rng([self.seed, 1]), Started()
        self._memory: dict[str, np.ndarray] = {"began": np.ones(0, bool), "id": np.zeros(0, int), **self.memory(0)}

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """An episode begins in these environments; see `Actor.start`."""
        known, rows = len(self._started), self._started.add(ids)
        new = len(self._started) - known
        more = {"began": np.ones(new, bool), "id": self._started.ids[known:], **self.memory(new)}
        self._memory = {name: np.concatenate([values, more[name]]) for name, values in self._memory.items()}
        self._memory["began"][rows] = True

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """What to do now; see `Actor.act`."""
        rows = self._started.rows(ids)
        memory = {name: values[rows] for name, values in self._memory.items()}
        actions = self.choose(observations, memory, self.rng)
        memory["began"] = np.zeros(len(rows), bool)
        for name, values in memory.items():
            self._memory[name][rows] = values
        return Action(actions, "scripted")

    def memory(self, n: int) -> dict[str, np.ndarray]:
        """The memory of n new environments: arrays (n, ...) by name, zeros for those that `choose` writes before it reads."""
        return {}

    @abstractmethod
    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Actions (B, n) float32, or choices (B,) int64.

        Args:
            observations: (B, *shape) by stream, truth included.
            memory: (B, ...) by name, to be written on. `began` (B,) says which environments begin an episode, `id` (B,) which
                these are; the rest is as it was left in the episode before.
            rng: of all environments.
        """


@dataclass
class FunctionActor(Scripted):
    """Does what a function says, which sees all streams and has no memory."""

    function: Function

    def __str__(self) -> str:
        return getattr(self.function, "__name__", None) or str(self.function)

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        return self.function(dict(observations), rng)


def as_actor(actor: Actor | Function) -> Actor:
    """The actor, or one that does what a function says.

    Raises:
        ArmillaryError: it is neither.
    """
    if isinstance(actor, type) or not (isinstance(actor, Actor) or callable(actor)):
        raise ArmillaryError(f"expected an Actor or a function (observations, rng) -> actions; got {actor!r}")
    return actor if isinstance(actor, Actor) else FunctionActor(actor)


@dataclass
class Random(Scripted):
    """Uniform actions, each held for `hold` steps; an episode begins with a fresh one.

    Raises:
        ArmillaryError: a box without bounds, or `hold` below 1.
    """

    needs_observations = needs_truth = False
    space: ActionSpace = field(repr=False)
    hold: int = 1

    def __post_init__(self) -> None:
        if self.hold < 1:
            raise ArmillaryError(f"an action is held for at least 1 step, not {self.hold}")
        uniform(self.space, 1, np.random.default_rng(0))
        super().__post_init__()

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {"left": np.zeros(n, int), "action": np.zeros((n, *self.space.shape), self.space.dtype)}

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        fresh = memory["began"] | (memory["left"] == 0)
        drawn = uniform(self.space, len(fresh), rng)
        memory["action"] = np.where(fresh.reshape(-1, *[1] * (drawn.ndim - 1)), drawn, memory["action"])
        memory["left"] = np.where(fresh, self.hold, memory["left"]) - 1
        return memory["action"]


@dataclass
class Smooth(Scripted):
    """A random walk over the action box, reflected at its bounds: smooth, and uniform in the long run.

    Args:
        step: standard deviation of a step, as a share of the range of each number.

    Raises:
        ArmillaryError: choices, or a box without bounds.
    """

    needs_observations = needs_truth = False
    space: ActionSpace = field(repr=False)
    step: float = 0.1

    def __post_init__(self) -> None:
        if self.space.kind != "box":
            raise ArmillaryError("smooth actions need a box of numbers; for choices take Random with hold")
        uniform(self.space, 1, np.random.default_rng(0))
        super().__post_init__()

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {"action": np.zeros((n, self.space.n), np.float32)}

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        low, high = (np.asarray(bound, np.float32) for bound in (self.space.low, self.space.high))
        began, action = memory["began"], uniform(self.space, len(memory["began"]), rng)
        if not began.all():
            # A triangle wave reflects the walk at both bounds, which keeps its distribution uniform.
            moved = (memory["action"] - low) / (high - low) + self.step * rng.standard_normal(action.shape)
            walked = low + (high - low) * (1 - np.abs(moved % 2 - 1))
            action = np.where(began[:, None], action, walked.astype(np.float32))
        memory["action"] = action
        return action


def uniform(space: ActionSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Actions (n, size) float32 within the bounds, or choices (n,) int64.

    Raises:
        ArmillaryError: a box without bounds.
    """
    if space.kind == "discrete":
        return rng.integers(space.n, size=n)
    if not np.isfinite([space.low, space.high]).all():
        raise ArmillaryError("random actions need bounds, and this action space has none; give a policy of your own")
    if space.whole:
        low, high = (np.asarray(bound, np.int64) for bound in (space.low, space.high))
        return rng.integers(low, high + 1, (n, space.n)).astype(np.float32)
    return rng.uniform(space.low, space.high, (n, space.n)).astype(np.float32)
