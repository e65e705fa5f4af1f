"""Hashes of short stretches of rows, by which they are known again however they are cut into episodes.

A single row may come twice by chance, where a machine stands still or a sensor is coarse; sixteen that change hardly do.
A stretch in which less than half of the rows change says nothing and is left out.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt64

from armillary.episodes.store import Episodes

STRETCH, CHANGES = 16, 8
"""Rows of a stretch, and how many of them differ at least from the row before."""
MOST = 1 << 18
"""Hashes that are kept, the lowest ones: an even sample of all."""
_FACTOR, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def row_hashes(episodes: Episodes, which: Iterable[int], streams: Iterable[str]) -> UInt64[np.ndarray, " n"]:
    """Sorted hashes of all stretches of these episodes, of what is sensed in them (float32); at most `MOST`."""
    found = [np.empty(0, np.uint64)]
    for number in which:
        values = episodes.read_rows(episodes.starts[number] + np.arange(episodes.lengths[number]), list(streams))
        rows = np.concatenate([episodes.spec[n].in_units(x).reshape(len(x), -1) for n, x in values.items()], axis=1)
        found.append(_of_rows(np.ascontiguousarray(rows, np.float32)))
        if sum(map(len, found)) > 4 * MOST:
            found = [np.unique(np.concatenate(found))[:MOST]]
    return np.unique(np.concatenate(found))[:MOST]


def share_known(known: UInt64[np.ndarray, " k"], offered: UInt64[np.ndarray, " n"]) -> float:
    """Which share of the offered stretches is among the known ones."""
    if len(known) == MOST:
        offered = offered[offered <= known[-1]]
    return float(np.isin(offered, known).mean()) if len(offered) else 0.0


def _of_rows(rows: np.ndarray) -> np.ndarray:
    if len(rows) < STRETCH:
        return np.empty(0, np.uint64)
    one = np.zeros(len(rows), np.uint64)
    for column in (rows + np.float32(0)).view(np.uint32).T:  # -0 is 0
        one = (one ^ column) * _FACTOR
        one ^= one >> np.uint64(29)
    windows = np.lib.stride_tricks.sliding_window_view(one, STRETCH)
    weights = np.cumprod(np.full(STRETCH, _MIX))
    changes = np.lib.stride_tricks.sliding_window_view(one[1:] != one[:-1], STRETCH - 1).sum(1)
    mixed = (windows * weights).sum(1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * _FACTOR
    return mixed[changes >= CHANGES]
