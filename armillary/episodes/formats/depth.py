"""Depth images of other people's recordings as metres: whole numbers are millimetres, and 0 is nothing measured.

That is what depth cameras and ROS write (REP 118). Resizing takes the nearest pixel, because the average across an edge is a
distance at which there is nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from armillary.episodes.images import open_picture
from armillary.errors import CorruptFile

DEPTH = ("I", "I;16", "I;16B", "I;16L")  # Pillow's modes of a PNG file with 16 bits a pixel


def decode_depth(
    files: Sequence[bytes], shape: tuple[int, int], size: int | None = None
) -> Float[np.ndarray, "t height width"]:
    """PNG files of 16 bits a pixel, in millimetres, as depth in metres; see `metres`.

    Args:
        files: as bytes.
        shape: (height, width) of each.

    Raises:
        CorruptFile: a file that is damaged, or another picture.
    """
    planes = []
    for file in files:
        with open_picture(file) as picture:
            if (picture.height, picture.width) != shape or picture.mode not in DEPTH:
                raise CorruptFile(
                    f"a depth image is {picture.height}x{picture.width} {picture.mode}, expected {shape} of 16 bits"
                )
            planes.append(np.asarray(picture, np.int32))
    return metres(np.stack(planes), size)


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
