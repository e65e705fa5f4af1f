"""Vectors (channels,) float32: joint angles, poses, the sensors of a machine, each in its own unit, never missing in part.

Normaliser: mean and scale of the training part, one scale for channels of one unit. Encoder: a small MLP that takes angles as
sine and cosine; without a `projector` in the ModelConfig, the standardised channels themselves.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from armillary.kinds.check import Row
from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream

FLAT = 64
"""Numbers of an array of more than one axis that are taken for a vector; what is larger has to be named."""
UNLIKE = 1000  # ratio of spreads from which on channels that share a scale are doubtful
MERGED = 4  # steps of float32 that a channel's own steps have to be above
_WHOLE = 2**24  # whole numbers below it are exact in float32


class Vector(Kind):
    """See above."""

    name = "vector"
    axes = ("channels",)
    is_tabular = True

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.vector import VectorEncoder

        return VectorEncoder(stream.shape, 64 if config.projector else 0, angles=stream.angles)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """Any plain list, and everything else of up to `FLAT` numbers."""
        return len(shape) < 2 or bool(np.prod(shape) <= FLAT)

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        return (int(np.prod(shape)),), f" (from {shape})" * (len(shape) > 1)

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        return values.reshape(len(values), -1)

    def checks(self, streams: Sequence["Stream"], runs: Sequence[dict[str, np.ndarray]]) -> Iterator[Row]:
        """Channels that never change, numbers that float32 cannot tell apart, and unlike channels that share a scale."""
        names, dead, lost, unlike = [], [], [], []
        for stream in streams:
            channels = [f"{stream.name}[{name}]" for name in stream.channels or range(stream.shape[0])]
            names += channels
            if not (seen := [run[stream.name] for run in runs if stream.name in run]):
                continue
            rows, step = np.concatenate(seen), merged(seen)
            dead += [channels[i] for i in np.flatnonzero(np.ptp(rows, axis=0) == 0)]
            lost += [f"{channels[i]} (steps of {step[i]:g})" for i in np.flatnonzero(step)]
            spread = rows.astype(np.float64).std(0)
            if not stream.unit and (spread > 0).any() and spread.max() > UNLIKE * spread[spread > 0].min():
                unlike.append(f"{stream.name} ({spread.max() / spread[spread > 0].min():.0e} times)")
        advice = "they carry nothing, or a sensor is unplugged; a stream that is dead can be left out"
        found = f"{len(dead)} of {len(names)} {', '.join(dead[:8])}".strip()
        yield Row.of("constant channels", found, len(dead) > 0, advice)
        advice = (
            "float32 holds no smaller changes at that magnitude; an import keeps an offset where its first rows call for one, "
            "else subtract a constant from these columns before it"
        )
        found = f"{len(lost)} of {len(names)} {', '.join(lost[:5])}".strip()
        yield Row.of("merged by float32", found, len(lost) > 0, advice)
        advice = "channels without units share a scale, and small ones count for little; declare units, or take scale channel"
        yield Row.of("unlike channels", ", ".join(unlike) or "none", len(unlike) > 0, advice)


def merged(runs: Sequence[np.ndarray]) -> np.ndarray:
    """The step (C,) in which float32 holds each channel of runs (T, C), if it is about as large as the channel's own; or 0."""
    rows, steps = np.concatenate(runs), np.concatenate([np.abs(np.diff(run, axis=0)) for run in runs])
    largest = np.fmax.reduce(np.abs(rows))
    resolution = np.spacing(largest.astype(np.float32)).astype(float)
    own = np.array([np.quantile(moved, 0.9) if len(moved := s[s > 0]) else np.inf for s in steps.T])
    exact = (largest < _WHOLE) & (rows == np.round(rows)).all(0)
    return np.where((own <= MERGED * resolution) & ~exact, resolution, 0.0)
