"""The smallest predictor: z + MLP([z, a]). Markov (it sees one step), and milliseconds a plan on a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.dynamics.predictor import Predictor


class MLPPredictor(Predictor):
    """Residual MLP of `depth` layers of `width`, LayerNorm and GELU after each.

    Args:
        latent: width of the latent.
        action: width of the standardised action block.
        width, depth: of the hidden layers.
    """

    context = 1

    def __init__(self, latent: int, action: int, width: int = 256, depth: int = 2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(width if i else latent + action, width), nn.LayerNorm(width), nn.GELU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, latent))

    def forward(self, z: Float[Tensor, "*batch d"], actions: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch d"]:
        x = torch.cat([z, actions], -1)
        for layer in self.net:
            x = layer.forward(x)  # past the hooks of modules, which cost a tenth of a plan for one problem
        return z + x

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        now, states = z[:, -1], []
        for action in actions.unbind(1):
            now = self.forward(now, action)
            states.append(now)
        return torch.stack(states, 1)
