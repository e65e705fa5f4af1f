"""State vectors to features: standardise each channel with statistics of the training part, then a small MLP.

An angle wraps, so the network takes its sine and cosine instead. Without a width there is no network, and features are the
standardised channels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.perception.standard import Standardised


class VectorEncoder(Standardised):
    """(N, channels) float32 to (N, width).

    Args:
        width: of the features; 0 takes the standardised channels for them.
        angles: which channels are angles, in radians.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64, angles: Sequence[int] = ()) -> None:
        (channels,) = shape
        super().__init__(channels)
        self.shape = shape
        inputs = channels + len(angles)
        self.features = width or inputs
        self.angles = list(angles)
        self.plain = [i for i in range(channels) if i not in self.angles]
        self.net = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width)) if width else nn.Identity()

    def forward(self, vectors: Float[Tensor, "n c"]) -> Float[Tensor, "n f"]:
        standard, turning = self.standardise(vectors), vectors[:, self.angles]
        return self.net(torch.cat([standard[:, self.plain], turning.sin(), turning.cos()], -1))
