"""Imagining with a transformer in bfloat16, by windows that restart instead of sliding: two to three times as fast.

A full window is left, but for its last two latents, and grows again. A prediction then sees between 2 latents and `context`, as
many as in training, and costs rank nearly as the exact ones do. To reuse what was computed at other positions instead would be
faster still, and ranks plans worse than to forget it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.backends.bfloat16 import Bfloat16
from armillary.device import autocast
from armillary.errors import ArmillaryError
from armillary.imagination import Context, PlanSpace, Rollout
from armillary.model.dynamics.transformer import TransformerPredictor, Windows
from armillary.model.world_model import WorldModel

KEPT = 2  # latents: two show a velocity


class SharedContext:
    """An Imagination: a model with a transformer, whose rollouts from one context may share what they have in common.

    Raises:
        ArmillaryError: the model has another predictor.
    """

    def __init__(self, model: WorldModel) -> None:
        if not isinstance(model.predictor, TransformerPredictor):
            raise ArmillaryError(f"expected a model with a transformer predictor, got {type(model.predictor).__name__}")
        self.model, self.predictor = model, model.predictor

    @property
    def actions(self) -> PlanSpace:
        return self.model.actions

    @property
    def context_length(self) -> int:
        return self.model.context_length

    def share(self, context: Context) -> Windows:
        """What all rollouts from this context have in common."""
        return self.predictor.look_back(context.z, self.model.actions.standardise(context.actions))

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"], shared: Windows | None = None) -> Rollout:
        """As of any Imagination.

        Args:
            shared: `share` of this context; computed without it.
        """
        shared = self.share(context) if shared is None else shared
        return Rollout(context, blocks, self.predictor.go_on(context.z, self.model.actions.standardise(blocks), shared))


class LowPrecision(SharedContext):
    """An Imagination: a model with a transformer, in bfloat16 where the device has arithmetic for it, by windows that restart.

    Raises:
        ArmillaryError: the model has another predictor.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__(model)
        self._kept, self._double = min(KEPT, model.context_length), Bfloat16[TransformerPredictor]()

    def share(self, context: Context) -> Windows:
        past = self.model.actions.standardise(context.actions)
        with autocast(self.model.device):
            return self._predictor().look_back(context.z, past, self._kept)

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"], shared: Windows | None = None) -> Rollout:
        shared = self.share(context) if shared is None else shared
        actions = self.model.actions.standardise(blocks)
        with autocast(self.model.device):
            return Rollout(context, blocks, self._predictor().go_on(context.z, actions, shared, self._kept).float())

    def _predictor(self) -> TransformerPredictor:
        converts = torch.is_autocast_enabled(self.model.device.type) and not torch.is_grad_enabled()
        return self._double(self.predictor) if converts else self.predictor
