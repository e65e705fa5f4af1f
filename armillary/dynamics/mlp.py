"""The smallest predictor: z + MLP([z, a]). Markov (it sees one step), and milliseconds a plan on a CPU."""

import torch
import torch.nn.functional as F
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
        return _step(z, actions, *self._layers())

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        layers, now, states = self._layers(), z[:, -1], []
        for action in actions.unbind(1):
            now = _step(now, action, *layers)
            states.append(now)
        return torch.stack(states, 1)

    def _layers(self) -> tuple[list[tuple[Tensor, ...]], tuple[Tensor, Tensor]]:
        """Matrix, bias, gain and shift of each hidden layer; matrix and bias of the last.

        A plan for one problem has hundreds of small products, and to call a module, or to look up what it holds, costs a fifth
        of its time. So they are looked up once a rollout.
        """
        *hidden, last = self.net
        pairs = zip(hidden[::3], hidden[1::3], strict=True)
        return [(linear.weight, linear.bias, norm.weight, norm.bias) for linear, norm in pairs], (last.weight, last.bias)


def _step(z: Tensor, actions: Tensor, hidden: list[tuple[Tensor, ...]], last: tuple[Tensor, Tensor]) -> Tensor:
    x = torch.cat([z, actions], -1)
    for matrix, bias, gain, shift in hidden:
        x = F.gelu(torch.layer_norm(F.linear(x, matrix, bias), gain.shape, gain, shift))
    return z + F.linear(x, *last)
