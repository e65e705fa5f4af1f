"""Point clouds to features, whatever the order and number of the points (PointNet, Qi et al., arXiv 1612.00593).

Every point goes through the same MLP, and what is kept is the maximum of each number over the points, which tells the extent
of things, and their mean, which tells where most of it is. A cloud of fewer points than the stream has places for is filled up
with NaN; those rows do not count.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.perception.standard import Standardised


class PointsEncoder(Standardised):
    """(N, points, 3 + C) float32, NaN rows where there is no point, to (N, features).

    Args:
        shape: (points, coordinates): x, y and z in metres, and C more numbers, such as colours.
        width: of the features.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__(shape[1])
        self.shape, self.features = shape, 2 * width
        self.net = nn.Sequential(nn.Linear(shape[1], width), nn.GELU(), nn.Linear(width, width), nn.GELU())

    def forward(self, points: Float[Tensor, "n p c"]) -> Float[Tensor, "n f"]:
        there = points.isfinite().all(-1, keepdim=True)
        x = self.net(self.standardise(torch.where(there, points, 0.0)))
        most = x.masked_fill(~there, -torch.inf).amax(1)
        most = torch.where(there.any(1), most, 0.0)  # of no points at all
        return torch.cat([most, (x * there).sum(1) / there.sum(1).clamp(min=1)], -1)
