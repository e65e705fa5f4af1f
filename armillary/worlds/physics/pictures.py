"""Draws the physics world, anti-aliased: objects of any shape at any angle over a base image, and screens before everything.

Design choices:
- a convex polygon covers a pixel by 1/2 less the distance of its centre from the nearest edge, between 0 and 1; a shape, by the
  greatest over its polygons. So the image is a continuous function of the pose;
- only the patch that a shape can reach is drawn, in one of a few sizes, for all frames of a chunk at once;
- what a screen covers of a shape follows from the same patch: screens are products of a row and a column.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from armillary.worlds.drawing import CHUNK, around, blend
from armillary.worlds.physics.shapes import EDGES, ELL, REACH, scale_of

DARK = 0.45  # the second tone of a texture, by the first
STRIPES = 0.5, 0.2  # of the shape's length: where the middle of a stripe is on each side, and half its width


@dataclass
class Things:
    """K shapes on each of n frames, in px, y down. Angles are clockwise."""

    shown: Bool[np.ndarray, "n k"]
    shape: Int[np.ndarray, "n k"]
    position: Float[np.ndarray, "n k 2"]
    angle: Float[np.ndarray, "n k"]
    size: Float[np.ndarray, "n k"]
    aspect: Float[np.ndarray, "n k"]
    colour: Float[np.ndarray, "n k 3"]
    texture: Int[np.ndarray, "n k"]

    def __getitem__(self, rows: slice) -> "Things":
        return Things(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw_things(
    frames: UInt8[np.ndarray, "n size size 3"],
    things: Things,
    screens: tuple[Float32[np.ndarray, "n s size"], Float32[np.ndarray, "n s size"], Float[np.ndarray, "n s 3"]] | None = None,
) -> Float32[np.ndarray, "n k"]:
    """Draw things, the first at the back, and screens before them, in place.

    Args:
        screens: what each covers of the columns and of the rows, and its colour.

    Returns:
        The share of each thing that no screen covers; 0 where it is not shown.
    """
    visible = np.zeros(things.shown.shape, np.float32)
    for begin in range(0, len(frames), CHUNK):
        part = slice(begin, begin + CHUNK)
        some = None if screens is None else tuple(one[part] for one in screens)
        for k in range(visible.shape[1]):
            visible[part, k] = _draw_one(frames[part], things[part], k, some and some[:2])
        if some:
            _draw_screens(frames[part], *some)
    return visible


def _draw_one(frames: np.ndarray, things: Things, k: int, screens: tuple[np.ndarray, ...] | None) -> np.ndarray:
    """Draw thing k on each frame, and say what share of it is visible."""
    visible, shape, size = np.zeros(len(frames), np.float32), things.shape[:, k], frames.shape[1]
    scale = scale_of(shape, things.size[:, k], things.aspect[:, k])
    patches = np.array([one for one in (9, 13, 17, 21, 27, 39) if one < size] + [size])
    reach = REACH[shape] * scale.max(axis=1)
    patch = patches[np.minimum(np.searchsorted(patches, 2 * np.ceil(reach) + 3), len(patches) - 1)]
    kind = np.where(shape >= ELL, 2, np.minimum(shape, 1))  # ball, polygon, two polygons
    group = np.where(things.shown[:, k], patch * 3 + kind, 0)
    for number in np.unique(group[group > 0]).tolist():
        rows = np.flatnonzero(group == number)
        corner, dx, dy = around(things.position[rows, k], number // 3, size)
        cosine, sine = (turn(things.angle[rows, k]).astype(np.float32)[:, None, None] for turn in (np.cos, np.sin))
        if number % 3:
            turned, cover = _edges(shape[rows], scale[rows], cosine, sine), np.zeros((), np.float32)
            for edges in turned[: number % 3]:
                out = edges[0, 0] * dx + (edges[0, 1] * dy - edges[0, 2])
                for x, y, away in edges[1:]:
                    np.maximum(out, x * dx + (y * dy - away), out=out)
                cover = np.maximum(cover, np.clip(0.5 - out, 0, 1, out=out))
        else:
            cover = np.clip((scale[rows, :1, None].astype(np.float32) + 0.5) - np.sqrt(dx**2 + dy**2), 0, 1)
        colour = things.colour[rows, k, :, None, None].astype(np.float32)
        texture = things.texture[rows, k]
        if texture.any():
            colour = colour * _shade(texture, scale[rows, 0] * REACH[shape[rows]], cosine * dx + sine * dy)[:, None]
        blend(frames, rows, corner, cover, colour)
        visible[rows] = _visible(cover, corner, *(one[rows] for one in screens)) if screens else 1
    return visible


def _edges(shape: np.ndarray, scale: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> Float32[np.ndarray, "2 5 3 m 1 1"]:
    """Outward normals (x and y in the image) and distances of the edges of m shapes."""
    normal, away = EDGES[shape, :, :, :2] / scale[:, None, None], EDGES[shape, :, :, 2]
    length = np.hypot(normal[..., 0], normal[..., 1])
    x, y = (normal[..., 0] / length, -normal[..., 1] / length)  # the image's y is down
    edges = np.stack([cosine * x - sine * y, sine * x + cosine * y, away / length], axis=-1).astype(np.float32)
    return np.moveaxis(edges, 0, -1)[..., None, None]


def _shade(texture: np.ndarray, half: np.ndarray, along: np.ndarray) -> Float32[np.ndarray, "m h w"]:
    """What textures multiply the colour by, at places along the first axis of shapes of half a length."""
    far, stripes = 1e3, texture == 1
    middle = np.where(stripes, STRIPES[0] * half, 0)  # of the stripes, on either side of the origin
    width = np.where(stripes, STRIPES[1] * half, np.where(texture == 2, far, -1))
    origin = np.where(texture == 2, far, 0)  # a stripe that begins in the middle and has no end is half of the shape
    middle, width, origin = (one.astype(np.float32)[:, None, None] for one in (middle, width, origin))
    return 1 - (1 - DARK) * np.clip(width + 0.5 - np.abs(np.abs(along - origin) - middle), 0, 1)


def _visible(cover: np.ndarray, corner: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The share of what is covered that no screen hides, (m,)."""
    visible = np.ones(len(cover), np.float32)
    seen, patch = np.flatnonzero(rows.any(axis=(1, 2))), np.arange(cover.shape[1])
    if len(seen):
        x, y = (corner[seen, axis, None, None] + patch for axis in (0, 1))
        which = np.arange(len(seen))[:, None, None], np.arange(columns.shape[1])[:, None]
        clear = 1 - columns[seen][(*which, x)][:, :, None, :] * rows[seen][(*which, y)][:, :, :, None]
        visible[seen] = (cover[seen] * clear.prod(axis=1)).sum(axis=(1, 2)) / cover[seen].sum(axis=(1, 2))
    return visible


def _draw_screens(frames: np.ndarray, columns: np.ndarray, rows: np.ndarray, colour: np.ndarray) -> None:
    size = frames.shape[1]
    for s in range(columns.shape[1]):
        up = np.flatnonzero(rows[:, s].any(axis=1) & columns[:, s].any(axis=1))
        if not len(up):
            continue
        (left, width), (top, height) = (_span(one[up, s] > 0) for one in (columns, rows))
        corner = np.stack([np.minimum(left, size - width), np.minimum(top, size - height)], axis=1)
        x, y = corner[:, :1] + np.arange(width), corner[:, 1:] + np.arange(height)
        cover = rows[up[:, None], s, y][:, :, None] * columns[up[:, None], s, x][:, None, :]
        blend(frames, up, corner, cover, colour[up, s, :, None, None])


def _span(inside: np.ndarray) -> tuple[np.ndarray, int]:
    """Where rows (m, size) begin to be true, and the most that are."""
    return inside.argmax(axis=1), int(inside.sum(axis=1).max())
