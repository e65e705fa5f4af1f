"""The clock of a table: which columns tell the time, in what unit, and where it jumps.

Loggers write dates, or numbers in any unit, or stamps that are coarser than their rows; clocks are set back by an hour in
autumn. What a column says is decided once, over the whole file, by its name and its cells; where they leave it open, the
question is asked rather than a clock guessed that is wrong by a thousand.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from jaxtyping import Bool, Float64

from armillary.episodes.formats.cells import is_missing
from armillary.episodes.formats.dates import DAY, Order, dates, has_zone, is_day, is_time_of_day
from armillary.episodes.formats.table_files import Part, Survey, Table, unit_of
from armillary.errors import ArmillaryError, CorruptFile, expect

TimeUnit = Literal["ns", "us", "ms", "s", "min", "h", "d"]
UNITS: dict[str, float] = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": DAY}
UNEVEN = 0.1  # of a step
JUMP = 10  # steps, if no gap is given
SAMPLE = 200_000
"""Rows that the step is measured on."""
HOUR = 3600.0
SLOWEST, FASTEST = 31 * DAY, 1e-6
"""Seconds from row to row beyond which numbers are in another unit than seconds."""
DAY_NUMBERS = ((18_000, 75_000), (719_000, 768_000), (2_440_000, 2_489_000))
"""Days since 1970, 1900 (Excel) or 1858 (modified Julian); since the year 0 (MATLAB); Julian: of 1970 to 2060, or so."""
_NAMES = {
    "ns": "ns nsec nsecs nanos nanosec nanosecond nanoseconds",
    "us": "us µs μs usec usecs micros microsec microsecond microseconds",
    "ms": "ms msec msecs millis millisec millisecs millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days mjd jd datenum",
}
_UNIT_OF_NAME = {word: unit for unit, words in _NAMES.items() for word in words.split()}
_ALONE = [word for word in _UNIT_OF_NAME if len(word) > 1 and word != "min"]  # a column `hours` or `ms` is a clock in these
_EPOCHS = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_CLOCK_NAME = re.compile(
    r"#?\s*(?:(?:unix|utc|local|ros|system|sample|record(?:ed)?|log|header)[ _.]?)?(?:date|time|datetime|date[ _]time|"
    r"time[ _]?stamp|stamp|epoch|clock|t)(?:[ _.]?(?:utc|local|unix|gmt|{units}))?\s*(?:[\[(].*[\])])?".format(
        units="|".join(_UNIT_OF_NAME)
    ),
    re.IGNORECASE,
)


def unit_in_name(column: str) -> str | None:
    """The unit of time in a column's name, as in `time [ms]`, `time (s)`, `time_ms`, `timestampNs` or `hours`, if any."""
    if (word := column.strip().lower()) in _ALONE:
        return _UNIT_OF_NAME[word]
    if unit := _UNIT_OF_NAME.get(unit_of(column).lower()):
        return unit
    last = re.search(r"(?:[_ .\-]|(?<=[a-z])(?=[A-Z]))([A-Za-zµμ]+)$", column.strip())
    unit = _UNIT_OF_NAME.get(last[1].lower()) if last else None
    return unit if unit in ("ns", "us", "ms", "s") or (last and len(last[1]) > 3) else None


def is_clock(column: str, survey: Survey) -> bool:
    """Whether a column of numbers is a clock by its name, and never runs back."""
    evidence = survey.columns[column]
    return bool(_CLOCK_NAME.fullmatch(column.strip())) and evidence.rises and evidence.low < evidence.high


