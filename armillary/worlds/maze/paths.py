"""Shortest paths through corridors: exact, in the norm that counts steps.

A step goes up to a given length along x and along y, so its own length is a Chebyshev distance. Design choices:
- of all paths that pass the posts on the same sides, the taut string is the shortest, and in every norm (within such a class
  the free space is as good as simply connected, and there a convex curve is no longer than one around it). Strings bend at
  corners of posts alone, so the shortest path is the shortest way through the graph of corners that see each other;
- the distances between all corners of a layout are found once (Floyd-Warshall), and kept for the layouts that were last used.

Source: visibility graphs, Lozano-Perez and Wesley, CACM 1979.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from armillary.worlds.maze.corridors import LINE_TOLERANCE, Corridors, Position

CHUNK = 256  # paths looked for at a time, so that they stay in the cache
CLEARANCE = 1e-4  # px, more than LINE_TOLERANCE


def distance(corridors: Corridors, start: Position, goal: Position) -> Float[np.ndarray, " n"]:
    """Chebyshev length of the shortest paths, px; infinite where there is none."""
    length = np.abs(goal - start).max(axis=1)
    hidden = np.flatnonzero(~corridors.visible(start[:, None], goal[:, None])[:, 0])
    for begin in range(0, len(hidden), CHUNK):
        part = hidden[begin : begin + CHUNK]
        to, rest = _over_corners(corridors.take(part), start[part], goal[part])
        length[part] = (to + rest).min(axis=1)
    return length


def next_bend(corridors: Corridors, start: Position, goal: Position) -> Position:
    """Where to go first, straight: the goal if it is in sight, and else the farthest bend of the path that is.

    The path keeps a little off the walls, so that rounding of actions to float32 does not leave a disc behind a corner.
    """
    corridors = replace(corridors, reach=corridors.reach - CLEARANCE)
    start, end, target = corridors.nearest_free(start), corridors.nearest_free(goal), goal.copy()
    hidden = np.flatnonzero(~corridors.visible(start[:, None], end[:, None])[:, 0])
    for begin in range(0, len(hidden), CHUNK):
        part = hidden[begin : begin + CHUNK]
        some = corridors.take(part)
        to, rest = _over_corners(some, start[part], end[part])
        shortest = to + rest <= (to + rest).min(axis=1, keepdims=True) + LINE_TOLERANCE
        target[part] = some.corners()[0][np.arange(len(part)), np.where(shortest, rest, np.inf).argmin(axis=1)]
    return target


def _over_corners(corridors: Corridors, start: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the straight line to each corner and of the shortest path from there to the goal, (n, c); infinite if none."""
    points, there = corridors.corners()
    to, last = (
        np.where(there & corridors.visible(end[:, None], points), np.abs(points - end[:, None]).max(axis=2), np.inf)
        for end in (start, goal)
    )
    between = np.full((*there.shape, there.shape[1]), np.inf)
    pictures = np.packbits(corridors.open.reshape(len(start), -1), axis=1)
    for lengths, reach, picture in zip(between, corridors.reach.tolist(), pictures, strict=True):
        table = _table(corridors.pitch, corridors.open.shape[1], reach, picture.tobytes())
        lengths[: len(table), : len(table)] = table
    return to, (between + last[:, None]).min(axis=2)


@lru_cache(maxsize=4096)
def _table(pitch: float, zones: int, reach: float, picture: bytes) -> np.ndarray:
    """Lengths of the shortest paths between all corners of a layout, (c, c)."""
    bits = np.unpackbits(np.frombuffer(picture, np.uint8), count=zones**2)
    corridors = Corridors(pitch, np.array([reach]), bits.reshape(1, zones, zones).astype(bool))
    points, _ = corridors.corners()
    a, b = np.triu_indices(points.shape[1])
    straight = np.abs(points[0, a] - points[0, b]).max(axis=1)
    table = np.empty((points.shape[1],) * 2)
    table[a, b] = table[b, a] = np.where(corridors.visible(points[:, a], points[:, b])[0], straight, np.inf)
    for via in range(len(table)):
        np.minimum(table, table[:, via, None] + table[via], out=table)
    return table
