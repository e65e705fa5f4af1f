"""Rows of tables as they come: from a file, from every file of a folder, or from a pipe that somebody still writes to.

They are read as the recording was that the model learned from: what it kept of that (`reading` in its info) stands wherever the
table itself leaves a question open. Columns are found by name: their order, and columns beyond those that are asked for, do not
matter. A cell that holds no number is NaN, and `why` says what is wrong with it, by line and column.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float

from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.gaps import Gaps
from armillary.episodes.formats.table_clock import Asked, TableClock, Timeline, find_clock
from armillary.episodes.formats.table_files import SUFFIXES, Part, Survey, open_table
from armillary.episodes.formats.table_text import NoTable
from armillary.errors import ArmillaryError


@dataclass(frozen=True)
class Rows:
    """Rows of one source, in order.

    Args:
        source: the file's name, or `-`.
        lines: (n,) numbers of their lines, the header's being 1; in Parquet, which has no lines, of rows from 1.
        numbers: (n, columns) in the order that was asked for; NaN where there is no number.
        stamps: the cells of the time columns as they stand, or the numbers of the lines.
        time: (n,) in s, NaN where there is none; or None without a time column.
        why: what is wrong with row i, if anything is missing in it.
    """

    source: str
    lines: np.ndarray
    numbers: Float[np.ndarray, "n columns"]
    stamps: list[str]
    time: Float[np.ndarray, " n"] | None
    why: Callable[[int], str]


NO_CLOCK = Asked(())


@dataclass(frozen=True)
class Reading:
    """How a source is read.

    Args:
        time: the time columns, and what was asked of them; no column: there is no clock.
        header: whether the first line names the columns.
        styles: how numbers are written, by column, where the source leaves it open.
        clock: how the recording's clock was read.
        step: seconds from row to row.
        hold: rows over which the last number of a column stands where one is missing.
    """

    time: Asked = NO_CLOCK
    header: bool = True
    styles: Mapping[str, str] = field(default_factory=dict)
    clock: TableClock | None = None
    step: float = 1.0
    hold: int = 0

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None, asked: Asked, step: float, hold: int = 0) -> "Reading":
        """As a recording was read, by the `reading` in its info, but for what is asked."""
        kept, clock = kept or {}, None
        if plain := kept.get("clock"):
            fields: dict[str, Any] = {**plain, "columns": tuple(plain["columns"])}
            clock = TableClock(**fields)
            asked = replace(asked, columns=asked.columns or clock.columns, zone=asked.zone or clock.zone)
            if asked.columns == clock.columns:
                asked = replace(asked, unit=asked.unit or clock.unit)
        return cls(asked, kept.get("header", True), kept.get("styles", {}), clock, step, hold)


def tables(path: str | Path | BinaryIO) -> list[Path | BinaryIO]:
    """The sources of a path: the file itself, or the tables of a folder in the order of their names; a stream is one as it is.

    Raises:
        ArmillaryError: there is none.
    """
    if not isinstance(path, (str, Path)):
        return [path]
    path = Path(path)
    if found := files_in(path, SUFFIXES):
        return [*found]
    raise ArmillaryError(f"{path}: there is no table there ({', '.join(SUFFIXES)})")


def read_rows(
    source: Path | BinaryIO, columns: Sequence[str], reading: Reading | None = None, notes: Counter[str] | None = None
) -> Iterator[Rows]:
    """The rows of one source.

    Args:
        columns: names of columns of numbers.
        reading: how it is read; default: without a clock.
        notes: gets what a person should know of the source, as it turns up.

    Raises:
        NoTable: there is none in the source.
        CorruptFile: a column is missing or there twice, or the clock can be read in several ways.
    """
    reading, notes = reading or Reading(), Counter() if notes is None else notes
    table = open_table(source, reading.header)
    table.require([*columns, *reading.time.columns])
    parts, there = table.parts(), None
    if not isinstance(source, Path):  # by the rows that are there
        there = list(islice(parts, 1))
        parts = chain(there, parts)
    survey = table.survey(there)
    styles = {column: _style(column, survey, reading) for column in columns}
    timeline = None
    if reading.time.columns and survey.rows:
        timeline = Timeline(find_clock(table, survey, reading.time, reading.clock, there), reading.step, table.name)
    gaps = Gaps("hold", reading.hold) if reading.hold else None
    for part in parts:
        numbers = np.stack([part.numbers(column, styles[column]) for column in columns], 1)
        why = partial(_why, part, numbers, columns, styles, timeline)
        stamps = timeline.clock.stamps(part) if timeline else [str(line) for line in part.lines]
        time = timeline.seconds(part) if timeline else None
        held = gaps(numbers, np.zeros(len(part), bool)) if gaps else numbers
        yield Rows(source.name if isinstance(source, Path) else "-", part.lines, held, stamps, time, why)
        for note in timeline.notes if timeline else ():
            notes[note] = 1
    if table.again:
        notes[f"{table.name}: {table.again} lines that repeat the header passed over"] = 1
    if gaps and gaps.filled:
        notes[f"{table.name}: {gaps.filled} missing numbers held, for at most {reading.hold} rows each"] = 1


def _style(column: str, survey: Survey, reading: Reading) -> str:
    """As the source's own cells show; but a word for yes or no is one where the recording has them, and nowhere else."""
    kept = reading.styles.get(column, ".")
    found = survey.styles.get(column, kept)
    return kept if reading.styles and "bool" in (kept, found) else found


def _why(
    part: Part, numbers: np.ndarray, columns: Sequence[str], styles: Mapping[str, str], timeline: Timeline | None, row: int
) -> str:
    missing = np.isnan(numbers[row])
    if not missing.any() and timeline:
        return timeline.clock.why(part, row)
    column = columns[int(missing.argmax())]
    return part.why(row, column, styles[column])


def only_tables(sources: Sequence[Path | BinaryIO], header: bool, notes: Counter[str]) -> list[Path | BinaryIO]:
    """The sources that hold a table with numbers; what else stands in a folder, such as a readme, is noted."""
    kept = []
    for source in sources:
        try:
            if len(sources) == 1 or open_table(source, header).survey().numbers:
                kept.append(source)
            else:
                notes[f"{source}: passed over: there is no column of numbers in it"] = 1
        except NoTable as error:
            notes[f"passed over: {error}"] = 1
    return kept
