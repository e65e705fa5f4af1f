"""Temporal distance: how many steps apart are two latents? This head is the trainable critic.

The distance is |phi(a) - phi(b)|, learned without step labels by the quasimetric-RL objective (Wang et al., arXiv 2304.01203):
push states of one episode apart, as far as consecutive states stay at most one step apart. What remains is the length of the
shortest path that the data shows, which a straight line in latent space is not: it sees walls. The constraint is held by a
multiplier under dual ascent.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class TemporalDistance(nn.Module):
    """Latents (..., D) and (..., D) to steps apart (...), symmetric.

    Args:
        latent: so many first numbers of a latent are looked at; those behind them, a map, stay as they are.
        width: of the two hidden layers.
        embedding: width of the space whose Euclidean distance is the answer.
        reach: distances beyond about this many steps are pushed no further apart.
        slack: mean squared excess over one step that consecutive states may have.
    """

    def __init__(self, latent: int, width: int = 128, embedding: int = 32, reach: float = 12.0, slack: float = 0.0156) -> None:
        super().__init__()
        self.latent, self.reach, self.slack = latent, reach, slack
        self.phi = nn.Sequential(
            nn.Linear(latent, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, embedding)
        )
        self.multiplier = nn.Parameter(torch.tensor(0.1))

    @property
    def weight(self) -> Tensor:
        """The multiplier of the constraint. The factor lets it cross orders of magnitude at the learning rate of the rest."""
        return F.softplus(10 * self.multiplier)

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        return _apart(self.embed(a), self.embed(b))

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Latents to points whose Euclidean distance is the temporal one."""
        return self.phi(z[..., : self.latent])

    def loss(self, lived: Float[Tensor, "b t d"], goal: Float[Tensor, "b d"]) -> dict[str, Float[Tensor, ""]]:
        """Terms to minimise, and their sum as `loss`.

        Descent on the multiplier ascends the dual, because the gradient of `dual` is turned round.

        Args:
            lived: latents of consecutive steps.
            goal: another moment of the same episode as the last of them, any time apart.
        """
        lived, goal = self.embed(lived), self.embed(goal)
        apart = F.softplus(self.reach - _apart(lived[:, -1], goal), beta=0.3).mean()
        excess = F.relu(_apart(lived[:, :-1], lived[:, 1:]) - 1).square().mean()
        violation = excess - self.slack
        losses = {"apart": apart, "steps": self.weight.detach() * violation, "dual": -self.weight * violation.detach()}
        return {"loss": sum(losses.values()), **losses, "excess": excess.detach()}


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(-1).add(1e-6).sqrt()
