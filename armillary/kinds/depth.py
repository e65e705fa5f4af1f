"""Depth images (height, width) float32 in metres, NaN where nothing was measured.

Normaliser: the logarithm of 1 + m, at a fixed scale. Encoder: convolutional, from `width` and `stem` of the ModelConfig.
"""

from typing import TYPE_CHECKING

import numpy as np

from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream


class Depth(Kind):
    """See above."""

    name = "depth"
    axes = ("height", "width")
    gaps = is_distance = resizes = is_drawn = True

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.depth import DepthEncoder

        return DepthEncoder(stream.shape, config.width, config.stem)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """(H, W), (H, W, 1) or (1, H, W) of another type than uint8, where the name says so."""
        return "depth" in name and len(_sides(shape)) == 2 and dtype != np.uint8

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        return _sides(shape), " (millimetres, 0 as nothing)" if dtype.kind in "iu" else " (metres)"

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        """Whole numbers are millimetres, 0 where nothing was measured; see `metres`."""
        sides = _sides(values.shape[1:])
        if len(sides) != 2 or (size is None and sides != stream.shape):
            return values
        values = values.reshape(-1, *sides)
        return metres(values, size) if size is not None or values.dtype.kind in "iu" else values

    def draw(self, stream: "Stream", values: np.ndarray) -> np.ndarray:
        return greys(values)[..., None]


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1) if len(shape) == 3 else shape


def metres(depth: np.ndarray, size: int | None = None) -> np.ndarray:
    """Depth (T, H, W) in metres, float32, NaN where nothing was measured.

    Whole numbers in millimetres are what depth cameras and ROS write (REP 118). Resizing takes the nearest pixel, because the
    average across an edge is a distance at which there is nothing.

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


def greys(distance: np.ndarray) -> np.ndarray:
    """Metres of any shape as greys, uint8: white at 0, half at 1 m, darker beyond, black where nothing was measured."""
    return np.nan_to_num(255 / (1 + np.maximum(distance, 0)), nan=0).round().astype(np.uint8)
