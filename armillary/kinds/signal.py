"""Signals of many samples a step (samples, channels) float32, such as IMU, vibration and currents, never missing in part.

Normaliser: mean and scale of the training part. Encoder: patches of samples, from `width` of the ModelConfig.
"""

from typing import TYPE_CHECKING

import numpy as np

from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream


class Signal(Kind):
    """See above."""

    name = "signal"
    axes = ("samples", "channels")

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.signal import SignalEncoder

        return SignalEncoder(stream.shape, config.width)

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        return ((*shape, 1) if len(shape) == 1 else shape), ""

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        return values[..., None] if values.ndim == 2 else values
