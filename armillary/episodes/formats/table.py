"""Tables of sensors into a store: a CSV or Parquet file, or a folder of them.

- A row is a step. The columns named as controls are the action: what was in force from this row to the next. Those named as
  truth are for judges. The time columns order rows and are no sensors. Every other column of numbers is a channel of one
  stream, `sensors`; a unit in its header, as in `Pressure [bar]`, is the channel's. What is left, and no number, is listed.
- All files are looked at before anything is written: a column is a number where most of its cells are.
- An episode ends with its file, where the column named as episode changes, where a row is left out, and where the clock jumps.
- Clocks are never perfect. Rows are taken as they come (`rows`), or put on the even clock of the median step, each tick with
  the last row before it (`hold`); the recording says which. The share of steps that are a tenth off is reported.
- Files are read in parts, and an episode longer than `longest` rows is cut, so that memory is bounded by that.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.gaps import Gaps
from armillary.episodes.formats.importing import ImportSummary, Name, Writing, check_options, import_units
from armillary.episodes.formats.table_clock import (
    JUMP,
    UNEVEN,
    Asked,
    TableClock,
    Timeline,
    TimeUnit,
    clock_note,
    find_clock,
    measure_clock,
)
from armillary.episodes.formats.table_files import SUFFIXES, Part, Survey, Table, open_table, together
from armillary.episodes.formats.table_layout import SENSORS, TableLayout
from armillary.episodes.formats.table_log import last_before
from armillary.episodes.formats.table_text import NoTable
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile, expect
from armillary.spec import Spec

MISSING = ("refuse", "skip", "hold", "interpolate", "mask")
Columns = dict[str, np.ndarray]


@dataclass(kw_only=True)
class TableSummary(ImportSummary):
    """What an import did, and what only that of tables has.

    Args:
        files: how many there are.
        uneven: share of steps that are off the clock by more than a tenth; None without a time column.
        remarks: how the tables were read, and what a person should know of it, a line each.
    """

    files: int
    uneven: float | None = None
    remarks: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        off = f"{self.uneven or 0:.1%} of steps are off the clock by more than a tenth; --clock hold puts them on it"
        return [*self.remarks, *[off] * bool(self.uneven)]


def import_table(
    path: str | Path,
    out: str | Path,
    *,
    time: Sequence[str] | None = None,
    controls: Sequence[str] = (),
    truth: Sequence[str] = (),
    episode: str | None = None,
    ignore: Sequence[str] = (),
    gap: float | None = None,
    clock: Literal["rows", "hold"] = "rows",
    missing: Literal["refuse", "skip", "hold", "interpolate", "mask"] = "refuse",
    longest_gap: int = 5,
    longest: int = 100_000,
    header: bool = True,
    time_unit: TimeUnit | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    **writing: Unpack[Writing],
) -> TableSummary:
    """Read tables of sensors into a new store; other arguments and errors are those of `import_hdf5`.

    Args:
        path: a CSV or Parquet file, or a folder, in which all of them are read in the order of their names.
        time: the column of time, or two columns, of the date and of the time of day. Default: none; rows have no clock.
        controls: columns of actions: what was set, from a row to the next. Default: none, and the recording has no actions.
        truth: columns of ground truth, which no model sees. Default: none.
        episode: a column whose value changes where an episode ends. Default: none.
        ignore: columns to leave out. Default: none.
        gap: seconds without a row that end an episode. Default: ten times the median step.
        clock: rows: keep rows as they come; hold: put them on an even clock of the median step, holding the last value.
        missing: what to do about a missing number. refuse: stop; skip: drop the row, which ends the episode there; hold: repeat
            the number before it; interpolate: fill the gap by a straight line; mask: as hold, and where the gap is longer keep
            the rows without that sensor, in an episode of their own. A row without a time, a control or any sensor is left out.
        longest_gap: rows over which a gap is filled. A longer gap is treated as under skip, or masked; with mask, 0 fills none.
        longest: longest episode, in rows. A longer one is cut into several.
        header: the first line names the columns. With --no-header they are called column 1, column 2 and so on.
        time_unit: unit of the column of time, if it holds numbers. Default: by the column's name, or the size of its numbers.
        day_first: read 3/4/2026 as the 3rd of April (true) or as March 4th (false). Default: by the dates themselves.
        zone: time zone of dates that name none, such as Europe/Berlin. Then daylight saving time is no jump. Default: as they
            are.

    Raises:
        CorruptFile: also a number or a time that is missing, or a clock that runs backwards or can be read in several ways; the
            message names file and row.
    """
    path = Path(path)
    filled = longest_gap or (None if missing == "mask" else longest_gap)
    check_options(writing, longest=longest, gap=gap, longest_gap=filled)
    if missing not in MISSING:
        raise ArmillaryError(f"missing is one of {', '.join(MISSING)}, not {missing!r}; a store's vectors hold no NaN")
    if clock == "hold" and time is None:
        raise ArmillaryError("to hold rows on an even clock takes the time column; name it in time")
    asked = Asked(((time,) if isinstance(time, str) else tuple(time)) if time else (), time_unit, day_first, zone)
    files = files_in(path, SUFFIXES)
    if not files:
        raise ArmillaryError(f"{path}: there is no table there ({', '.join(SUFFIXES)})")
    tables, skipped = _tables(files, header, path.is_dir())
    surveys = list(tables.values())
    first, pooled = next(iter(tables)), together(surveys)
    layout = TableLayout.of(first, surveys[0], pooled, asked.columns, controls, truth, episode, ignore, missing == "mask")
    for table in tables:
        table.require(layout.used)
    clocks, step = _clocks(tables, asked)
    reader = _Reader(
        layout.spec(first, step),
        layout,
        {table.name: (table, survey.styles) for table, survey in tables.items()},
        clocks,
        step,
        gap or (JUMP * step if step else None),
        clock,
        missing,
        longest_gap,
        longest,
        pooled.styles,
    )
    summary = TableSummary(
        format=f"{len(tables)} tables",
        source=str(path),
        out=str(out),
        spec=reader.spec,
        left_out=reader.left_out,
        ignored=layout.ignored,
        files=len(tables),
        skipped=skipped,
        remarks=layout.remarks,
    )
    reading = {"header": header, "styles": {n: pooled.styles[n] for n in layout.numbers if n in pooled.styles}}
    reading["clock"] = clocks[first.name].plain() if clocks else None
    one = asked.columns[0] if len(asked.columns) == 1 else None  # of two, `reading` tells
    import_units(
        ((Path(table.name).name, reader.episodes(table)) for table in tables),
        summary,
        info={"source": f"table {path.name}", "clock": clock, "time": one, "gap": gap, "missing": missing, "reading": reading},
        total=len(tables),
        **writing,
    )
    summary.uneven = reader.uneven / max(reader.steps, 1) if time else None
    summary.remarks += [
        clock_note(first, clocks[first.name], expect(step, "a step")) if clocks else layout.no_clock_note(),
        *reader.remarks(),
    ]
    return summary


def _tables(files: list[Path], header: bool, folder: bool) -> tuple[dict[Table, Survey], dict[Name, str]]:
    """The tables among some files with what their cells are, and why the others are none."""
    found: dict[Table, Survey] = {}
    skipped: dict[Name, str] = {}
    for file in files:
        try:
            table = open_table(file, header)
            survey = table.survey()
        except NoTable as error:
            if not folder:
                raise
            skipped[file.name] = str(error)
            continue
        if folder and not survey.numbers:
            skipped[file.name] = "no table: there is no column of numbers in it"
            continue
        found[table] = survey
    if not found:
        raise CorruptFile(f"none of {len(files)} files is a table: {'; '.join(f'{n}: {why}' for n, why in skipped.items())}")
    return found, skipped


def _clocks(tables: dict[Table, Survey], asked: Asked) -> tuple[dict[str, TableClock], float | None]:
    """The clock of each table by its name, and the usual step in s, which is the first's."""
    if not asked.columns:
        return {}, None
    usual, step, clocks = None, None, {}
    for table, survey in tables.items():
        clock = find_clock(table, survey, asked, usual)
        if usual is None:
            usual, step = measure_clock(table, clock)
            clock = usual
        clocks[table.name] = clock
    return clocks, step


