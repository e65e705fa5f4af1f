"""Draws rigid shapes that are unions of boxes, anti-aliased, at any pose.

Design choices:
- along each of its own axes a box covers a pixel by `half + 1/2 - distance` of its centre, between 0 and 1; the product is what
  the box covers, and the greatest over boxes what the shape covers. So the image is a continuous function of the pose;
- only the patch that a shape can reach is blended, for all frames of a chunk at once.
"""

import numpy as np
from jaxtyping import Float, UInt8

from armillary.worlds.drawing import CHUNK, around, blend


def draw_boxes(
    frames: UInt8[np.ndarray, "n size size 3"],
    pose: Float[np.ndarray, "n 3"],
    centres: Float[np.ndarray, "k 2"],
    halves: Float[np.ndarray, "k 2"],
    colour: Float[np.ndarray, "n 3"],
) -> None:
    """Draw one shape on each frame, in place.

    Args:
        pose: x and y of the shape's origin in px, and its angle (rad, from x towards y).
        centres, halves: of the shape's boxes, in its own frame: centres, and half of the sides, px.
        colour: 0-255.
    """
    size = frames.shape[1]
    reach = np.hypot(*(np.abs(centres) + halves).T).max() + 1
    patch = min(2 * int(np.ceil(reach)) + 1, size)
    for begin in range(0, len(frames), CHUNK):
        part = slice(begin, begin + CHUNK)
        corner, dx, dy = around(pose[part, :2], patch, size)
        angle = pose[part, 2].astype(np.float32)[:, None, None]
        cosine, sine = np.cos(angle), np.sin(angle)
        along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
        cover = np.zeros((), np.float32)
        for (x, y), (half_x, half_y) in zip(centres.tolist(), halves.tolist(), strict=True):
            inside = np.clip(half_x + 0.5 - np.abs(along - x), 0, 1) * np.clip(half_y + 0.5 - np.abs(across - y), 0, 1)
            cover = np.maximum(cover, inside)
        blend(frames[part], np.arange(len(corner)), corner, cover, colour[part, :, None, None])
