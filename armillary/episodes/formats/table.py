"""Tables of sensors into a store: a CSV or Parquet file, or a folder of them.

- A row is a step. The columns named as controls are the action: what was in force from this row to the next. Those named as
  truth are for judges. The time column orders rows and is no sensor. Every other column of numbers is a channel of one stream,
  `sensors`; a unit in its header, as in `Pressure [bar]`, is the channel's. What is left, and no number, is listed.
- An episode ends with its file, where the column named as episode changes, where a row is left out, and where the clock jumps.
- Clocks are never perfect. Rows are taken as they come (`rows`), or put on the even clock of the median step, each tick with
  the last row before it (`hold`); the recording says which. The share of steps that are a tenth off is reported.
- Files are read in parts, and an episode longer than `longest` rows is cut, so that memory is bounded by that.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.importing import ImportSummary, Missing, check_options, import_units
from armillary.episodes.formats.table_files import SUFFIXES, UNEVEN, Columns, last_before, open_table, seconds, unit_of
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

SENSORS = "sensors"
JUMP = 10  # steps, if no gap is given


@dataclass(kw_only=True)
class TableSummary(ImportSummary):
    """What an import did, and what only that of tables has.

    Args:
        files: how many there are.
        uneven: share of steps that are off the clock by more than a tenth; None without a time column.
    """

    files: int
    uneven: float | None = None

    def notes(self) -> list[str]:
        if not self.uneven:
            return []
        return [f"{self.uneven:.1%} of steps are off the clock by more than a tenth; --clock hold puts them on it"]


def import_table(
    path: str | Path,
    out: str | Path,
    *,
    time: str | None = None,
    controls: Sequence[str] = (),
    truth: Sequence[str] = (),
    episode: str | None = None,
    ignore: Sequence[str] = (),
    gap: float | None = None,
    clock: Literal["rows", "hold"] = "rows",
    missing: Missing = "refuse",
    longest: int = 100_000,
    max_episodes: int | None = None,
    progress: bool = True,
) -> TableSummary:
    """Read tables of sensors into a new store.

    Args:
        path: a CSV or Parquet file, or a folder in which all of them are read, in the order of their names.
        out: the store to create.
        time: the column of dates, or of seconds.
        controls: columns that say what was done; without any, the recording has no actions.
        truth: columns of labels, which no model sees.
        episode: a column that changes where an episode ends.
        ignore: columns that stay out.
        gap: seconds between two rows that end an episode; ten times the median step unless given.
        clock: take rows as they come, or hold them on the even clock of the median step.
        missing: refuse rows in which a number is missing, or skip them, which ends an episode there.
        longest: rows of an episode; what is longer is cut.
        max_episodes: stop after this many.
        progress: show a progress bar.

    Raises:
        ArmillaryError: no table there, columns that are not there, settings that contradict each other, nothing to import.
            A store that this call has begun is then removed.
        CorruptFile: a file that is no table, lacks a column, has a number missing or a clock that runs backwards; the message
            names file and row.
    """
    path = Path(path)
    check_options(gap=gap, max_episodes=max_episodes)
    if clock == "hold" and time is None:
        raise ArmillaryError("to hold rows on an even clock takes the time column; name it in time")
    if longest < 2:
        raise ArmillaryError(f"longest is 2 rows or more, not {longest}")
    files = files_in(path, SUFFIXES)
    if not files:
        raise ArmillaryError(f"{path}: there is no table there ({', '.join(SUFFIXES)})")
    spec, step, ignored = _layout(files[0], time, controls, truth, episode, ignore)
    reader = _Reader(spec, step, time, episode, gap or (JUMP * step if step else None), clock, missing, longest)
    summary = TableSummary(
        format=f"{len(files)} tables",
        source=str(path),
        out=str(out),
        spec=spec,
        left_out=reader.left_out,
        ignored=ignored,
        files=len(files),
    )
    import_units(
        ((file.name, reader.episodes(file)) for file in files),
        summary,
        info={"source": f"table {path.name}", "clock": clock, "time": time, "gap": gap},
        total=len(files),
        max_episodes=max_episodes,
        progress=progress,
    )
    summary.uneven = reader.uneven / max(reader.steps, 1) if time else None
    return summary


def _layout(
    file: Path,
    time: str | None,
    controls: Sequence[str],
    truth: Sequence[str],
    episode: str | None,
    ignore: Sequence[str],
) -> tuple[Spec, float | None, dict[str, str]]:
    """The Spec that the first file asks for, the median step in s, and the columns that stay out."""
    pa = require("pyarrow", "data")
    schema, parts = open_table(file)
    types = dict(zip(schema.names, schema.types, strict=True))
    named = [*([time] if time else []), *controls, *truth, *([episode] if episode else []), *ignore]
    for name in named:
        if name not in types:
            raise ArmillaryError(f"{file}: there is no column {name!r}; there are {', '.join(types)}")
        if named.count(name) > 1:
            raise ArmillaryError(f"column {name!r} is named twice; it is one of time, controls, truth, episode and ignore")
    numbers = [name for name, kind in types.items() if pa.types.is_floating(kind)]
    sensors = [name for name in numbers if name not in named]
    if not sensors:
        raise ArmillaryError(f"{file}: no column of numbers is left to sense; there are {', '.join(types)}")
    for name in (*controls, *truth):
        if name not in numbers:
            raise ArmillaryError(f"{file}: column {name!r} is {types[name]}, and controls and truth are numbers")
    ignored = dict.fromkeys(ignore, "as asked")
    ignored |= {name: f"it is {types[name]}, not numbers" for name in types if name not in (*numbers, *named)}
    step = None
    if time:
        first = next(parts, None)
        steps = np.diff(seconds(first[time], file)) if first is not None else np.empty(0)
        if not (steps > 0).any():
            raise CorruptFile(f"{file}: the column {time!r} never goes on, so it is no clock")
        step = float(np.median(steps[steps > 0]))
    streams = [Stream(SENSORS, "vector", (len(sensors),), unit=tuple(map(unit_of, sensors)), channels=tuple(sensors))]
    streams += [Stream(name, "vector", (1,), unit=(unit_of(name),), channels=(name,), truth=True) for name in truth]
    units = tuple(map(unit_of, controls))
    action = ActionSpace("box", len(controls), unit=units, channels=tuple(controls)) if controls else NO_ACTION
    return Spec(tuple(streams), action, rate=1 / step if step else None), step, ignored


@dataclass
class _Reader:
    """Files to episodes, one after the other."""

    spec: Spec
    step: float | None
    time: str | None
    episode: str | None
    gap: float | None
    clock: str
    missing: str
    longest: int
    left_out: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    uneven: int = 0

    def __post_init__(self) -> None:
        self.sensors = self.spec[SENSORS].channels
        self.truth = [stream.name for stream in self.spec.truth]
        self.numbers = [*self.sensors, *self.spec.action.channels, *self.truth]

    def episodes(self, file: Path) -> Iterator[Episode]:
        """The episodes of one file."""
        names, rows = {*self.numbers, *filter(None, (self.time, self.episode))}, 0
        held: list[Columns] = []
        self.broken = False  # whether the row before was left out
        schema, parts = open_table(file)
        if absent := sorted(names - set(schema.names)):
            raise CorruptFile(f"{file}: there is no column {', '.join(map(repr, absent))}, which the first file has")
        for part in parts:
            columns = self._columns(part, file, rows)
            rows += len(columns["numbers"])
            for piece, begins in self._pieces(columns, held[-1] if held else None, file, rows):
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

    def _columns(self, part: Columns, file: Path, before: int) -> Columns:
        numbers = np.stack([part[name].astype(np.float64) for name in self.numbers], 1)
        bad = ~np.isfinite(numbers)
        if bad.any() and self.missing == "refuse":
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise CorruptFile(
                f"{file}: no number in row {before + row + 1} of {self.numbers[column]!r}; repair it, or leave such rows out "
                "(missing skip)"
            )
        row = np.arange(before, before + len(numbers))
        columns = {"numbers": numbers.astype(np.float32), "row": row, "fit": ~bad.any(1)}
        if self.time:
            columns["time"] = seconds(part[self.time], file)
        if self.episode:
            columns["episode"] = part[self.episode]
        return columns

    def _pieces(self, columns: Columns, last: Columns | None, file: Path, rows: int) -> Iterator[tuple[Columns, bool]]:
        """Stretches of rows that go together, and whether each begins an episode."""
        fit, count = columns.pop("fit"), len(columns["numbers"])
        begins = np.zeros(count, bool)
        for name in ("time", "episode"):
            if name not in columns:
                continue
            values = columns[name]
            before = np.concatenate([values[:1] if last is None else last[name][-1:], values[:-1]])
            if name == "episode":
                begins |= before != values
                continue
            steps = values - before
            inside = ~begins & (steps <= self.gap)
            first = int(last is None)
            if (steps[first:] < 0).any() and not self.episode:
                row = rows - count + first + int((steps[first:] < 0).argmax()) + 1
                raise CorruptFile(f"{file}: the clock runs backwards in row {row}; sort the rows, or name the episode column")
            begins |= (steps > self.gap) | (steps < 0)
            self.steps += int(inside[first:].sum())
            self.uneven += int((inside & (np.abs(steps - self.step) > UNEVEN * self.step))[first:].sum())
        if not fit.all():
            self.left_out["a number is missing"] += int((~fit).sum())
        begins |= np.concatenate([[self.broken], ~fit[:-1]])
        self.broken = not fit[-1]
        starts = np.flatnonzero(begins | (np.arange(count) == 0))
        for start, stop in zip(starts, [*starts[1:], count], strict=True):
            stretch = slice(start, stop)
            kept = {name: values[stretch][fit[stretch]] for name, values in columns.items()}
            if len(kept["numbers"]):
                yield kept, bool(begins[start])

    def _finish(self, held: list[Columns], file: Path) -> Iterator[Episode]:
        if not held:
            return
        columns = _joined(held)
        about = {"source": file.name, "row": int(columns["row"][0])}
        if self.episode:
            about["episode"] = str(columns["episode"][0])
        if self.clock == "hold":
            time = columns["time"]
            ticks = time[0] + self.step * np.arange(int((time[-1] - time[0]) / self.step + 1e-3) + 1)
            columns = {"numbers": columns["numbers"][last_before(time, ticks)]}
        numbers = columns["numbers"]
        if len(numbers) < 2:
            self.left_out["alone between two gaps"] += len(numbers)
            return
        sensors, controls, truth = np.split(numbers, np.cumsum([len(self.sensors), self.spec.action.n]), 1)
        labels = {name: truth[:, [i]] for i, name in enumerate(self.truth)}
        yield Episode({SENSORS: sensors}, controls[:-1], labels, about)


def _joined(held: list[Columns]) -> Columns:
    return {name: np.concatenate([piece[name] for piece in held]) for name in held[0]}
