"""Images to features with a vision transformer, the choice for real cameras and a GPU.

Pre-norm blocks, learned positions, a class token whose last state is the feature (LeWM, arXiv 2603.19312: ViT-tiny with
patch 14 at 224 px). The blocks are `attention.Block` with neither mask nor condition, the last for the class token alone.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.model.attention import Block
from armillary.model.module_list import ModuleList
from armillary.model.perception.convolutional import centre_pixels
from armillary.model.perception.encoder import Encoder


class VisionTransformer(Encoder):
    """(N, H, W, C) uint8 to (N, width).

    Args:
        shape: (H, W, C) of one image; H and W divide by `patch`.
        width, depth, heads, patch: as in the paper; heads divide width.
        standardise: each image by itself, see `centre_pixels`.

    Raises:
        ArmillaryError: the image does not divide into patches.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        patch: int = 14,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        height, breadth, channels = shape
        self.shape, self.standardise = shape, standardise
        if height % patch or breadth % patch:
            raise ArmillaryError(
                f"images of {height}x{breadth} px do not divide into patches of {patch}; "
                f"import them at a multiple of {patch} px, or choose another patch"
            )
        self.features = width
        self.stem = nn.Conv2d(channels, width, patch, patch)
        tokens = 1 + (height // patch) * (breadth // patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = ModuleList(Block(width, heads, width // heads, 4 * width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, 1e-12)
        self.apply(_begin)
        for parameter in (self.token, self.position):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, images: UInt8[Tensor, "n h w c"]) -> Float[Tensor, "n f"]:
        patches = self.stem(centre_pixels(images, self.standardise)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(patches), -1, -1), patches], 1) + self.position
        for block in self.blocks[:-1]:
            x = block(x)
        return self.norm(self.blocks[-1](x, outcomes=1)[:, 0])


def _begin(module: nn.Module) -> None:
    """The usual start of vision transformers."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
