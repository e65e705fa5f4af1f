"""SIGReg: keep the latents an isotropic Gaussian, so that they cannot collapse (LeJEPA, arXiv 2511.08544).

By Cramer and Wold, a distribution is N(0, I) if all its projections on a line are N(0, 1). Each call draws fresh unit
directions and compares the empirical characteristic function of each projection with exp(-t^2/2), by the Epps-Pulley statistic
with weight exp(-t^2/2), integrated by the trapezoid rule over t in [-3, 3], which by symmetry is twice that over [0, 3].

The paper multiplies by the number of samples N; here it is left out, so that a weight means the same at any batch size:
weight(here) = weight(paper) * N. The characteristic function is averaged over all processes before it is squared.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.distributed import all_mean
from armillary.errors import ArmillaryError
from armillary.objectives.term import Term, TermConfig, View

KNOTS, T_MAX = 17, 3.0


def directions(count: int, dim: int, generator: torch.Generator | None, device: torch.device) -> Float[Tensor, "d m"]:
    """`count` unit vectors of `dim` numbers, as columns. Every process has to draw the same ones."""
    drawn = torch.randn(dim, count, generator=generator)
    return (drawn / drawn.norm(dim=0)).to(device)


def sigreg(z: Float[Tensor, "n d"], slices: Float[Tensor, "d m"]) -> Float[Tensor, ""]:
    """Distance of the samples `z` from N(0, I), along the unit vectors `slices`; 0 for a perfect Gaussian of infinite size."""
    t = torch.linspace(0, T_MAX, KNOTS, device=z.device)
    gaussian = torch.exp(-0.5 * t.square())
    weight = gaussian * 2 * T_MAX / (KNOTS - 1)
    weight[0] *= 0.5
    weight[-1] *= 0.5
    with torch.autocast(z.device.type, enabled=False):
        angles = (z.float() @ slices)[..., None] * t
        real, imaginary = all_mean(torch.stack([angles.cos().mean(0), angles.sin().mean(0)]))
        return (((real - gaussian).square() + imaginary.square()) @ weight).mean()


def centred_by_episode(z: Float[Tensor, "b t d"], clips: int) -> Float[Tensor, "n d"]:
    """Latents minus the mean of their episode, at unit expected variance, pooled.

    Consecutive groups of `clips` rows come from one episode. What does not change within an episode (where a door is)
    vanishes here, so that SIGReg on these keeps what does change (where the agent is) from being dropped.
    """
    groups = z.unflatten(0, (-1, clips)).flatten(1, 2)
    count = groups.shape[1]
    return ((groups - groups.mean(1, keepdim=True)) * math.sqrt(count / (count - 1))).flatten(0, 1)


class SIGRegLoss(Term):
    """SIGReg of latents, and of latents minus the mean of their episode. It has no parameters of its own."""

    def __init__(self, config: "SIGReg") -> None:
        super().__init__()
        self.config = config

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        z, count, dims = view.moving, self.config.slices, self.config.episode_dims
        slices = directions(count, z.shape[-1], view.generator, z.device)
        groups = z.unbind(1) if self.config.per_step else [z.flatten(0, 1)]
        losses = {"sigreg": torch.stack([sigreg(group, slices) for group in groups]).mean()}
        if dims:
            slices = directions(count, dims, view.generator, z.device)
            losses["sigreg_episode"] = sigreg(centred_by_episode(z[..., :dims], view.clips_per_episode), slices)
        return losses


@dataclass(frozen=True)
class SIGReg(TermConfig):
    """SIGReg, against collapse: latents are distributed as a Gaussian. Its weight is without the paper's factor N."""

    slices: int = 64
    """Random directions a step."""
    per_step: bool = False
    """At each step of the clips apart (LeWM), instead of on all latents pooled."""
    episode_dims: int = 0
    """Once more on this many first dimensions minus their mean over the episode; for worlds whose layout varies."""

    def build(self, latent: int, action: int) -> SIGRegLoss:
        if self.episode_dims > latent:
            raise ArmillaryError(f"episode_dims is {self.episode_dims}, and the latent has {latent} dimensions")
        return SIGRegLoss(self)
