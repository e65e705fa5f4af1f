"""The convolutional encoder of the latent model, and its mirror: frames of 64 px to (width, side, side) and back."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

WIDTH = 64
SIDES = 4, 8
"""Cells along a side of the finest map, which is of 16 or of 8 px patches."""


def encoder(side: int = 4) -> nn.Sequential:
    """Frames (N, 3, 64, 64) to (N, WIDTH, side, side)."""
    last = nn.Conv2d(WIDTH, WIDTH, 3, 2 if side == 4 else 1, 1)
    stem = nn.Conv2d(3, WIDTH // 2, 4, 4), nn.ReLU(), nn.Conv2d(WIDTH // 2, WIDTH, 3, 2, 1), nn.ReLU()
    return nn.Sequential(*stem, last, nn.ReLU())


def decoder(side: int = 4) -> nn.Sequential:
    """(N, WIDTH, side, side) to frames (N, 3, 64, 64)."""
    first = nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1) if side == 4 else nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
    rest = nn.ConvTranspose2d(WIDTH, WIDTH // 2, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(WIDTH // 2, 3, 4, 4)
    return nn.Sequential(first, nn.ReLU(), *rest)


def scaled(frames: UInt8[Tensor, "n 64 64 3"]) -> Float[Tensor, "n 3 64 64"]:
    """What encoders see and decoders draw: 1 is a quarter of the range of a pixel."""
    return frames.permute(0, 3, 1, 2).to(torch.float32).sub_(127.5).div_(64)
