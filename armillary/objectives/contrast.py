"""Temporal contrast: which of these moments comes soon after this one?

InfoNCE (van den Oord et al., arXiv 1807.03748) between the latents of a clip that are `gap` steps apart, against the same
moments of all other clips. It keeps in the latent whatever tells one moment from another and lasts, such as the pose
of an object that hardly ever moves. A prediction loss drops exactly that when another part of the scene moves all the time:
in Push-T, trained by prediction, 97-100% of the latent's variance is the agent's.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.objectives.term import Distance, TermConfig, View


class TemporalContrast(Distance):
    """A linear head, and a learned sharpness of the distances in its space.

    Args:
        latent: width of the latent.
        embedding: width of the space in which moments are compared.
        gap: steps between a moment and its match.
        dense: match every moment of a clip, not its first alone.
    """

    def __init__(self, latent: int, embedding: int = 32, gap: int = 2, dense: bool = False) -> None:
        super().__init__()
        self.gap, self.dense = gap, dense
        self.head = nn.Linear(latent, embedding)
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        """How far apart in the space in which moments are compared: what lasts counts there, what always moves does less."""
        return self.log_sharpness.exp() * (self.embed(a) - self.embed(b)).square().sum(-1)

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Into the space in which moments are compared."""
        return self.head(z)

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy of finding the match among all that are compared in this process, both ways; log(count) is chance.

        Of each clip, its first latent and the one `gap` steps later are compared; if dense, each latent and that.
        """
        z = view.moving
        count = z.shape[1] - self.gap if self.dense else 1
        embedded = self.embed(z).float()
        now, later = embedded[:, :count].flatten(0, 1), embedded[:, self.gap : self.gap + count].flatten(0, 1)
        logits = -self.log_sharpness.exp() * torch.cdist(now, later).square()
        matches = torch.arange(len(now), device=z.device)
        return {"contrast": (F.cross_entropy(logits, matches) + F.cross_entropy(logits.T, matches)) / 2}


@dataclass(frozen=True)
class Contrast(TermConfig):
    """Temporal contrast: of two moments of a clip, which belong together?"""

    embedding: int = 32
    """Width of the space in which moments are compared."""
    gap: int = 2
    """Kept frames between the moments that are matched."""
    dense: bool = False
    """Match every moment of a clip among all moments of the batch, not the first of each clip alone: what tells two moments of
    one clip apart, such as where a thing is, counts then beside what tells clips apart."""

    def frames(self, context: int) -> int:
        return self.gap + 1

    def build(self, latent: int, action: int) -> TemporalContrast:
        return TemporalContrast(latent, self.embedding, self.gap, self.dense)
