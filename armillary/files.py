"""Files that appear under their name only when they are whole, and JSON that every reader takes."""

import json
import math
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from armillary.errors import ArmillaryError, CorruptFile


@contextmanager
def whole_file(path: str | Path, suffix: str = ".part", *, durable: bool = True) -> Generator[BinaryIO]:
    """A file to write, which appears at `path` when the block ends.

    On failure (OSError from here, or whatever the block raises) what was there stays, and nothing half-written is left.

    Args:
        suffix: of the name that it has until then; one of its own where several processes write the same file.
        durable: flush it to the disk first, so that it is whole after a power cut, too.
    """
    path = Path(path)
    part = path.with_name(path.name + suffix)
    try:
        with open(part, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`; on failure (OSError) what was there stays, and nothing half-written is left."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def require_writable(path: str | Path) -> None:
    """Find out before the work whether the file can be written that gets its result.

    Raises:
        ArmillaryError: it cannot.
    """
    path = Path(path).absolute()
    there = next(parent for parent in path.parents if parent.exists())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK):
        raise ArmillaryError(f"{path} cannot be written: it is a folder, or {there} is not one that can be written to")


def as_json(value: Any, indent: int | None = None) -> str:
    """`value` as JSON, which has neither NaN nor infinity: null stands for them.

    Raises:
        TypeError: something that JSON cannot hold.
    """
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key) if isinstance(key, float) else key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def parse_json(text: str | bytes, what: str | Path = "this") -> Any:
    """What JSON says. Use it for whatever comes from a file, in place of `json.loads`, whose errors have two types.

    Raises:
        CorruptFile: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptFile(f"{what}: not JSON ({error})") from error
