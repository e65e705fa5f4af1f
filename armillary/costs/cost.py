"""Cost: one number for each imagined future, lower is better.

Planners know nothing but the rollout and its cost, so goals, intrinsic costs, constraints and critics are all Costs, and a
weighted sum of Costs is one too (the cost module of LeCun 2022, section 3.2). A future that is forbidden costs infinity.
A Cost holds no goal and no state: the goal comes with the call, so that one Cost serves every batch.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.goals.goal import Goal
from armillary.imagination import Rollout


class Cost(ABC):
    """A cost of rollouts; `2.0 * a + b` and `sum([a, b])` are Costs."""

    measures: ClassVar[bool] = False
    """whether it says how far apart two latents are, with `distance` and `embed`, as graph search needs"""

    @abstractmethod
    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        """Cost of S imagined futures for each of B problems.

        Args:
            rollout: latents (B, S, H, D), and the raw action blocks (B, S, H, A) that led there.
            goal: what is wanted in each of the B problems, or in all of them.
        """

    def distance(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        """How far apart latents are, in the unit of this cost for a single step.

        Raises:
            ArmillaryError: it does not measure that.
        """
        raise self._no_distance()

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Latents to points whose Euclidean distance orders them as `distance` does.

        Raises:
            ArmillaryError: it does not measure distances.
        """
        raise self._no_distance()

    def _no_distance(self) -> ArmillaryError:
        return ArmillaryError(f"{type(self).__name__} does not say how far apart latents are; add one that does: LatentGoal()")

    @property
    def terms(self) -> tuple[tuple[float, "Cost"], ...]:
        """What the cost is the sum of: (weight, cost) pairs."""
        return ((1.0, self),)

    def __add__(self, other: "Cost") -> "Cost":
        return WeightedSum(self.terms + other.terms) if isinstance(other, Cost) else NotImplemented

    def __radd__(self, other: object) -> "Cost":
        return self if other == 0 else NotImplemented  # sum([...]) begins with 0

    def __mul__(self, weight: int | float) -> "Cost":
        if not isinstance(weight, (int, float)):
            return NotImplemented
        if not math.isfinite(weight):
            raise ArmillaryError(f"the weight of a cost is a finite number, not {weight}")
        return WeightedSum(tuple((weight * own, cost) for own, cost in self.terms))

    __rmul__ = __mul__


class WeightedSum(Cost):
    """What `+` and `*` make: a flat sum of weighted costs. It measures distances if one of them does."""

    def __init__(self, terms: tuple[tuple[float, Cost], ...]) -> None:
        self._terms = terms

    @property
    def terms(self) -> tuple[tuple[float, Cost], ...]:
        return self._terms

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        first, *others = (weight * cost(rollout, goal) for weight, cost in self._terms)
        return sum(others, first)

    def __repr__(self) -> str:
        return " + ".join(f"{weight:g} * {cost}" for weight, cost in self._terms)

    def distance(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        measuring = [weight * cost.distance(a, b) for weight, cost in self._terms if cost.measures]
        return sum(measuring[1:], measuring[0]) if measuring else super().distance(a, b)

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        points = [cost.embed(z) for _, cost in self._terms if cost.measures]
        return torch.cat(points, -1) if points else super().embed(z)
