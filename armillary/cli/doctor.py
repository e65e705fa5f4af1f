"""`armillary doctor`: is a recording fit to learn from?"""

from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from armillary.cli.shared import Outcome, StorePath, console
from armillary.errors import ArmillaryError


def doctor(store: Positional[StorePath], held_out: float = 0.1) -> Outcome:
    """Check whether a recording is fit to train on: alignment, dead channels, duplicates, coverage.

    The exit status is 1 if the verdict is fail.

    Args:
        store: the store of episodes to check.
        held_out: share (below 1) or number of the episodes that training would hold out. They are searched for duplicates of
            the others. Use the value that you will give to train.
    """
    from armillary.episodes.doctor import damage, diagnose
    from armillary.episodes.split import split
    from armillary.episodes.store import Episodes

    report = damage(store)
    if report is None:
        episodes, parts = Episodes.open(store), ()
        if len(episodes) > 1:
            try:
                parts = split(episodes, held_out)
            except ArmillaryError as error:
                console.print(Text(f"no split to look for duplicates in: {error}"))
        report = diagnose(episodes, parts=parts, bad=())
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    table = Table("", "check", "found", "what to do")
    for row in report.rows:
        table.add_row(Text(row.verdict, colours[row.verdict]), row.check, row.value, row.advice)
    console.print(table, Text.assemble("verdict: ", (report.verdict, colours[report.verdict])))
    return Outcome({"verdict": report.verdict, "checks": report.rows}, int(report.verdict == "fail"))