@dataclass(frozen=True)
class TableClock:
    """How the time columns of a table are read.

    Args:
        columns: one, or two of which the first holds the date and the second the time of day.
        unit: of numbers; None where the columns hold dates.
        day_first: whether 3/4/2026 is in April.
        zone: of dates that do not say one, such as Europe/Berlin, so that daylight saving time is no jump; None: as they stand.
        tick: seconds between rows that share a stamp, where stamps are coarser than rows; else None.
        style: of numbers, as in `cells`.
    """

    columns: tuple[str, ...]
    unit: str | None = None
    day_first: bool = True
    zone: str | None = None
    tick: float | None = None
    style: str = "."

    def plain(self) -> dict[str, Any]:
        """For JSON; `TableClock(**plain)` is equal."""
        return {**vars(self), "columns": list(self.columns)}

    def stamps(self, part: Part) -> list[str]:
        """The cells of the time columns as they stand."""
        columns = [part.columns[name] for name in self.columns]
        columns = [cells.astype(str).tolist() if isinstance(cells, np.ndarray) else cells for cells in columns]
        return [*columns[0]] if len(columns) == 1 else [" ".join(pair).strip() for pair in zip(*columns, strict=True)]

    def seconds(self, part: Part) -> Float64[np.ndarray, " n"]:
        """The time of each row as its own stamp says it; NaN where there is none."""
        cells = part.columns[self.columns[0]]
        if isinstance(cells, np.ndarray) and cells.dtype.kind == "M" and len(self.columns) == 1:
            return np.where(np.isnat(cells), np.nan, cells.astype(np.int64) / 1e9)
        if self.unit and len(self.columns) == 1:
            found = part.wide(self.columns[0], self.style) * UNITS[self.unit]
            return np.where(np.isfinite(found), found, np.nan)
        if any(isinstance(part.columns[name], np.ndarray) for name in self.columns):  # typed, as in Parquet
            first, *others = (
                replace(self, columns=(name,), unit=None if self._dated(part, name) else "s").seconds(part)
                for name in self.columns
            )
            return sum(others, first)
        return dates(self.stamps(part), self.day_first)

    @staticmethod
    def _dated(part: Part, name: str) -> bool:
        cells = part.columns[name]
        return not isinstance(cells, np.ndarray) or cells.dtype.kind == "M"

    def why(self, part: Part, row: int) -> str:
        """Why there is no time in a row."""
        if row in part.faults:
            return f"{part.where(row)}: {part.faults[row]}"
        stamp, names = self.stamps(part)[row], " and ".join(map(repr, self.columns))
        if is_missing(stamp) or stamp == "NaT":
            return f"{part.where(row)}: no time in row {part.first + row} of {names}"
        return f"{part.where(row)}: {stamp!r} in {names} is neither a date nor a number of time"


@dataclass(frozen=True)
class Asked:
    """What the user said of the clock; None where the table is asked."""

    columns: tuple[str, ...]
    unit: str | None = None
    day_first: bool | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if len(self.columns) > 2:
            raise ArmillaryError(f"time is one column, or two for date and time of day; got {', '.join(self.columns)}")
        if self.unit is not None and self.unit not in UNITS:
            raise ArmillaryError(f"a unit of time is one of {', '.join(UNITS)}, not {self.unit!r}")
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError) as error:
                raise ArmillaryError(f"there is no time zone {self.zone!r}; expected one such as Europe/Berlin") from error


def find_clock(
    table: Table, survey: Survey, asked: Asked, usual: TableClock | None = None, parts: Sequence[Part] | None = None
) -> TableClock:
    """How the time columns of a table are read.

    Args:
        survey: of this table.
        usual: the clock of the tables beside it, for what this one leaves open.
        parts: the rows to look at, of a pipe that can be read once; default: all of the table.

    Raises:
        CorruptFile: the columns hold no clock, or one that can be read in several ways; the message asks.
    """
    evidence = [survey.columns[name] for name in asked.columns]
    for column, found in zip(asked.columns, evidence, strict=True):
        if found.kind in ("text", "empty", "bool"):
            raise CorruptFile(f"{table.name}: column {column!r} holds neither dates nor numbers of time, but {found.why}")
    tick, style = usual.tick if usual else None, survey.styles.get(asked.columns[0], ".")
    clock = TableClock(asked.columns, zone=asked.zone, tick=tick, style=style)
    if len(asked.columns) == 2 or evidence[0].kind == "date":
        return replace(clock, day_first=_day_first(table, clock, asked, usual, table.parts() if parts is None else parts))
    low, high = evidence[0].low, evidence[0].high
    clock = replace(clock, zone=None, unit=_unit(table, clock, asked, low, high, usual))
    said = asked.unit or usual or _written_unit(table, asked.columns[0])
    if clock.unit == "s" and not said and any(first <= low <= high < last for first, last in DAY_NUMBERS):
        _refuse_days(table, clock, table.parts() if parts is None else parts)
    return clock


