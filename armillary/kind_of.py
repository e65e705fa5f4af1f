"""Which kind of stream an array is, by its type, its shape and, where these leave it open, its name.

One rule for recordings and for environments, so that a model of one can act in the other:
- uint8 (H, W), (H, W, C) and (C, H, W) are images, and so are stacks of them;
- (H, W), (H, W, 1) or (1, H, W) of another type is depth where the name says so;
- (beams,) is a scan where the name says scan, lidar, laser or ranges; (N, 3 or more) are points where it says points or cloud;
- everything else of up to `FLAT` numbers, and any plain list, is a vector. What is larger has to be named.
"""

from collections.abc import Sequence

import numpy as np

from armillary.axes import axes_of
from armillary.spec import Kind

FLAT = 64
_SAID = {"depth": ("depth",), "scan": ("scan", "lidar", "laser", "ranges"), "points": ("points", "cloud")}


def kind_of(name: str, shape: Sequence[int], dtype: np.dtype) -> Kind | None:
    """The kind, or None where it has to be said.

    Args:
        name: the last part of what the array is called.
        shape: of one row.
    """

    def said(kind: str) -> bool:
        return any(word in name.lower() for word in _SAID[kind])

    sides = sum(side != 1 for side in shape) if len(shape) == 3 else len(shape)
    if said("depth") and sides == 2 and dtype != np.uint8:
        return "depth"
    if dtype == np.uint8 and len(shape) > 1 and axes_of(shape):
        return "image"
    if said("points") and len(shape) == 2 and shape[-1] >= 3 and dtype.kind == "f":
        return "points"
    if said("scan") and len(shape) - (shape[-1:] == (1,)) == 1:
        return "scan"
    return "vector" if len(shape) < 2 or np.prod(shape) <= FLAT else None
