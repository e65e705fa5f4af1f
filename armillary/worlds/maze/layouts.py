"""Layouts of a maze: which of the walls between neighbouring cells stand.

Design choices:
- a layout is a row of bits, 1 where a wall stands: first the walls to the right of cells, row by row, then those below cells.
  An outer wall always stands;
- a random layout is a spanning tree, drawn by a randomised depth-first search (long winding corridors), from which two
  more walls are taken away: every cell can be reached, some on several ways. More of them would make all ways short;
- whether a layout is "unseen" is a property of its bits alone (a hash, one in five), so that training layouts and test layouts
  are disjoint by construction, whatever drew them. Mirrored or turned, a layout is another layout.
"""

import hashlib

import numpy as np
from jaxtyping import Bool

LOOPS = 2  # walls that are taken away from a tree
UNSEEN = 5  # one layout in so many is unseen


def wall_count(cells: int) -> int:
    """How many walls a maze of cells x cells has between its cells."""
    return 2 * cells * (cells - 1)


def draw_walls(cells: int, rng: np.random.Generator, part: str = "random") -> Bool[np.ndarray, " w"]:
    """The bits of a random layout of cells x cells: any ("random"), a "seen" one or an "unseen" one."""
    while True:
        walls = _draw(cells, rng)
        if part == "random" or unseen(walls) == (part == "unseen"):
            return walls


def unseen(walls: Bool[np.ndarray, " w"]) -> bool:
    """Whether a layout is among those that are kept for testing."""
    return hashlib.sha256(np.packbits(walls).tobytes()).digest()[0] % UNSEEN == 0


def zones(walls: Bool[np.ndarray, "n w"]) -> Bool[np.ndarray, "n z z"]:
    """The layouts as pictures of one pixel a zone, true where it is open: cells (odd rows and columns), walls and posts.

    Rows are y, columns x; z is 2 x cells + 1.
    """
    cells = (1 + int(np.sqrt(1 + 2 * walls.shape[1]))) // 2
    right, below = np.split(~walls, 2, axis=1)
    picture = np.zeros((len(walls), 2 * cells + 1, 2 * cells + 1), bool)
    picture[:, 1::2, 1::2] = True
    picture[:, 1::2, 2:-1:2] = right.reshape(-1, cells, cells - 1)
    picture[:, 2:-1:2, 1::2] = below.reshape(-1, cells - 1, cells)
    return picture


def _draw(cells: int, rng: np.random.Generator) -> np.ndarray:
    walls, half = np.ones(wall_count(cells), bool), wall_count(cells) // 2

    def neighbours(row, column):  # and the number of the wall between
        if column + 1 < cells:
            yield row, column + 1, row * (cells - 1) + column
        if column:
            yield row, column - 1, row * (cells - 1) + column - 1
        if row + 1 < cells:
            yield row + 1, column, half + row * cells + column
        if row:
            yield row - 1, column, half + (row - 1) * cells + column

    # Numbers from `random` alone, which is what NumPy is least likely to change: a seed should give its layout for good.
    way = [tuple((rng.random(2) * cells).astype(int).tolist())]
    visited = set(way)
    while way:
        fresh = [(row, column, wall) for row, column, wall in neighbours(*way[-1]) if (row, column) not in visited]
        if not fresh:
            way.pop()
            continue
        row, column, wall = fresh[int(rng.random() * len(fresh))]
        walls[wall] = False
        visited.add((row, column))
        way.append((row, column))
    standing = np.flatnonzero(walls)
    walls[standing[np.argsort(rng.random(len(standing)))[:LOOPS]]] = False
    return walls
