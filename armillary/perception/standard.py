"""What encoders of numbers with units share: each channel is standardised with statistics of the training part.

The statistics are buffers, so that a checkpoint takes raw numbers in their own units.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standardised(nn.Module):
    """Base class of encoders of (N, ..., channels) float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    @torch.no_grad()
    def fit(self, values: Float[Tensor, "*batch c"]) -> None:
        """Take mean and standard deviation from raw data; a channel that never changes is left at its own scale.

        Rows with NaN, where nothing was measured, do not count.
        """
        rows = values.flatten(0, -2)
        rows = rows[rows.isfinite().all(-1)]
        if len(rows) > 1:
            self.mean.copy_(rows.mean(0))
            std = rows.std(0)
            self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def standardise(self, values: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        """Raw numbers to zero mean and unit variance."""
        return (values - self.mean) / self.std
