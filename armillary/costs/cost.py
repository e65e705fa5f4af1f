"""Cost: one number for each imagined future, lower is better.

Planners know nothing but the rollout and its cost, so goals, intrinsic costs, constraints and critics are all Costs, and a
weighted sum of Costs is one too (the cost module of LeCun 2022, section 3.2). A future that is forbidden costs infinity.
"""

import math
from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError


class Cost(ABC):
    """A cost of rollouts; `2.0 * a + b` and `sum([a, b])` are Costs."""

    @abstractmethod
    def __call__(self, z: Float[Tensor, "b s h d"], actions: Float[Tensor, "b s h a"]) -> Float[Tensor, "b s"]:
        """Cost of S imagined futures for each of B problems.

        Args:
            z: the latents after each of H blocks.
            actions: the raw action blocks that led there.
        """

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
    """What `+` and `*` make: a flat sum of weighted costs."""

    def __init__(self, terms: tuple[tuple[float, Cost], ...]) -> None:
        self._terms = terms

    @property
    def terms(self) -> tuple[tuple[float, Cost], ...]:
        return self._terms

    def __call__(self, z: Float[Tensor, "b s h d"], actions: Float[Tensor, "b s h a"]) -> Float[Tensor, "b s"]:
        return sum(weight * cost(z, actions) for weight, cost in self._terms)
