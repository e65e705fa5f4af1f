"""Files that appear under their name only when they are whole, and JSON that every reader takes."""

import json
import math
from pathlib import Path
from typing import Any

from armillary.errors import CorruptFile


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`; on failure (OSError) what was there stays, and nothing half-written is left."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(content) if isinstance(content, str) else part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
