"""Images (height, width, channels) uint8: cameras, rendered frames, stacks of them. They are never missing in part.

Normaliser: pixels are centred, with `standardise_images` each image by itself. Encoder: convolutional or a vision transformer,
from `image_size`, `encoder`, `width`, `stem`, `depth`, `heads`, `patch` and `standardise_images` of the ModelConfig.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from armillary.axes import axes_of, check_axes, picture_shape, to_pictures
from armillary.kinds.check import Row
from armillary.kinds.kind import Kind

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream

FROZEN = 0.2, 0.9  # share of images equal to the one before, from which on to warn and to fail


class Image(Kind):
    """See above."""

    name = "image"
    axes = ("height", "width", "channels")
    dtype = "uint8"
    is_picture = resizes = is_drawn = True

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        from armillary.model.perception.convolutional import ConvolutionalEncoder
        from armillary.model.perception.vit import VisionTransformer

        side = config.image_size
        shape = (side, side, stream.shape[2]) if side else stream.shape
        if config.encoder == "convolutional":
            return ConvolutionalEncoder(shape, config.width, config.stem, config.standardise_images)
        return VisionTransformer(shape, config.width, config.depth, config.heads, config.patch, config.standardise_images)

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """uint8 (H, W), (H, W, C) and (C, H, W) are images, and so are stacks of them."""
        return dtype == np.uint8 and len(shape) > 1 and axes_of(shape) is not None

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        return picture_shape(shape, check_axes(None, shape)), ""

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        """Pictures of any order of axes are turned, and alpha is cut off."""
        if values.shape[1:] != stream.shape and values.ndim > 2:
            values = to_pictures(values, check_axes(None, values.shape[1:]))
            values = values[..., :3] if (values.shape[-1], stream.shape[-1]) == (4, 3) else values
        return values

    def checks(self, streams: Sequence["Stream"], runs: Sequence[dict[str, np.ndarray]]) -> Iterator[Row]:
        for stream in streams:
            seen = [run[stream.name] for run in runs if stream.name in run]
            if not seen:
                continue
            same = np.concatenate([(images[1:] == images[:-1]).all((1, 2, 3)) for images in seen])
            share = same.mean() if len(same) else 0.0
            advice = "the camera stalls or is slower than the actions, or nothing moves; take a larger frame skip"
            verdict = "fail" if share >= FROZEN[1] else bool(share >= FROZEN[0])
            yield Row.of(f"frozen {stream.name}", f"{share:.0%} of images equal the one before", verdict, advice)

    def draw(self, stream: "Stream", values: np.ndarray) -> np.ndarray:
        return values
