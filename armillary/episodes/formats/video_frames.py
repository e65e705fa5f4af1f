"""Frames of a video at given times, or of image files, one after the other, resized while they are decoded.

Design choices:
- a frame belongs to a moment by its presentation time stamp. Nothing is counted, so a dropped frame is an error with the
  figure and never a silent shift of everything that follows;
- when frames are shown is read from the packets, which takes no decoding;
- seek to the key frame before the first moment, decode, stop after the last moment; one thread, because callers who
  hurry decode several videos at once, which costs a fifth less than a decoder with threads of its own;
- a frame is converted to RGB and resized by area in one pass (swscale), so that full frames are never held. The RGB is
  planar (gbrp): to packed RGB, swscale halves the resolution of colour once more, which 64 pixels cannot spare;
- what a camera recorded on its side comes upright, where the file says so.

Source: FFmpeg through PyAV, https://pyav.basswood-io.com.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, UInt8

from armillary.episodes.images import open_picture
from armillary.errors import ArmillaryError, CorruptFile, require

PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")  # by Pillow's names
Frames = Generator[UInt8[np.ndarray, "h w 3"], None, None]  # decoded one by one; can be closed


def frames_at(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, only: bool = False
) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames shown at `times`, in one array; see `frames_in_turn`."""
    frames = None
    for row, frame in enumerate(frames_in_turn(path, times, size=size, tolerance=tolerance, only=only)):
        if frames is None:
            frames = np.empty((len(times), *frame.shape), np.uint8)
        frames[row] = frame
    return frames


def frames_in_turn(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, only: bool = False
) -> Frames:
    """Decode the frames shown at `times`, one when it is asked for.

    Args:
        path: a video of any format and codec that FFmpeg reads.
        times: one moment or more, in seconds on the clock of the video, ascending.
        size: resize to size x size by area, whatever the aspect ratio; None keeps the video's own.
        tolerance: how far a frame may be from its moment, in seconds; less than half of the time between two frames.
        only: the video must hold these frames and no others.

    Yields:
        RGB frames, in the order of `times`, all of the size of the first.

    Raises:
        CorruptFile: not a video, damaged, or without a frame at one of `times`; the message gives row and times.
        MissingExtra: PyAV is not installed.
    """
    with _video(path) as (container, stream):
        if only and stream.frames not in (0, len(times)):  # 0: this container does not say
            raise CorruptFile(f"{path}: {stream.frames} frames in the video for {len(times)} rows")
        before = int((times[0] - tolerance) / stream.time_base)
        if before > (stream.start_time or 0):  # a file without an index, such as a transport stream, seeks badly
            container.seek(before, stream=stream)
        row, width, height, instead = 0, size, size, "the video ends before that"
        for frame in container.decode(stream):
            if frame.time is None or frame.is_corrupt:
                instead = "the frame there is damaged"
                break
            if frame.time < times[row] - tolerance:
                continue
            if frame.time > times[row] + tolerance:
                instead = f"the next one is at {frame.time:.4f} s"
                break
            width, height = width or frame.width, height or frame.height
            pixels = frame.reformat(width=width, height=height, format="gbrp", interpolation="AREA").to_ndarray()
            yield np.rot90(pixels, frame.rotation // 90)
            row += 1
            if row == len(times):
                return
        raise CorruptFile(f"{path}: no frame at {times[row]:.4f} s for row {row}; {instead}")


def frame_times(path: Path) -> Float64[np.ndarray, " t"]:
    """When each frame of a video is shown, in seconds on its clock, ascending.

    Raises:
        CorruptFile: not a video, damaged, or two frames at one moment.
        MissingExtra: PyAV is not installed.
    """
    with _video(path) as (container, stream):
        packets = (packet for packet in container.demux(stream) if packet.size and not packet.is_discard)
        stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
        if None in stamps:
            raise CorruptFile(f"{path}: frame {stamps.index(None)} of the video has no time")
        times = np.sort(np.array(stamps, np.int64)) * float(stream.time_base)
    for row in np.flatnonzero(np.diff(times) == 0)[:1]:
        raise CorruptFile(f"{path}: two frames of the video are at {times[row]:.4f} s")
    return times


@contextmanager
def _video(path: Path) -> Iterator[tuple[Any, Any]]:
    """The file and its first video stream; whatever FFmpeg says of it is a `CorruptFile`."""
    av = require("av", "data")
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise CorruptFile(f"{path}: there is no video in it, or none in a codec that FFmpeg knows")
            stream.codec_context.thread_count = 1
            yield container, stream
    except ArmillaryError:
        raise
    except (av.FFmpegError, OSError, ValueError, ArithmeticError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorruptFile(f"{path}: the video cannot be decoded ({reason})") from error


def pictures_in_turn(files: Iterable[Path], *, size: int | None = None) -> Frames:
    """Decode image files, one when it is asked for, upright and in RGB.

    Args:
        files: in order.
        size: resize to size x size by area, whatever the aspect ratio; None keeps each one's own.

    Raises:
        CorruptFile: not an image, damaged, or of more than 8 bits a channel, as depth is kept; the message names the file.
        MissingExtra: Pillow is not installed.
    """
    image, operations = require("PIL.Image", "data"), require("PIL.ImageOps", "data")
    for file in files:
        try:
            with open_picture(file, PICTURES) as picture:
                if picture.mode.startswith(("I", "F")):
                    raise CorruptFile(f"{picture.mode} is no picture of 8 bits a channel; depth is not read as images")
                if size is not None:
                    picture.draft(None, (size, size))  # JPEG only: decode at 1/2, 1/4 or 1/8 of the size where that suffices
                upright = operations.exif_transpose(picture).convert("RGB")
        except CorruptFile as error:
            raise CorruptFile(f"{file}: {error}") from error
        yield np.asarray(upright if size is None else upright.resize((size, size), image.Resampling.BOX))
