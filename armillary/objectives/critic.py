"""Temporal distance: how many steps apart are two latents? This head is the trainable critic.

The distance is |phi(a) - phi(b)|, learned without step labels by the quasimetric-RL objective (Wang et al., arXiv 2304.01203):
push states of one episode apart, as far as consecutive states stay at most one step apart. What remains is the length of the
shortest path that the data shows, which a straight line in latent space is not: it sees walls. The constraint is held by a
multiplier under dual ascent.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import expect
from armillary.objectives.term import Distance, TermConfig, View


class TemporalDistance(Distance):
    """Latents (..., D) and (..., D) to steps apart (...), symmetric.

    Args:
        latent: so many first numbers of a latent are looked at; those behind them, a map, stay as they are.
        width: of the two hidden layers.
        embedding: width of the space whose Euclidean distance is the answer.
        reach: distances beyond about this many steps are pushed no further apart.
        slack: mean squared excess over one step that consecutive states may have.
    """

    counts_steps = True

    def __init__(self, latent: int, width: int = 128, embedding: int = 32, reach: float = 12.0, slack: float = 0.0156) -> None:
        super().__init__()
        self.latent, self.reach, self.slack = latent, reach, slack
        self.phi = nn.Sequential(
            nn.Linear(latent, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, embedding)
        )
        self.multiplier = nn.Parameter(torch.tensor(0.1))

    @property
    def price(self) -> Tensor:
        """The multiplier of the constraint. The factor lets it cross orders of magnitude at the learning rate of the rest."""
        return F.softplus(10 * self.multiplier)

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        return _apart(self.embed(a), self.embed(b))

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Latents to points whose Euclidean distance is the temporal one."""
        return self.phi(z[..., : self.latent])

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        """Of latents of consecutive steps, the last of which comes before `view.goal`.

        Descent on the multiplier ascends the dual, because the gradient of `dual` is turned round.
        """
        lived, goal = self.embed(view.z), self.embed(expect(view.goal, "a goal in the view"))
        apart = F.softplus(self.reach - _apart(lived[:, -1], goal), beta=0.3).mean()
        excess = F.relu(_apart(lived[:, :-1], lived[:, 1:]) - 1).square().mean()
        violation = excess - self.slack
        return {"apart": apart, "steps": self.price.detach() * violation, "dual": -self.price * violation.detach()}


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(-1).add(1e-6).sqrt()


@dataclass(frozen=True)
class Critic(TermConfig):
    """Temporal distance, which counts steps. It is learned in a stage of its own."""

    width: int = 128
    """Hidden width."""
    embedding: int = 32
    """Width of the space whose Euclidean distance is the answer."""
    reach: float = 12.0
    """Distances beyond about this many steps are pushed no further apart."""

    stage = "critic"

    def build(self, latent: int, action: int) -> TemporalDistance:
        return TemporalDistance(latent, self.width, self.embedding, self.reach)
