"""An objective: consecutive latents are close, so that what changes slowly is kept."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from armillary.objectives.term import Term, TermConfig, View


class SlowLoss(Term):
    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        return {"slow": view.moving.diff(dim=1).square().mean()}


@dataclass(frozen=True)
class Slow(TermConfig):
    """Close to each other, by the mean square of the change."""

    def build(self, latent: int, action: int) -> SlowLoss:
        return SlowLoss()
