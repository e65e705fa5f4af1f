"""Pixels of raw images as ROS encodes them, in 8-bit RGB or grey.

- Bayer patterns are interpolated linearly, each colour by the mean of its nearest pixels;
- YUV 4:2:2 is taken as BT.601 of limited range, as OpenCV and cv_bridge take it;
- mono16 is grey, of which the upper 8 bits are kept. Depth is 16UC1, by REP 118.

Source: https://github.com/ros2/common_interfaces (sensor_msgs/image_encodings.hpp).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import UInt8

Develop = Callable[[np.ndarray], UInt8[np.ndarray, "h w c"]]
NEAR = np.array([0.25, 0.5, 0.25], np.float32)  # a pixel's weight along a row or a column: those beside it, and its own
RGB_OF_YUV = np.array([[1.164, 0, 1.596], [1.164, -0.392, -0.813], [1.164, 2.017, 0]], np.float32)


@dataclass(frozen=True)
class Encoding:
    """How the bytes of an image become pixels.

    Args:
        dtype: of a value.
        values: in a pixel.
        channels: of the image.
        develop: values (H, W, values) to the image (H, W, channels).
    """

    dtype: str
    values: int
    channels: int
    develop: Develop


def _kept(values: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    return values[..., order]


def _bayer(values: np.ndarray, pattern: str) -> np.ndarray:
    """Bilinear: the weighted mean of a colour's pixels among the nine around each."""
    mosaic, colours = values[..., 0].astype(np.float32), []
    for colour in "rgb":
        there = np.zeros_like(mosaic)
        for place, letter in enumerate(pattern):
            if letter == colour:
                there[place // 2 :: 2, place % 2 :: 2] = 1
        colours.append(_blurred(mosaic * there) / _blurred(there))
    return np.stack(colours, -1).round().astype(np.uint8)


def _blurred(plane: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        plane = np.moveaxis(plane, axis, 0)
        wide = np.pad(plane, ((1, 1), (0, 0)))
        plane = np.moveaxis(np.sum([weight * wide[at : at + len(plane)] for at, weight in enumerate(NEAR)], 0), 0, axis)
    return plane


def _yuv(values: np.ndarray, luma: int) -> np.ndarray:
    """Of two bytes a pixel, that at `luma` is brightness; the others are U and V in turn, for two pixels each."""
    colour = values[..., 1 - luma].reshape(len(values), -1, 2).repeat(2, axis=1)
    yuv = np.concatenate([values[..., luma, None], colour], -1).astype(np.float32) - np.array([16, 128, 128], np.float32)
    return (yuv @ RGB_OF_YUV.T).round().clip(0, 255).astype(np.uint8)


def _upper(values: np.ndarray) -> np.ndarray:
    return (values >> 8).astype(np.uint8)


ENCODINGS = {
    "rgb8": Encoding("u1", 3, 3, partial(_kept, order=(0, 1, 2))),
    "bgr8": Encoding("u1", 3, 3, partial(_kept, order=(2, 1, 0))),
    "8UC3": Encoding("u1", 3, 3, partial(_kept, order=(0, 1, 2))),
    "rgba8": Encoding("u1", 4, 3, partial(_kept, order=(0, 1, 2))),
    "bgra8": Encoding("u1", 4, 3, partial(_kept, order=(2, 1, 0))),
    "mono8": Encoding("u1", 1, 1, partial(_kept, order=(0,))),
    "8UC1": Encoding("u1", 1, 1, partial(_kept, order=(0,))),
    "mono16": Encoding("u2", 1, 1, _upper),
    **{
        f"bayer_{pattern}8": Encoding("u1", 1, 3, partial(_bayer, pattern=pattern))
        for pattern in ("rggb", "bggr", "gbrg", "grbg")
    },
    **dict.fromkeys(("yuv422", "uyvy"), Encoding("u1", 2, 3, partial(_yuv, luma=1))),
    **dict.fromkeys(("yuv422_yuy2", "yuyv"), Encoding("u1", 2, 3, partial(_yuv, luma=0))),
}
