"""Prediction errors in latent space, row by row: the latent that the model predicted, and the one that it then perceived.

A prediction looks back on `context` kept frames, `skip` rows apart, and knows the actions between; so the first `reach` rows of
an episode have none. What has to be kept between two calls is that much of the past, however long the stream is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.imagination import Context
from armillary.model.world_model import WorldModel


@dataclass
class Prediction:
    """The last m of the rows that were given.

    Args:
        z: (m, D) their latents.
        expected: (m, D) the latents that were predicted for them.
    """

    z: Float[Tensor, "m d"]
    expected: Float[Tensor, "m d"]

    @property
    def errors(self) -> Float[Tensor, "m d"]:
        """What the prediction missed."""
        return self.z - self.expected


class Surprise:
    """Predicts each row of a stream from the rows before it, one episode after another.

    Args:
        model: in eval mode.

    Attributes:
        reach: rows before the first that can be predicted.
    """

    def __init__(self, model: WorldModel) -> None:
        self.model, self.reach = model, model.config.skip * model.config.context
        self.start()

    def start(self) -> None:
        """A new episode begins: forget the rows before."""
        self._z = torch.zeros(0, self.model.width, device=self.model.device)
        self._actions = torch.zeros(0, self.model.spec.action.n, device=self.model.device)

    @torch.inference_mode()
    def __call__(self, observations: dict[str, Tensor], actions: Float[Tensor, "n a"]) -> Prediction:
        """Take the next n rows.

        Args:
            observations: name -> (n, *shape), raw.
            actions: what was done from each row to the next, raw, choices one-hot; (n, 0) where there are none.

        Raises:
            SpecMismatch: a stream is missing or of another shape.
        """
        model, context, skip = self.model, self.model.config.context, self.model.config.skip
        fresh = model.encode({name: values[None].to(model.device) for name, values in observations.items()})[0].float()
        z, actions = torch.cat([self._z, fresh]), torch.cat([self._actions, actions.to(model.device)])
        self._z, self._actions = z[-self.reach :], actions[-self.reach :]
        first = max(len(z) - len(fresh), self.reach)
        if first >= len(z):
            return Prediction(z[:0, : model.config.latent], z[:0, : model.config.latent])
        now = torch.arange(first, len(z), device=model.device)
        rows = now[:, None] - skip * torch.arange(context, 0, -1, device=model.device)
        blocks = actions[rows[..., None] + torch.arange(skip, device=model.device)].flatten(2)
        expected = model.rollout(Context(z[rows], blocks[:, :-1]), blocks[:, None, -1:]).z[:, 0, 0]
        return Prediction(z[now][:, : model.config.latent], expected[:, : model.config.latent].float())
