"""Shapes of the physics world, as its physics and its pictures know them.

Each is made of convex polygons about its centre of mass, and has the area of a disc of radius 1; a ball is that disc. `scaled`
makes one larger and wider, at the same area.
"""

import numpy as np
from jaxtyping import Float

SHAPES = "ball", "box", "triangle", "pentagon", "L", "plus"
BALL, BOX, TRIANGLE, PENTAGON, ELL, PLUS = range(len(SHAPES))


def _regular(corners: int, begin: float) -> np.ndarray:
    angle = begin + 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _box(left: float, bottom: float, right: float, top: float) -> np.ndarray:
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], float)


_ELL = np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 3], [0, 3]], float)
_PLUS = np.array([[1, 0], [2, 0], [2, 1], [3, 1], [3, 2], [2, 2], [2, 3], [1, 3], [1, 2], [0, 2], [0, 1], [1, 1]], float)
# outline and convex parts, counterclockwise, in any unit and about any origin
_DRAFTS = {
    BOX: (_box(0, 0, 1, 1), [_box(0, 0, 1, 1)]),
    TRIANGLE: (_regular(3, np.pi / 2), [_regular(3, np.pi / 2)]),
    PENTAGON: (_regular(5, np.pi / 2), [_regular(5, np.pi / 2)]),
    ELL: (_ELL, [_box(0, 0, 2, 1), _box(0, 0, 1, 3)]),
    PLUS: (_PLUS, [_box(0, 1, 3, 2), _box(1, 0, 2, 3)]),
}


def _centred(outline: np.ndarray, parts: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    ahead = np.roll(outline, -1, axis=0)
    cross = outline[:, 0] * ahead[:, 1] - outline[:, 1] * ahead[:, 0]
    centre, scale = ((outline + ahead) * cross[:, None]).sum(0) / (3 * cross.sum()), np.sqrt(2 * np.pi / cross.sum())
    return (outline - centre) * scale, [(one - centre) * scale for one in parts]


OUTLINES: dict[int, np.ndarray] = {}
PARTS: dict[int, list[np.ndarray]] = {BALL: []}
for _shape, _draft in _DRAFTS.items():
    OUTLINES[_shape], PARTS[_shape] = _centred(*_draft)
REACH = np.array([1.0, *(np.hypot(*OUTLINES[shape].T).max() for shape in range(BOX, len(SHAPES)))])
"""The farthest that each goes from its centre."""
EXTENT = np.array([[1.0, 1.0], *([-OUTLINES[shape][:, 1].min(), OUTLINES[shape][:, 1].max()] for shape in OUTLINES)])
"""How far each goes below and above its centre, at angle 0, where it has a flat bottom unless it is a ball."""
BOX_HALF = float(OUTLINES[BOX].max())


def scale_of(shape: np.ndarray, size: np.ndarray, aspect: np.ndarray) -> np.ndarray:
    """What shapes are stretched by along their own axes, (..., 2)."""
    root = np.sqrt(np.where(shape == BALL, 1, np.maximum(aspect, 1e-3)))
    return np.stack([size * root, size / root], axis=-1)


def _edges(polygons: list[np.ndarray]) -> np.ndarray:
    """Outward normals and distances of the edges of polygons, (2 parts, 5 edges, 3); those there are fill what is left."""
    both = []
    for polygon in (polygons * 2)[:2]:
        along = np.roll(polygon, -1, axis=0) - polygon
        normal = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
        edges = np.concatenate([normal, (normal * polygon).sum(1, keepdims=True)], axis=1)
        both.append(edges[np.arange(5) % len(edges)])
    return np.stack(both)


EDGES: Float[np.ndarray, "shapes 2 5 3"] = np.stack([_edges(PARTS[shape] or [OUTLINES[BOX]]) for shape in range(len(SHAPES))])
