"""Depth images of other people's recordings, as files: PNG of 16 bits a pixel, in millimetres (kinds/depth.py)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from armillary.episodes.images import open_picture
from armillary.errors import CorruptFile
from armillary.kinds.depth import metres

DEPTH = ("I", "I;16", "I;16B", "I;16L")  # Pillow's modes of a PNG file with 16 bits a pixel


def decode_depth(
    files: Sequence[bytes], shape: tuple[int, ...], size: int | None = None
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
