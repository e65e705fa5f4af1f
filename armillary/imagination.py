"""What a planner searches in, and all that it knows: from a context and action blocks, what would come of them.

A `WorldModel` is an Imagination, and so is whatever wraps one, such as `ShuffledActions` below. A wrapper holds another
Imagination and never changes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.spec import ActionSpace

Rows = Sequence[int] | np.ndarray | Tensor
"""Numbers of problems in a batch."""
Self = TypeVar("Self", bound="Batched")


class Context(NamedTuple):
    """What a rollout starts from: the last C latents (B, C, D) and the raw action blocks (B, C - 1, A) between them."""

    z: Tensor
    actions: Tensor

    def take(self, rows: Rows) -> "Context":
        """The contexts of these problems."""
        return Context(self.z[rows], self.actions[rows])


@dataclass(frozen=True)
class Batched:
    """A dataclass with a row for each of B problems in every field that is not None."""

    def take(self: Self, rows: Rows) -> Self:
        """The same of these problems alone."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        taken = {name: x[rows] if isinstance(x, Tensor) else x.take(rows) for name, x in parts.items() if x is not None}
        return replace(self, **taken)


@dataclass(frozen=True)
class Rollout(Batched):
    """S imagined futures of H blocks for each of B problems."""

    context: Context
    """where they start"""
    actions: Tensor
    """(B, S, H, A) raw blocks"""
    z: Tensor
    """(B, S, H, D) the latent after each block"""
    spread: Tensor | None = None
    """(B, S, H) disagreement of an ensemble, if there is one"""


class PlanSpace(Protocol):
    """Blocks of A numbers, and the K whitened coordinates in which planners search; see `ActionBlocks`."""

    space: ActionSpace
    """of a single action"""
    size: int
    """A"""

    @property
    def dim(self) -> int:
        """K"""
        ...

    def encode(self, raw: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch k"]:
        """Raw blocks to coordinates."""
        ...

    def decode(self, coordinates: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch a"]:
        """Coordinates to raw blocks within the bounds."""
        ...

    def split(self, raw: Float[Tensor, "*batch h a"]) -> Tensor:
        """Raw blocks to the single actions (*batch, H * skip, n) that an environment takes; choices (*batch, H * skip)."""
        ...


class Imagination(Protocol):
    """Imagines what action blocks lead to, open loop. It can be asked for many futures of many problems at once."""

    @property
    def actions(self) -> PlanSpace:
        """What can be done, and where to search for it."""
        ...

    @property
    def context_length(self) -> int:
        """C, the number of latents that a prediction looks back on; a context may have fewer."""
        ...

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"]) -> Rollout:
        """S sequences of H raw action blocks from each of B contexts."""
        ...


@dataclass(frozen=True)
class ShuffledActions:
    """The same imagination with actions shuffled: blocks (S, H) of each problem's candidates change places before a rollout.

    Every candidate is then judged by what others would do, so that planning knows what actions are like but not what they
    lead to. The order is drawn once for each (S, H), and is the same for every problem and call.
    """

    imagination: Imagination

    @property
    def actions(self) -> PlanSpace:
        return self.imagination.actions

    @property
    def context_length(self) -> int:
        return self.imagination.context_length

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"]) -> Rollout:
        order = torch.randperm(blocks.shape[1] * blocks.shape[2], generator=torch.Generator().manual_seed(0))
        shuffled = blocks.flatten(1, 2)[:, order.to(blocks.device)]
        return replace(self.imagination.rollout(context, shuffled.view_as(blocks)), actions=blocks)
