"""Frames to tokens by finite scalar quantisation (FSQ, Mentzer et al., arXiv 2309.15505).

Each of a few numbers is bounded and rounded to one of a few levels; a token is their combination. Gradients pass the rounding
as if it were not there. There is no codebook to learn, and no loss but that of the reconstruction. The numbers come batch
normalised, so that all levels are used from the first step on.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contestants.vision import WIDTH, decoder, encoder, scaled

LEVELS = 8, 5, 5, 5


class FSQ(nn.Module):
    """Numbers (*batch, len(levels)) to the nearest levels, which lie in [-1, 1], and to the number of their combination."""

    def __init__(self, levels: Sequence[int] = LEVELS) -> None:
        super().__init__()
        self.codes = math.prod(levels)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("basis", torch.tensor([math.prod(levels[:i]) for i in range(len(levels))]), persistent=False)

    def forward(self, x: Float[Tensor, "*b c"]) -> tuple[Float[Tensor, "*b c"], Int[Tensor, "*b"]]:
        half = (self.levels - 1) * (1 + 1e-3) / 2
        offset = (self.levels % 2 == 0) * 0.5
        bounded = (x + (offset / half).atanh()).tanh() * half - offset
        rounded, middle = bounded.round(), self.levels // 2
        passed = bounded + (rounded - bounded).detach()
        return passed / middle, ((rounded + middle).long() * self.basis).sum(-1)


class FrameTokenizer(nn.Module):
    """One token for each of side x side patches, and a decoder that draws the frame from them."""

    def __init__(self, side: int = 4) -> None:
        super().__init__()
        self.tokens, self.fsq = side * side, FSQ()
        self.encode = nn.Sequential(encoder(side), nn.Conv2d(WIDTH, len(LEVELS), 1), nn.BatchNorm2d(len(LEVELS), affine=False))
        self.decode = nn.Sequential(nn.Conv2d(len(LEVELS), WIDTH, 1), nn.ReLU(), decoder(side))

    def forward(self, frames: Tensor) -> Int[Tensor, "n k"]:
        return self._quantised(scaled(frames))[1].flatten(1)

    def reconstruction(self, frames: Tensor) -> Float[Tensor, ""]:
        target = scaled(frames)
        return (self.decode(self._quantised(target)[0].permute(0, 3, 1, 2)) - target).square().mean()

    def _quantised(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.fsq(self.encode(frames).permute(0, 2, 3, 1))


class LatentTokenizer(nn.Module):
    """Tokens of the latents of a frozen encoder, which are reconstructed in place of the frame.

    Args:
        perception: {"image": (B, T, 64, 64, 3)} to latents (B, T, latent), such as `WorldModel.encode`'s; it stays as it is.
        latent: their width.
        tokens: of a frame.
    """

    def __init__(self, perception: nn.Module, latent: int, tokens: int = 16) -> None:
        super().__init__()
        self.tokens, self.fsq = tokens, FSQ()
        self.perception = perception.requires_grad_(False).eval()
        numbers = tokens * len(LEVELS)
        self.scale = nn.BatchNorm1d(latent, affine=False)
        self.encode = nn.Sequential(nn.Linear(latent, numbers), nn.BatchNorm1d(numbers, affine=False))
        self.decode = nn.Linear(numbers, latent)

    def train(self, mode: bool = True) -> "LatentTokenizer":
        """The frozen encoder never trains."""
        super().train(mode)
        self.perception.eval()
        return self

    def forward(self, frames: Tensor) -> Int[Tensor, "n k"]:
        return self._quantised(self._latents(frames))[1]

    def reconstruction(self, frames: Tensor) -> Float[Tensor, ""]:
        z = self._latents(frames)
        return (self.decode(self._quantised(z)[0].flatten(1)) - z).square().mean()

    def _quantised(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.fsq(self.encode(z).unflatten(1, (self.tokens, -1)))

    @torch.no_grad()
    def _latents(self, frames: Tensor) -> Float[Tensor, "n d"]:
        """Standardised."""
        return self.scale(self.perception({"image": frames[None]}, None)[0].float())


def codebook_use(tokens: Int[Tensor, "*b"], codes: int) -> dict[str, float]:
    """The share of codes that occur, and how many there would be if all occurred as often (perplexity)."""
    share = torch.bincount(tokens.flatten(), minlength=codes) / tokens.numel()
    return {"used": (share > 0).double().mean().item(), "perplexity": torch.special.entr(share).sum().exp().item()}
