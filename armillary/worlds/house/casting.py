"""Rays on the floor of an apartment: what a camera and a range finder see of boxes that stand on it (2.5 dimensions).

Everything that stands is a box from the floor up, so that rays through a column of pixels meet the same boxes in all rows, and
heights alone decide which of them shows in a pixel. Design choices:
- rays meet boxes exactly (the slab test), all rays and boxes of all environments at once. Walls reach the ceiling: the nearest
  is enough. Furniture is seen over, and its tops are; it is drawn in those columns alone that meet it, with a depth buffer;
- depth is along the camera's axis, as RGB-D cameras give it; the camera is level, a pinhole of a right angle both ways;
- a colour is one number of 32 bits until an image is done. Faces are lit from one side, so that they tell the points of the
  compass apart, and all fades with distance.

The slab test: Kay and Kajiya, "Ray tracing complex scenes", SIGGRAPH 1986.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from armillary.worlds.house.layouts import CEILING, SIZE

CEILING_COLOUR = 225.0
FADE = 0.08  # 1/m
DIFFUSE = 0.25  # share of the light that comes from one side


@dataclass(frozen=True)
class View:
    """What n cameras and range finders are shown.

    Args:
        position: of each, m.
        heading: rad, from x towards y.
        camera: height, m.
        boxes: (x0, y0, x1, y1, top) of what stands there, walls first; boxes without extent are absent.
        walls: how many of the boxes are walls.
        colours: of each box, 0-255; of the outer walls as of box 0.
        floor: colour of the floor, 0-255.
        brightness: of everything.
        light: where light comes from, rad.
    """

    position: Float[np.ndarray, "n 2"]
    heading: Float[np.ndarray, " n"]
    camera: Float[np.ndarray, " n"]
    boxes: Float[np.ndarray, "n k 5"]
    walls: int
    colours: Float[np.ndarray, "n k 3"]
    floor: Float[np.ndarray, "n 3"]
    brightness: Float[np.ndarray, " n"]
    light: Float[np.ndarray, " n"]


def meet(
    position: Float[np.ndarray, "n 2"], directions: Float[np.ndarray, "n r 2"], boxes: Float[np.ndarray, "n k 5"]
) -> tuple[Float32[np.ndarray, "n k r"], Float32[np.ndarray, "n k r"], Bool[np.ndarray, "n k r"]]:
    """Where rays enter and leave boxes, in lengths of their directions, and whether they enter by a face across x.

    A ray that misses a box, or has it behind, enters it at infinity.
    """
    directions = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
    enters, leaves = [], []
    for axis in (0, 1):
        inverse = (1 / directions[:, None, :, axis]).astype(np.float32)
        low, high = (
            ((boxes[..., side] - position[:, axis, None]).astype(np.float32))[..., None] * inverse for side in (axis, axis + 2)
        )
        enters.append(np.minimum(low, high))
        leaves.append(np.maximum(low, high))
    enter, leave = np.maximum(*enters), np.minimum(*leaves)
    return np.where((enter < leave) & (leave > 0), enter, np.float32(np.inf)), leave, enters[0] >= enters[1]


def outer(
    position: Float[np.ndarray, "n 2"], directions: Float[np.ndarray, "n r 2"]
) -> tuple[Float32[np.ndarray, "n r"], Bool[np.ndarray, "n r"]]:
    """Where rays meet the outer walls, in lengths of their directions, and whether it is one across x."""
    directions = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
    to = ((directions > 0) * SIZE - position[:, None]) / directions
    return to.min(axis=2).astype(np.float32), to[..., 0] <= to[..., 1]


def scan(
    position: Float[np.ndarray, "n 2"], heading: Float[np.ndarray, " n"], boxes: Float[np.ndarray, "n k 5"], beams: int
) -> Float32[np.ndarray, "n beams"]:
    """Distances all round, m: the first beam goes ahead, the next ones to the left of it."""
    directions = _turned(heading, 2 * np.pi * np.arange(beams) / beams)
    return np.minimum(meet(position, directions, boxes)[0].min(axis=1), outer(position, directions)[0])


def pixel_slopes(size: int) -> Float[np.ndarray, " size"]:
    """How far to the left (up) of the camera's axis the columns (rows) of an image look, at a distance of 1."""
    return (size - 1 - 2 * np.arange(size)) / size


