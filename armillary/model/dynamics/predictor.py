"""What every predictor does: the next latent from the latents and actions up to now.

`forward` is causal and parallel in time, for training. `rollout` imagines one action sequence from each context; the version
here slides a window of the last `context` steps and suits any predictor. Nothing is padded: a shorter context is a shorter
window. `imagine` is `rollout` of many sequences from each context, for planning.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Predictor(nn.Module):
    """Base class.

    `context` is the number of steps that a prediction looks back on, the present one included. Of a latent, the first `moving`
    numbers are predicted (None: all), and the others are taken to stay as they are. `horizons` are the steps that `foresee`
    looks ahead, the first of which is 1.
    """

    context: int = 1
    moving: int | None = None
    horizons: tuple[int, ...] = (1,)

    @property
    def learned(self) -> "Predictor":
        """What gradients are for; all of it, but for what `fit` solves for."""
        return self

    def fit(self, windows: Iterable[tuple[Float[Tensor, "n t d"], Float[Tensor, "n t-1 a"]]]) -> None:
        """Solve for what has a closed form, on frozen latents, before the rest learns. Most predictors have nothing of it."""

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        """z[:, t] and actions[:, t], and those before, to the latent at t + 1."""
        raise NotImplementedError

    def foresee(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> tuple[Float[Tensor, "b t d"], ...]:
        """At each t, the latents that come the `horizons` later, whatever is done after actions[:, t]."""
        return (self(z, actions),)

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        """Imagine: from the latents of the context and the actions between them, through `actions`, open loop."""
        actions = torch.cat([past, actions], 1)
        horizon, first = actions.shape[1] - past.shape[1], past.shape[1]
        states = list(z.unbind(1))
        for step in range(first, first + horizon):
            start = max(0, step + 1 - self.context)
            window = torch.stack(states[start:], 1)
            states.append(self(window, actions[:, start : step + 1])[:, -1])
        return torch.stack(states[-horizon:], 1)

    def imagine(
        self, z: Float[Tensor, "b c d"], past: Float[Tensor, "b c-1 a"], actions: Float[Tensor, "b s h a"]
    ) -> Float[Tensor, "b s h d"]:
        """`rollout` of S sequences from each context."""
        z, past = (x.unsqueeze(1).expand(-1, actions.shape[1], -1, -1).flatten(0, 1) for x in (z, past))
        return self.rollout(z, past, actions.flatten(0, 1)).unflatten(0, actions.shape[:2])
