"""Effort: what acting costs by itself, an intrinsic cost. Add it with a small weight to a goal."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.goals.goal import Goal
from armillary.imagination import Rollout
from armillary.model.actions import ActionBlocks


@dataclass(frozen=True, eq=False)
class Effort(Cost):
    """Mean squared action, with each raw number scaled to zero mean and unit variance over the recording.

    Nothing is cheaper than the recording's mean action, and actions like the recorded ones cost 1 on average.
    """

    actions: ActionBlocks
    """`model.actions`, the statistics of the recorded actions"""

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        return self.actions.standardise(rollout.actions).square().mean((-2, -1))
