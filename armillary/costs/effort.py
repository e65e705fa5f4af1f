"""Effort: what acting costs by itself, an intrinsic cost. Add it with a small weight to a goal."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from armillary.actions import ActionBlocks
from armillary.costs.cost import Cost


@dataclass(frozen=True, eq=False)
class Effort(Cost):
    """Mean squared action, with each raw number scaled to zero mean and unit variance over the recording.

    Nothing is cheaper than the recording's mean action, and actions like the recorded ones cost 1 on average.
    """

    blocks: ActionBlocks
    """`model.actions`, the statistics of the recorded actions"""

    def __call__(self, z: Float[Tensor, "b s h d"], actions: Float[Tensor, "b s h a"]) -> Float[Tensor, "b s"]:
        return self.blocks.standardise(actions).square().mean((-2, -1))
