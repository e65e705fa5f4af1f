"""`armillary imagine`: what if these controls were applied?"""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

from armillary.cli.shared import OptionalStore, Outcome, RunPath


def imagine(
    run: Positional[RunPath],
    start: Annotated[str, tyro.conf.arg(name="from")],
    actions: Path,
    out: Path | None = None,
    recording: OptionalStore = None,
    interval: float = 0.9,
) -> Any:
    """Predict every sensor, with intervals, if these controls were applied from a recorded moment on.

    Exit status: 0, 2 on bad input, 5 if a control or the start is outside the recorded range (the answer is printed all the
    same).

    Args:
        run: the run's folder, as train wrote it.
        start: the moment to start from: TABLE:ROW, STORE:EPISODE:ROW, or EPISODE:ROW of the run's own recording. Rows count
            from 0, or from the end if negative.
        actions: the plan: a table with a column for each control and a row for each step, in the units of the recording.
        out: CSV file to write. Default: standard output.
        recording: where the run's recording is now, if it was moved. Default: where it was at training.
        interval: share of outcomes that the intervals hold, between 0 and 1, for plans like those that were recorded.
    """
    from armillary.files import write_whole
    from armillary.monitoring.what_if import what_if

    written = io.StringIO()
    found = what_if(run, start, actions, recording=recording, interval=interval)
    found.write(written)
    if out is None:
        sys.stdout.write(written.getvalue())
    else:
        write_whole(out, written.getvalue())
    for what in found.outside:
        note = f"outside the recording: {what}; the model extrapolates, and its intervals are a guess"
        print(f"armillary: {note}", file=sys.stderr)
    return Outcome(found, 5) if found.outside else found
