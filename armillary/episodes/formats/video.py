"""Frames of a video at given times, resized while they are decoded.

Design choices:
- a frame belongs to a moment by its presentation time stamp. Nothing is counted, so a dropped frame is an error with the
  figure and never a silent shift of everything that follows;
- seek to the key frame before the first moment, decode, stop after the last moment; one thread, because callers who
  hurry decode several videos at once, which costs a fifth less than a decoder with threads of its own;
- a frame is converted to RGB and resized by area in one pass (swscale), so that full frames are never held. The RGB is
  planar (gbrp): to packed RGB, swscale halves the resolution of colour once more, which 64 pixels cannot spare.

Source: FFmpeg through PyAV, https://pyav.basswood-io.com.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from armillary.errors import CorruptFile, require


def frames_at(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, only: bool = False
) -> UInt8[np.ndarray, "t h w 3"]:
    """Decode the frames shown at `times`.

    Args:
        path: a video of any format and codec that FFmpeg reads.
        times: one moment or more, in seconds on the clock of the video, ascending.
        size: resize to size x size by area, whatever the aspect ratio; None keeps the video's own.
        tolerance: how far a frame may be from its moment, in seconds; less than half of the time between two frames.
        only: the video must hold these frames and no others.

    Returns:
        RGB frames, in the order of `times`.

    Raises:
        CorruptFile: not a video, damaged, or without a frame at one of `times`; the message gives row and times.
        MissingExtra: PyAV is not installed.
    """
    av = require("av", "data")
    try:
        with av.open(str(path)) as container:
            return _decode(container, times, size, tolerance, only)
    except (av.FFmpegError, OSError) as error:
        raise CorruptFile(f"{path}: the video cannot be decoded ({error.strerror or error})") from error


def _decode(container: Any, times: np.ndarray, size: int | None, tolerance: float, only: bool) -> np.ndarray:
    if not container.streams.video:
        raise CorruptFile(f"{container.name}: there is no video in it")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    if only and stream.frames not in (0, len(times)):  # 0: this container does not say
        raise CorruptFile(f"{container.name}: {stream.frames} frames in the video for {len(times)} rows")
    container.seek(int(max(times[0] - tolerance, 0) / stream.time_base), stream=stream)
    frames, row, instead = None, 0, "the video ends before that"
    for frame in container.decode(stream):
        if frame.time is None or frame.is_corrupt:
            instead = "the frame there is damaged"
            break
        if frame.time < times[row] - tolerance:
            continue
        if frame.time > times[row] + tolerance:
            instead = f"the next one is at {frame.time:.4f} s"
            break
        if frames is None:
            frames = np.empty((len(times), size or frame.height, size or frame.width, 3), np.uint8)
        height, width = frames.shape[1:3]
        frames[row] = frame.reformat(width=width, height=height, format="gbrp", interpolation="AREA").to_ndarray()
        row += 1
        if row == len(times):
            return frames
    raise CorruptFile(f"{container.name}: no frame at {times[row]:.4f} s for row {row}; {instead}")
