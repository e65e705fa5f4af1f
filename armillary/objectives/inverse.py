"""Inverse dynamics: which action led from one latent to the next?

It keeps in the latent what the agent can change; without it, a world whose static parts differ between episodes can make
the latent hold them alone (EB-JEPA, arXiv 2602.03604: Two Rooms falls from 97 to 1).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import ArmillaryError, expect
from armillary.objectives.term import Term, TermConfig, View


class InverseDynamics(Term):
    """Two consecutive latents to the standardised action block between them.

    Args:
        latent: width of the latent.
        action: width of the action block.
        width: of the hidden layer.
    """

    def __init__(self, latent: int, action: int, width: int = 128) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * latent, width), nn.GELU(), nn.Linear(width, action))

    def forward(self, before: Float[Tensor, "*batch d"], after: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch a"]:
        """The standardised action block that leads from one to the other."""
        return self.net(torch.cat([before, after], -1))

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        """Mean squared error of the recovered actions; 1 is no better than their mean."""
        z = view.moving
        return {"inverse": F.mse_loss(self(z[:, :-1], z[:, 1:]), expect(view.actions, "actions in the view"))}


@dataclass(frozen=True)
class Inverse(TermConfig):
    """Inverse dynamics: which action led from one latent to the next?"""

    width: int = 128
    """Hidden width."""

    def build(self, latent: int, action: int) -> InverseDynamics:
        if not action:
            raise ArmillaryError(
                "objective.inverse.weight > 0 needs a recording with actions; set it to 0, or use episodes with actions"
            )
        return InverseDynamics(latent, action, self.width)
