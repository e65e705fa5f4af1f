"""Signals of many samples a step (IMU, vibration, currents) to features: patches of samples, then what they have in common.

A patch is short enough to hold a few periods of what vibrates; its features are combined by mean and maximum over the step, so
that it matters what happens within the step, and hardly when.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.perception.standard import Standardised

PATCH = 8  # samples


class SignalEncoder(Standardised):
    """(N, samples, channels) float32 to (N, features).

    Args:
        shape: (samples of a step, channels).
        width: of the features of a patch.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__(shape[1])
        self.shape, self.features = shape, 2 * width
        patch = min(PATCH, shape[0])
        self.net = nn.Sequential(
            nn.Conv1d(shape[1], width, patch, max(1, patch // 2)), nn.GELU(), nn.Conv1d(width, width, 3, padding=1), nn.GELU()
        )

    def forward(self, signal: Float[Tensor, "n s c"]) -> Float[Tensor, "n f"]:
        x = self.net(self.standardise(signal).transpose(1, 2))
        return torch.cat([x.mean(-1), x.amax(-1)], -1)
