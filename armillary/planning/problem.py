"""What a planner is asked: B problems as data."""

from dataclasses import dataclass

from torch import Tensor

from armillary.goals.goal import Goal
from armillary.imagination import Batched, Context
from armillary.planning.streams import RandomStreams


@dataclass(frozen=True)
class Problem(Batched):
    """From where, to where, and what is known of the way.

    Coordinates are those of `Imagination.actions`, such as `model.actions.encode` gives.
    """

    context: Context
    """what was last seen, and done"""
    goal: Goal
    """what is wanted"""
    start: Tensor | None = None
    """(B, h, K) coordinates of the first h <= H blocks to search around, the rest of the last plan; beyond them, and without
    it, the recording's mean action"""
    proposal: Tensor | None = None
    """(B, H, K) what a habit proposes for the whole horizon; searched around in place of `start`"""
    streams: RandomStreams | None = None
    """random numbers, one stream a problem; the first streams of seed 0 by default"""

    def __len__(self) -> int:
        return len(self.context.z)
