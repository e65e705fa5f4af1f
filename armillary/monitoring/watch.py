"""Along a table with a calibrated model: how surprising is each row, what explains it, and is it an alarm?

Rows come from a file, a folder of files or a pipe, and go out one by one, as CSV or as lines of JSON; what is kept in between
is a context of latents and the evidence so far, however long the table. An episode ends where a file does, where the clock
jumps and where a row is left out; after that, the first rows of a context say nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

import numpy as np
import torch
from jaxtyping import Bool, Float

from armillary.device import one_thread
from armillary.episodes.formats.table_clock import JUMP, Asked
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import as_json
from armillary.model import WorldModel
from armillary.monitoring.calibrate import Calibration, channel_errors, load_calibration, sensor_names
from armillary.monitoring.monitor import alarm_level
from armillary.monitoring.rows import Reading, Rows, only_tables, read_rows, tables
from armillary.monitoring.surprise import Surprise

CHUNK = 1024  # rows that are judged together
NAMED = 3  # channels
OFF = 1.5
"""Times as long or as short as in the recording, steps are another clock's."""


@dataclass(frozen=True)
class Verdict:
    """What is said of n rows; NaN where a row is among the first of an episode.

    Args:
        surprise: 1 is as usual.
        p: the share of normal rows that are as surprising.
        alarm: p is below the level.
        shares: (n, channels) of the channels' errors in what was unusual.
    """

    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    alarm: Bool[np.ndarray, " n"]
    shares: Float[np.ndarray, "n c"]


@dataclass
class Summary:
    """Of a whole table: rows, rows left out, episodes, alarms, the row at which the first began; and how it was read."""

    rows: int = 0
    left_out: int = 0
    episodes: int = 0
    alarms: int = 0
    first: str | None = None
    notes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        alarms = f"{self.alarms} alarms, the first at {self.first}" if self.alarms else "no alarm"
        left_out = f"; {self.left_out} rows left out" if self.left_out else ""
        return "\n".join([*self.notes, f"{self.rows} rows in {self.episodes} episodes: {alarms}{left_out}"])


class Watcher:
    """Judges rows as they come.

    Args:
        model: of vectors alone, in eval mode.
        calibration: of this model.
        level: the p-value below which a row is an alarm.
    """

    def __init__(self, model: WorldModel, calibration: Calibration, level: float) -> None:
        self.model, self.calibration, self.level = model, calibration, level
        self._surprise = Surprise(model)
        widths = [stream.shape[0] for stream in model.spec.observed]
        self._split = np.cumsum(widths)[:-1]
        self.start()

    def start(self) -> None:
        """A new episode begins."""
        self._surprise.start()
        self._evidence = self._channels = None

    def __call__(self, sensed: Float[np.ndarray, "n c"], actions: Float[np.ndarray, "n a"]) -> Verdict:
        """Judge the next rows of an episode, in their own units; `actions` are the controls that stand in each row."""
        parts = np.split(sensed.astype(np.float32), self._split, axis=1)
        streams = {s.name: torch.from_numpy(part) for s, part in zip(self.model.spec.observed, parts, strict=True)}
        foretold = self._surprise(streams, torch.from_numpy(actions.astype(np.float32)))
        count, silent = len(foretold.z), len(sensed) - len(foretold.z)
        surprise, p = np.full(len(sensed), np.nan), np.full(len(sensed), np.nan)
        shares = np.full(sensed.shape, np.nan)
        if count:
            monitor, calibration = self.calibration.monitor, self.calibration
            evidence = monitor.evidence(foretold.errors.double().cpu().numpy(), self._evidence)
            errors = channel_errors(calibration.readout, foretold, sensed[silent:])
            channels = calibration.sensors(errors, self._channels)
            self._evidence, self._channels = evidence[-1], channels[-1]
            surprise[silent:] = monitor.surprise(evidence)
            p[silent:] = monitor.p_value(surprise[silent:])
            shares[silent:] = calibration.shares(channels)
        return Verdict(surprise, p, p < self.level, shares)


