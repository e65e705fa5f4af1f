"""Policies to record with: callables (observations, rng) -> actions, one action for each environment.

`observations` is name -> (N, *shape), truth included, so that a scripted expert can use it. A policy with a memory may have
`reset(began)`, which is called with a mask (N,) of the environments in which an episode is about to take its first action.
What `str(policy)` says is kept with the recording.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from armillary.errors import ArmillaryError
from armillary.spec import Spec


@runtime_checkable
class Policy(Protocol):
    """What `record` asks for; a plain function will do."""

    def __call__(self, observations: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Actions (N, n) float32 for a box, (N,) int64 for choices."""


@dataclass
class RandomPolicy:
    spec: Spec = field(repr=False)
    hold: int

    def reset(self, began: np.ndarray) -> None:
        self._left = np.where(began, 0, getattr(self, "_left", 0))

    def __call__(self, observations: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        drawn = _uniform(self.spec, len(self._left), rng)
        fresh = self._left == 0
        self._action = drawn if fresh.all() else np.where(fresh.reshape(-1, *[1] * (drawn.ndim - 1)), drawn, self._action)
        self._left = np.where(fresh, self.hold, self._left) - 1
        return self._action


@dataclass
class SmoothPolicy:
    spec: Spec = field(repr=False)
    step: float

    def reset(self, began: np.ndarray) -> None:
        self._began = began

    def __call__(self, observations: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        low, high = (np.asarray(bound, np.float32) for bound in (self.spec.action.low, self.spec.action.high))
        action = _uniform(self.spec, len(self._began), rng)
        if not self._began.all():
            # A triangle wave reflects the walk at both bounds, which keeps its distribution uniform.
            moved = (self._action - low) / (high - low) + self.step * rng.standard_normal(action.shape)
            walked = low + (high - low) * (1 - np.abs(moved % 2 - 1))
            action = np.where(self._began[:, None], action, walked.astype(np.float32))
        self._action, self._began = action, np.zeros_like(self._began)
        return action


def random_policy(spec: Spec, hold: int = 1) -> Policy:
    """Uniform random actions, each held for `hold` steps; an episode begins with a fresh one.

    Raises:
        ArmillaryError: a box without bounds, or `hold` below 1.
    """
    if hold < 1:
        raise ArmillaryError(f"an action is held for at least 1 step, not {hold}")
    _uniform(spec, 1, np.random.default_rng(0))
    return RandomPolicy(spec, hold)


def smooth_policy(spec: Spec, step: float = 0.1) -> Policy:
    """A random walk over the action box, reflected at its bounds: smooth, and uniform in the long run.

    Args:
        step: standard deviation of a step, as a share of the range of each number.

    Raises:
        ArmillaryError: choices, or a box without bounds.
    """
    if spec.action.kind != "box":
        raise ArmillaryError("smooth actions need a box of numbers; for choices take random_policy with hold")
    _uniform(spec, 1, np.random.default_rng(0))
    return SmoothPolicy(spec, step)


def _uniform(spec: Spec, n: int, rng: np.random.Generator) -> np.ndarray:
    if spec.action.kind == "discrete":
        return rng.integers(spec.action.n, size=n)
    if not np.isfinite([spec.action.low, spec.action.high]).all():
        raise ArmillaryError("random actions need bounds, and this action space has none; give a policy of your own")
    if spec.action.whole:
        low, high = (np.asarray(bound, np.int64) for bound in (spec.action.low, spec.action.high))
        return rng.integers(low, high + 1, (n, spec.action.n)).astype(np.float32)
    return rng.uniform(spec.action.low, spec.action.high, (n, spec.action.n)).astype(np.float32)
