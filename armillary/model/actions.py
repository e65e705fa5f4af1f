"""Statistics of action blocks: how raw actions are scaled for the predictor, and where planners may search.

A model that keeps every k-th frame is given, between two frames, all k raw actions as one dense block. The blocks of a
recording have a shape (held actions, smooth ones), and a planner that leaves it asks the model about what it never saw:
white noise over blocks cost 70 points of success on data with held actions. So the principal components of the recorded blocks
are kept here, in the checkpoint, and planners search in their whitened coordinates. There each number counts as much as any
other, whatever its unit: a gripper is not left out for moving less than an arm.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.scales import mean_and_scale
from armillary.spec import ActionSpace

EXPLAINED = 0.99


class ActionBlocks(nn.Module):
    """Blocks of `skip` raw actions, flattened to A = skip * n numbers; choices are one-hot.

    Args:
        space: the action space.
        skip: actions in a block.
        dim: principal coordinates that are kept; `fit` finds it.

    Attributes:
        std: what the predictor's input is scaled by; numbers of one unit share it.
        spread: the standard deviation of each number alone, by which principal components are scaled.
    """

    mean: Tensor
    std: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor
    basis: Tensor

    def __init__(self, space: ActionSpace, skip: int, dim: int | None = None) -> None:
        super().__init__()
        self.space, self.skip, self.size = space, skip, skip * space.n
        discrete = space.kind == "discrete"
        # Checkpoints are built on the meta device first. There, torch.eye and repeat would import half of PyTorch, for seconds.
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))
        self.register_buffer("spread", torch.ones(self.size))
        self.register_buffer("low", torch.zeros(self.size) if discrete else torch.tensor(space.low * skip))
        self.register_buffer("high", torch.ones(self.size) if discrete else torch.tensor(space.high * skip))
        self.register_buffer("basis", torch.zeros(self.size, min(dim or self.size, self.size)))
        self.basis.diagonal().fill_(1)

    @property
    def dim(self) -> int:
        """K, the number of coordinates in which planners search."""
        return self.basis.shape[1]

    @torch.no_grad()
    def fit(self, blocks: Float[Tensor, "n a"], groups: Sequence[int] | None = None) -> None:
        """Take scale, range and principal components (99% of the variance) from recorded blocks.

        Where the action space has no bounds, the recorded range becomes the bounds.

        Args:
            groups: numbers of an action in one group share a scale (`ActionSpace.scale_groups`); each has its own by default.

        Raises:
            ArmillaryError: fewer than two blocks, or actions that never change.
        """
        if not self.size:
            return
        if len(blocks) < 2:
            raise ArmillaryError(f"action statistics need at least 2 blocks of {self.skip} actions, got {len(blocks)}")
        blocks = blocks.to(self.mean)
        if torch.equal(blocks.amin(0), blocks.amax(0)):
            raise ArmillaryError("the recorded actions never change, so nothing can be learned about what they do")
        mean, spread = mean_and_scale(blocks)
        self.mean.copy_(mean)
        self.spread.copy_(spread)
        self.std.copy_(spread if groups is None else mean_and_scale(blocks, list(groups) * self.skip)[1])
        self.low.copy_(torch.where(self.low.isfinite(), self.low, blocks.amin(0)))
        self.high.copy_(torch.where(self.high.isfinite(), self.high, blocks.amax(0)))
        standard = (blocks - self.mean) / self.spread
        variance, vectors = torch.linalg.eigh((standard.T @ standard / len(blocks)).cpu())  # MPS has none
        variance, vectors = variance.flip(0).clamp(min=0), vectors.flip(1)
        kept = int((variance.cumsum(0) < EXPLAINED * variance.sum()).sum()) + 1
        self.basis = (vectors[:, :kept] * variance[:kept].sqrt()).to(self.mean)

    def standardise(self, raw: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch a"]:
        """Raw blocks to zero mean, in units of their scale, as the predictor takes them.

        Raises:
            ArmillaryError: blocks of another size.
        """
        if raw.shape[-1] != self.size:
            taken = f"this model takes {self.skip} actions of {self.space.n} = {self.size}"
            raise ArmillaryError(f"action blocks have {raw.shape[-1]} numbers; {taken}")
        return (raw - self.mean) / self.std

    def encode(self, raw: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch k"]:
        """Raw blocks to whitened principal coordinates."""
        return (raw - self.mean) / self.spread @ (self.basis / self.basis.square().sum(0))

    def split(self, raw: Float[Tensor, "*batch h a"]) -> Tensor:
        """Raw blocks to the single actions (*batch, H * skip, n) that an environment takes; choices are (*batch, H * skip)."""
        single = raw.unflatten(-1, (self.skip, self.space.n)).flatten(-3, -2)
        return single.argmax(-1) if self.space.kind == "discrete" else single

    def decode(self, coordinates: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch a"]:
        """Whitened coordinates to raw blocks within the bounds; choices come out as hard one-hot."""
        raw = torch.addcmul(self.mean, F.linear(coordinates, self.basis), self.spread)
        if self.space.kind != "discrete":
            raw = raw.clamp_(self.low, self.high)
            return raw.round_() if self.space.whole else raw
        choices = raw.unflatten(-1, (self.skip, self.space.n))
        return torch.zeros_like(choices).scatter_(-1, choices.argmax(-1, keepdim=True), 1.0).flatten(-2)
