"""State vectors to features: standardise each channel with statistics of the training part, then a small MLP.

An angle wraps, so the network takes its sine and cosine instead.

The statistics are buffers, so that a checkpoint takes raw numbers in their own units.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class VectorEncoder(nn.Module):
    """(N, channels) float32 to (N, width).

    Args:
        angles: which channels are angles, in radians.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: tuple[int], width: int = 64, angles: Sequence[int] = ()) -> None:
        super().__init__()
        (channels,) = shape
        self.shape = shape
        self.features = width
        self.angles = list(angles)
        self.plain = [i for i in range(channels) if i not in self.angles]
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.net = nn.Sequential(nn.Linear(channels + len(self.angles), width), nn.GELU(), nn.Linear(width, width))

    @torch.no_grad()
    def fit(self, vectors: Float[Tensor, "n c"]) -> None:
        """Take mean and standard deviation from raw data; a channel that never changes is left at its own scale."""
        self.mean.copy_(vectors.mean(0))
        std = vectors.std(0)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, vectors: Float[Tensor, "n c"]) -> Float[Tensor, "n f"]:
        standard, turning = (vectors - self.mean) / self.std, vectors[:, self.angles]
        return self.net(torch.cat([standard[:, self.plain], turning.sin(), turning.cos()], -1))
