"""Cells of a table that hold no number: filled from their neighbours for a few rows, if asked.

- hold: the last number of the column stands, for at most so many rows. What comes later is not needed, so that it works on a
  live table too;
- interpolate: a straight line over gaps of at most so many rows. Longer ones stay as they are.
"""

from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

Fill = Literal["hold", "interpolate"]


class Gaps:
    """Fills gaps part by part.

    Args:
        how: see above.
        longest: rows of a gap that is filled.
    """

    def __init__(self, how: Fill, longest: int) -> None:
        self.how, self.longest, self.filled = how, longest, 0
        self._last: Float64[np.ndarray, " c"] | None = None
        self._age: np.ndarray | None = None

    def start(self) -> None:
        """Another source begins."""
        self._last = self._age = None

    def open_rows(self, numbers: Float64[np.ndarray, "n c"]) -> int:
        """How many of the last rows are to be looked at again together with those that come next."""
        if self.how == "hold" or not len(numbers):
            return 0
        missing = np.isnan(numbers)
        tail = [int(np.argmin(column[::-1])) if not column.all() else len(column) for column in missing.T]
        return max((rows + 1 for rows in tail if 0 < rows <= self.longest), default=0)

    def __call__(self, numbers: Float64[np.ndarray, "n c"], begins: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, "n c"]:
        """Numbers with short gaps filled, none across the beginning of an episode."""
        filled = numbers.copy()
        edges = [0, *np.flatnonzero(begins[1:]) + 1, len(numbers)] if len(numbers) else [0]
        for start, stop in pairwise(edges):
            if begins[start]:
                self.start()
            part = filled[start:stop]
            self._hold(part) if self.how == "hold" else self._interpolate(part)
        self.filled += int((np.isnan(numbers) & ~np.isnan(filled)).sum())
        return filled

    def _hold(self, part: Float64[np.ndarray, "n c"]) -> None:
        count, channels = part.shape
        if self._last is None:
            self._last = np.full(channels, np.nan)
        before = np.zeros(channels, int) if self._age is None else self._age
        known = np.concatenate([~np.isnan(self._last)[None], ~np.isnan(part)])
        padded = np.concatenate([self._last[None], part])
        at = np.maximum.accumulate(np.where(known, np.arange(count + 1)[:, None], 0), axis=0)
        age = np.arange(count + 1)[:, None] - at + np.where(at == 0, before, 0)
        held = np.take_along_axis(padded, at, axis=0)
        self._last, self._age = held[-1].copy(), age[-1]
        part[:] = np.where((age[1:] <= self.longest), held[1:], np.nan)

    def _interpolate(self, part: Float64[np.ndarray, "n c"]) -> None:
        rows = np.arange(len(part))
        for column in part.T:
            missing = np.isnan(column)
            if not missing.any() or missing.all():
                continue
            edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
            line = np.interp(rows, rows[~missing], column[~missing])
            for start, stop in zip(edges[::2], edges[1::2], strict=True):
                if start > 0 and stop < len(part) and stop - start <= self.longest:
                    column[start:stop] = line[start:stop]
