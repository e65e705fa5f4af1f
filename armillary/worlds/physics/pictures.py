"""Draws the physics world, anti-aliased: objects of any shape at any angle over a base image, and screens before everything.

Design choices:
- a convex polygon covers a pixel by 1/2 less the distance of its centre from the nearest edge, between 0 and 1; a shape, by the
  greatest over its polygons. So the image is a continuous function of the pose;
- only the patch that a shape can reach is drawn, in one of a few sizes, for all shapes of a chunk of frames at once. Their axis
  is the last one, so that numpy's inner loops are long;
- what a screen covers of a shape follows from the same patch: screens are products of a row and a column.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from armillary.worlds.drawing import CHUNK, around, blend
from armillary.worlds.physics.shapes import EDGES, ELL, REACH, scale_of

DARK = 0.45  # the second tone of a texture, by the first
PATCHES = 9, 13, 17, 21, 27, 39  # px, or the whole image
STRIPES = (
    np.float32(0.5),
    np.float32(0.2),
)  # of half a shape's length: to the middle of a stripe, and half its width


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


Screens = tuple[Float32[np.ndarray, "n s size"], Float32[np.ndarray, "n s size"], Float[np.ndarray, "n s 3"]]
"""What each covers of the columns and of the rows, and its colour."""


def draw_things(
    base: UInt8[np.ndarray, "b size size 3"], index: Int[np.ndarray, " n"], things: Things, screens: Screens | None = None
) -> tuple[UInt8[np.ndarray, "n size size 3"], Float32[np.ndarray, "n k"]]:
    """Frames with things on them, and screens before those. Of things that overlap, the larger is in front.

    Args:
        base: base images.
        index: which base image each frame has.

    Returns:
        The frames, and the share of each thing that no screen covers; 0 where it is not shown.
    """
    size, visible = base.shape[1], np.zeros(things.shown.shape, np.float32)
    frames = np.empty((len(index), size, size, 3), np.uint8)
    scale = scale_of(things.shape, things.size, things.aspect)
    patches = np.array([one for one in PATCHES if one < size] + [size])
    needed = 2 * np.ceil(REACH[things.shape] * scale.max(axis=-1)) + 3
    patch = patches[np.minimum(np.searchsorted(patches, needed), len(patches) - 1)]
    polygons = np.where(things.shape >= ELL, 2, np.minimum(things.shape, 1))  # 0: a ball
    group = np.where(things.shown, patch * 3 + polygons, 0)
    for begin in range(0, len(frames), CHUNK):
        part = slice(begin, begin + CHUNK)
        np.take(base, index[part], axis=0, out=frames[part], mode="clip")
        for number in np.unique(group[part]).tolist():
            if number:
                rows, k = np.nonzero(group[part] == number)
                at = rows + begin, k
                corner, cover, shade = _covered(things, at, scale[at].astype(np.float32), *divmod(number, 3), size)
                colour = things.colour[at][:, :, None, None].astype(np.float32) * shade[:, None]
                turn = np.arange(len(rows)) - np.searchsorted(rows, rows)  # several of one frame are drawn in turn
                for now in range(turn.max() + 1):
                    which = np.flatnonzero(turn == now)
                    blend(frames[part], rows[which], corner[which], cover[which], colour[which])
                visible[at] = _visible(cover, corner, screens[0][at[0]], screens[1][at[0]]) if screens else 1
        if screens:
            _draw_screens(frames[part], *(one[part] for one in screens))
    return frames, visible


def _covered(
    things: Things, at: tuple[np.ndarray, np.ndarray], scale: np.ndarray, patch: int, polygons: int, size: int
) -> tuple[Int[np.ndarray, "m 2"], Float32[np.ndarray, "m patch patch"], Float32[np.ndarray, "_ h w"]]:
    """Of m things of so many polygons: corners of patches, the share that is covered, and what textures multiply colours by."""
    corner, dx, dy = around(things.position[at], patch, size)
    dx, dy = np.ascontiguousarray(dx[:, 0].T), np.ascontiguousarray(dy[:, :, 0].T)[:, None]  # (patch, m), (patch, 1, m)
    cosine, sine = (turn(things.angle[at]).astype(np.float32) for turn in (np.cos, np.sin))
    if polygons:
        covers = []
        for edges in _edges(things.shape[at], scale, cosine, sine)[:polygons]:
            out = edges[0, 0] * dx + (edges[0, 1] * dy - edges[0, 2])
            for x, y, away in edges[1:]:
                np.maximum(out, x * dx + (y * dy - away), out=out)
            covers.append(0.5 - out)
        cover = covers[0] if polygons == 1 else np.maximum(*covers)
    else:
        cover = scale[:, 0] + np.float32(0.5) - np.sqrt(dx**2 + dy**2)
    cover, shade = np.ascontiguousarray(np.moveaxis(np.clip(cover, 0, 1, out=cover), -1, 0)), np.ones((1, 1, 1), np.float32)
    texture = things.texture[at]
    if texture.any():
        half = scale[:, 0] * REACH[things.shape[at]].astype(np.float32)
        shade = np.ascontiguousarray(np.moveaxis(_shade(texture, half, cosine * dx + sine * dy), -1, 0))
    return corner, cover, shade


def _edges(shape: np.ndarray, scale: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> Float32[np.ndarray, "2 5 3 m"]:
    """Outward normals (x and y in the image) and distances of the edges of m shapes."""
    normal, away = np.moveaxis(EDGES[shape], 0, -1)[:, :, :2] / scale.T, np.moveaxis(EDGES[shape], 0, -1)[:, :, 2]
    length = np.hypot(normal[:, :, 0], normal[:, :, 1])
    x, y = normal[:, :, 0] / length, -normal[:, :, 1] / length  # the image's y is down
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, away / length], axis=2).astype(np.float32)


def _shade(texture: np.ndarray, half: np.ndarray, along: np.ndarray) -> Float32[np.ndarray, "h w m"]:
    """What textures multiply the colour by, at places along the first axis of shapes of half a length."""
    far, stripes, tones = np.float32(1e3), texture == 1, texture == 2
    middle = np.where(stripes, STRIPES[0] * half, 0)  # of the stripes, on either side of the origin
    width = np.where(stripes, STRIPES[1] * half, np.where(tones, far, -1)) + np.float32(0.5)
    origin = np.where(tones, far, 0)  # a stripe that begins in the middle and has no end is half of the shape
    dark = width - np.abs(np.abs(along - origin) - middle)
    return 1 - np.float32(1 - DARK) * np.clip(dark, 0, 1, out=dark)


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
