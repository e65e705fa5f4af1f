"""A file format: a line of text for each row, with what was sensed, a bar, and what was done; blank lines end episodes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from armillary.episodes.episode import Episode
from armillary.episodes.formats.importing import ImportSummary, import_units
from armillary.errors import CorruptFile
from armillary.spec import ActionSpace, Spec, Stream


def import_lines(path: Positional[Path], out: str, rate: float | None = None, overwrite: bool = False) -> ImportSummary:
    """Text in lines such as `0.1 0.2 | 1.0`.

    Args:
        path: the file.
        out: the store to create.
        rate: rows a second. Default: unknown.
        overwrite: replace a store that is at --out.
    """
    blocks = path.read_text().strip().split("\n\n")
    sensed, done = _rows(blocks[0])
    spec = Spec((Stream("state", "vector", sensed.shape[1:]),), ActionSpace("box", done.shape[1]), rate)
    summary = ImportSummary(format="lines", source=str(path), out=out, spec=spec)

    def units() -> Iterator[tuple[int, list[Episode]]]:
        for number, block in enumerate(blocks):
            sensed, done = _rows(block)
            yield number, [Episode({"state": sensed}, done[:-1], {}, {"episode": number})]

    return import_units(units(), summary, info={"source": str(path)}, total=len(blocks), overwrite=overwrite)


def _rows(block: str) -> tuple[np.ndarray, np.ndarray]:
    """What was sensed (T, n) and done (T, k)."""
    try:
        parts = [[part.split() for part in line.split("|")] for line in block.splitlines()]
        sensed, done = (np.array(side, np.float32) for side in zip(*parts, strict=True))
    except ValueError as error:
        raise CorruptFile(f"expected rows of numbers with a bar, got {block[:50]!r}") from error
    return sensed, done
