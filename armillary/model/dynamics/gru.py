"""A recurrent predictor: one GRU layer that carries what a single observation does not show, such as velocity.

In imagination the state is carried on, so that a step costs the same at any context (EB-JEPA, arXiv 2602.03604, has one
GRU layer of 512 for its Two Rooms).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.dynamics.predictor import Predictor


class GRUPredictor(Predictor):
    """z + Linear(GRU([z, a])).

    Args:
        latent: width of the latent.
        action: width of the standardised action block.
        width: of the recurrent state.
        context: steps that the state is warmed up on before it imagines.
    """

    def __init__(self, latent: int, action: int, width: int = 512, context: int = 3) -> None:
        super().__init__()
        self.context = context
        self.gru = nn.GRU(latent + action, width, batch_first=True)
        self.out = nn.Linear(width, latent)

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        return z + self.out(self.gru(torch.cat([z, actions], -1))[0])

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        state = self.gru(torch.cat([z[:, :-1], past], -1))[1] if past.shape[1] else None
        now, states = z[:, -1], []
        for action in actions.unbind(1):
            hidden, state = self.gru(torch.cat([now, action], -1).unsqueeze(1), state)
            now = now + self.out(hidden[:, 0])
            states.append(now)
        return torch.stack(states, 1)