def _refuse_days(table: Table, clock: TableClock, parts: Iterable[Part]) -> None:
    """Ask, where seconds may be day numbers: they step by far less than one, and not by whole tenths of a millisecond."""
    times = np.concatenate([np.empty(0), *(clock.seconds(part) for part in islice(parts, 1))])
    steps = np.diff(times[np.isfinite(times)])
    step = step_of(steps[steps > 0]) if (steps > 0).any() else 1.0
    if step < 0.25 and (abs(step * 1e4 - round(step * 1e4)) > 0.02 or step < 5e-5):
        what = f"{times[0]:.8g} and so on in {clock.columns[0]!r}, a row every {step:.3g}"
        days = f"days as Excel and MATLAB count them ({step * DAY:.6g} s from row to row)"
        raise CorruptFile(f"{table.name}: {what}, may be seconds, or {days}; say which (--time-unit s or d)")


def measure_clock(table: Table, clock: TableClock) -> tuple[TableClock, float]:
    """The clock with its tick, where stamps are coarser than rows; and seconds from row to row, usually.

    Raises:
        CorruptFile: it never goes on, or at a rate that no recording has.
    """
    rows, names = list(islice(_stamped(table, clock), SAMPLE)), " and ".join(map(repr, clock.columns))
    steps = np.diff(np.array([seconds for seconds, *_ in rows]))
    if not (steps > 0).any():
        raise CorruptFile(f"{table.name}: the column {names} never goes on, so it is no clock")
    clock = replace(clock, tick=_tick(table, clock, steps, rows))
    step = clock.tick or step_of(steps[steps > 0])
    if clock.unit and not FASTEST <= step <= SLOWEST:
        at = int(np.flatnonzero(steps > 0)[0])
        (_, before, where), (_, after, _) = rows[at], rows[at + 1]
        raise CorruptFile(
            f"{table.name}: {where}: {before} and then {after} in {names} would be {step:.3g} s from row to row, which is no "
            f"rate of a recording; say the unit of {names} (--time-unit {'|'.join(UNITS)})"
        )
    return clock, step


def step_of(steps: Float64[np.ndarray, " n"]) -> float:
    """The mean of the steps that are within a tenth of the median, to nine digits: stamps are rounded."""
    median = float(np.median(steps))
    near = steps[np.abs(steps - median) <= UNEVEN * median]
    return float(f"{near.mean() if len(near) else median:.9g}")


def _stamped(table: Table, clock: TableClock) -> Iterator[tuple[float, str, str]]:
    for part in table.parts():
        times, stamps = clock.seconds(part), clock.stamps(part)
        for row in np.flatnonzero(np.isfinite(times)):
            yield float(times[row]), stamps[row], part.where(row)


def _written_unit(table: Table, column: str) -> str | None:
    """The unit of time in a column's name, or in the row of units."""
    return unit_in_name(column) or _UNIT_OF_NAME.get(table.unit(column).lower())


def _unit(table: Table, clock: TableClock, asked: Asked, low: float, high: float, usual: TableClock | None) -> str:
    (name,) = clock.columns
    unit = asked.unit or _written_unit(table, name) or (usual.unit if usual and usual.unit and high <= 1e11 else None)
    unit = unit or next((u for u, scale in _EPOCHS.items() if low * scale >= 6.3e8 and high * scale <= 4.2e9), None) or "s"
    if high * UNITS[unit] > 1e11 and asked.unit is None and unit != "d":
        year = 1970 + high * UNITS[unit] / (365.25 * DAY)
        raise CorruptFile(
            f"{table.name}: {high:.0f} in {name!r} would be the year {year:,.0f} in {unit}; say the unit of {name!r} "
            f"(--time-unit {'|'.join(UNITS)})"
        )
    return unit


def _day_first(table: Table, clock: TableClock, asked: Asked, usual: TableClock | None, parts: Iterable[Part]) -> bool:
    if asked.day_first is not None:
        return asked.day_first
    order, example = Order(), ""
    for part in parts:
        if isinstance(part.columns[clock.columns[0]], np.ndarray):
            return True
        stamps = clock.stamps(part)
        order.add(stamps)
        example = example or next(filter(None, stamps), "")
    if order.decided is not None:
        return order.decided
    if usual is not None:
        return usual.day_first
    raise CorruptFile(
        f"{table.name}: {example!r} in {' and '.join(map(repr, clock.columns))} may begin with the day or with the month, and "
        "the rows do not tell; say which (--day-first or --no-day-first)"
    )


