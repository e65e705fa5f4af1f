"""Angles wrap, and whatever treats them as plain numbers is wrong at the seam: judged as sine and cosine, checked for jumps."""

import numpy as np

from armillary.spec import Stream


def sine_cosine(stream: Stream, values: np.ndarray) -> np.ndarray:
    """Values (n, *shape) as (n, numbers), each angle replaced by its sine and its cosine."""
    flat, angles = values.reshape(len(values), -1), stream.angles
    turning = flat[:, angles]
    return np.concatenate([np.delete(flat, angles, axis=1), np.sin(turning), np.cos(turning)], axis=1)


def angle_jump(angles: np.ndarray) -> float:
    """The largest change (rad) of angles (T, ...) from one step to the next; NaN entries are left out."""
    return float(np.nanmax(np.abs(np.diff(angles, axis=0)), initial=0.0))
