"""`armillary watch`: surprise and alarms, row by row."""

import sys
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from armillary.cli.shared import StorePath
from armillary.errors import ArmillaryError


def watch(
    run: Positional[Path],
    table: Positional[str | None] = None,
    calibrate: bool = False,
    recording: StorePath | None = None,
    normal: StorePath | None = None,
    memory: float = 20.0,
    false_alarms_per_hour: float | None = None,
    time: tuple[str, ...] | None = None,
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    gap: float | None = None,
    seconds_per_row: float | None = None,
    missing: Literal["refuse", "skip", "hold", "interpolate"] = "refuse",
    longest_gap: int = 5,
    mute: tuple[str, ...] = (),
    form: Literal["csv", "json"] = "csv",
) -> None:
    """Watch a machine: how surprising is each row of a table, which sensors explain it, and is it an alarm? To standard output.

    Calibrate once, on normal running that the model was not trained on: armillary watch RUN --calibrate. Exit status: 0 without
    an alarm, 1 with one, 2 on bad input, 4 where nothing could be judged.

    Args:
        run: the run's folder.
        table: CSV or Parquet, a folder of such files, or - for CSV from standard input.
        calibrate: learn what is normal, from the episodes that training held out, and keep it with the checkpoint.
        recording: for --calibrate, where the run's recording is now, if it was moved.
        normal: for --calibrate, a recording of normal running to take instead.
        memory: for --calibrate, rows over which evidence is gathered: fewer find large faults sooner, more find smaller ones.
        false_alarms_per_hour: as many as you can live with; 1, or one in 1000 rows where rows are slower than 3.6 s.
        time: the column of dates or of numbers, or two of the date and of the time of day; default: as at the import.
        time_unit: of numbers of time; default: as at the import.
        day_first: whether 3/4/2026 is in April; default: as at the import, or by the dates themselves.
        zone: of dates that do not say one, such as Europe/Berlin; default: as at the import.
        gap: seconds without a row that end an episode; default: as at the import.
        seconds_per_row: where the recording has no clock.
        missing: refuse a number or a stamp that is missing, judge the others without it (skip), or hold the column's last one.
            interpolate, as in import, is refused: a row is judged before the next number is known.
        longest_gap: rows over which a number is held; after that it is missing.
        mute: names of sensors that are not judged, such as one that is known to be broken.
        form: CSV, or a line of JSON for each row and one with the summary.
    """
    from armillary.monitoring.calibrate import calibrate as learn_normal
    from armillary.monitoring.watch import watch

    if calibrate:
        found = learn_normal(run, recording=recording, normal=normal, memory=memory)
        kept = f"{found.rows} rows that the model was not trained on"
        print(f"calibrated on {kept}; charts of {found.detector}", file=sys.stderr)
    elif table is None:
        raise ArmillaryError("nothing to watch; name a table, or - for standard input")
    if table is not None:
        clock = {"time": time, "time_unit": time_unit, "day_first": day_first, "zone": zone}
        options = {
            **clock,
            "longest_gap": longest_gap,
            "gap": gap,
            "seconds_per_row": seconds_per_row,
            "missing": missing,
            "mute": mute,
            "form": form,
        }
        source = sys.stdin.buffer if table == "-" else table
        summary = watch(run, source, sys.stdout, false_alarms_per_hour=false_alarms_per_hour, **options)
        print(summary, file=sys.stderr)
        sys.exit(summary.status)
