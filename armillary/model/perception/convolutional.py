"""Images to features with a small convolutional network, the fast choice on a CPU.

A linear map of patches and stride-2 convolutions. Patches of 8 px and one convolution are enough where what counts is a few
pixels wide: on images of 64 px, most of the work of more layers is at resolutions that the projector does not need. The pose of
a thin shape takes patches of 4 px and one layer more, at about 1.5 times the cost. No normalisation layers: they cost 25-90%
here, and the projector's BatchNorm does their work. Channels-last, which oneDNN prefers.
"""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.model.perception.encoder import Encoder

QUIET = 4.0  # levels that count as spread in an image without any, so that noise is not blown up


def centre_pixels(images: UInt8[Tensor, "n h w c"], standardise: bool = False) -> Float[Tensor, "n c h w"]:
    """Bytes to numbers of about unit scale, channels-last in memory, in autocast's precision where it is on.

    With `standardise`, each image by itself: minus the mean of each channel, over its spread about those means. The colour of a
    ground or of a light that fills the image then leaves next to no trace.
    """
    kind = images.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    if standardise:
        x = images.float()
        x -= x.mean((1, 2), keepdim=True)
        x /= QUIET + x.square().mean((1, 2, 3), keepdim=True).sqrt()
        return x.to(dtype).permute(0, 3, 1, 2)
    return images.to(dtype).sub_(127.5).div_(64).permute(0, 3, 1, 2)


class ConvolutionalEncoder(Encoder):
    """(N, H, W, C) uint8 to (N, features).

    Args:
        shape: (H, W, C) of one image; H and W at least 16.
        width: channels of the last layer.
        patch: 8 or 4, in pixels.
        standardise: each image by itself, see `centre_pixels`.

    Raises:
        ArmillaryError: the images are too small for the strides.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64, patch: Literal[4, 8] = 8, standardise: bool = False) -> None:
        super().__init__()
        height, breadth, channels = shape
        self.shape, self.standardise = shape, standardise
        if min(height, breadth) < 16:
            raise ArmillaryError(f"images of {height}x{breadth} px are too small for this encoder; it needs 16x16 or more")
        widths = {8: [width, width], 4: [width // 2, width, width]}[patch]
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], patch, patch), nn.ReLU(inplace=True)]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.ReLU(inplace=True)]
        self._cells = len(layers) - 2
        self.net = nn.Sequential(*layers, nn.Flatten())
        nn.utils.convert_conv2d_weight_memory_format(self.net, torch.channels_last)
        rows, columns = height // patch, breadth // patch
        for _ in widths[2:]:  # each of stride 2
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        self.grid = rows, columns, widths[-2]
        self.features = (rows + 1) // 2 * ((columns + 1) // 2) * width

    def forward(self, images: Shaped[Tensor, "n h w ..."]) -> Float[Tensor, "n f"]:
        return self.net(self.prepare(images))

    def prepare(self, images: UInt8[Tensor, "n h w c"]) -> Float[Tensor, "n c h w"]:
        """Raw images as the layers take them."""
        return centre_pixels(images, self.standardise)

    def look(self, images: Shaped[Tensor, "n h w ..."]) -> tuple[Float[Tensor, "n f"], Float[Tensor, "n k r s"]]:
        """The features, and those before the last convolution by place: `grid` is (rows, columns, channels)."""
        grid = self.net[: self._cells](self.prepare(images))
        return self.net[self._cells :](grid), grid
