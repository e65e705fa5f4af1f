"""VICReg's two regularisers against collapse (Bardes, Ponce and LeCun, arXiv 2105.04906).

Variance: a hinge that keeps each dimension's standard deviation above one. Covariance: squared correlations between
dimensions, driven to zero. Both over the batch of all processes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from armillary.distributed import all_mean
from armillary.objectives.term import Term, TermConfig, View


def vicreg(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The variance term and the covariance term of samples `z`."""
    with torch.autocast(z.device.type, enabled=False):
        centred = z.float() - all_mean(z.float().mean(0))
        covariance = all_mean(centred.T @ centred / len(z))
    variance = F.relu(1 - torch.sqrt(covariance.diagonal() + 1e-4)).mean()
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    return variance, off_diagonal.square().sum() / z.shape[1]


class VICRegLoss(Term):
    """Both regularisers of latents. It has no parameters of its own."""

    def __init__(self, covariance: float) -> None:
        super().__init__()
        self.covariance = covariance

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        variance, covariance = vicreg(view.moving.flatten(0, 1))
        return {"variance": variance, "covariance": self.covariance * covariance}


@dataclass(frozen=True)
class VICReg(TermConfig):
    """VICReg, against collapse: latents vary, and their dimensions are uncorrelated. Its weight is that of the variance."""

    covariance: float = 1.0
    """Factor of the covariance term, beside that of the variance."""

    def build(self, latent: int, action: int) -> VICRegLoss:
        return VICRegLoss(self.covariance)
