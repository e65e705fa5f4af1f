"""One reader for all tables: CSV and other text, from a file or a pipe, and Parquet. Rows come in parts.

`import table`, `import streams`, `watch`, `imagine` and the benchmarks all read by it, so that a file means the same to each.
What a column is, a number or text, is judged by most of its cells (`survey`); what a single cell says, in `cells`.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float64

from armillary.episodes.formats.cells import FLOAT32_MAX, Evidence, is_missing, numbers, styles_of
from armillary.episodes.formats.dates import is_date
from armillary.episodes.formats.table_text import Block, NoTable, TextLayout, blocks, layout_of, rows_of
from armillary.episodes.offsets import FLOAT64_WHOLE
from armillary.errors import CorruptFile, expect, require

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
PART = 10_000  # rows of a Parquet file
_UNIT = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
Column = Sequence[str] | np.ndarray


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Args:
        lines: (n,) the number of each row's line, the first of the file being 1; of the row, from 1, in Parquet.
        first: the number of the first row, from 1.
        columns: cells by column: text, or what Parquet holds.
        faults: rows whose line has another number of cells, by index, and what is wrong.
        text: whether there are lines.
    """

    lines: np.ndarray
    first: int
    columns: dict[str, Column]
    faults: dict[int, str] = field(default_factory=dict)
    text: bool = True

    def __len__(self) -> int:
        return len(self.lines)

    def numbers(self, name: str, style: str = ".") -> Float64[np.ndarray, " n"]:
        """A column as numbers that float32 can hold; NaN where there is none."""
        found = self.wide(name, style)
        return np.where(np.abs(found) <= FLOAT32_MAX, found, np.nan)

    def wide(self, name: str, style: str = ".") -> Float64[np.ndarray, " n"]:
        """A column as numbers; what is none is not finite."""
        cells = self.columns[name]
        return cells.astype(np.float64) if isinstance(cells, np.ndarray) else numbers(cells, style)

    def where(self, row: int) -> str:
        """How a person finds a row."""
        return f"{'line' if self.text else 'row'} {self.lines[row]}"

    def why(self, row: int, name: str, style: str = ".") -> str:
        """Why there is no number in a row of a column."""
        if row in self.faults:
            return f"{self.where(row)}: {self.faults[row]}"
        cell = str(self.columns[name][row])
        if np.isfinite(self.wide(name, style)[row]):
            return f"{self.where(row)}: {cell} in column {name!r} is more than float32 can hold ({FLOAT32_MAX:.2g})"
        if is_missing(cell):
            return f"{self.where(row)}: a number is missing in column {name!r}{f' ({cell!r})' if cell.strip() else ''}"
        return f"{self.where(row)}: {cell!r} in column {name!r} is no number"


