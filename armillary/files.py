"""Files that appear under their name only when they are whole: written beside it, then renamed."""

from pathlib import Path


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`; on failure (OSError) what was there stays, and nothing half-written is left."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(content) if isinstance(content, str) else part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
