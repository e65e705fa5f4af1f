"""What several verbs share: options written as name=value, and a summary as a table."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table
from rich.text import Text

from armillary.console import plain_console
from armillary.errors import ArmillaryError

console = plain_console()


StorePath = Annotated[str, tyro.conf.arg(metavar="PATH|URI")]
"""Where a store is: a path, or a URI such as s3://bucket/name, which `pathlib.Path` would garble."""


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


def parse_numbers(words: tuple[str, ...]) -> list[int | str]:
    """Numbers, ranges such as 40-49 (both ends included), and names."""
    found: list[int | str] = []
    for word in words:
        if span := re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", word):
            first, last = int(span[1]), int(span[2] or span[1])
            if last < first:
                raise ArmillaryError(f"{word}: a range goes from the smaller number to the larger one")
            found += range(first, min(last, first + 1_000_000) + 1)
        else:
            found.append(word)
    return found


def show(summary: dict[str, Any], run: Path) -> None:
    table = Table("result", "")
    for name, value in summary.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    console.print(table, Text.assemble("look at ", bold(run / "report.html")))
