"""A recurrent predictor: one GRU layer that carries what a single observation does not show, such as velocity.

In imagination the state is carried on, so that a step costs the same at any context (EB-JEPA, arXiv 2602.03604, has one
GRU layer of 512 for its Two Rooms).

What is hidden for long shows in one step in many, where it comes out. Linear heads on the state that look further ahead see it
coming at each of the steps before, so that far more of them teach the state to keep it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.dynamics.predictor import Predictor


class GRUPredictor(Predictor):
    """z + Linear(GRU([z, a])), for each of the horizons.

    Args:
        latent: width of the latent.
        action: width of the standardised action block.
        width: of the recurrent state.
        context: steps that the state is warmed up on before it imagines.
        ahead: horizons beyond the next step.
    """

    def __init__(self, latent: int, action: int, width: int = 512, context: int = 3, ahead: Sequence[int] = ()) -> None:
        super().__init__()
        self.context, self.horizons = context, (1, *ahead)
        self.gru = nn.GRU(latent + action, width, batch_first=True)
        self.out = nn.Linear(width, latent)
        self.far = nn.Linear(width, latent * len(ahead)) if ahead else None

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        return z + self.out(self.gru(torch.cat([z, actions], -1))[0])

    def foresee(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> tuple[Float[Tensor, "b t d"], ...]:
        state = self.gru(torch.cat([z, actions], -1))[0]
        far = self.far(state).chunk(len(self.horizons) - 1, -1) if self.far else ()
        return tuple(z + change for change in (self.out(state), *far))

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