def photograph(view: View, size: int) -> tuple[UInt8[np.ndarray, "n size size 3"], Float32[np.ndarray, "n size size"]]:
    """Images, and depths along the camera's axis in metres."""
    slope, walls, camera = pixel_slopes(size), view.walls, view.camera[:, None]
    directions = _turned(view.heading, np.arctan(slope)) * np.hypot(1, slope)[:, None]
    enter, leave, across = meet(view.position, directions, view.boxes)
    edge, edge_across = outer(view.position, directions)
    shades = _shades(view, directions)
    # Walls: the nearest, by column.
    nearest = np.minimum(enter[:, :walls].min(axis=1), edge)
    by_x = np.where(across[:, :walls], enter[:, :walls], np.float32(np.inf)).min(axis=1)
    by_x = np.minimum(by_x, np.where(edge_across, edge, np.float32(np.inf))) <= nearest
    wall = _pack(view.colours[:, :1] * (np.where(by_x, *shades) * _fade(nearest))[..., None])
    # Floor and ceiling: by row.
    plane = (np.where(slope > 0, CEILING - camera, -camera) / slope).astype(np.float32)
    ground = np.where((slope > 0)[:, None], CEILING_COLOUR, view.floor[:, None])
    ground = _pack(ground * (view.brightness[:, None] * _fade(plane))[..., None])
    # All pixels by environment, column and row.
    seen = nearest[:, :, None] < plane[:, None]
    depth = np.where(seen, nearest[:, :, None], plane[:, None])
    colour = np.where(seen, wall[:, :, None], ground[:, None])
    # Furniture: where it stands before the wall; the nearest piece of each column, then the next one.
    pieces = np.where(enter[:, walls:] < nearest[:, None], enter[:, walls:], np.float32(np.inf))
    order, rise = walls + pieces.argsort(axis=1, kind="stable"), slope.astype(np.float32)
    for rank in range(np.isfinite(pieces).sum(axis=1).max(initial=0)):
        env, column = np.nonzero(np.take_along_axis(enter, order[:, rank, None], 1)[:, 0] < nearest)
        box = order[env, rank, column]
        near, far = (distance[env, box, column, None] for distance in (enter, leave))
        above = (view.boxes[env, box, 4] - view.camera[env]).astype(np.float32)[:, None]  # its top, over the camera
        side, top = near * rise <= above, above / rise  # where a ray comes down to it
        at = np.where(side, near, np.where((rise < 0) & (top < far), top, np.float32(np.inf)))
        paint, fade = view.colours[env, box], _fade(near[:, 0])
        lit = np.where(across[env, box, column], *(shade[env, column] for shade in shades))
        face, lid = (_pack(paint * (light * fade)[:, None])[:, None] for light in (lit, view.brightness[env]))
        behind = depth[env, column]
        depth[env, column] = np.minimum(at, behind)
        colour[env, column] = np.where(at < behind, np.where(side, face, lid), colour[env, column])
    image, channels = np.empty((len(depth), size, size, 3), np.uint8), colour.view(np.uint8).reshape(*colour.shape, 4)
    for channel in range(3):
        image[..., channel] = channels[..., channel].transpose(0, 2, 1)
    return image, np.ascontiguousarray(depth.transpose(0, 2, 1))


def _turned(heading: np.ndarray, by: np.ndarray) -> Float[np.ndarray, "n r 2"]:
    """Unit vectors at these angles (r,) to the left of headings (n,)."""
    (c, s), (cosine, sine) = (np.cos(heading)[:, None], np.sin(heading)[:, None]), (np.cos(by), np.sin(by))
    return np.stack([c * cosine - s * sine, s * cosine + c * sine], axis=-1)


def _shades(view: View, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How bright (n, r) the faces are that rays meet: those across x, and those across y."""
    falls = np.cos(view.light)[:, None], np.sin(view.light)[:, None]
    return tuple(
        view.brightness[:, None] * (1 - DIFFUSE - DIFFUSE * np.sign(directions[..., axis]) * falls[axis]) for axis in (0, 1)
    )


def _fade(distance: np.ndarray) -> np.ndarray:
    return 1 / (1 + FADE * distance)


def _pack(colour: np.ndarray) -> np.ndarray:
    """Colours (..., 3), 0-255, as one number each, whose bytes they are."""
    bytes_ = np.zeros((*colour.shape[:-1], 4), np.uint8)
    bytes_[..., :3] = np.clip(colour, 0, 255)
    return bytes_.view(np.uint32)[..., 0]
