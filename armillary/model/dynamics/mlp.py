"""The smallest predictor: z + MLP([z, a]). Markov (it sees one step), and milliseconds a plan on a CPU.

A plan for one problem is hundreds of small operations, each of which costs a CPU about as much to begin as to do. So what can
be done once a rollout is: looking up weights, and what the actions add to the first layer, at all steps in one product.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.dynamics.predictor import Predictor

Affine = tuple[Tensor, Tensor]
"""Bias and transposed matrix of a layer, as `torch.addmm` takes them."""
FEW = 10_000
"""Numbers of which a CPU has the GELU sooner by PyTorch's own kernel than by oneDNN's, which takes long to begin."""


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
        (bias, matrix), rest = self._layers()
        x = torch.addmm(bias, torch.cat([z, actions], -1).flatten(0, -2), matrix)
        return z + _through(rest, x).view(z.shape)

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        (bias, matrix), rest = self._layers()
        from_z, from_action = matrix.split([z.shape[-1], actions.shape[-1]])
        now, states = z[:, -1], []
        for given in F.linear(actions, from_action.t(), bias).unbind(1):
            now = now + _through(rest, torch.addmm(given, now, from_z))
            states.append(now)
        return torch.stack(states, 1)

    def _layers(self) -> tuple[Affine, list[tuple[tuple, Affine]]]:
        """The first layer; each LayerNorm, as `torch.layer_norm` takes it, with the layer behind it."""
        first, *others = [(layer.bias, layer.weight.t()) for layer in self.net if isinstance(layer, nn.Linear)]
        norms = [(layer.normalized_shape, layer.weight, layer.bias) for layer in self.net if isinstance(layer, nn.LayerNorm)]
        return first, list(zip(norms, others, strict=True))


def _through(rest: list[tuple[tuple, Affine]], x: Float[Tensor, "n w"]) -> Float[Tensor, "n d"]:
    """From what the first layer gives to the change of the latent."""
    for norm, (bias, matrix) in rest:
        x = torch.addmm(bias, _gelu(torch.layer_norm(x, *norm)), matrix)
    return x


def _gelu(x: Float[Tensor, "n w"]) -> Float[Tensor, "n w"]:
    """GELU. PyTorch leaves it to oneDNN only where numbers lie in the order of their indices, which a transpose changes."""
    return F.gelu(x.mT).mT if x.numel() < FEW else F.gelu(x)