@dataclass
class _Reader:
    """Tables to episodes, one after the other."""

    spec: Spec
    layout: TableLayout
    tables: dict[str, tuple[Table, dict[str, str]]]
    clocks: dict[str, TableClock]
    step: float | None
    gap: float | None
    clock: str
    missing: str
    longest_gap: int
    longest: int
    styles: dict[str, str]
    left_out: Counter[str] = field(default_factory=Counter)
    jumps: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    uneven: int = 0
    again: int = 0
    masked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        how = "interpolate" if self.missing == "interpolate" else "hold"
        fills = self.missing in ("hold", "interpolate", "mask") and self.longest_gap > 0
        self.gaps = Gaps(how, self.longest_gap) if fills else None

    def remarks(self) -> list[str]:
        """What a person should know of what was read."""
        lines = [*self.jumps]
        if self.gaps:
            lines.append(f"{self.gaps.filled:,} missing numbers filled: {self.gaps.how}, over at most {self.longest_gap} rows")
        lines += [f"{name} is absent from {count:,} rows, which are kept" for name, count in self.masked.items()]
        if self.again:
            lines.append(f"{self.again} lines that repeat the header passed over")
        return lines

    def episodes(self, table: Table) -> Iterator[Episode]:
        """The episodes of one table."""
        file, styles = table.name, self.styles | self.tables[table.name][1]
        timeline = None
        if table.name in self.clocks:
            timeline = Timeline(self.clocks[file], expect(self.step, "a step"), file)
        held: list[Columns] = []
        tail: list[Columns] = []
        self._broken, self._run = False, None  # whether the row before was left out; what its column of episodes said
        self._gone: np.ndarray | None = None  # which masked sensors were missing in it
        if self.gaps:
            self.gaps.start()
        for columns in self._columns(table, styles, timeline):
            columns = _joined([*tail, columns])
            count = len(columns["numbers"])
            wait = self.gaps.open_rows(columns["numbers"]) if self.gaps and not columns["last"][-1] else 0
            tail = [{name: values[count - wait :] for name, values in columns.items()}] if wait else []
            for piece, begins in self._pieces({name: values[: count - wait] for name, values in columns.items()}):
                if begins:
                    yield from self._finish(held, file)
                    held = []
                held.append(piece)
                while sum(len(piece["numbers"]) for piece in held) >= self.longest:
                    whole = _joined(held)
                    yield from self._finish([{name: values[: self.longest] for name, values in whole.items()}], file)
                    rest = {name: values[self.longest :] for name, values in whole.items()}
                    held = [rest] if len(rest["numbers"]) else []
        yield from self._finish(held, file)
        self.again += table.again
        self.jumps += timeline.notes if timeline else Counter()

    def _columns(self, table: Table, styles: dict[str, str], timeline: Timeline | None) -> Iterator[Columns]:
        """Numbers, times and where the clock jumps, part by part; the last is marked."""
        before: Columns | None = None
        for part in table.parts():
            if before is not None:
                yield before
            before = self._part(part, table.name, styles, timeline)
        if before is not None:
            yield before | {"last": np.ones(len(before["numbers"]), bool)}

    def _part(self, part: Part, file: str, styles: dict[str, str], timeline: Timeline | None) -> Columns:
        names = self.layout.numbers
        numbers = np.stack([part.numbers(name, styles.get(name, ".")) for name in names], 1)
        bad = np.isnan(numbers)
        if bad.any() and self.missing == "refuse":
            row, column = (int(i) for i in np.argwhere(bad)[0])
            why = part.why(row, names[column], styles.get(names[column], "."))
            raise CorruptFile(
                f"{file}: {why}; repair it, or leave such rows out (--missing skip) or fill them (--missing hold)"
            )
        row = part.first - 1 + np.arange(len(part))
        columns = {"numbers": numbers, "row": row, "begins": np.zeros(len(part), bool), "last": np.zeros(len(part), bool)}
        if timeline:
            columns["time"] = timeline.seconds(part)
            for row in np.flatnonzero(np.isnan(columns["time"]))[: self.missing == "refuse"]:
                why = timeline.clock.why(part, int(row))
                raise CorruptFile(f"{file}: {why}; repair it, or leave such rows out (--missing skip)")
            columns["begins"] = timeline.begins(
                columns["time"], part, expect(self.gap, "a gap"), resets=self.layout.episode is not None
            )
        if self.layout.episode:
            values = np.asarray(part.columns[self.layout.episode]).astype(str)
            columns["begins"] |= np.concatenate([[self._run not in (None, values[0])], values[1:] != values[:-1]])
            self._run, columns["episode"] = values[-1], values
        return columns

    def _pieces(self, columns: Columns) -> Iterator[tuple[Columns, bool]]:
        """Stretches of rows that go together, and whether each begins an episode."""
        numbers, begins = columns["numbers"], columns["begins"]
        if not len(numbers):
            return
        if self.gaps:
            numbers = columns["numbers"] = self.gaps(numbers, begins)
        sensors, masks = len(self.layout.sensors), len(self.layout.masked)
        gone = np.isnan(numbers[:, sensors - masks : sensors])
        needed = np.delete(numbers, np.arange(sensors - masks, sensors), axis=1)
        whole = ~np.isnan(needed).any(1) & ~np.isnan(numbers[:, :sensors]).all(1)
        timed = ~np.isnan(columns["time"]) if "time" in columns else np.ones(len(numbers), bool)
        fit = whole & timed
        for reason, count in (("a number is missing", (~whole & timed).sum()), ("no time", (~timed).sum())):
            if count:
                self.left_out[reason] += int(count)
        before = np.concatenate([gone[:1] if self._gone is None else self._gone, gone[:-1]])
        begins = begins | np.concatenate([[self._broken], ~fit[:-1]]) | (gone != before).any(1)
        self._broken, self._gone = not fit[-1], gone[-1:]
        starts = np.flatnonzero(begins | (np.arange(len(numbers)) == 0))
        for start, stop in zip(starts, [*starts[1:], len(numbers)], strict=True):
            kept = {name: values[start:stop][fit[start:stop]] for name, values in columns.items()}
            if len(kept["numbers"]):
                yield kept, bool(begins[start])

    def _finish(self, held: list[Columns], file: str) -> Iterator[Episode]:
        if not held:
            return
        columns = _joined(held)
        numbers, time = columns["numbers"], columns.get("time")
        about = {"source": Path(file).name, "row": int(columns["row"][0])}
        if self.layout.episode:
            about["episode"] = str(columns["episode"][0])
        if time is not None:
            about["time"] = [float(time[0]), float(time[-1])]
            self.steps += len(time) - 1
            step = expect(self.step, "a step")
            self.uneven += int((np.abs(np.diff(time) - step) > UNEVEN * step).sum())
        if self.clock == "hold":
            time, step = expect(time, "rows with a time"), expect(self.step, "a step")
            ticks = time[0] + step * np.arange(int((time[-1] - time[0]) / step + 1e-3) + 1)
            rows = last_before(time, ticks)
            if dropped := len(numbers) - len(np.unique(rows)):
                self.left_out["several rows in one step of the even clock"] += dropped
            numbers = numbers[rows]
        if len(numbers) < 2:
            self.left_out["alone between two gaps"] += len(numbers)
            return
        parts = np.cumsum([len(self.layout.sensors), len(self.layout.controls)])
        sensors, controls, truth = np.split(numbers, parts, 1)
        labels = {name: truth[:, [i]] for i, name in enumerate(self.layout.truth)}
        there = {SENSORS: sensors[:, : len(self.layout.whole)]} if self.layout.whole else {}
        for i, name in enumerate(self.layout.masked, len(self.layout.whole)):
            if np.isnan(sensors[0, i]):
                self.masked[name] += len(sensors)
            else:
                there[name] = sensors[:, [i]]
        yield Episode(there, controls[:-1], labels, about)


def _joined(held: list[Columns]) -> Columns:
    return {name: np.concatenate([piece[name] for piece in held]) for name in held[0]}
