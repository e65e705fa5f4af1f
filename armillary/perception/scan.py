"""Range scans to features: convolutions along the angle.

A scan that goes all the way round (`Stream.full_turn`) has no first beam, so its ends are joined: when the sensor turns by a
few beams, what the layers give turns with it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.perception.metres import log_metres

LAYERS = 3  # each halves the number of places along the angle


class ScanEncoder(nn.Module):
    """(N, beams) float32 in metres, NaN where nothing came back, to (N, features).

    Args:
        shape: (beams,).
        width: channels of each layer.
        full_turn: whether the last beam is beside the first.
    """

    def __init__(self, shape: tuple[int], width: int = 64, full_turn: bool = False) -> None:
        super().__init__()
        self.shape = shape
        layers: list[nn.Module] = []
        for layer in range(LAYERS):
            mode = "circular" if full_turn else "zeros"
            layers += [nn.Conv1d(width if layer else 2, width, 5, 2, 2, padding_mode=mode), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(*layers)
        with torch.no_grad():
            self.features = self.net(torch.zeros(1, 2, *shape)).numel()

    def forward(self, ranges: Float[Tensor, "n b"]) -> Float[Tensor, "n f"]:
        return self.net(log_metres(ranges)).flatten(1)
