"""`armillary imagine`: what if these controls were applied?"""

import io
import sys
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from armillary.cli.shared import StorePath


def imagine(
    run: Positional[Path],
    start: Annotated[str, tyro.conf.arg(name="from")],
    actions: Path,
    out: Path | None = None,
    recording: StorePath | None = None,
    interval: float = 0.9,
) -> None:
    """What if these controls were applied from here on? Every sensor and every known truth after each step, with intervals.

    Exit status: 0, 2 on bad input, 5 where a control or the start is outside what was recorded (the answer is printed).

    Args:
        run: the run's folder.
        start: TABLE:ROW, STORE:EPISODE:ROW, or EPISODE:ROW of the run's own recording; from 0, or from the end if negative.
        actions: the plan, a table with a column for each control and a row for each step, in the units of the recording.
        out: CSV file to write; to standard output unless given.
        recording: where the run's recording is now, if it was moved.
        interval: share of what happens that lies within the bounds, for plans like those that were recorded.
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
        print(f"armillary: outside the recording: {what}; the model extrapolates, and its bounds are a guess", file=sys.stderr)
    if found.outside:
        sys.exit(5)
