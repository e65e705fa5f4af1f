"""CSV and Parquet files in parts: what separates columns, what is a number, what is a time.

Every kind of number comes as float64 with NaN where there is none, so that a column of whole numbers that has a fraction later
on is no surprise, and every date as nanoseconds.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from armillary.errors import CorruptFile, require

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
UNEVEN = 0.1  # of a step
PART = 10_000  # rows of a Parquet file
_UNIT = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
Columns = dict[str, np.ndarray]


def open_table(file: Path) -> tuple[Any, Iterator[Columns]]:
    """The schema of a file, with every kind of number as float64, and its rows in parts."""
    pa = require("pyarrow", "data")
    try:
        if file.suffix.lower() == ".parquet":
            parquet = require("pyarrow.parquet", "data").ParquetFile(file)
            schema = _as_float(pa, parquet.schema_arrow)
            return schema, _guarded(file, (batch.cast(schema) for batch in parquet.iter_batches(PART)))
        csv = require("pyarrow.csv", "data")
        parse, convert = _dialect(csv, file)
        schema = _as_float(pa, csv.open_csv(file, parse_options=parse, convert_options=convert).schema)
        convert.column_types = schema
        return schema, _guarded(file, csv.open_csv(file, parse_options=parse, convert_options=convert))
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{file}: this is no table that can be read ({' '.join(str(error).split())})") from error


def _guarded(file: Path, batches: Any) -> Iterator[Columns]:
    pa = require("pyarrow", "data")
    try:
        for batch in batches:
            if batch.num_rows:
                yield dict(zip(batch.schema.names, (c.to_numpy(zero_copy_only=False) for c in batch.columns), strict=True))
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{file}: {' '.join(str(error).split())}") from error


def _as_float(pa: Any, schema: Any) -> Any:
    kinds = pa.types

    def one(kind: Any) -> Any:
        if kinds.is_timestamp(kind):
            return pa.timestamp("ns", kind.tz)
        numeric = kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind)
        return pa.float64() if numeric or kinds.is_null(kind) else kind

    return pa.schema([(name, one(kind)) for name, kind in zip(schema.names, schema.types, strict=True)])


def _dialect(csv: Any, file: Path) -> tuple[Any, Any]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        delimiter, point = dialect(lines.readline(), lines.readline())
    return csv.ParseOptions(delimiter=delimiter), csv.ConvertOptions(decimal_point=point)


def dialect(header: str, first: str) -> tuple[str, str]:
    """What separates columns, by the header; and the decimal point: a comma where semicolons separate and numbers have one."""
    delimiter = max(",;\t|", key=header.count)
    comma = delimiter == ";" and re.search(r"(^|;)\s*-?\d+,\d+\s*(;|$)", first)
    return delimiter, "," if comma else "."


def seconds(values: np.ndarray, file: Path) -> np.ndarray:
    """Dates, or seconds, as seconds in float64."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[ns]").astype(np.int64) / 1e9
    if values.dtype.kind != "f":
        raise CorruptFile(f"{file}: the time column holds neither dates nor seconds, but such as {values[0]!r}")
    return values


def unit_of(header: str) -> str:
    """The unit in the header of a column, as in `Pressure [bar]`, or nothing."""
    found = _UNIT.search(header)
    return found[1] if found else ""


@dataclass(frozen=True)
class Log:
    """A table in memory: its numbers, the time of each row in seconds (None without a clock), and whether times are dates."""

    numbers: Float64[np.ndarray, "t n"]
    clock: Float64[np.ndarray, " t"] | None
    dated: bool


def read_log(file: Path, names: Sequence[str], time: str | None) -> Log:
    """All rows of these columns of numbers, and of the column `time`.

    Raises:
        CorruptFile: a file that is no table, is empty, lacks a column or a number, or has a clock that runs backwards.
    """
    schema, parts = open_table(file)
    for name in (*names, *filter(None, [time])):
        if name not in schema.names:
            raise CorruptFile(f"{file}: there is no column {name!r}, which the first table has")
    held = list(parts)
    if not held:
        raise CorruptFile(f"{file}: there is no row in it")
    columns = {name: np.concatenate([part[name] for part in held]) for name in (*names, *filter(None, [time]))}
    for name in names:
        numbers = columns[name]
        if numbers.dtype.kind != "f":
            raise CorruptFile(f"{file}: column {name!r} holds no numbers, but such as {numbers[0]!r}")
        for row in np.flatnonzero(~np.isfinite(numbers))[:1]:
            raise CorruptFile(f"{file}: no number in row {row + 1} of {name!r}")
    numbers = np.stack([columns[name] for name in names], 1) if names else np.empty((len(columns[time]), 0))
    if time is None:
        return Log(numbers, None, False)
    clock = seconds(columns[time], file)
    for row in np.flatnonzero(~np.isfinite(clock))[:1]:
        raise CorruptFile(f"{file}: no time in row {row + 1} of {time!r}")
    for row in np.flatnonzero(np.diff(clock) < 0)[:1]:
        raise CorruptFile(f"{file}: the clock runs backwards in row {row + 2}")
    return Log(numbers, clock, columns[time].dtype.kind == "M")


def usual_step(times: Float64[np.ndarray, " t"]) -> float:
    """The mean of the steps that are within a tenth of the median: files round times, and clocks leave some out."""
    steps = np.diff(times)
    return float(steps[abs(steps - np.median(steps)) <= UNEVEN * np.median(steps)].mean())


def rows_until(times: Float64[np.ndarray, " t"], moments: Float64[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """How many rows are at or before each moment: to a millisecond, which files round to, or to a quarter of their step."""
    near = min(1e-3, float(np.median(np.diff(times))) / 4) if len(times) > 1 else 1e-3
    return np.searchsorted(times, moments + near, "right")


def last_before(times: Float64[np.ndarray, " t"], moments: Float64[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """The last row at or before each moment, or else the first."""
    return np.maximum(rows_until(times, moments) - 1, 0)
