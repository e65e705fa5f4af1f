"""A kind of stream with its encoder: the pressure on a grid of taxels in newtons, NaN where a taxel is broken."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from armillary.kinds.check import Row
from armillary.kinds.kind import Kind
from armillary.model.config import ModelConfig
from armillary.model.perception.encoder import Encoder
from armillary.model.perception.standard import Standardised
from armillary.spec import Stream

FULL = 5.0  # N, white in a drawing
NOISE = 0.01  # N, below which a sensor feels nothing


class Tactile(Kind):
    """(rows, columns) float32."""

    name = "tactile"
    axes = ("rows", "columns")
    gaps = is_drawn = True

    def encoder(self, stream: Stream, config: ModelConfig) -> Encoder:
        return TactileEncoder(stream.shape, config.width)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        return "tactile" in name and len(shape) == 2 and dtype.kind == "f"

    def checks(self, streams: Sequence[Stream], runs: Sequence[dict[str, np.ndarray]]) -> Iterator[Row]:
        yield from super().checks(streams, runs)
        for stream in streams:
            most = max(float(np.nanmax(run[stream.name])) for run in runs)
            advice = "nothing is ever touched; check the sensor"
            yield Row.of(f"touch of {stream.name}", f"up to {most:.1f} N", most < NOISE, advice)

    def draw(self, stream: Stream, values: Float[np.ndarray, "t r c"]) -> UInt8[np.ndarray, "t r c 1"]:
        return np.nan_to_num(np.clip(values / FULL, 0, 1) * 255).astype(np.uint8)[..., None]


class TactileEncoder(Standardised):
    """(N, rows, columns) float32 to (N, width), with one scale for all taxels; broken ones count as mean pressure."""

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__(shape[1])
        self.shape, self.features = shape, width
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1], width), nn.GELU(), nn.Linear(width, width))

    def forward(self, pressure: Float[Tensor, "n r c"]) -> Float[Tensor, "n f"]:
        return self.net(torch.nan_to_num(self.standardise(pressure)))
