"""State vectors to features: standardise each channel with statistics of the training part, then a small MLP.

The statistics are buffers, so that a checkpoint takes raw numbers in their own units.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class VectorEncoder(nn.Module):
    """(N, channels) float32 to (N, width)."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: tuple[int], width: int = 64) -> None:
        super().__init__()
        (channels,) = shape
        self.shape = shape
        self.features = width
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.net = nn.Sequential(nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width))

    @torch.no_grad()
    def fit(self, vectors: Float[Tensor, "n c"]) -> None:
        """Take mean and standard deviation from raw data; a channel that never changes is left at its own scale."""
        self.mean.copy_(vectors.mean(0))
        std = vectors.std(0)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, vectors: Float[Tensor, "n c"]) -> Float[Tensor, "n f"]:
        return self.net((vectors - self.mean) / self.std)
