"""Rows of tables as they come: from a file, from every file of a folder, or from a pipe that somebody still writes to.

Text is taken in the portions that the system hands over, so that a row is passed on as soon as it is whole, and memory is that
of one portion. Columns are found by name: their order, and columns beyond those that are asked for, do not matter. What is
wrong with a row is said with the number of its line.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.table_files import SUFFIXES, dialect, open_table, seconds
from armillary.errors import ArmillaryError, CorruptFile

PORTION = 1 << 16  # bytes
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Rows:
    """Some rows of one source, in order.

    Args:
        source: the file's name, or `-`.
        lines: (n,) numbers of their lines, the header's being 1; in Parquet, which has no lines, of rows from 1.
        numbers: (n, columns) in the order that was asked for; NaN where a cell is empty.
        stamps: the cells of the time column as they stand, or the numbers of the lines.
        time: (n,) in s, or None without a time column.
    """

    source: str
    lines: np.ndarray
    numbers: Float[np.ndarray, "n columns"]
    stamps: list[str]
    time: Float[np.ndarray, " n"] | None


def tables(path: str | Path | BinaryIO) -> list[Path | BinaryIO]:
    """The sources of a path: the file itself, or the tables of a folder in the order of their names; a stream is one as it is.

    Raises:
        ArmillaryError: there is none.
    """
    if not isinstance(path, (str, Path)):
        return [path]
    path = Path(path)
    found = files_in(path, SUFFIXES)
    if not found:
        raise ArmillaryError(f"{path}: there is no table there ({', '.join(SUFFIXES)})")
    return found


def read_rows(source: Path | BinaryIO, columns: Sequence[str], time: str | None = None) -> Iterator[Rows]:
    """The rows of one source.

    Args:
        columns: names of columns of numbers.
        time: the column of dates, or of seconds.

    Raises:
        CorruptFile: a column is missing, a row is shorter than the header, or a cell is no number or no date.
    """
    wanted = [*columns, *([time] if time else [])]
    if isinstance(source, Path) and source.suffix.lower() == ".parquet":
        yield from _parquet(source, columns, time, wanted)
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield from _text(file, source.name, columns, time, wanted)
    else:
        yield from _text(source, "-", columns, time, wanted)


def _require(name: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    if absent := [column for column in wanted if column not in there]:
        raise CorruptFile(f"{name}: there is no column {', '.join(map(repr, absent))}; there are {', '.join(there)}")


def _parquet(file: Path, columns: Sequence[str], time: str | None, wanted: Sequence[str]) -> Iterator[Rows]:
    schema, parts = open_table(file)
    _require(str(file), schema.names, wanted)
    done = 0
    for part in parts:
        lines = np.arange(done + 1, done + 1 + len(next(iter(part.values()))))
        if word := next((name for name in columns if part[name].dtype.kind not in "fiub"), None):
            raise CorruptFile(f"{file}: column {word!r} holds no numbers")
        numbers = np.stack([part[name].astype(np.float64) for name in columns], axis=1)
        stamps = part[time].astype(str).tolist() if time else [str(line) for line in lines]
        yield Rows(file.name, lines, numbers, stamps, seconds(part[time], file) if time else None)
        done += len(lines)


def _text(stream: BinaryIO, name: str, columns: Sequence[str], time: str | None, wanted: Sequence[str]) -> Iterator[Rows]:
    parser: _Parser | None = None
    header, rest, line = None, b"", 0
    while True:
        portion = stream.read1(PORTION)
        *whole, rest = (rest + portion).split(b"\n")
        if not portion and rest:
            whole, rest = [rest], b""
        texts = [text.decode("utf-8-sig" if not line else "utf-8", "replace").rstrip("\r") for text in whole]
        if header is None and texts:
            header, line = texts.pop(0), 1
        if parser is None and texts:
            parser = _Parser(name, header, texts[0], columns, time, wanted)
        if texts:
            rows = parser(texts, line + 1)
            line += len(texts)
            if len(rows.lines):
                yield rows
        if not portion:
            break
    if header is None:
        raise CorruptFile(f"{name}: it is empty; expected a header with {', '.join(wanted)}")
    if parser is None:
        _Parser(name, header, "", columns, time, wanted)  # for what may be wrong with its header


class _Parser:
    """Lines to rows, by what the header and the first row of a source show."""

    def __init__(
        self, name: str, header: str, first: str, columns: Sequence[str], time: str | None, wanted: Sequence[str]
    ) -> None:
        self.name, self.columns, self.time = name, columns, time
        self.delimiter, self.point = dialect(header, first)
        there = next(csv.reader([header], delimiter=self.delimiter))
        _require(name, there, wanted)
        self.width, self.at = len(there), [there.index(column) for column in columns]
        self.clock = there.index(time) if time else None

    def __call__(self, texts: list[str], first: int) -> Rows:
        cells = [(line, row) for line, row in enumerate(csv.reader(texts, delimiter=self.delimiter), first) if row]
        if short := next(((line, row) for line, row in cells if len(row) != self.width), None):
            raise CorruptFile(f"{self.name}: line {short[0]} has {len(short[1])} cells, and the header {self.width}")
        try:
            if self.point == ",":
                numbers = [[float(row[i].replace(",", ".")) for i in self.at] for _, row in cells]
            else:
                numbers = [[float(row[i]) for i in self.at] for _, row in cells]
        except ValueError:
            numbers = [[self._number(line, row, i) for i in self.at] for line, row in cells]
        lines = [line for line, _ in cells]
        stamps = [str(line) if self.clock is None else row[self.clock] for line, row in cells]
        time = None if self.clock is None else np.array([self._seconds(line, s) for line, s in zip(lines, stamps, strict=True)])
        return Rows(self.name, np.array(lines), np.array(numbers).reshape(len(cells), len(self.at)), stamps, time)

    def _number(self, line: int, row: list[str], i: int) -> float:
        text = row[i].strip()
        try:
            return float(text.replace(",", ".") if self.point == "," else text) if text else math.nan
        except ValueError:
            column = self.columns[self.at.index(i)]
            raise CorruptFile(f"{self.name}: line {line}: {text!r} in column {column!r} is no number") from None

    def _seconds(self, line: int, text: str) -> float:
        try:
            return _date(text) if ":" in text or text.count("-") > 1 else float(text)
        except ValueError:
            raise CorruptFile(f"{self.name}: line {line}: {text!r} in {self.time!r} is neither a date nor seconds") from None


def _date(text: str) -> float:
    date = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    return (date - EPOCH).total_seconds() if date.tzinfo is None else date.timestamp()
