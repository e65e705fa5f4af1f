"""What is wanted, as data: a cost says how far an imagined future is from it.

A goal has a row for each problem, and what a cost may need of it as fields. Most costs need the latent alone. Another kind of
goal, such as a region or a sequence of places, is a subclass with further fields, and a cost that reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from armillary.imagination import Batched, Rows
from armillary.latents import encode_frames
from armillary.model.world_model import WorldModel


@dataclass(frozen=True)
class Goal(Batched):
    """To be where these latents are."""

    z: Tensor
    """(B, D) one goal for each problem, or (1, D) one for all"""
    state: Tensor | None = None
    """(B, S) float64 the world's own state there, for diagnosis by the truth alone; no agent has it"""

    def take(self, rows: Rows) -> "Goal":
        """The goals of these problems; one for all stays so."""
        return self if len(self.z) == 1 else super().take(rows)


def goal_of(model: WorldModel, observations: Mapping[str, Any]) -> Goal:
    """The goal to be where the sensors give this: one observation (B, *shape) of each stream, or (1, *shape) for all.

    Raises:
        SpecMismatch: a stream is missing, of another shape or dtype, or not finite.
    """
    return Goal(encode_frames(model, observations))
