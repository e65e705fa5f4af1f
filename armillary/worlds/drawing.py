"""Draws worlds seen from above: an anti-aliased disc over a base image of walls and floor.

Design choices:
- a base image depends on the layout alone, so it is drawn once per layout and copied. Per frame, only the few pixels around the
  disc are blended. This is what makes 100,000 frames/s on one core possible;
- the disc covers a pixel by `radius + 1/2 - distance` of its centre, between 0 and 1: the image is a continuous function of the
  position, and moves by sub-pixel amounts show in it. Walls cover the pixels on their edges in part, too.
"""

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from numpy.lib.stride_tricks import sliding_window_view

CHUNK = 256  # frames drawn at a time, so that they stay in the cache


def base_images(
    size: int,
    wall: Float[np.ndarray, " k"],
    door: Float[np.ndarray, " k"],
    gap: float,
    colours: tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "k 3"]],
    wave: Float[np.ndarray, "k 4"],
) -> UInt8[np.ndarray, "k size size 3"]:
    """Walls and floor of k layouts of two rooms.

    Args:
        size: height and width in pixels.
        wall: thickness of the border and of the dividing wall, px.
        door: y of the door's centre, px.
        gap: height of the door, px.
        colours, wave: see `paint`.
    """

    def span(low, high):
        return cover(size, np.reshape(low, (-1, 1)), np.reshape(high, (-1, 1)))[:, 0]

    room, doorway = span(wall, size - wall), span(door - gap / 2, door + gap / 2)
    divider = span((size - wall) / 2, (size + wall) / 2)
    floor = room[:, :, None] * room[:, None, :] * (1 - divider[:, None, :] * (1 - doorway[:, :, None]))
    return paint(floor, colours, wave)


def cover(size: int, low: Float[np.ndarray, "k m"], high: Float[np.ndarray, "k m"]) -> Float32[np.ndarray, "k m size"]:
    """Share of each pixel of a row of `size` that lies between low and high, px."""
    return np.diff(np.clip(np.arange(size + 1.0), low[..., None], high[..., None])).astype(np.float32)


def paint(
    floor: Float32[np.ndarray, "k size size"],
    colours: tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "k 3"]],
    wave: Float[np.ndarray, "k 4"],
) -> UInt8[np.ndarray, "k size size 3"]:
    """Base images.

    Args:
        floor: the share of each pixel that is floor; the rest is wall.
        colours: of wall and floor, 0-255.
        wave: a plane wave that is added to the floor: amplitude (0-255), periods along x and y, phase (rad).
    """
    # Channels first, where numpy is fast; channels last in the result.
    wall_colour, floor_colour = (c[:, :, None, None].astype(np.float32) for c in colours)
    amplitude, along_x, along_y, phase = (w[:, None, None] for w in wave.T)
    if amplitude.any():
        size = floor.shape[1]
        centre = (np.arange(float(size)) + 0.5) * (2 * np.pi / size)
        texture = amplitude * np.cos(along_x * centre + along_y * centre[:, None] + phase)
        floor_colour = np.clip(floor_colour + texture[:, None].astype(np.float32), 0, 255)
    image = np.rint(wall_colour + floor[:, None] * (floor_colour - wall_colour)).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(image, 1, -1))


def draw(
    base: UInt8[np.ndarray, "k size size 3"],
    index: Int[np.ndarray, " n"],
    position: Float[np.ndarray, "n 2"],
    radius: Float[np.ndarray, " n"],
    colour: Float[np.ndarray, "n 3"],
) -> UInt8[np.ndarray, "n size size 3"]:
    """Frames with a disc on them.

    Args:
        base: base images.
        index: which base image each frame has.
        position: centre of the disc, x and y in px.
        radius: px.
        colour: 0-255.
    """
    frames = np.empty((len(index), *base.shape[1:]), np.uint8)
    patch = 2 * int(np.ceil(radius.max(initial=0))) + 1
    for begin in range(0, len(index), CHUNK):
        part = slice(begin, begin + CHUNK)
        np.take(base, index[part], axis=0, out=frames[part], mode="clip")
        corner, dx, dy = around(position[part], patch, base.shape[1])
        distance = np.sqrt(dx**2 + dy**2)
        cover = np.clip(radius[part, None, None].astype(np.float32) + 0.5 - distance, 0, 1)
        blend(frames[part], np.arange(len(corner)), corner, cover, colour[part, :, None, None])
    return frames


def around(
    position: Float[np.ndarray, "n 2"], patch: int, size: int
) -> tuple[Int[np.ndarray, "n 2"], Float32[np.ndarray, "n 1 patch"], Float32[np.ndarray, "n patch 1"]]:
    """Patches of pixels about positions, inside of the image: their corners, and how far right and below each pixel is, px."""
    corner = np.clip(np.floor(position) - patch // 2, 0, size - patch)
    first = (corner - position + 0.5).astype(np.float32)  # of the corner's pixel, from the position
    dx, dy = (first[:, axis, None] + np.arange(patch, dtype=np.float32) for axis in (0, 1))
    return corner.astype(int), dx[:, None, :], dy[:, :, None]


def blend(
    frames: UInt8[np.ndarray, "n size size 3"],
    rows: Int[np.ndarray, " m"],
    corner: Int[np.ndarray, "m 2"],
    cover: Float32[np.ndarray, "m height width"],
    colour: Float[np.ndarray, "m 3 #height #width"],
) -> None:
    """Paint patches of the frames of these rows, each of which is named once, in place: by the share that is covered."""
    windows = sliding_window_view(frames, cover.shape[1:], axis=(1, 2), writeable=True)
    at = rows, *corner.T[::-1]
    pixels = windows[at].astype(np.float32, order="C")  # (m, 3, height, width), channels first, where numpy is fast
    pixels += cover[:, None] * (colour.astype(np.float32, copy=False) - pixels)
    windows[at] = np.rint(pixels, out=pixels).astype(np.uint8)


def hue_colour(hue: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """Colours of full saturation, 0-230, from hues, 0-1. They are far from every dark wall and light floor."""
    return 230 * np.clip(np.abs((hue[:, None] * 6 + (0, 4, 2)) % 6 - 3) - 1, 0, 1)


def distinct(rows: Float[np.ndarray, "n s"]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " n"]]:
    """Numbers of k rows that differ, and which of those each row is: `rows[which][index]` is `rows`."""
    # Sorting rows is slow, and the states of an episode follow each other: one row of each run is enough.
    first = np.append(True, (rows[1:] != rows[:-1]).any(axis=1))[: len(rows)]
    _, which, index = np.unique(rows[first], axis=0, return_index=True, return_inverse=True)
    return np.flatnonzero(first)[which], index.reshape(-1)[np.cumsum(first) - 1]
