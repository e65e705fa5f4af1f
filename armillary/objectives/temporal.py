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
        latent: width of the latent.
        width: of the two hidden layers.
        embedding: width of the space whose Euclidean distance is the answer.
        reach: distances beyond about this many steps are pushed no further apart.
        slack: mean squared excess over one step that consecutive states may have.
    """

    def __init__(self, latent: int, width: int = 256, embedding: int = 32, reach: float = 12.0, slack: float = 0.0156) -> None:
        super().__init__()
        self.reach, self.slack = reach, slack
        self.phi = nn.Sequential(
            nn.Linear(latent, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, embedding)
        )
        self.multiplier = nn.Parameter(torch.tensor(0.5413))  # softplus of it is 1

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        return (self.phi(a) - self.phi(b)).square().sum(-1).add(1e-6).sqrt()

    def loss(
        self,
        a: Float[Tensor, "n d"],
        b: Float[Tensor, "n d"],
        now: Float[Tensor, "m d"],
        after: Float[Tensor, "m d"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Terms to minimise: `apart` over pairs (a, b) of one episode, `steps` over consecutive pairs (now, after).

        Descent on `multiplier` ascends the dual, because its gradient is turned round here. `excess`, for the log, is the
        mean squared excess of consecutive states over one step.
        """
        apart = F.softplus(self.reach - self(a, b), beta=0.3).mean()
        excess = F.relu(self(now, after) - 1).square().mean()
        weight = F.softplus(self.multiplier)
        violation = excess - self.slack
        return {
            "apart": apart,
            "steps": weight.detach() * violation,
            "dual": -weight * violation.detach(),
            "excess": excess.detach(),
        }
