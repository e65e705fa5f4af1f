"""Draws a two-link arm from straight above: anti-aliased capsules on a floor.

Design choices:
- every part is a capsule (a disc is a short one), blended into the few pixels around it. The floor is drawn once per layout and
  copied. Needs no OpenGL, and does tens of thousands of frames/s on one core;
- a capsule covers a pixel by `radius + 1/2 - distance` of its centre, between 0 and 1, so that the image is a continuous
  function of the angles (as in `drawing`);
- parts are drawn from low to high: upper arm, root, forearm, finger. `arm.MJCF` stacks them in the same order.

Lengths are those of the reacher of dm_control (Tunyasuvunakool et al., 2020), in metres; the view is ours.
"""

import numpy as np
from jaxtyping import Float, UInt8
from numpy.lib.stride_tricks import sliding_window_view

from armillary.worlds.drawing import distinct, paint

UPPER, FOREARM, FINGER = 0.12, 0.1, 0.12  # shoulder to wrist; wrist to the end of the forearm and to the finger's centre
RADIUS, ROOT_RADIUS = 0.01, 0.011  # of links and finger; of the post that the arm turns on
VIEW = 0.26  # half of what the image shows: the finger reaches 0.25
ROOT_COLOUR, FINGER_COLOUR = (50, 55, 70), (150, 30, 60)
CHUNK = 128  # frames drawn at a time, so that they stay in the cache


def joints(angle: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3 2"]:
    """Wrist, end of the forearm and finger, x and y (up) in m from the shoulder, at angles of shoulder and wrist (rad)."""
    first, second = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angle[:, 0], angle.sum(axis=1)))
    wrist = UPPER * first
    return np.stack([wrist, wrist + FOREARM * second, wrist + FINGER * second], axis=1)


def draw_arm(
    size: int,
    angle: Float[np.ndarray, "n 2"],
    colours: Float[np.ndarray, "n 2 3"],
    floor: Float[np.ndarray, "n 7"],
) -> UInt8[np.ndarray, "n size size 3"]:
    """Frames of the arm.

    Args:
        size: height and width in pixels.
        angle: of shoulder and wrist, rad.
        colours: of upper arm and forearm, 0-255.
        floor: its colour, 0-255, and a plane wave that is added to it: amplitude (0-255), periods along x and y, phase (rad).
    """
    which, index = distinct(floor)
    colour, wave = np.split(floor[which], [3], axis=1)
    frames = paint(np.ones((len(which), size, size), np.float32), (colour, colour), wave)[index]
    scale = size / (2 * VIEW)
    points = size / 2 + scale * joints(angle) * (1, -1)
    wrist, end, finger = points.transpose(1, 0, 2)
    root = np.full_like(wrist, size / 2)
    for start, stop, radius, colour in (
        (root, wrist, RADIUS, colours[:, 0]),
        (root, root, ROOT_RADIUS, np.tile(np.array(ROOT_COLOUR, float), (len(angle), 1))),
        (wrist, end, RADIUS, colours[:, 1]),
        (finger, finger, RADIUS, np.tile(np.array(FINGER_COLOUR, float), (len(angle), 1))),
    ):
        _blend(frames, start, stop, radius * scale, colour)
    return frames


def _blend(
    frames: UInt8[np.ndarray, "n size size 3"],
    start: Float[np.ndarray, "n 2"],
    end: Float[np.ndarray, "n 2"],
    radius: float,
    colour: Float[np.ndarray, "n 3"],
) -> None:
    """Draw a capsule from `start` to `end`, x and y (down) in px, into each frame."""
    along = end - start
    corner = np.floor(np.minimum(start, end) - radius - 0.5)
    patch = min(int(np.ceil(np.abs(along).max(initial=0.0) + 2 * radius + 1)) + 1, frames.shape[1])
    corner = np.clip(corner, 0, frames.shape[1] - patch)
    offset, unit = (corner - start + 0.5).astype(np.float32), along.astype(np.float32)
    squared = np.maximum((unit**2).sum(axis=1), np.float32(1e-12))
    windows = sliding_window_view(frames, (patch, patch), axis=(1, 2), writeable=True)
    for begin in range(0, len(frames), CHUNK):
        part = np.arange(begin, min(begin + CHUNK, len(frames)))
        x, y = (offset[part, axis, None] + np.arange(patch, dtype=np.float32) for axis in (0, 1))
        ux, uy = (unit[part, axis, None, None] for axis in (0, 1))
        x, y = x[:, None, :], y[:, :, None]
        nearest = np.clip((x * ux + y * uy) / squared[part, None, None], 0, 1)  # point of the axis, as a share of its length
        distance = np.sqrt((x - nearest * ux) ** 2 + (y - nearest * uy) ** 2)
        cover = np.clip(np.float32(radius + 0.5) - distance, 0, 1)[:, None]
        at = part, *corner[part].T[::-1].astype(int)
        under = windows[at]  # (frames, 3, patch, patch)
        windows[at] = np.rint(under + cover * (colour[part, :, None, None].astype(np.float32) - under)).astype(np.uint8)
