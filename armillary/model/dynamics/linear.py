"""A linear path beside a network: what a few thousand rows of noisy sensors say of the next one is mostly linear.

- `LinearPredictor` is a vector autoregression with actions (VARX; Lütkepohl, "New Introduction to Multiple Time Series
  Analysis", 2005), fitted by ridge regression in closed form. Until then it predicts that nothing changes, to which the ridge
  draws it.
- `CombinedPredictor` predicts a weighted mean of it and of a network that learns by itself. The two err differently, so that
  their mean errs less than either (Bates and Granger, "The combination of forecasts", 1969). A network that learns what the
  linear path leaves over finds nothing: that path has fitted its few rows too well for much to be left.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from armillary.model.dynamics.predictor import Predictor
from armillary.ridge import solve_ridge

STRENGTH = 1.0
"""Of the ridge, on sums over frames; inputs are about standardised."""


class LinearPredictor(Predictor):
    """Weights on the last `context` latents and action blocks, and a constant. What is before the first frame counts as 0.

    Args:
        latent: width of the latent.
        action: width of the standardised action block.
        context: frames that it looks back on, the present one included.
    """

    weight: Tensor
    constant: Tensor

    def __init__(self, latent: int, action: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.register_buffer("weight", torch.zeros(context * (latent + action), latent))
        self.register_buffer("constant", torch.zeros(latent))

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        return z + self._inputs(z, actions) @ self.weight + self.constant

    @torch.no_grad()
    def fit(self, windows: Iterable[tuple[Float[Tensor, "n t d"], Float[Tensor, "n t-1 a"]]]) -> None:
        """Solve for the weights.

        Args:
            windows: latents and action blocks of more than `context` frames; the last of the first `context` + 1 is predicted.
        """
        gram, product = torch.zeros(()), torch.zeros(())
        for z, actions in windows:
            seen = self._inputs(z[:, : self.context], actions[:, : self.context])[:, -1]
            x = F.pad(seen, (0, 1), value=1.0).cpu().double()
            gram, product = gram + x.T @ x, product + x.T @ (z[:, self.context] - z[:, self.context - 1]).cpu().double()
        solved = torch.from_numpy(solve_ridge(gram.numpy(), product.numpy(), STRENGTH))
        self.weight.copy_(solved[:-1])
        self.constant.copy_(solved[-1])

    def _inputs(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t i"]:
        """For each step, channel by channel, the last `context` values up to it."""
        both = F.pad(torch.cat([z, actions], -1), (0, 0, self.context - 1, 0))
        return both.unfold(1, self.context, 1).flatten(2)


class CombinedPredictor(Predictor):
    """share * linear + (1 - share) * network. In imagination each goes on from its own predictions, so that a recurrent network
    carries its state on.

    Args:
        network: what is `learned` by gradient.
        linear: of the same context.
        share: of the linear path, between 0 and 1.
    """

    def __init__(self, network: Predictor, linear: LinearPredictor, share: float) -> None:
        super().__init__()
        self.network, self.linear, self.share_of_linear = network, linear, share
        self.context = network.context

    @property
    def learned(self) -> Predictor:
        return self.network

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        return torch.lerp(self.network(z, actions), self.linear(z, actions), self.share_of_linear)

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        network, linear = (path.rollout(z, past, actions) for path in (self.network, self.linear))
        return torch.lerp(network, linear, self.share_of_linear)

    def fit(self, windows: Iterable[tuple[Float[Tensor, "n t d"], Float[Tensor, "n t-1 a"]]]) -> None:
        self.linear.fit(windows)
