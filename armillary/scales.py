"""How numbers with units are scaled: a mean for each channel, and one standard deviation for all channels that share a unit.

A joint that hardly moves, scaled to unit variance, turns a small offset of a later day into many standard deviations. On a
humanoid's later recordings that made every prediction worse than "nothing changes". Channels of different units keep a scale
each, so that nothing depends on whether a pressure is in bar or in kPa.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

RESOLUTION = 2 * torch.finfo(torch.float32).eps
"""Of a channel's largest magnitude: what varies by less is rounding, not a measurement."""


def spread(rows: Float[np.ndarray, "n c"]) -> Float[np.ndarray, " c"]:
    """The standard deviation of each channel, or what is rounding at its magnitude where that is more; never 0."""
    magnitude = np.abs(rows).max(axis=0)
    return np.maximum(rows.std(axis=0), RESOLUTION * np.where(magnitude > 0, magnitude, 1.0))


def mean_and_scale(
    rows: Float[Tensor, "n c"], groups: Sequence[int] | None = None
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """The mean of each channel, and its scale: the root mean variance of the channels in its group that vary at all.

    A group that never varies has the magnitude of its mean for a scale, or 1 where that is 0.

    Args:
        rows: two or more, finite.
        groups: which group each channel is in; each in its own by default.
    """
    exact = rows.cpu().double()  # in float32, a large offset would drown what varies; MPS has no float64
    mean, variance = exact.mean(0), exact.var(0)
    variance = variance.where(variance.sqrt() > RESOLUTION * exact.abs().amax(0), 0.0)
    group = torch.arange(len(mean)) if groups is None else torch.as_tensor(groups)
    total, count = (exact.new_zeros(len(group)).index_add(0, group, x) for x in (variance, (variance > 0).double()))
    scale = (total / count.clamp(min=1)).sqrt()[group]
    scale = scale.where(scale > 0, mean.abs().where(mean != 0, 1.0))
    return mean.to(rows), scale.to(rows)
