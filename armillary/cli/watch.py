"""`armillary watch`: surprise and alarms, row by row."""

import sys
from typing import Any, Literal

from tyro.conf import Positional

from armillary.cli.shared import OptionalStore, Outcome, RunPath, json_stdout
from armillary.errors import ArmillaryError


def watch(
    run: Positional[RunPath],
    table: Positional[str | None] = None,
    calibrate: bool = False,
    recording: OptionalStore = None,
    normal: OptionalStore = None,
    memory: float = 20.0,
    false_alarms_per_hour: float | None = None,
    time: tuple[str, ...] | None = None,
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    gap: float | None = None,
    seconds_per_row: float | None = None,
    missing: Literal["refuse", "skip", "hold", "mask", "interpolate"] = "refuse",
    longest_gap: int = 5,
    mute: tuple[str, ...] = (),
) -> Any:
    """Watch a machine: the surprise of each row of a table, the sensors that explain it, and whether it is an alarm.

    Calibrate once, on normal operation that the model was not trained on: armillary watch RUN --calibrate. Rows go to standard
    output as CSV; with --json as one JSON object a line, the last of which is the summary. Exit status: 0 without an alarm, 1
    with an alarm, 2 on bad input, 4 if no row could be judged.

    Args:
        run: the run's folder, as train wrote it.
        table: CSV or Parquet file, a folder of such files, or - for CSV from standard input. Not needed with --calibrate.
        calibrate: learn what is normal from the episodes that training held out, and save it beside the checkpoint.
        recording: for --calibrate: where the run's recording is now, if it was moved. Default: where it was at training.
        normal: for --calibrate: a recording of normal operation to use instead of the held-out episodes. Default: none.
        memory: for --calibrate: rows over which evidence is gathered. Fewer rows find large faults sooner, more rows find
            smaller faults.
        false_alarms_per_hour: false alarms that you accept, per hour. Lower it if alarms are too frequent. Default: 1, or one
            in 1000 rows where a row takes longer than 3.6 s.
        time: the column of time, or two columns, of the date and of the time of day. Default: as at the import.
        time_unit: unit of the column of time, if it holds numbers. Default: as at the import.
        day_first: read 3/4/2026 as the 3rd of April (true) or as March 4th (false). Default: as at the import, or by the dates
            themselves.
        zone: time zone of dates that name none, such as Europe/Berlin. Default: as at the import.
        gap: seconds without a row that end an episode. Default: as at the import.
        seconds_per_row: seconds between rows, for a recording without a clock. Default: as in the calibration.
        missing: what to do about a missing number or time. refuse: stop; skip: judge the other columns without it; hold: repeat
            the column's last number; mask: the same as hold. interpolate, as in import, is refused: a row is judged before the
            next one is known.
        longest_gap: rows over which a number is held. After that the other columns are judged without it.
        mute: sensors that are not judged, such as one that is known to be broken. Default: none.
    """
    from armillary.monitoring.calibrate import calibrate as learn_normal
    from armillary.monitoring.watch import watch

    if calibrate:
        found = learn_normal(run, recording=recording, normal=normal, memory=memory)
        kept = f"{found.rows} rows that the model was not trained on"
        print(f"calibrated on {kept}; charts of {found.detector}", file=sys.stderr)
        if found.seconds is None and seconds_per_row is None:
            remedy = "to watch a table, say how long a row is (--seconds-per-row)"
            print(
                f"no clock: the recording has no column of time, and its rows are counted as steps; {remedy}", file=sys.stderr
            )
    elif table is None:
        raise ArmillaryError("expected a table to watch, got none; name a file, or - for standard input")
    if table is None:
        return {"rows": found.rows, "detector": found.detector}
    clock = {"time": time, "time_unit": time_unit, "day_first": day_first, "zone": zone}
    options: dict[str, Any] = {
        **clock,
        "longest_gap": longest_gap,
        "gap": gap,
        "seconds_per_row": seconds_per_row,
        "missing": missing,
        "mute": mute,
    }
    source = sys.stdin.buffer if table == "-" else table
    out = json_stdout.get()
    options |= {"form": "json" if out else "csv", "false_alarms_per_hour": false_alarms_per_hour}
    summary = watch(run, source, out or sys.stdout, **options)
    print(summary, file=sys.stderr)
    return Outcome(None, summary.status)