def _tick(
    table: Table, clock: TableClock, steps: Float64[np.ndarray, " n"], rows: list[tuple[float, str, str]]
) -> float | None:
    """Seconds from row to row where several rows share a stamp, as those that are 10 s apart and say minutes."""
    still, names = steps == 0, " and ".join(map(repr, clock.columns))
    if still.mean() <= 1 / 3:
        return None
    unit, stamp = float(np.median(steps[steps > 0])), rows[0][1]
    what = f"{table.name}: {int(still.sum()):,} of {len(steps):,} steps of {names} are 0 s"
    if len(clock.columns) == 1 and clock.unit is None and unit >= DAY:
        remedy = (
            f"name the column of the time of day too: --time {clock.columns[0]} TIME"
            if is_day(stamp)
            else "rows are in disorder"
        )
        raise CorruptFile(f"{what}: it holds days alone, such as {stamp!r}; {remedy}")
    runs = np.diff(np.flatnonzero(np.concatenate([[True], ~still, [True]])))
    inside = runs[1:-1] if len(runs) > 2 else runs[[runs.argmax()]]
    even = np.abs(inside - np.median(inside)) <= max(1.0, 0.1 * float(np.median(inside)))
    if even.mean() < 0.8 or unit > HOUR:
        raise CorruptFile(
            f"{what}: its stamps are {unit:g} s apart, with {int(inside.min())} to {int(inside.max())} rows of one stamp, so "
            "the time of a row is not known; log finer stamps, or leave the column out (--ignore) and import without --time"
        )
    return unit / float(inside.mean())