def watch(
    run: str | Path,
    table: str | Path | BinaryIO,
    out: TextIO,
    *,
    false_alarms_per_hour: float = 1.0,
    time: str | Sequence[str] | None = None,
    time_unit: str | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    gap: float | None = None,
    seconds_per_row: float | None = None,
    missing: Literal["refuse", "skip", "hold"] = "refuse",
    longest_gap: int = 5,
    form: Literal["csv", "json"] = "csv",
) -> Summary:
    """Judge every row of a table.

    Args:
        run: a folder with a checkpoint and its calibration.
        table: a file, a folder of them, or a stream of CSV.
        out: gets a line for each row: time (or line number), surprise, p-value, alarm (1 or 0), and the channels that explain
            it with their shares.
        false_alarms_per_hour: how many the owner can live with; see `monitor`.
        time: the column of dates or of numbers, or two of the date and of the time of day; as at the import unless given.
        time_unit, day_first, zone: as for `import_table`; as at the import unless given.
        gap: seconds without a row that end an episode; as at the import unless given.
        seconds_per_row: where the recording has no clock.
        missing: refuse rows in which a number is missing, leave them out, or hold the last number of the column.
        longest_gap: rows over which a number is held; after that they are left out.
        form: CSV with a header, or an object of JSON a line.

    Raises:
        ArmillaryError: the run is not calibrated, or its clock is unknown.
        CorruptFile: what is wrong with the table, by file and line.
    """
    model, calibration = WorldModel.load(run, "cpu"), load_calibration(run)
    step = seconds_per_row or calibration.seconds
    if step is None:
        raise ArmillaryError("the recording of this model has no clock; say how many seconds a row is (--seconds-per-row)")
    watcher = Watcher(model, calibration, alarm_level(false_alarms_per_hour, step))
    write = _csv if form == "csv" else _json
    clock = _Clock(step, gap or calibration.gap or JUMP * step)
    columns = (time,) if isinstance(time, str) else tuple(time or ())
    hold = longest_gap if missing == "hold" else 0
    reading = Reading.of(calibration.reading, Asked(columns, time_unit, day_first, zone), step, hold)
    summary = Summary()
    sources = only_tables(tables(table), reading.header, summary.notes)
    names = [*sensor_names(model.spec), *model.spec.action.channels]
    if model.spec.action.n != len(model.spec.action.channels):
        raise ArmillaryError("the actions of this model have no names, so that no column of a table can be one")
    folder = len(sources) > 1
    if form == "csv":
        out.write(f"{'file,' * folder}time,surprise,p,alarm,because\n")
    with one_thread(model.config.is_small):
        for source in sources:
            clock.start()
            on, begins = False, True
            for rows in read_rows(source, names, reading, summary.notes):
                for stretch, apart in clock.stretches(rows, missing, summary):
                    if begins or apart:
                        watcher.start()
                        on, begins = False, False
                        summary.episodes += 1
                    for some in (stretch[i : i + CHUNK] for i in range(0, len(stretch), CHUNK)):
                        sensed, actions = np.split(rows.numbers[some], [len(calibration.channels)], axis=1)
                        verdict = watcher(sensed, actions)
                        stamps = [rows.stamps[i] for i in some]
                        out.write(write(verdict, stamps, calibration.channels, rows.source if folder else None))
                        started = np.flatnonzero(verdict.alarm & ~np.append(on, verdict.alarm[:-1]))
                        if len(started) and summary.first is None:
                            summary.first = stamps[started[0]]
                        on = bool(verdict.alarm[-1])
                        summary.alarms += len(started)
                        summary.rows += len(some)
                out.flush()
    return summary


