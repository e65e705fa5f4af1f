"""Range scans (beams,) float32 in metres, NaN where nothing came back. The last beam may be beside the first (`full_turn`).

Normaliser: the logarithm of 1 + m, at a fixed scale. Encoder: convolutions along the angle, from `width` of the ModelConfig.
"""

from typing import TYPE_CHECKING

import numpy as np

from armillary.kinds.depth import greys
from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream

WORDS = "scan", "lidar", "laser", "ranges"


class Scan(Kind):
    """See above."""

    name = "scan"
    axes = ("beams",)
    gaps = is_distance = may_turn = is_drawn = True

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.scan import ScanEncoder

        return ScanEncoder(stream.shape, config.width, stream.full_turn)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """(beams,) or (beams, 1), where the name says so."""
        return any(word in name for word in WORDS) and len(shape) - (shape[-1:] == (1,)) == 1

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        return (int(np.prod(shape)),), f" (from {shape})" * (len(shape) > 1)

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        return values.reshape(len(values), -1)

    def draw(self, stream: "Stream", values: np.ndarray) -> np.ndarray:
        """A strip, one column a beam, half as high as it is wide; see `depth.greys`."""
        return greys(values)[:, None, :, None].repeat(max(1, values.shape[1] // 2), 1)
