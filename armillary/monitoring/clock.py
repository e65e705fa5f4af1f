"""Which rows of a table can be judged: where episodes end, where the clock goes wrong, and where rows come at another pace.

A stretch at another pace (a gateway that sends its backlog, a logger that was set to another rate) is not what the model
learned from: it says nothing until the pace is back. Then an episode begins, as where the clock jumps by more than the gap.
A stamp that is missing, or runs backwards by more than a step, costs its row. Where three in a row go on from there, the clock
was set back.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import expect
from armillary.monitoring.rows import Rows

PACE, OFF = 9, 1.5
"""Steps that the pace is the median of, and times as long or as short as in the recording that is another pace."""
AGAIN = 3
"""Stamps in a row, each after the last, that are a clock which was set back."""


@dataclass
class Clock:
    """Reads the clock of one source after the other.

    Args:
        step: seconds between two rows of the recording.
        gap: seconds without a row that end an episode.
    """

    step: float
    gap: float
    other: Counter[str] = field(default_factory=Counter)
    """How long steps were where the pace was another one, in s, as text."""

    def start(self) -> None:
        """A new source begins."""
        self._last: float | None = None
        self._back: list[float] = []
        self._steps = np.full(PACE - 1, self.step)
        self._off = False

    def read(self, rows: Rows) -> tuple[Bool[np.ndarray, " n"], np.ndarray]:
        """For each row: whether an episode begins there, and why it cannot be judged ("" if it can)."""
        count = len(rows.lines)
        begins, why = np.zeros(count, bool), np.full(count, "", dtype=object)
        if rows.time is None:
            return begins, why
        steps = np.diff(rows.time, prepend=rows.time[0] - self.step if self._last is None else self._last)
        if not (steps >= -self.step).all() or self._back:
            steps = self._each(rows, begins, why)
        else:
            self._last = float(rows.time[-1])
        good = why == ""
        begins |= good & (steps > self.gap)
        self._pace(np.where(begins, self.step, steps), good, begins, why)
        return begins, why

    def _each(self, rows: Rows, begins: np.ndarray, why: np.ndarray) -> Float[np.ndarray, " n"]:
        """Steps, row by row, from the last good stamp to each; 0 where a stamp is none."""
        times = expect(rows.time, "rows with a time")
        steps = np.zeros(len(times))
        for i, time in enumerate(times.tolist()):
            if np.isfinite(time) and (self._last is None or time >= self._last - self.step):
                steps[i] = self.step if self._last is None else time - self._last
                self._last, self._back = time, []
                continue
            if np.isfinite(time):
                goes_on = self._back and 0 <= time - self._back[-1] <= self.gap
                self._back = [*self._back, time] if goes_on else [time]
            if len(self._back) < AGAIN:
                why[i] = "clock"
            else:
                begins[i], self._last, self._back, steps[i] = True, time, [], self.step
        return steps

    def _pace(self, steps: np.ndarray, good: np.ndarray, begins: np.ndarray, why: np.ndarray) -> None:
        """Mark rows at another pace, and where it is back."""
        numbers = np.flatnonzero(good)
        if not len(numbers):
            return
        recent = np.concatenate([self._steps, steps[numbers]])
        self._steps = recent[-(PACE - 1) :]
        if not self._off and (np.abs(np.log(np.maximum(recent, 1e-9) / self.step)) <= np.log(OFF)).all():
            return
        pace = np.median(np.lib.stride_tricks.sliding_window_view(recent, PACE), axis=1)
        off = (pace * OFF < self.step) | (pace > OFF * self.step)
        back = np.concatenate([[self._off], off[:-1]]) & ~off
        begins[numbers[back]] = True
        begins[numbers[off]] = False
        why[numbers[off]] = "pace"
        self.other.update(f"{step:.3g}" for step in pace[off])
        self._off = bool(off[-1])


def stretches(begins: np.ndarray, why: np.ndarray) -> list[slice]:
    """Rows that go together: an episode, or the same reason why it is none."""
    edges = np.flatnonzero(begins[1:] | (why[1:] != why[:-1])) + 1
    return [slice(int(first), int(end)) for first, end in pairwise(sorted({0, *edges, len(why)}))]
