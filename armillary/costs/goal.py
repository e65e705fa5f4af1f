"""Goals: how far from where it should be does an imagined future lead?

The distance is summed over the rollout, so that arriving early and staying is cheapest; with the last step alone ("last")
the two-room world falls from 95% to 12%. Distance is squared and straight in latent space (LatentGoal), which is right near the
goal and saturates far from it, or counted in steps by the learned critic (CriticGoal), which knows the way round a wall.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.arguments import check_finite, observed
from armillary.costs.cost import Cost
from armillary.device import together
from armillary.errors import ArmillaryError
from armillary.model import WorldModel

Reduce = Literal["sum", "last"]


@dataclass(frozen=True, eq=False)
class LatentGoal(Cost):
    """Squared distance to the goal's latent, averaged over its dimensions.

    Raises:
        ArmillaryError: when called, if goal and rollout do not fit together; the message has both shapes.
    """

    z_goal: Tensor
    """(B, D) one goal for each problem, or (1, D) one for all"""
    reduce: Reduce = "sum"
    """over the steps of the rollout: their sum, or the last alone"""

    def __call__(self, z: Float[Tensor, "b s h d"], actions: Float[Tensor, "b s h a"]) -> Float[Tensor, "b s"]:
        z, goal = _align(z, self.z_goal, self.reduce)
        return (z - goal).square().sum((-2, -1)) / z.shape[-1]


@dataclass(frozen=True, eq=False)
class CriticGoal(Cost):
    """How far the goal is as a learned distance tells it, such as steps by the temporal-distance critic: the trainable cost.

    Raises:
        ArmillaryError: when called, if goal and rollout do not fit together; the message has both shapes.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    """(..., D), (..., D) -> how far apart (...), such as `model.critic` or `model.contrast`"""
    z_goal: Tensor
    """(B, D) one goal for each problem, or (1, D) one for all"""
    reduce: Reduce = "sum"
    """over the steps of the rollout: their sum, or the last alone"""

    def __call__(self, z: Float[Tensor, "b s h d"], actions: Float[Tensor, "b s h a"]) -> Float[Tensor, "b s"]:
        return self.critic(*_align(z, self.z_goal, self.reduce)).sum(-1)


def image_goal(model: WorldModel, observations: Mapping[str, Any], reduce: Reduce = "sum") -> LatentGoal:
    """A LatentGoal from what the sensors give at the goal: one observation (B, *shape) of each stream, or (1, *shape)."""
    return LatentGoal(encode_frames(model, observations), reduce)


@torch.no_grad()
def encode_frames(model: WorldModel, observations: Mapping[str, Any], *, exact: bool = True) -> Float[Tensor, "n d"]:
    """Latents of N moments, each seen once.

    Args:
        observations: arrays or tensors (N, *shape) by stream. Streams beyond the model's are left out.
        exact: to the last bit, no latent depends on which others are asked for (`device.together`); else they are encoded in
            one go, which is faster.

    Raises:
        SpecMismatch: a stream that the model needs is missing, has another shape or dtype, or is not finite.
    """
    frames, given = {}, observed(model.spec, observations)
    for stream in model.spec.observed:
        if stream.name in given:
            frame = torch.as_tensor(given[stream.name], device=model.device)
            if frame.device.type == "cpu":  # a GPU would have to be waited for
                check_finite(stream, frame)
            frames[stream.name] = (frame.float() if stream.dtype.kind == "f" else frame).unsqueeze(1)
    counts = {len(frame) for frame in frames.values()}
    parts = together(model.device, *counts) if exact and len(counts) == 1 else [slice(None)]
    return torch.cat([model.encode({name: frame[some] for name, frame in frames.items()}) for some in parts]).squeeze(1)


def _align(z: Tensor, z_goal: Tensor, reduce: Reduce) -> tuple[Tensor, Tensor]:
    """The steps that count (B, S, H, D), and the goal (B, 1, 1, D) to compare them with."""
    if z_goal.ndim != 2 or z_goal.shape[0] not in (1, z.shape[0]) or z_goal.shape[1] != z.shape[-1]:
        raise ArmillaryError(
            f"a goal of shape {tuple(z_goal.shape)} does not fit a rollout of shape {tuple(z.shape)}; "
            f"expected ({z.shape[0]}, {z.shape[-1]}) or (1, {z.shape[-1]})"
        )
    if reduce not in ("sum", "last"):
        raise ArmillaryError(f"a goal reduces over steps by 'sum' or 'last', not {reduce!r}")
    return z if reduce == "sum" else z[:, :, -1:], z_goal[:, None, None]
