"""Depth images to features, by the convolutional encoder's layers: distance and whether there is one are the two channels."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.model.perception.convolutional import ConvolutionalEncoder
from armillary.model.perception.metres import log_metres


class DepthEncoder(ConvolutionalEncoder):
    """(N, H, W) float32 in metres, NaN where nothing was measured, to (N, features).

    Args:
        shape: (H, W) of one image; both at least 16.
        width, patch: of the convolutional encoder.

    Raises:
        ArmillaryError: the images are too small for the strides.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64, patch: Literal[4, 8] = 8) -> None:
        super().__init__((*shape, 2), width, patch)
        self.shape = shape

    def prepare(self, images: Float[Tensor, "n h w"]) -> Float[Tensor, "n c h w"]:
        return log_metres(images).contiguous(memory_format=torch.channels_last)
