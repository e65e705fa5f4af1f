"""Depth images of other people's recordings as metres: whole numbers are millimetres, and 0 is nothing measured.

That is what depth cameras and ROS write (REP 118). Resizing takes the nearest pixel, because the average across an edge is a
distance at which there is nothing.
"""

import numpy as np
from jaxtyping import Float, Num


def metres(depth: Num[np.ndarray, "t h w"], size: int | None = None) -> Float[np.ndarray, "t height width"]:
    """Depth in metres, float32, NaN where nothing was measured.

    Args:
        depth: whole numbers, in millimetres, 0 where nothing was measured; or metres, of which infinite ones are none.
        size: take the nearest of size x size pixels; None keeps all.
    """
    if size is not None:
        rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in depth.shape[1:])
        depth = depth[:, rows[:, None], columns]
    result = depth.astype(np.float32)
    if depth.dtype.kind in "iu":
        result[depth == 0] = np.nan
        return result / 1000
    result[~np.isfinite(result)] = np.nan
    return result