@dataclass(frozen=True)
class Survey:
    """What the cells of a table are.

    Args:
        columns: evidence by name of column, in order.
        styles: how numbers are written, of the columns whose cells tell.
        rows: how many there are.
        again: headers that came again.
    """

    columns: dict[str, Evidence]
    styles: dict[str, str]
    rows: int
    again: int = 0

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers, or yes and no."""
        return [name for name, evidence in self.columns.items() if name and evidence.kind in ("number", "bool")]


class Table:
    """A table that is open: its columns by name, and its rows in parts.

    Args:
        name: how messages call it.
        columns: names in order; empty where there is none.
        units: of the columns that have a row of units.
        layout: of a text; None for Parquet.
    """

    def __init__(self, name: str, columns: Sequence[str], units: dict[str, str], layout: TextLayout | None, parts: Any) -> None:
        self.name, self.columns, self.layout, self._units, self._parts = name, tuple(columns), layout, units, parts
        self.again = 0

    def unit(self, column: str) -> str:
        """The unit of a column, by its header or the row of units."""
        return unit_of(column) or self._units.get(column, "")

    def parts(self) -> Iterator[Part]:
        """The rows from the beginning; of a pipe, once."""
        return self._parts(self)

    def require(self, names: Sequence[str]) -> None:
        """Require that these columns are there, each once.

        Raises:
            CorruptFile: naming those that are not.
        """
        if absent := [name for name in names if name not in self.columns]:
            there = ", ".join(filter(None, self.columns))
            raise CorruptFile(f"{self.name}: there is no column {', '.join(map(repr, absent))}; there are {there}")
        if twice := [name for name in dict.fromkeys(names) if name and self.columns.count(name) > 1]:
            raise CorruptFile(
                f"{self.name}: {', '.join(map(repr, twice))} is the name of {self.columns.count(twice[0])} columns; give each "
                "a name of its own, or leave them out (--ignore)"
            )

    def survey(self, parts: Iterable[Part] | None = None) -> Survey:
        """Look at all cells (or at those of some parts)."""
        found, rows = {name: Evidence() for name in self.columns}, 0
        for part in self.parts() if parts is None else parts:
            rows += len(part)
            for name, cells in part.columns.items():
                if isinstance(cells, np.ndarray):
                    found[name] += _evidence(cells)
                else:
                    found[name].add(cells, is_date)
        return Survey(found, styles_of(found, self.layout.delimiter if self.layout else ","), rows, self.again)


def open_table(source: Path | BinaryIO, header: bool = True) -> Table:
    """A table from a file, or from a stream of text.

    Args:
        header: whether the first line names the columns.

    Raises:
        CorruptFile: it is no table.
    """
    try:
        if isinstance(source, Path):
            return _parquet(source) if source.suffix.lower() == ".parquet" else _text_file(source, header)
        return _text(source, "-", header)
    except OSError as error:
        raise CorruptFile(f"{source}: it cannot be read ({error.strerror or error})") from error


def _text_file(file: Path, header: bool) -> Table:
    def again(table: Table) -> Iterator[Part]:
        with file.open("rb") as opened:
            yield from _text_parts(table, blocks(opened, str(file)))

    with file.open("rb") as opened:
        table = _text(opened, str(file), header)
    table._parts = again
    return table


def _text(stream: BinaryIO, name: str, header: bool) -> Table:
    """As soon as there are two lines, or no more."""
    coming, held, head = blocks(stream, name), [], []
    for block in coming:
        held.append(block)
        head += block[0]
        if sum(map(bool, map(str.strip, head[:10]))) >= 2:
            break
    if not any(map(str.strip, head)):
        raise NoTable(f"{name}: it is empty; expected a header with names of columns")
    try:
        layout = layout_of(head, header, name)
    except csv.Error as error:
        raise CorruptFile(f"{name}: this is no table that can be read ({error})") from error
    units = {column: unit for column, unit in zip(layout.names, layout.units, strict=False) if not is_missing(unit)}
    return Table(name, layout.names, units, layout, lambda table: _text_parts(table, chain(held, coming)))


def _text_parts(table: Table, coming: Iterator[Block]) -> Iterator[Part]:
    first, table.again = 1, 0
    for block in coming:
        found = rows_of(block, expect(table.layout, "a table of text"), table.name)
        table.again += found.again
        if found.rows:
            columns: dict[str, Column] = dict(zip(table.columns, zip(*found.rows, strict=True), strict=True))
            yield Part(np.array(found.lines), first, columns, found.faults)
            first += len(found.rows)


def _parquet(file: Path) -> Table:
    pa, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")

    def guarded(table: Table) -> Iterator[Part]:
        first = 1
        try:
            for batch in parquet.ParquetFile(file).iter_batches(PART):
                if batch.num_rows:
                    columns = {name: _cells(pa, column) for name, column in zip(table.columns, batch.columns, strict=True)}
                    yield Part(first + np.arange(batch.num_rows), first, columns, text=False)
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise CorruptFile(f"{file}: {' '.join(str(error).split())}") from error

    try:
        return Table(str(file), parquet.ParquetFile(file).schema_arrow.names, {}, None, guarded)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{file}: this is no table that can be read ({' '.join(str(error).split())})") from error


def _cells(pa: Any, column: Any) -> Column:
    """A column of Parquet: float64 for all kinds of numbers, datetime64 in ns for dates, and text for the rest."""
    kinds, kind = pa.types, column.type
    if kinds.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        return column.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
    if kinds.is_time(kind):
        return column.cast(pa.time64("ns")).cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64) / 1e9
    if kinds.is_boolean(kind):
        return column.cast(pa.uint8()).cast(pa.float64()).to_numpy(zero_copy_only=False)
    if kinds.is_int64(kind) and not column.null_count and len(column):
        whole = column.to_numpy()
        return whole if abs(whole).max() > FLOAT64_WHOLE else whole.astype(np.float64)
    if kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if kinds.is_null(kind):
        return np.full(len(column), np.nan)
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def _evidence(cells: np.ndarray) -> Evidence:
    known = cells[~np.isnat(cells)] if cells.dtype.kind == "M" else cells[np.isfinite(cells)]
    found = Evidence(total=len(cells), missing=len(cells) - len(known))
    if cells.dtype.kind == "M":
        found.date = len(known)
    elif len(known):
        found.number, found.low, found.high = len(known), float(known.min()), float(known.max())
        found.long = len(known) if cells.dtype.kind == "i" else 0
        found.rises = bool((np.diff(known) >= 0).all())
    return found


def together(surveys: Sequence[Survey]) -> Survey:
    """Surveys of several tables as one; what a column's style is, the first that tells says."""
    columns: dict[str, Evidence] = {}
    for name, evidence in chain.from_iterable(survey.columns.items() for survey in surveys):
        columns[name] = columns[name] + evidence if name in columns else evidence
    styles = {name: style for survey in reversed(surveys) for name, style in survey.styles.items()}
    return Survey(columns, styles, sum(s.rows for s in surveys), sum(s.again for s in surveys))


def unit_of(header: str) -> str:
    """The unit in the header of a column, as in `Pressure [bar]`, or nothing."""
    found = _UNIT.search(header)
    return found[1].strip() if found else ""
