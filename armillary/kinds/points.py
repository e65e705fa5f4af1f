"""Point clouds (points, 3 + C) float32: x, y and z in metres and C more numbers, such as colours; rows of NaN are no points.

Normaliser: mean and scale of the training part, one scale for x, y and z. Encoder: PointNet, from `width` of the ModelConfig.
"""

from typing import TYPE_CHECKING

import numpy as np

from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream

SIDE = 64  # px of the drawing


class Points(Kind):
    """See above."""

    name = "points"
    axes = ("points", "coordinates")
    gaps = is_drawn = True

    def fault(self, shape: tuple[int, ...]) -> str | None:
        few = len(shape) == 2 and 0 < shape[-1] < 3
        return f"points have at least x, y and z, not {shape[-1]} coordinates" if few else super().fault(shape)

    def scale_groups(self, stream: "Stream") -> tuple[int, ...] | None:
        return tuple(int(i > 2) for i in range(stream.shape[-1]))

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.points import PointsEncoder

        return PointsEncoder(stream.shape, config.width)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """(N, 3 or more), where the name says points or cloud."""
        named = "points" in name or "cloud" in name
        return named and len(shape) == 2 and shape[-1] >= 3 and dtype.kind == "f"

    def outline(self, values: np.ndarray) -> np.ndarray:
        """Mean and spread of each coordinate, since points come in any order."""
        there = np.isfinite(values).all(-1, keepdims=True)
        count = np.maximum(there.sum(1), 1)
        mean = np.where(there, values, 0).sum(1, dtype=np.float64) / count
        spread = np.where(there, values - mean[:, None], 0)
        return np.hstack([mean, np.sqrt((spread**2).sum(1) / count)])

    def draw(self, stream: "Stream", values: np.ndarray) -> np.ndarray:
        """From above, x to the right and y up: each number v at v / (1 + |v|), so that the picture holds all there is."""
        pictures = np.zeros((len(values), SIDE, SIDE, 1), np.uint8)
        at = values[..., :2] / (1 + np.abs(values[..., :2]))
        row, point = np.nonzero(np.isfinite(at).all(-1))
        x, y = ((at[row, point] + 1) / 2 * (SIDE - 1)).round().astype(int).T
        pictures[row, SIDE - 1 - y, x] = 255
        return pictures
