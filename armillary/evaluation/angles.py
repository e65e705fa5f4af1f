"""Angles wrap, and whatever treats them as plain numbers is wrong at the seam: judged as sine and cosine, checked for jumps."""

import numpy as np

from armillary.spec import Stream


def angle_channels(stream: Stream) -> list[int]:
    """Which channels of a stream are angles: those whose unit is "rad"."""
    return [i for i, unit in enumerate(stream.unit) if unit == "rad"]


def sine_cosine(stream: Stream, values: np.ndarray) -> np.ndarray:
    """Values (n, *shape) as (n, numbers), each angle replaced by its sine and its cosine."""
    flat, angles = values.reshape(len(values), -1), angle_channels(stream)
    turning = flat[:, angles]
    return np.concatenate([np.delete(flat, angles, axis=1), np.sin(turning), np.cos(turning)], axis=1)


def angle_jump(angles: np.ndarray) -> float:
    """The largest change (rad) of angles (T, ...) from one step to the next; NaN entries are left out."""
    return float(np.nanmax(np.abs(np.diff(angles, axis=0)), initial=0.0))
