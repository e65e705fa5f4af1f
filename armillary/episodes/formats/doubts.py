"""Numbers of a recording that are likely not what they are taken for. They are imported as they are, and said.

- Placeholders: 9999, -999, 32767 and their like, which come again and again, far from all other numbers of a channel.
- Distances in millimetres, of depth and scans in floats, which are in metres here.
"""

from collections import Counter

import numpy as np

from armillary import kinds
from armillary.episodes.offsets import channels_of
from armillary.episodes.store import Episode
from armillary.spec import Spec

PLACEHOLDERS = np.array(
    [sign * (10**digits - 1) for digits in range(3, 8) for sign in (1, -1)]
    + [-999.9, -9999.9, -999.25, 32767, -32768, 65535, 1e20, 1e30, -1e30, -1e31]
)
FAR = 100.0  # metres, that half of a depth image or a scan of a robot or a vehicle is not beyond


class Doubts:
    """Looks at the episodes of an import."""

    def __init__(self) -> None:
        self._found: dict[str, Counter[float]] = {}
        self._low: dict[str, float] = {}
        self._high: dict[str, float] = {}
        self._far: dict[str, float] = {}

    def add(self, spec: Spec, episode: Episode) -> None:
        """Look at the next episode, whose vectors are in their units."""
        for stream in spec.streams:
            values = (episode.truth if stream.truth else episode.observations).get(stream.name)
            if values is None or not len(values):
                continue
            if stream.is_tabular:
                for name, channel in zip(channels_of(stream), values.T, strict=True):
                    self._add(name, channel)
            elif kinds.of(stream).is_distance and stream.name not in self._far:
                self._far[stream.name] = float(np.nanmedian(some)) if np.isfinite(some := values[0]).any() else 0.0

    def _add(self, name: str, channel: np.ndarray) -> None:
        coded = np.isin(channel, PLACEHOLDERS.astype(np.float32 if channel.dtype == np.float32 else np.float64))
        if coded.any():
            self._found.setdefault(name, Counter()).update(channel[coded].tolist())
        rest = channel[~coded].astype(np.float64)
        self._low[name] = min(self._low.get(name, np.inf), float(rest.min(initial=np.inf)))
        self._high[name] = max(self._high.get(name, -np.inf), float(rest.max(initial=-np.inf)))

    def notes(self) -> list[str]:
        """A line each."""
        lines = []
        for name, found in self._found.items():
            low, high = self._low[name], self._high[name]
            for value, count in found.items():
                if count > 1 and max(low - value, value - high) > high - low > 0:
                    what = f"{name}: {value:g} comes {count:,} times, and all else is from {low:.6g} to {high:.6g}"
                    remedy = "take it out first (an empty cell of a table, which --missing then treats)"
                    lines.append(f"{what}; if it stands for a missing number, {remedy}")
        lines += [
            f"{name}: half of its first row is beyond {far:.6g} m, which looks like millimetres; divide by 1000 first, or "
            "store whole numbers, which are taken as millimetres where it is depth"
            for name, far in self._far.items()
            if far > FAR
        ]
        return lines
