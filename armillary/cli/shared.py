"""What several verbs share: options written as name=value, and a summary as a table."""

import json
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from armillary.console import plain_console
from armillary.errors import ArmillaryError

console = plain_console()


def parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    """name=value to a dictionary; values are read as JSON where they are JSON."""
    chosen = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise ArmillaryError(f"{option!r} is not of the form name=value")
        try:
            chosen[name] = json.loads(value)
        except json.JSONDecodeError:
            chosen[name] = value
    return chosen


def bold(words: object) -> tuple[str, str]:
    """A part of `Text.assemble`."""
    return str(words), "bold"


def show(summary: dict[str, Any], run: Path) -> None:
    table = Table("result", "")
    for name, value in summary.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    console.print(table, Text.assemble("look at ", bold(run / "report.html")))
