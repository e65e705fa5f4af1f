"""Has the latent collapsed? Three numbers that no loss shows: directions in use, dead dimensions, and how wide the rest are."""

import torch
from jaxtyping import Float
from torch import Tensor


def effective_rank(z: Float[Tensor, "n d"]) -> float:
    """exp of the entropy of the normalised singular values (Roy and Vetterli, 2007): from 1, one direction, to D, all alike."""
    values = torch.linalg.svdvals((z.float() - z.float().mean(0)).cpu())
    share = values / values.sum().clamp(min=1e-12)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def dead_share(z: Float[Tensor, "n d"], floor: float = 1e-2) -> float:
    """Share of dimensions whose standard deviation is below `floor` of the largest one."""
    std = z.float().std(0)
    return float((std < floor * std.max().clamp(min=1e-12)).float().mean())


def spread(z: Float[Tensor, "n d"]) -> float:
    """Mean standard deviation of the dimensions: 1 is what SIGReg and VICReg ask for, and less is easier to predict."""
    return float(z.float().std(0).mean())


def collapse(effective_rank: float, dead_share: float, spread: float, latent: int) -> str | None:
    """What to say where these are the numbers of a collapse. A latent of width 1 has one direction and is none."""
    if latent < 2 or (effective_rank >= max(1.5, 0.1 * latent) and dead_share <= 0.5 and spread >= 0.3):
        return None
    return (
        f"the latent collapses: effective rank {effective_rank:.1f} of {latent}, {dead_share:.0%} of its dimensions dead, "
        f"standard deviation {spread:.2g} instead of 1; raise the weight of sigreg, or add inverse dynamics"
    )
