"""Layouts of an apartment: inner walls with doors, and furniture, as axis-aligned boxes.

Design choices:
- the outer walls are always in the same place, 8 m x 6 m, so that a position in the apartment means something in every layout;
- one wall divides the apartment along x or along y, and each half may be divided again. Between any two rooms that a wall
  joins there may be a door, and there is one wherever it is needed: three or four rooms, all within reach;
- walls and doors lie on a grid of 0.25 m. Whether a layout is "unseen" is a property of its walls alone (a hash, one in five),
  so that training layouts and test layouts are disjoint by construction, whatever furniture stands in them;
- furniture stands at walls, clear of doors, and so far apart that a robot gets between: no place in the apartment is cut off.

A layout is BOXES rows of (x0, y0, x1, y1, top) in metres, first the WALLS that reach the ceiling; rows of zeros are absent.
"""

import hashlib
import itertools

import numpy as np
from jaxtyping import Float

SIZE = np.array([8.0, 6.0])  # m, along x and y
CEILING, THICKNESS, DOOR, GRID = 2.5, 0.1, 1.0, 0.25
WALLS, FURNITURE = 7, 8  # boxes, at most
BOXES = WALLS + FURNITURE
GAP = 0.6  # m that furniture keeps from doors and from other furniture
KINDS = np.array([(0.5, 1.6, 0.45), (0.6, 1.2, 0.75), (0.4, 1.0, 1.8)])  # depth, width, top: sofa, table, cupboard
TRIES = 250  # places tried for furniture
UNSEEN = 5  # one layout in so many is unseen

Boxes = Float[np.ndarray, "_ 5"]


def draw_layout(rng: np.random.Generator, part: str = "random") -> Boxes:
    """A random layout: any ("random"), a "seen" one or an "unseen" one."""
    while True:
        walls, doors = _draw_walls(rng)
        if part == "random" or unseen(walls) == (part == "unseen"):
            return np.concatenate([walls, _draw_furniture(walls, doors, rng)])


def unseen(walls: Boxes) -> bool:
    """Whether a layout is among those that are kept for testing, by its walls."""
    return hashlib.sha256(np.round(walls[:WALLS] * 100).astype(np.int32).tobytes()).digest()[0] % UNSEEN == 0


def _draw_walls(rng: np.random.Generator) -> tuple[Boxes, np.ndarray]:
    """Walls (WALLS, 5), and the openings (d, 4) in them."""
    axis = int(rng.random() < 0.25)  # that the main wall stands across
    length, breadth = SIZE[axis], SIZE[1 - axis]
    main = _between(rng, 0.4 * length, 0.6 * length)
    halves = [(0.0, main), (main, length)]
    divided = [_between(rng, 0.4 * breadth, 0.6 * breadth) if rng.random() < 0.8 else None for _ in halves]
    if divided == [None, None]:
        divided[int(rng.random() < 0.5)] = _between(rng, 0.4 * breadth, 0.6 * breadth)
    # Lines that walls stand on: the axis across which, where, from, to, and where their doors are.
    cuts = [cut for cut in divided if cut is not None]
    edges = sorted({0.0, *cuts, breadth})
    spans = [span for span in itertools.pairwise(edges) if span[1] - span[0] >= DOOR + 2 * GRID]
    wanted = rng.permutation(len(spans))[: 1 + (rng.random() < 0.5)]
    lines = [(axis, main, 0.0, breadth, [_door(rng, *spans[i]) for i in sorted(wanted)])]
    lines += [(1 - axis, cut, *half, [_door(rng, *half)]) for half, cut in zip(halves, divided, strict=True) if cut is not None]
    walls, doors = [], []
    for across, place, low, high, openings in lines:
        ends = [low, *(end for door in openings for end in (door - DOOR / 2, door + DOOR / 2)), high]
        for begin, end, into in zip(ends[:-1], ends[1:], [walls, doors] * len(ends), strict=False):
            box = np.array([begin, begin, end, end])
            box[[across, 2 + across]] = place - THICKNESS / 2, place + THICKNESS / 2
            into.append(box)
    boxes = np.zeros((WALLS, 5))
    boxes[: len(walls), :4], boxes[: len(walls), 4] = walls, CEILING
    return boxes, np.array(doors)


def _draw_furniture(walls: Boxes, doors: np.ndarray, rng: np.random.Generator) -> Boxes:
    """Furniture (FURNITURE, 5): up to so many pieces, with their backs to a wall or to the outer wall."""
    standing = walls[walls[:, 4] > 0, :4]
    # Lines that backs stand on: the axis across which, where, from, to, and whether pieces are below it (-1) or above it (1).
    lines = [(axis, far * SIZE[axis], 0.0, SIZE[1 - axis], 1 - 2 * far) for axis in (0, 1) for far in (0, 1)]
    for wall in standing:
        axis = int(wall[3] - wall[1] < wall[2] - wall[0])
        lines += [(axis, wall[axis + 2 * far], wall[1 - axis], wall[3 - axis], 2 * far - 1) for far in (0, 1)]
    drawn = rng.random((TRIES, 3))
    axis, back, low, high, side = np.array(lines)[(drawn[:, 0] * len(lines)).astype(int)].T
    depth, width, top = KINDS[(drawn[:, 1] * len(KINDS)).astype(int)].T
    begin = low + drawn[:, 2] * (high - low - width)
    across, along = np.sort([back, back + side * depth], axis=0), np.stack([begin, begin + width])
    boxes = np.where(axis == 0, [across[0], along[0], across[1], along[1]], [along[0], across[0], along[1], across[1]]).T
    # A robot gets between a piece and every wall that it does not touch, and no piece is in a wall, outside or at a door.
    gaps = np.concatenate([boxes[:, :2], SIZE - boxes[:, 2:], _apart(boxes, standing)], axis=1)
    fits = ((np.abs(gaps) < 1e-6) | (gaps > GAP)).all(axis=1) & (_apart(boxes, doors) > GAP).all(axis=1) & (high - low >= width)
    kept = np.zeros((FURNITURE, 5))
    for box, height in zip(boxes[fits], top[fits], strict=True):
        placed = np.count_nonzero(kept[:, 4])
        if placed < FURNITURE and (_apart(box[None], kept[:placed]) > GAP).all():
            kept[placed] = *box, height
    return kept


def _apart(boxes: np.ndarray, others: np.ndarray) -> Float[np.ndarray, "n m"]:
    """How far boxes (n, 4) are from others (m, >= 4), along the axis along which it is more; below 0 where they overlap."""
    return np.maximum(others[:, :2] - boxes[:, None, 2:], boxes[:, None, :2] - others[:, 2:4]).max(axis=2)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A place on the grid."""
    places = np.arange(np.ceil(low / GRID), np.floor(high / GRID) + 1) * GRID
    return float(places[int(rng.random() * len(places))])


def _door(rng: np.random.Generator, low: float, high: float) -> float:
    """The middle of a door in a wall from low to high, whose ends keep off other walls."""
    return _between(rng, low + DOOR / 2 + GRID, high - DOOR / 2 - GRID)