@dataclass
class _Clock:
    """Where episodes end: where the clock jumps, and where a row is left out."""

    step: float
    gap: float

    def start(self) -> None:
        """A new source begins."""
        self.last: float | None = None
        self.broken = False
        self.steps: list[float] = []

    def stretches(self, rows: Rows, missing: str, summary: Summary) -> Iterator[tuple[np.ndarray, bool]]:
        """Numbers of rows that go together, and whether they begin an episode."""
        whole = np.isfinite(rows.numbers).all(axis=1)
        if rows.time is not None:
            whole &= np.isfinite(rows.time)
        if not whole.all() and missing == "refuse":
            why = rows.why(int(whole.argmin()))
            raise CorruptFile(f"{rows.source}: {why}; repair it, or leave such rows out (--missing skip)")
        summary.left_out += int((~whole).sum())
        begins = np.append(self.broken, ~whole[:-1])
        known = np.flatnonzero(np.isfinite(rows.time)) if rows.time is not None else ()
        if len(known):
            times = rows.time[known]
            steps = np.diff(times, prepend=times[0] - self.step if self.last is None else self.last)
            if (steps < -self.step).any():
                line = rows.lines[known[(steps < 0).argmax()]]
                raise CorruptFile(f"{rows.source}: the clock runs backwards in line {line}; repair it")
            begins[known] |= steps > self.gap
            self._compare(rows, steps[steps <= self.gap])
            self.last = float(times[-1])
        self.broken = not whole[-1]
        starts = np.flatnonzero(begins | (np.arange(len(whole)) == 0))
        for start, stop in zip(starts, [*starts[1:], len(whole)], strict=True):
            stretch = start + np.flatnonzero(whole[start:stop])
            if len(stretch):
                yield stretch, bool(begins[start])

    def _compare(self, rows: Rows, steps: np.ndarray) -> None:
        """Refuse a table whose steps are of another length than the recording's, once ten of them are known."""
        if len(self.steps) < 11:
            self.steps += steps[:11].tolist()
            if len(self.steps) >= 11 and not self.step / OFF <= (usual := float(np.median(self.steps[1:]))) <= self.step * OFF:
                raise CorruptFile(
                    f"{rows.source}: rows are {usual:g} s apart, and {self.step:g} s in the recording that the model learned "
                    "from; bring the table to the same clock"
                )


def _explained(verdict: Verdict, channels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    top = np.argsort(-verdict.shares, axis=1)[:, :NAMED]
    return np.array(channels)[top], np.take_along_axis(verdict.shares, top, axis=1)


def _csv(verdict: Verdict, stamps: list[str], channels: tuple[str, ...], file: str | None) -> str:
    quoted = tuple(name.replace('"', "'") for name in channels)
    names, shares = (values.tolist() for values in _explained(verdict, quoted))
    lines, prefix = [], f'"{file}",' if file else ""
    columns = (values.tolist() for values in (verdict.surprise, verdict.p, verdict.alarm))
    for stamp, surprise, p, alarm, name, share in zip(stamps, *columns, names, shares, strict=True):
        if p != p:
            lines.append(f"{prefix}{stamp},,,0,\n")
            continue
        because = "; ".join([f"{n} {s:.2f}" for n, s in zip(name, share, strict=True)])
        lines.append(f'{prefix}{stamp},{surprise:.4g},{p:.3g},{alarm:d},"{because}"\n')
    return "".join(lines)


def _json(verdict: Verdict, stamps: list[str], channels: tuple[str, ...], file: str | None) -> str:
    names, shares = (values.tolist() for values in _explained(verdict, channels))
    lines = []
    for i, stamp in enumerate(stamps):
        silent = bool(np.isnan(verdict.p[i]))
        line = {"file": file} if file else {}
        line |= {"time": stamp, "surprise": None if silent else round(float(verdict.surprise[i]), 4)}
        line |= {"p": None if silent else float(f"{verdict.p[i]:.3g}"), "alarm": bool(verdict.alarm[i])}
        line["because"] = {} if silent else {n: round(s, 3) for n, s in zip(names[i], shares[i], strict=True)}
        lines.append(as_json(line) + "\n")
    return "".join(lines)
