"""What several verbs share: options written as name=value, and results for a person and as JSON."""

import contextlib
import json
import re
import sys
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import tyro

from armillary.console import plain_console
from armillary.errors import ArmillaryError

console = plain_console()


StorePath = Annotated[str, tyro.conf.arg(metavar="STORE")]
"""Where a store is: a path, or a URI such as s3://bucket/name, which `pathlib.Path` would garble."""
OptionalStore = Annotated[str | None, tyro.conf.arg(metavar="STORE")]
RunPath = Annotated[Path, tyro.conf.arg(metavar="RUN")]
"""The folder of a run, which `armillary train` writes."""
json_stdout: ContextVar[TextIO | None] = ContextVar("json_stdout", default=None)
"""Under `--json`, the standard output that JSON goes to; None otherwise."""


@dataclass
class Outcome:
    """What a verb returns that has exit statuses of its own."""

    data: Any
    status: int


@contextlib.contextmanager
def results_as_json() -> Generator[TextIO]:
    """Yields standard output; whatever is printed inside goes to standard error."""
    out = sys.stdout
    token = json_stdout.set(out)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield out
    finally:
        json_stdout.reset(token)


def plain(value: Any) -> Any:
    """A verb's result in what JSON can hold."""
    if isinstance(value, Outcome):
        return plain(value.data)
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | range):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


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


def in_words(value: Any) -> str:
    """A value for a person: `a: 1, b: 2` for a dictionary, and few digits of a number."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {in_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


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
