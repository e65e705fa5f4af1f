"""Which axis of a picture is which, so that pictures of any order become (height, width, channels).

An order is written as letters: h and w are the sides, c the channels, and k the frames of a stack. An order is found where an
axis is small enough to be of channels and smaller than both sides; everywhere else it has to be said. Frames of a stack become
channels, the first frame first.
"""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from armillary.errors import ArmillaryError

CHANNELS = 16
"""As many channels, or frames of a stack, as an axis is taken for without being asked."""
ORDERS = {"".join(order) for letters in ("hw", "hwc", "hwk", "hwkc") for order in permutations(letters)}


def axes_of(shape: Sequence[int]) -> str | None:
    """The order of the axes of a picture of this shape, or None where it cannot be told."""

    def small(count: int, sides: Sequence[int]) -> bool:
        return count <= CHANNELS and count < min(sides)

    if len(shape) == 2:
        return "hw"
    if len(shape) == 3:
        first, last = (small(shape[0], shape[1:]), small(shape[2], shape[:2]))
        if not first and not last:  # tiny pictures
            first, last = (shape[place] in (1, 3, 4) for place in (0, 2))
        return None if first == last else "hwc" if last else "chw"
    if len(shape) == 4 and (inner := axes_of(shape[1:])) and shape[0] <= CHANNELS:
        return f"k{inner}"
    return None


def check_axes(axes: str | None, shape: Sequence[int]) -> str:
    """The order that was given, or else the one that is found.

    Raises:
        ArmillaryError: none can be told, or the one that was given does not fit.
    """
    found = axes or axes_of(shape)
    if found is None:
        raise ArmillaryError(
            f"{tuple(shape)}: which of the axes are height, width and channels? say it as axes, such as hwc or chw"
        )
    if found not in ORDERS or len(found) != len(shape):
        raise ArmillaryError(
            f"axes {found!r} of {tuple(shape)}: expected {len(shape)} letters of h, w, c and k (frames of a stack)"
        )
    return found


def picture_shape(shape: Sequence[int], axes: str) -> tuple[int, int, int]:
    """(height, width, channels) of a picture whose axes have this order."""
    size = dict(zip(axes, shape, strict=True))
    return size["h"], size["w"], size.get("k", 1) * size.get("c", 1)


def to_pictures(arrays: np.ndarray, axes: str) -> np.ndarray:
    """Arrays (..., *shape) with these axes as pictures (..., height, width, channels); a view where it can be."""
    lead = arrays.ndim - len(axes)
    order = [lead + axes.index(letter) for letter in "hwkc" if letter in axes]
    moved = arrays.transpose(*range(lead), *order)
    return moved.reshape(*arrays.shape[:lead], *picture_shape(arrays.shape[lead:], axes))
