"""Folders of tables with a clock each into a store: a folder is an episode, a table in it is a stream, at its own rate.

Everything is put on one clock at the rate that is asked for, which begins with the controls, or with whichever table begins
last. A step takes, by the rule of the table,
- hold: the last row at or before it;
- mean: the mean of the rows since the step before, or the last row where there is none;
- every: the last n rows, as a signal, where n rows come in a step.
Controls and truth are held. Nothing is taken from after a step (by more than the millisecond that files round to): an agent
would not have had it.

Clocks that were started and stopped together begin and end together. A table that begins or ends further from the others than
a tolerance and a step of its own is refused with the figure: a clock drifts, or was off. Where a table pauses for ten steps of
its own, or for a gap that is given, nothing is held, and an episode ends. A folder is read into memory as a whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Unpack

import numpy as np
from jaxtyping import Float64

from armillary.episodes.formats.clocks import JUMP, stretches
from armillary.episodes.formats.folders import files_in, hidden, natural
from armillary.episodes.formats.importing import ImportSummary, Missing, Writing, check_options, import_units, parts
from armillary.episodes.formats.table_clock import UNEVEN, Asked, TimeUnit, is_clock
from armillary.episodes.formats.table_files import SUFFIXES, Survey, open_table
from armillary.episodes.formats.table_log import Log, last_before, read_log, rows_until, usual_step
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

Rule = Literal["hold", "mean", "every"]
STEPS_A_ROW = 1000
"""Steps for each row of the longest table, beyond which its clock is in another unit than it was taken for."""
WORDS = {"hold": "the last row", "mean": "the mean since the step before", "every": "every row of a step"}


@dataclass(kw_only=True)
class StreamsSummary(ImportSummary):
    """What an import did, and what only that of several clocks has.

    Args:
        rules: how each table was put on the one clock.
        rates: rows a second of each, in the first folder.
        apart: seconds between the clocks of one folder, where they begin or end, at the worst.
    """

    rules: dict[str, Rule]
    rates: dict[str, float]
    apart: float = 0.0

    def notes(self) -> list[str]:
        lines = [f"{name} at {self.rates[name]:.6g} Hz: {WORDS[rule]}" for name, rule in self.rules.items()]
        return [*lines, f"clocks begin and end at most {self.apart:.3f} s apart"]


def import_streams(
    path: str | Path,
    out: str | Path,
    *,
    rate: float,
    time: Sequence[str],
    controls: Sequence[str] = (),
    truth: Sequence[str] = (),
    ignore: Sequence[str] = (),
    mean: Sequence[str] = (),
    every: Sequence[str] = (),
    gap: float | None = None,
    drift: float = 0.1,
    longest: int = 100_000,
    missing: Missing = "refuse",
    header: bool = True,
    time_unit: TimeUnit | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    **writing: Unpack[Writing],
) -> StreamsSummary:
    """Read folders of tables into a new store; other arguments and errors are those of `import_table`.

    Args:
        path: a folder of CSV or Parquet files, or a folder of such folders, in the order of their names.
        rate: steps a second onto which all tables are put.
        time: the column of time, which every table has, or two columns, of the date and of the time of day. All tables of a
            folder tell the same time.
        controls: columns of actions (table.column where two tables have it), held from step to step. Default: none.
        mean: tables (imu for imu.csv) of which a step takes the mean since the step before. Of others it takes the last row.
            Default: none.
        every: tables of which a step takes all rows since the step before, as a signal. Default: none.
        gap: seconds without a row of a table that end an episode. Default: ten times its own median step.
        drift: seconds by which a clock may begin after the others, or end before them, beyond a step of its own.
        missing: what to do about folders that are damaged or whose clocks do not fit. refuse: stop the import; skip: leave them
            out and list them.
    """
    path = Path(path)
    check_options(writing, missing, longest, rate=rate, gap=gap)
    if drift < 0:
        raise ArmillaryError(f"drift not below 0 s; got {drift}")
    inside = sorted((folder for folder in path.iterdir() if not hidden(folder, path)), key=natural) if path.is_dir() else []
    folders = [path] if _tables(path) else [folder for folder in inside if _tables(folder)]
    if not folders:
        raise ArmillaryError(f"{path}: there is no folder of tables there ({', '.join(SUFFIXES)})")
    asked = Asked((time,) if isinstance(time, str) else tuple(time), time_unit, day_first, zone)
    layout = _Layout.of(_tables(folders[0]), asked, header, controls, truth, ignore, mean, every)
    rates = {name: 1 / usual_step(log.times) for name, log in layout.read(folders[0]).items()}
    spec = layout.spec(rate, rates)
    summary = StreamsSummary(
        format="tables on one clock",
        source=str(path),
        out=str(out),
        spec=spec,
        ignored=layout.ignored,
        rules=layout.rules,
        rates=rates,
    )
    reader = _Reader(spec, layout, rate, gap, drift, longest, path, summary)
    return import_units(
        ((folder.name, reader.episodes(folder)) for folder in folders),
        summary,
        info={"source": f"tables {path.name}", "clock": f"{rate:g} Hz", "rules": layout.rules, "drift": drift},
        total=len(folders),
        missing=missing,
        **writing,
    )


def _tables(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in files_in(folder, SUFFIXES, deep=False)} if folder.is_dir() else {}


def _no_sensor(column: str, survey: Survey) -> str | None:
    """Why a column is no number of a sensor, or None."""
    if column not in survey.numbers:
        return survey.columns[column].why if column else "it has no name"
    return "it is a clock" if is_clock(column, survey) else None


@dataclass(frozen=True)
class _Layout:
    """What each table is: its rule, and which of its columns are sensed, done, or true.

    Args:
        time: what was asked of the clock.
        header: whether the tables have one.
        rules: of each table.
        sensors: columns of each table.
        controls, truth: (table, column), by the name that was asked for.
        ignored: columns that stay out, and why.
        units: of each column.
    """

    time: Asked
    header: bool
    rules: dict[str, Rule]
    sensors: dict[str, list[str]]
    controls: dict[str, tuple[str, str]]
    truth: dict[str, tuple[str, str]]
    ignored: dict[str, str]
    units: dict[tuple[str, str], str]

    @classmethod
    def of(
        cls,
        tables: dict[str, Path],
        time: Asked,
        header: bool,
        controls: Sequence[str],
        truth: Sequence[str],
        ignore: Sequence[str],
        mean: Sequence[str],
        every: Sequence[str],
    ) -> "_Layout":
        for name in (*mean, *every):
            if name not in tables or (name in mean and name in every):
                what = "is in both" if name in tables else f"is none of {', '.join(tables)}"
                raise ArmillaryError(f"mean and every name tables, and {name!r} {what}")
        opened = {name: open_table(file, header) for name, file in tables.items()}
        for table in opened.values():
            table.require(time.columns)
        surveys = {name: table.survey() for name, table in opened.items()}
        columns = [(name, column) for name, table in opened.items() for column in table.columns if column not in time.columns]
        why = {at: _no_sensor(at[1], surveys[at[0]]) for at in columns}
        numbers = [at for at in columns if why[at] is None]

        def found(asked: Sequence[str], among: list[tuple[str, str]]) -> dict[str, tuple[str, str]]:
            places = {name: [at for at in among if name in (at[1], ".".join(at))] for name in asked}
            for name, at in places.items():
                if len(at) != 1:
                    what = f"is in {', '.join(map('.'.join, at))}" if at else f"is none of {', '.join(map('.'.join, among))}"
                    raise ArmillaryError(f"column {name!r} {what}; name one as table.column")
            return {name: at for name, (at,) in places.items()}

        done, true, out = found(controls, numbers), found(truth, numbers), found(ignore, columns)
        taken = [*done.values(), *true.values(), *out.values()]
        for at in taken:
            if taken.count(at) > 1:
                raise ArmillaryError(f"column {'.'.join(at)!r} is named twice; it is one of controls, truth and ignore")
        sensors = {
            table: [name for other, name in numbers if other == table and (table, name) not in taken] for table in tables
        }
        ignored = {".".join(at): "as asked" for at in out.values()}
        ignored |= {".".join(at): reason for at, reason in why.items() if reason and at not in taken}
        for name, table in opened.items():
            table.require([column for column in table.columns if column and (name, column) not in out.values()])
        units = {(name, column): opened[name].unit(column) for name, column in numbers}
        rules: dict[str, Rule] = {table: "mean" if table in mean else "every" if table in every else "hold" for table in tables}
        return cls(time, header, rules, {table: names for table, names in sensors.items() if names}, done, true, ignored, units)

    def spec(self, rate: float, rates: dict[str, float]) -> Spec:
        """The streams at this rate, where each table has the rate that is given of it."""
        streams = []
        for table, names in self.sensors.items():
            units, size = tuple(self.units[table, name] for name in names), len(names)
            if self.rules[table] == "every":
                a_step = rates[table] / rate
                samples = max(1, round(a_step))
                if abs(a_step - samples) > UNEVEN * samples:
                    what = f"{table} has {rates[table]:.6g} rows a second, and there are {rate:g} steps"
                    raise ArmillaryError(f"{what}: that is no whole number of rows a step; take their mean, or another rate")
                streams.append(Stream(table, "signal", (samples, size), units, tuple(names), rate))
            else:
                streams.append(Stream(table, "vector", (size,), units, tuple(names), rate))
        streams += [Stream(name, "vector", (1,), (self.units[at],), (name,), rate, True) for name, at in self.truth.items()]
        if not self.sensors:
            raise ArmillaryError("no column of numbers is left to sense")
        names = tuple(self.controls)
        done = tuple(self.units[at] for at in self.controls.values())
        action = ActionSpace("box", len(names), unit=done, channels=names) if names else NO_ACTION
        return Spec(tuple(streams), action, rate)

    def read(self, folder: Path) -> dict[str, Log]:
        """Every table of a folder, with its columns in the order of `columns`.

        Raises:
            CorruptFile: a table that is missing, or cannot be read.
        """
        tables, logs = _tables(folder), {}
        for name in self.rules:
            if name not in tables:
                raise CorruptFile(f"{folder}: there is no table {name!r}, which the first folder has")
            logs[name] = read_log(tables[name], self.columns(name), self.time, self.header)
            if len(logs[name].times) < 2 or usual_step(logs[name].times) <= 0:
                raise CorruptFile(f"{tables[name]}: its clock never goes on")
        return logs

    def columns(self, table: str) -> list[str]:
        """What is read of a table: its sensors, and then what else is asked of it."""
        others = [at[1] for at in (*self.controls.values(), *self.truth.values()) if at[0] == table]
        return [*self.sensors.get(table, []), *others]


@dataclass(frozen=True)
class _Reader:
    """Folders to episodes."""

    spec: Spec
    layout: _Layout
    rate: float
    gap: float | None
    drift: float
    longest: int
    root: Path
    summary: StreamsSummary

    def episodes(self, folder: Path) -> Iterator[Episode]:
        """The episodes of one folder."""
        logs = self.layout.read(folder)
        for name in (name for name, rule in self.layout.rules.items() if rule == "every"):
            own, expected = 1 / usual_step(logs[name].times), self.summary.rates[name]
            if abs(own - expected) > UNEVEN * expected:
                raise CorruptFile(f"{folder}: {name} has {own:g} rows a second, and {expected:g} in the first folder")
        ticks = self._ticks(folder, {name: log.times for name, log in logs.items()})
        held = {name: last_before(log.times, ticks) for name, log in logs.items()}
        fit = np.ones(len(ticks), bool)
        for name, log in logs.items():
            fit &= ticks - log.times[held[name]] <= (self.gap or JUMP * usual_step(log.times))
        found = stretches(fit, np.zeros(len(ticks), bool))
        self.summary.leave("a table pauses", len(ticks) - sum(stop - start for start, stop in found))
        sensed = {name: self._sensed(name, logs[name], ticks, held[name]) for name in self.layout.sensors}

        def column(at: tuple[str, str]) -> np.ndarray:
            table, name = at
            return logs[table].numbers[held[table], self.layout.columns(table).index(name)]

        truth = {name: column(at)[:, None] for name, at in self.layout.truth.items()}
        done = [column(at) for at in self.layout.controls.values()]
        actions = np.stack(done, 1) if done else np.empty((len(ticks), 0), np.float32)
        for start, stop in found:
            for first, last in parts(stop - start, self.longest):
                rows = slice(start + first, start + last)
                streams, labels = ({name: values[rows] for name, values in some.items()} for some in (sensed, truth))
                yield Episode(streams, actions[rows][:-1], labels, {"source": folder.name, "row": int(rows.start)})

    def _ticks(self, folder: Path, clocks: dict[str, np.ndarray]) -> Float64[np.ndarray, " t"]:
        """The steps of the one clock for which every table has rows."""
        steps = {name: usual_step(clock) for name, clock in clocks.items()}
        first, last = min(clock[0] for clock in clocks.values()), max(clock[-1] for clock in clocks.values())
        for name, clock in clocks.items():
            apart = float(max(clock[0] - first, last - clock[-1]))
            if apart > self.drift + steps[name]:
                runs = [f"{table} from {c[0] - first:.3f} to {c[-1] - first:.3f} s" for table, c in clocks.items()]
                more = f"more than {self.drift:g} s and a step of {steps[name]:.3f} s"
                raise CorruptFile(f"{folder}: clocks run apart: {', '.join(runs)}; {name} by {apart:.3f} s, {more}")
            self.summary.apart = max(self.summary.apart, apart)
        table = next(iter(self.layout.controls.values()), [None])[0]
        origin = clocks[table][0] if table else max(clock[0] for clock in clocks.values())
        ready = max(self._ready(name, clock, steps[name]) for name, clock in clocks.items())
        over = min(clock[-1] + steps[name] for name, clock in clocks.items())
        begin = max(0, int(np.ceil((ready - origin) * self.rate - 1e-3)))
        end = int(np.ceil((over - origin) * self.rate - 1e-3))
        if end - begin < 2:
            raise CorruptFile(f"{folder}: at {self.rate:g} Hz it is {max(end - begin, 0)} rows, and an episode needs 2")
        if end - begin > STEPS_A_ROW * (rows := max(map(len, clocks.values()))):
            raise CorruptFile(
                f"{folder}: {rows:,} rows would be {end - begin:,} steps at {self.rate:g} Hz, by a clock from {first:.6g} "
                f"to {last:.6g} s; say its unit (--time-unit), or take a lower rate"
            )
        return origin + np.arange(begin, end) / self.rate

    def _ready(self, name: str, clock: Float64[np.ndarray, " n"], step: float) -> float:
        """From when on a table has all the rows of a step."""
        if self.layout.rules[name] == "every":
            return float(clock[min(self.spec[name].shape[0], len(clock)) - 1])
        return float(clock[0]) + (max(0.0, 1 / self.rate - step) if self.layout.rules[name] == "mean" else 0.0)

    def _sensed(self, name: str, log: Log, ticks: np.ndarray, held: np.ndarray) -> np.ndarray:
        """What a step takes of a table's sensors, by its rule."""
        numbers, rule = log.numbers[:, : len(self.layout.sensors[name])], self.layout.rules[name]
        if rule == "every":
            back = np.arange(self.spec[name].shape[0])[::-1]
            return numbers[np.maximum(held[:, None] - back, 0)].astype(np.float32)
        if rule == "mean":
            sums = np.concatenate([np.zeros((1, numbers.shape[1])), np.cumsum(numbers, 0)])
            before = rows_until(log.times, ticks - 1 / self.rate)
            count = (held + 1 - before)[:, None]
            mean = (sums[held + 1] - sums[before]) / np.maximum(count, 1)
            return np.where(count > 0, mean, numbers[held])
        return numbers[held]
