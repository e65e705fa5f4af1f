"""Along a table with a calibrated model: how surprising is each row, what explains it, and is it an alarm?

Rows come from a file, a folder of files or a pipe, and go out one by one, as CSV or as lines of JSON; what is kept in between
is a context and the evidence so far, however long the table. Every row gets its line, also one that cannot be judged, with the
reason: the first rows of an episode (which ends where a file does and where the clock jumps), rows at another pace
(`clock.py`), and rows without numbers. Their number is in the summary at the end.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

import numpy as np

from armillary.device import one_thread
from armillary.episodes.formats.table_clock import JUMP, Asked
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import as_json
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import load_calibration, sensor_names
from armillary.monitoring.clock import Clock, stretches
from armillary.monitoring.lines import HEADER, REASONS, Lines
from armillary.monitoring.monitor import alarm_level
from armillary.monitoring.rows import Reading, Rows, only_tables, read_rows, tables
from armillary.monitoring.watcher import Verdict, Watcher

MISSING = ("refuse", "skip", "hold", "mask")
DEFAULT_PER_HOUR, DEFAULT_SHARE = 1.0, 1e-3
"""False alarms that are allowed by default: one an hour, and where rows are slow, one in a thousand rows."""


@dataclass
class Summary:
    """Of a whole table.

    Args:
        rows: how many there are.
        judged: those with a verdict.
        episodes: stretches of rows that go together.
        alarms: how many began, those of another sensor beside one that went on included.
        first: the row at which the first did.
        sensors: how many alarms each was in.
        not_judged: rows without a verdict, by reason.
        missing: rows in which a sensor's number was missing, by sensor.
        paces: seconds between rows, where that was another pace.
        step: seconds between rows, as recorded.
        notes: how the table was read.
    """

    rows: int = 0
    judged: int = 0
    episodes: int = 0
    alarms: int = 0
    first: str | None = None
    sensors: Counter[str] = field(default_factory=Counter)
    not_judged: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    paces: Counter[str] = field(default_factory=Counter)
    step: float = 0.0
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def status(self) -> int:
        """Exit status: 1 with an alarm, 4 where nothing could be judged, else 0."""
        return 1 if self.alarms else 0 if self.judged else 4

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        plain = {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}
        return {**plain, "notes": list(self.notes)}

    def __str__(self) -> str:
        named = ", ".join(f"{name} {count} times" for name, count in self.sensors.most_common(5))
        named = f", sensors in alarm: {named}" if named else ""
        alarms = f"{self.alarms} alarms, the first at {self.first}{named}" if self.alarms else "no alarm"
        parts = [f"{self.rows} rows in {self.episodes} episodes: {alarms if self.judged else 'nothing could be judged'}"]
        if self.not_judged:
            paces = [f" ({pace} s a row instead of {self.step:g} s)" for pace, _ in self.paces.most_common(1)]
            reasons = [f"{n} {REASONS[why]}{''.join(paces) * (why == 'pace')}" for why, n in self.not_judged.items()]
            parts.append(f"{self.rows - self.judged} rows not judged: {', '.join(reasons)}")
        parts += [f"{name} missing in {count} rows" for name, count in self.missing.items()]
        return "\n".join([*self.notes, "; ".join(parts)])


def watch(
    run: str | Path,
    table: str | Path | BinaryIO,
    out: TextIO,
    *,
    false_alarms_per_hour: float | None = None,
    time: str | Sequence[str] | None = None,
    time_unit: str | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    gap: float | None = None,
    seconds_per_row: float | None = None,
    missing: Literal["refuse", "skip", "hold", "mask"] = "refuse",
    longest_gap: int = 5,
    mute: Sequence[str] = (),
    form: Literal["csv", "json"] = "csv",
) -> Summary:
    """Judge every row of a table.

    Args:
        run: a folder with a checkpoint and its calibration.
        table: a file, a folder of them, or a stream of CSV.
        out: gets a line for each row: time (or line number), surprise, p-value, alarm (1 or 0), and the channels that
            explain it with their shares; as JSON also a last line with the summary.
        false_alarms_per_hour: how many the owner can live with; see `monitor`. Default: one, and where rows are slower
            than 3.6 s, one in a thousand rows.
        time: the column of dates or of numbers, or two of the date and of the time of day; default: as at the import.
        time_unit, day_first, zone: as for `import_table`; default: as at the import.
        gap: seconds without a row that end an episode; default: as at the import.
        seconds_per_row: where the recording has no clock.
        missing: refuse numbers and stamps that are missing, judge what is there (skip), or hold the last number of the column,
            and then judge what is there; mask is another word for hold, for recordings that were imported so.
            There is no interpolation as in `import_table`, since a row is judged before the next number is known.
        longest_gap: rows over which a number is held; after that it is missing.
        mute: sensors that are not judged, and that nothing is predicted from.
        form: CSV with a header, or an object of JSON a line.

    Raises:
        ArmillaryError: the run is not calibrated, its clock is unknown, or `missing` is none of the three.
        CorruptFile: what is wrong with the table, by file and line; the rows before have been judged.
    """
    if missing not in MISSING:
        raise ArmillaryError(
            f"expected --missing {', '.join(MISSING[:-1])} or {MISSING[-1]}, got {missing}: a row is judged before the next "
            "number is known, so that watch cannot interpolate; use hold"
        )
    model, calibration = WorldModel.load(run, "cpu"), load_calibration(run)
    step = seconds_per_row or calibration.seconds
    if step is None:
        raise ArmillaryError("the recording of this model has no clock; say how many seconds a row is (--seconds-per-row)")
    if false_alarms_per_hour is None:
        level = min(DEFAULT_PER_HOUR * step / 3600, DEFAULT_SHARE)
    else:
        level = alarm_level(false_alarms_per_hour, step)
    watcher = Watcher(model, calibration, level, mute)
    clock = Clock(step, gap or calibration.gap or JUMP * step)
    time = time or calibration.time
    columns = (time,) if isinstance(time, str) else tuple(time or ())
    hold = longest_gap if missing in ("hold", "mask") else 0
    reading = Reading.of(calibration.reading, Asked(columns, time_unit, day_first, zone), step, hold)
    summary = Summary(step=step)
    sources = only_tables(tables(table), reading.header, summary.notes)
    names = [*sensor_names(model.spec), *model.spec.action.channels]
    if model.spec.action.n != len(model.spec.action.channels):
        raise ArmillaryError("the actions of this model have no names, so that no column of a table can be one")
    folder = len(sources) > 1
    if form == "csv":
        out.write(f"{'file,' * folder}{HEADER}")
    with one_thread(model.config.is_small):
        for source in sources:
            clock.start()
            fresh = True
            for rows in read_rows(source, names, reading, summary.notes):
                lines = Lines(form, calibration.channels, rows.source if folder else None)
                absent = ~np.isfinite(rows.numbers)
                absent[:, : len(watcher.muted)] &= ~watcher.muted
                sensed, actions = np.split(rows.numbers, [len(watcher.muted)], axis=1)
                begins, why = clock.read(rows)
                bad = np.flatnonzero(absent.any(1) | (why == "clock")) if missing == "refuse" else ()
                end = bad[0] if len(bad) else len(why)  # what comes before is judged first
                summary.missing.update({name: int(n) for name, n in zip(names, absent[:end].sum(0), strict=True) if n})
                why[(why == "") & ~np.isfinite(actions).all(1)] = "control"
                for part in stretches(begins[:end], why[:end]):
                    stamps, reason = rows.stamps[part], why[part.start]
                    summary.rows += len(stamps)
                    if reason:
                        fresh = True
                        summary.not_judged[reason] += len(stamps)
                        out.write(lines.silent(reason, stamps))
                        continue
                    if fresh or begins[part.start]:
                        watcher.start()
                        fresh = False
                        summary.episodes += 1
                    verdict = watcher(sensed[part], actions[part], None if rows.time is None else rows.time[part])
                    out.write(lines.judged(verdict, stamps))
                    _count(summary, verdict, stamps, calibration.channels)
                out.flush()
                if len(bad):
                    raise CorruptFile(f"{rows.source}: {_why_refused(rows, end, bool(absent[end].any()))} (--missing skip)")
    summary.paces = clock.other
    if form == "json":
        out.write(as_json({"summary": summary.plain()}) + "\n")
    return summary


def _why_refused(rows: Rows, row: int, absent: bool) -> str:
    if absent:
        return f"{rows.why(row)}; repair it, or judge the other sensors"
    backwards = rows.time is not None and np.isfinite(rows.time[row])
    why = f"the clock runs backwards in line {rows.lines[row]}" if backwards else rows.why(row)
    return f"{why}; repair it, or judge the other rows"


def _count(summary: Summary, verdict: Verdict, stamps: list[str], channels: tuple[str, ...]) -> None:
    silent = np.isnan(verdict.p)
    summary.judged += int((~silent).sum())
    started = np.isnan(verdict.shares).any(1)
    for why, count in (("start", (silent & started).sum()), ("missing", (silent & ~started).sum())):
        if count:
            summary.not_judged[why] += int(count)
    for i in np.flatnonzero(verdict.began):
        summary.alarms += 1
        summary.first = stamps[i] if summary.first is None else summary.first
    summary.sensors.update({channels[c]: int(count) for c, count in enumerate(verdict.fresh.sum(0)) if count})