class Timeline:
    """The times of a source's rows, part by part, and where its clock jumps.

    Rows that share a stamp are spread, if stamps are coarser than rows. Daylight saving time is taken out: by the zone, if that
    is known, or else where an hour comes twice, which is noted.

    Args:
        clock: how stamps are read.
        step: seconds from row to row, usually.
        name: of the source.
    """

    def __init__(self, clock: TableClock, step: float, name: str = "-") -> None:
        self.clock, self.step, self.name = clock, step, name
        self.notes: Counter[str] = Counter()
        self._zone = ZoneInfo(clock.zone) if clock.zone else None
        self._stamp, self._same = float("nan"), 0  # the last stamp, and how many rows had it before
        self._raw = self._time = None  # the last time, before and after an hour that came twice
        self._later = 0.0
        self._shown = ""
        self._zones: set[bool] = set()  # whether dates say their zone: no, yes, or both

    def seconds(self, part: Part) -> Float64[np.ndarray, " n"]:
        """The time of each row; NaN where there is none. Looks at each part once."""
        times = self.clock.seconds(part)
        known = np.flatnonzero(np.isfinite(times))
        if not len(known):
            return times
        if self._zone is not None:
            times[known] = self._in_utc(times[known], part, known)
        if self.clock.tick:
            times[known] = self._spread(times[known], self.clock.tick)
        if self.clock.unit is None and self.clock.zone is None:
            self._note_zones(part, known)
            times[known] = self._unfold(times[known], part, known)
        return times

    def _in_utc(self, times: np.ndarray, part: Part, known: np.ndarray) -> np.ndarray:
        stamps, last, found = self.clock.stamps(part), self._raw, []
        for time, row in zip(times.tolist(), known, strict=True):
            last = time if has_zone(stamps[row]) else _utc(time, expect(self._zone, "a time zone"), last)
            found.append(last)
        self._raw = last
        return np.array(found)

    def _spread(self, stamps: np.ndarray, tick: float) -> np.ndarray:
        at = np.arange(len(stamps))
        same = np.concatenate([[stamps[0] == self._stamp], stamps[1:] == stamps[:-1]])
        begun = np.maximum.accumulate(np.where(same, -1, at))
        count = np.where(begun >= 0, at - begun, self._same + 1 + at)
        self._stamp, self._same = float(stamps[-1]), int(count[-1])
        return stamps + tick * count

    def _note_zones(self, part: Part, known: np.ndarray) -> None:
        if len(self._zones) > 1 or any(isinstance(part.columns[name], np.ndarray) for name in self.clock.columns):
            return
        stamps = self.clock.stamps(part)
        for row in known:
            self._zones.add(zoned := has_zone(stamps[row]))
            if len(self._zones) > 1:
                what = f"{self.name}: {part.where(int(row))}: {stamps[row]!r} has {'a' if zoned else 'no'} time zone, unlike"
                remedy = "those without one are taken as UTC; name theirs (--zone Europe/Berlin)"
                self.notes[f"{what} the rows before it; {remedy}"] += 1
                return

    def _unfold(self, times: np.ndarray, part: Part, known: np.ndarray) -> np.ndarray:
        steps = np.diff(times, prepend=times[0] if self._raw is None else self._raw)
        usual = min(self.step, HOUR / 2)
        twice = (steps < 0) & (np.abs(steps + HOUR - usual) <= max(usual, 1.0))
        missing = np.abs(steps - HOUR - self.step) <= 0.2 * self.step if self.step < HOUR / 2 else np.zeros(len(steps), bool)
        if twice.any() or missing.any():
            stamps = self.clock.stamps(part)
            for i in np.flatnonzero(twice | missing):
                shown = f"{stamps[known[i - 1]] if i else self._shown!r} and then {stamps[known[i]]!r}"
                what, remedy = (
                    ("an hour comes twice", "rows are taken in their order, which is right; do not sort them; ")
                    if twice[i]
                    else ("an hour is missing", "or a pause; ")
                )
                self.notes[
                    f"{self.name}: {part.where(int(known[i]))}: {what} ({shown}): daylight saving time, by the look of it; "
                    f"{remedy}name the zone (--zone Europe/Berlin), or log in UTC"
                ] += 1
        later = self._later + HOUR * np.cumsum(twice)
        self._later, self._raw = float(later[-1]), float(times[-1])
        self._shown = self.clock.stamps(part)[known[-1]]
        return times + later

    def begins(self, times: Float64[np.ndarray, " n"], part: Part, gap: float, resets: bool) -> Bool[np.ndarray, " n"]:
        """Whether the clock has jumped by more than `gap` before a row; rows without a time are passed over.

        Args:
            times: of `seconds`.
            resets: another column tells episodes, and the clock may begin anew with each.

        Raises:
            CorruptFile: the clock runs backwards.
        """
        found, known = np.zeros(len(times), bool), np.flatnonzero(np.isfinite(times))
        if not len(known):
            return found
        steps = np.diff(times[known], prepend=times[known[0]] if self._time is None else self._time)
        self._time = float(times[known[-1]])
        back = steps < -(self.clock.tick or 0.0)  # of rows that are spread, some may pass the next stamp
        if back.any() and not resets:
            raise CorruptFile(f"{self.name}: {self.backwards(part, int(known[back.argmax()]), float(steps[back.argmax()]))}")
        found[known] = (steps > gap) | back
        return found

    def backwards(self, part: Part, row: int, step: float) -> str:
        """What to say of a row before which the clock runs backwards by `step` s."""
        stamp = self.clock.stamps(part)[row]
        what = f"the clock runs backwards in {part.where(row)} ({stamp!r}, {-step:g} s before the row above)"
        if is_time_of_day(stamp) and step < -DAY / 2:
            return f"{what}: the time of day begins anew at midnight; name the column of the date too (--time DATE TIME)"
        return f"{what}; repair it, or name the column that tells episodes (--episode)"


def _utc(local: float, zone: ZoneInfo, last: float | None) -> float:
    """Seconds of local time in UTC; in the hour that comes twice, the first one that is not before the last row."""
    naive = datetime.fromtimestamp(local, UTC).replace(tzinfo=zone)
    first, second = (naive.replace(fold=fold).timestamp() for fold in (0, 1))
    return second if last is not None and first < last <= second else first


def clock_note(table: Table, clock: TableClock, step: float) -> str:
    """How the clock of a table was read, in a line for a person."""
    names = " ".join(clock.columns)
    if clock.unit:
        how = (
            f"in {clock.unit}"
            if unit_in_name(clock.columns[0]) == clock.unit
            else f"in {clock.unit} (--time-unit sets another)"
        )
    else:
        example = next((stamp for part in table.parts() for stamp in clock.stamps(part) if not is_missing(stamp)), "")
        order = f" with the {'day' if clock.day_first else 'month'} first" * bool(re.match(r"\d{1,2}[-/.]\d", example))
        how = f"dates such as {example!r}{order}{f', of {clock.zone}' if clock.zone else ''}"
    spread = f"; stamps are coarser than rows, which are spread evenly, {clock.tick:g} s apart" if clock.tick else ""
    return f"clock: {names}, {how}, a row every {step:.6g} s{spread}"
