"""Range scans to features: convolutions along the angle.

A scan that goes all the way round (`Stream.full_turn`) has no first beam, so its ends are joined: when the sensor turns by a
few beams, what the layers give turns with it. Their mean and maximum over the angle then stay as they are: they tell the place
whichever way the sensor looks, and are features beside those by angle.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.perception.encoder import Encoder
from armillary.model.perception.metres import log_metres

LAYERS = 3  # each halves the number of places along the angle


class ScanEncoder(Encoder):
    """(N, beams) float32 in metres, NaN where nothing came back, to (N, features).

    Args:
        shape: (beams,).
        width: channels of each layer.
        full_turn: whether the last beam is beside the first.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64, full_turn: bool = False) -> None:
        super().__init__()
        self.shape, self.full_turn = shape, full_turn
        layers: list[nn.Module] = []
        for layer in range(LAYERS):
            mode = "circular" if full_turn else "zeros"
            layers += [nn.Conv1d(width if layer else 2, width, 5, 2, 2, padding_mode=mode), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(*layers)
        with torch.no_grad():
            self.features = self(torch.full((1, *shape), torch.nan)).numel()

    def forward(self, ranges: Float[Tensor, "n b"]) -> Float[Tensor, "n f"]:
        places = self.net(log_metres(ranges))
        if self.full_turn:
            return torch.cat([places.flatten(1), places.mean(-1), places.amax(-1)], 1)
        return places.flatten(1)
