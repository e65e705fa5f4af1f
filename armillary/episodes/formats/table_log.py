"""A table in memory as a log: its numbers, and a clock that never runs back; and which of its rows is in force at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int

from armillary.episodes.formats.table_clock import Asked, Timeline, find_clock, measure_clock, step_of
from armillary.episodes.formats.table_files import open_table
from armillary.errors import CorruptFile, expect


@dataclass(frozen=True)
class Log:
    """A table in memory: its numbers, the time of each row in seconds (None without a clock), and whether times are dates."""

    numbers: Float64[np.ndarray, "t n"]
    clock: Float64[np.ndarray, " t"] | None
    dated: bool

    @property
    def times(self) -> Float64[np.ndarray, " t"]:
        """The clock of a table that was read with one."""
        return expect(self.clock, "a table with a clock")


def read_log(file: Path, names: Sequence[str], asked: Asked | None, header: bool = True) -> Log:
    """All rows of these columns of numbers, with the clock that was asked for.

    Raises:
        CorruptFile: a file that is no table, is empty, lacks a column, a number or a time, or has a clock that runs backwards.
    """
    table = open_table(file, header)
    table.require([*names, *(asked.columns if asked else ())])
    survey = table.survey()
    if not survey.rows:
        raise CorruptFile(f"{file}: there is no row in it")
    found, times, timeline = [], [], None
    if asked:
        clock, step = measure_clock(table, find_clock(table, survey, asked))
        timeline = Timeline(clock, step, str(file))
    for part in table.parts():
        numbers = np.empty((len(part), len(names)))
        for i, name in enumerate(names):
            style = survey.styles.get(name, ".")
            numbers[:, i] = part.numbers(name, style)
            for row in np.flatnonzero(np.isnan(numbers[:, i]))[:1]:
                raise CorruptFile(f"{file}: {part.why(int(row), name, style)}")
        found.append(numbers)
        if timeline:
            seconds = timeline.seconds(part)
            for row in np.flatnonzero(np.isnan(seconds))[:1]:
                raise CorruptFile(f"{file}: {clock.why(part, int(row))}")
            timeline.begins(seconds, part, float("inf"), resets=False)
            times.append(seconds)
    return Log(
        np.concatenate(found), np.concatenate(times) if timeline else None, bool(timeline and timeline.clock.unit is None)
    )


def usual_step(times: Float64[np.ndarray, " t"]) -> float:
    """The mean of the steps that are within a tenth of the median: files round times, and clocks leave some out."""
    return step_of(np.diff(times))


def rows_until(times: Float64[np.ndarray, " t"], moments: Float64[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """How many rows are at or before each moment: to a millisecond, which files round to, or to a quarter of their step."""
    near = min(1e-3, float(np.median(np.diff(times))) / 4) if len(times) > 1 else 1e-3
    return np.searchsorted(times, moments + near, "right")


def last_before(times: Float64[np.ndarray, " t"], moments: Float64[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """The last row at or before each moment, or else the first."""
    return np.maximum(rows_until(times, moments) - 1, 0)
