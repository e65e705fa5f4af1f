"""Images as another camera, light or paint would give them, so that what a model learns does not depend on them.

The black and white points of each channel move, colours turn about the grey axis, a plane wave of light lies over the scene,
and bright things grow or shrink by a part of a pixel, while places stay. As from a camera that was moved, the image can shift
too. Looks are drawn anew for each frame: no model can predict them, so the latent learns to leave them out. Shared along a
clip, they are learned instead: two rooms then held 26% of its goals, and with a look for each frame (and standardised images,
without which it held none) 98%.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from armillary.errors import ArmillaryError

PERIODS = 4.0  # of the wave, along each axis


@dataclass(frozen=True)
class Augmentation:
    """How far a look may go from what was recorded; what is 0 stays as it is.

    Raises:
        ArmillaryError: a number out of its range.
    """

    tone: float = 0.0
    """Levels, to 127 (of 255), by which the black and the white point of each channel move at most."""
    hue: float = 0.0
    """Colours turn by at most this share of a half circle, either way."""
    wave: float = 0.0
    """Greatest amplitude of the plane wave, in levels to 127."""
    grow: float = 0.0
    """Bright things grow or shrink by at most this much of a pixel on each side."""
    shift: int = 0
    """Images shift by at most this many pixels, to 16, along each axis; pixels at the edge are repeated. For a camera that is
    moved between sessions. Leave it at 0 where only the place in the image tells where a thing is."""

    def __post_init__(self) -> None:
        for name, most in {"tone": 127, "hue": 1, "wave": 127, "grow": 1, "shift": 16}.items():
            if not 0 <= getattr(self, name) <= most:
                raise ArmillaryError(f"augmentation: {name} is 0 to {most}, not {getattr(self, name)}")

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __call__(self, images: UInt8[Tensor, "n h w c"], rng: np.random.Generator) -> UInt8[Tensor, "n h w c"]:
        """Each image with a look of its own. Images of other than three channels keep their hue."""
        images = shifted(images, self.shift, rng) if self.shift else images
        if not replace(self, shift=0):
            return images
        n, h, w, c = images.shape
        black, white = rng.uniform(-self.tone, self.tone, (2, n, c))
        turned = turn(np.pi * rng.uniform(-self.hue, self.hue, n)) if c == 3 else np.eye(c)
        mix = (1 + (white - black) / 255)[..., None] * turned
        share = rng.uniform(-self.grow, self.grow, n)
        mix, black, share = (torch.from_numpy(x.astype(np.float32)).to(images.device) for x in (mix, black, share))
        planes = images.movedim(-1, 0).contiguous()
        seen = planes.float()
        if self.grow:
            seen = seen.lerp(grown(planes, share > 0).float(), share.abs()[:, None, None])
        light = self._light(n, h, w, rng).to(images.device)
        out = torch.empty_like(images)
        for i in range(c):
            x = torch.addcmul(light + black[:, i, None, None], seen[0], mix[:, i, 0, None, None])
            for j in range(1, c):
                x.addcmul_(seen[j], mix[:, i, j, None, None])
            out[..., i] = x.clamp_(0, 255)
        return out

    def _light(self, n: int, h: int, w: int, rng: np.random.Generator) -> Float[Tensor, "n h w"]:
        """A plane wave of its own for each of n images, as the real part of a product of one wave along each axis."""
        along, down = rng.uniform(-PERIODS, PERIODS, (2, n, 1))
        phase, height = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(0, self.wave, (n, 1))
        rows = height * np.exp(1j * (2 * np.pi * down * np.arange(h) / h + phase))
        columns = np.exp(2j * np.pi * along * np.arange(w) / w)
        parts = [torch.from_numpy(part.astype(np.float32)) for part in (rows.real, rows.imag, columns.real, columns.imag)]
        return torch.einsum("nh,nw->nhw", parts[0], parts[2]) - torch.einsum("nh,nw->nhw", parts[1], parts[3])


def shifted(images: UInt8[Tensor, "n h w c"], most: int, rng: np.random.Generator) -> UInt8[Tensor, "n h w c"]:
    """Each image moved by up to `most` pixels along each axis, with the pixels at its edge repeated."""
    n, h, w, _ = images.shape
    offsets = torch.from_numpy(rng.integers(-most, most + 1, (2, n, 1)))
    rows, columns = (
        (torch.arange(size) + by).clamp(0, size - 1).to(images.device) for size, by in zip((h, w), offsets, strict=True)
    )
    return images[torch.arange(n, device=images.device)[:, None, None], rows[:, :, None], columns[:, None, :]]


def grown(planes: UInt8[Tensor, "c n h w"], bright: Tensor) -> UInt8[Tensor, "c n h w"]:
    """The brightest of each pixel and its eight neighbours where `bright` (n,), and the darkest elsewhere."""
    flip = torch.where(bright, 0, 255).to(torch.uint8)[:, None, None]
    x = planes ^ flip
    for dim in (2, 3):
        size = x.shape[dim] - 1
        before, after = x.narrow(dim, 0, size), x.narrow(dim, 1, size)
        larger, wide = torch.maximum(before, after), x.clone()
        wide.narrow(dim, 0, size).copy_(larger)
        ahead = wide.narrow(dim, 1, size)
        torch.maximum(ahead, larger, out=ahead)
        x = wide
    return x ^ flip


def turn(angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotations of colours about the grey axis, by angles in radians (Rodrigues' formula)."""
    axis = np.full(3, 3**-0.5)
    cross = np.cross(np.eye(3), axis)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    return cosine * np.eye(3) + sine * cross + (1 - cosine) * np.outer(axis, axis)
