"""Random shooting: imagine many sequences drawn like the data and take the best. The baseline of every planner."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planning.planner import Draw, Planner, Score


@dataclass
class RandomShooting(Planner):
    """The best of `samples` sequences around the start."""

    samples: int = 256
    """candidates; by default as many as the CEM and MPPI imagine"""
    sigma: float = 1.0
    """spread, where the recorded actions have 1"""

    def __post_init__(self) -> None:
        if min(self.horizon, self.samples) < 1 or self.sigma <= 0:
            raise ArmillaryError(f"random shooting needs a horizon and samples of 1 or more, and sigma > 0: {self}")

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        noise = draw(self.samples)
        noise[:, 0] = 0  # sample 0 is the start itself
        samples = torch.add(mean.unsqueeze(1), noise, alpha=self.sigma)
        best = score(samples).argmin(1)[:, None, None, None]
        return samples.take_along_dim(best, 1)
