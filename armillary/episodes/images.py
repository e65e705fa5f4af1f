"""Image codecs of a store: raw, PNG and JPEG, and the resize on the way out.

Raw frames are compressed by Lance with LZ4, without loss: a rendered 64-px frame takes 4% of its bytes and 3 us to decode,
where PNG takes 4% and 85 us. `choose` therefore takes, from one sample of frames,
- raw for frames below 64 KiB, and wherever LZ4 gets them below a quarter of their bytes;
- PNG, also lossless, where it gets below a quarter and LZ4 does not (smoothly shaded renderings);
- JPEG at quality 95 for what is left, large camera images. It is lossy, and the store says so in its `info`.
On request alone: `plain`, frames as they are. Where LZ4 finds nothing, as in camera images, they take no more space than raw
ones, several times that of JPEG, and are the fastest to stream in random order.
"""

import io
import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np

from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.spec import Stream

Codec = Literal["auto", "raw", "plain", "png", "jpeg"]
DESCRIBED = {
    "auto": "not chosen yet",
    "raw": "raw (lossless)",
    "plain": "plain (lossless, not compressed)",
    "png": "png (lossless)",
    "jpeg": "jpeg (lossy, quality 95)",
}
PIXELS_AS_THEY_ARE = ("raw", "plain")
"""Codecs that store each frame's bytes as they are; raw ones are compressed by Lance."""
SMALL = 64 * 1024
PIXELS = 50_000_000
"""Of an image, at most."""
_MODES = {1: "L", 3: "RGB"}
GREY, COLOUR = ("1", "L", "LA"), ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr")  # Pillow's modes of 8 bits a channel
_pool = ThreadPoolExecutor(thread_name_prefix="armillary-images")  # Pillow releases the interpreter while it works.


def check_codec(codec: str, stream: Stream) -> None:
    """Raise `ArmillaryError` for a codec that does not exist or cannot hold the channels of this image stream."""
    if codec not in get_args(Codec):
        raise ArmillaryError(f"images is one of {', '.join(get_args(Codec))}, not {codec!r}")
    if codec in ("png", "jpeg") and stream.shape[-1] not in _MODES:
        raise ArmillaryError(
            f"stream {stream.name!r}: {codec} holds 1 or 3 channels, not {stream.shape[-1]}; use images='raw' or 'auto'"
        )


def choose(frames: np.ndarray) -> str:
    """The codec for frames like these, (T, H, W, C) uint8; up to four of them are tried."""
    sample = frames[:: max(1, len(frames) // 4)][:4]
    pyarrow = require("pyarrow", "data")
    small = sample[0].nbytes < SMALL or sample.shape[-1] not in _MODES
    if small or len(pyarrow.compress(sample.tobytes(), codec="lz4", asbytes=True)) < sample.nbytes / 4:
        return "raw"
    return "png" if sum(map(len, encode(sample, "png"))) < sample.nbytes / 4 else "jpeg"


def encode(frames: np.ndarray, codec: str) -> list[bytes]:
    """One PNG or JPEG file for each of the frames, (T, H, W, C) uint8."""
    image = require("PIL.Image", "data")
    options = {"compress_level": 1} if codec == "png" else {"quality": 95}

    def one(frame: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame).save(buffer, codec, **options)
        return buffer.getvalue()

    return list(_pool.map(one, frames))


@contextmanager
def open_picture(file: Any, formats: Sequence[str] = ("PNG", "JPEG")) -> Generator[Any]:
    """An image file as Pillow has it, not decoded yet: of a format that is asked for, and of a size that fits into memory.

    Args:
        file: bytes-like, or a path.
        formats: Pillow's names. Some others run programs (EPS), or hold other things than images.

    Raises:
        CorruptFile: it is no such file, or damaged; also for whatever Pillow raises while it is in use.
    """
    image = require("PIL.Image", "data")
    try:
        with image.open(file if isinstance(file, str | os.PathLike) else io.BytesIO(file), formats=formats) as picture:
            check_pixels(picture.height, picture.width)
            yield picture
    except (ArmillaryError, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more of damaged files
        raise CorruptFile(f"an image cannot be decoded: {error}") from error


def check_pixels(height: int, width: int) -> None:
    """Require a size that an image can have; files can declare any.

    Raises:
        CorruptFile: more than `PIXELS`.
    """
    if height * width > PIXELS:
        raise CorruptFile(f"an image declares {height}x{width} pixels, and {PIXELS:,} at most are read; make it smaller first")


def decode(files: list, shape: tuple[int, ...], size: int | None = None, *, convert: bool = False) -> np.ndarray:
    """Decode PNG or JPEG files (bytes-like) into (T, H, W, C) uint8, or (T, size, size, C) by the average of each area.

    Args:
        convert: files of other people: grey, palette and alpha become RGB, without alpha, and grey with alpha becomes grey.

    Raises:
        CorruptFile: a file that is damaged or holds an image of another shape.
    """
    image = require("PIL.Image", "data")
    check_pixels(*shape[:2])
    frames = np.empty((len(files), *(shape if size is None else (size, size, shape[-1]))), np.uint8)

    def one(index: int) -> None:
        with open_picture(files[index]) as picture:
            if convert and picture.mode in (GREY if shape[-1] == 1 else (*GREY, *COLOUR)):
                picture = picture if picture.mode == _MODES[shape[-1]] else picture.convert(_MODES[shape[-1]])
            if (picture.height, picture.width, picture.mode) != (*shape[:2], _MODES[shape[-1]]):
                raise CorruptFile(f"an image is {picture.height}x{picture.width} {picture.mode}, not {shape}")
            if size is not None:
                picture.draft(None, (size, size))  # JPEG only: decode at 1/2, 1/4 or 1/8 of the size where that suffices
                picture = picture.resize((size, size), image.Resampling.BOX)
            frames[index] = np.asarray(picture).reshape(frames.shape[1:])

    list(_pool.map(one, range(len(files))))
    return frames


def resize(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames (T, H, W, C) uint8 at (T, size, size, C), by the average of each area; any number of channels."""
    if frames.shape[1:3] == (size, size):
        return frames.copy()
    image = require("PIL.Image", "data")
    frames = np.ascontiguousarray(frames)
    planes = frames if frames.shape[-1] == 3 else np.moveaxis(frames, -1, 1).reshape(-1, *frames.shape[1:3])
    small = np.stack([np.asarray(image.fromarray(p).resize((size, size), image.Resampling.BOX)) for p in planes])
    return small if small.ndim == 4 else np.moveaxis(small.reshape(len(frames), -1, size, size), 1, -1)
