"""What encoders of numbers with units share: channels are standardised with statistics of the training part (`scales.py`).

The statistics are buffers, so that a checkpoint takes raw numbers in their own units.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.model.perception.encoder import Encoder
from armillary.scales import mean_and_scale


class Standardised(Encoder):
    """Base class of encoders of (N, ..., channels) float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    @torch.no_grad()
    def fit(self, values: Float[Tensor, "*batch c"], groups: Sequence[int] | None = None) -> None:
        """Take mean and scale from raw data. Rows with NaN, where nothing was measured, do not count.

        Args:
            groups: channels in one group share a scale, see `Stream.scale_groups`; each has its own by default.
        """
        rows = values.flatten(0, -2)
        rows = rows[rows.isfinite().all(-1)]
        if len(rows) > 1:
            mean, scale = mean_and_scale(rows, groups)
            self.mean.copy_(mean)
            self.std.copy_(scale)

    def standardise(self, values: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        """Raw numbers to zero mean, in units of their scale."""
        return (values - self.mean) / self.std
