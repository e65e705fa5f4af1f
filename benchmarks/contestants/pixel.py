"""The pixel model: latents of an autoencoder, a GRU that predicts them, and errors of the frames that the decoder draws."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contestants.contestant import AHEAD, MEMORY, Contestant
from contestants.vision import WIDTH, decoder, encoder, scaled


class Pixel(Contestant):
    """Predicts frames.

    Args:
        latent: numbers of a frame that the GRU sees.
        end_to_end: the encoder goes on learning with the predictor.
    """

    def __init__(self, latent: int = 192, end_to_end: bool = False) -> None:
        super().__init__()
        self.end_to_end = end_to_end
        flat = WIDTH * 4 * 4
        head = (
            nn.Linear(flat, 256),
            nn.BatchNorm1d(256),
            nn.GELU(),
            nn.Linear(256, latent),
            nn.BatchNorm1d(latent, affine=False),
        )
        self.encode = nn.Sequential(encoder(), nn.Flatten(), *head)
        self.decode = nn.Sequential(
            nn.Linear(latent, 128), nn.GELU(), nn.Linear(128, flat), nn.ReLU(), nn.Unflatten(1, (WIDTH, 4, 4)), decoder()
        )
        self.gru = nn.GRU(latent, MEMORY, batch_first=True)
        self.change = nn.ModuleList(nn.Linear(MEMORY, latent) for _ in AHEAD)

    def see(self, frames: Tensor) -> Tensor:
        return self.encode(scaled(frames))

    def reconstruction(self, frames: Tensor) -> Tensor:
        target = scaled(frames)
        return (self.decode(self.encode(target)) - target).square().mean()

    def remember(self, seen: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.gru(seen)[0].float()

    def errors(self, memory: Tensor, now: Tensor, later: Tensor, frames: Tensor, ahead: int) -> dict[str, Tensor]:
        target = scaled(frames)
        error = (self.decode(now + self.change[ahead](memory)) - target).square().mean(1)
        return {"plain": error.mean((1, 2)), "gradient-weighted": (edges(target) * error).mean((1, 2))}


def edges(frames: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Length of the gradient of each pixel, over the frame's mean."""
    down, right = torch.gradient(frames, dim=(2, 3))
    length = (down.square() + right.square()).sum(1).sqrt()
    return length / length.mean((1, 2), keepdim=True).clamp(min=1e-6)
