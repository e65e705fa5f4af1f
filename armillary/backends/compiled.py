"""Rollouts compiled into fewer operations, once for as many samples as there ever are: a few cost a GPU as much as hundreds.

Whole tiles of samples spare it from filling up each matrix by itself, and weights that are taken as constants let it compute
products that have a factor in common as one. What all rollouts from one context have in common is computed once (`begin`).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from armillary.backends.low_precision import SharedContext
from armillary.imagination import Context, Imagination, PlanSpace, Rollout
from armillary.model.dynamics.transformer import TransformerPredictor
from armillary.model.world_model import WorldModel

TILE = 64
"""Samples that a GPU multiplies as one."""


class Compiled:
    """Compiled rollouts of another Imagination, whose weights stay as they are."""

    def __init__(self, imagination: Imagination) -> None:
        if isinstance(imagination, WorldModel) and isinstance(imagination.predictor, TransformerPredictor):
            imagination = SharedContext(imagination)
        self.imagination, self._samples = imagination, 0
        self._shared = imagination if isinstance(imagination, SharedContext) else None

        def rollout(context: Context, blocks: Tensor, shared: Any) -> Tensor:
            return imagination.rollout(context, blocks, *[shared] * (self._shared is not None)).z

        self._rollout = torch.compile(rollout, dynamic=False)

    def begin(self, context: Context) -> "CompiledRollouts":
        """An Imagination from this context alone."""
        return CompiledRollouts(self, self._shared.share(context) if self._shared else None)

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"], shared: Any) -> Rollout:
        """As of any Imagination, after `begin`."""
        import torch._inductor.config as compiler  # two seconds, which only those who compile have to wait for

        count = blocks.shape[1]
        self._samples = max(self._samples, -(-count // TILE) * TILE)
        with compiler.patch(freezing=True):
            z = self._rollout(context, F.pad(blocks, (0, 0, 0, 0, 0, self._samples - count)), shared)
        return Rollout(context, blocks, z[:, :count])


@dataclass(frozen=True, eq=False)
class CompiledRollouts:
    """Compiled rollouts from one context."""

    compiled: Compiled
    shared: Any
    """what they have in common"""

    @property
    def actions(self) -> PlanSpace:
        return self.compiled.imagination.actions

    @property
    def context_length(self) -> int:
        return self.compiled.imagination.context_length

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"]) -> Rollout:
        return self.compiled.rollout(context, blocks, self.shared)
