"""Frames of a video at given times, or of image files, one after the other, resized while they are decoded.

Design choices:
- a frame belongs to a moment by its presentation time stamp. Nothing is counted, so a dropped frame is an error with the
  figure and never a silent shift of everything that follows;
- when frames are shown is read from the packets, which takes no decoding. AVI and raw streams keep no presentation times:
  their frames are counted from the first key frame on, as the decoder puts them in order;
- after a frame that is damaged, what refers to it is no better, so that it counts as damaged up to the next key frame;
- seek to the key frame before the first moment, decode, stop after the last moment; one thread, because callers who
  hurry decode several videos at once, which costs a fifth less than a decoder with threads of its own;
- a frame is converted to RGB and resized by area in one pass (swscale), so that full frames are never held. The RGB is
  planar (gbrp): to packed RGB, swscale halves the resolution of colour once more, which 64 pixels cannot spare;
- what a camera recorded on its side comes upright, where the file says so.

Source: FFmpeg through PyAV, https://pyav.basswood-io.com.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, UInt8

from armillary.episodes.images import PIXELS, open_picture
from armillary.errors import ArmillaryError, CorruptFile, expect, require

PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")  # by Pillow's names
Frames = Generator[UInt8[np.ndarray, "h w 3"], None, None]  # decoded one by one; can be closed
UNTIMED = 0x80  # AVFMT_NOTIMESTAMPS: a raw stream
COVER = 0x400  # AV_DISPOSITION_ATTACHED_PIC: a picture beside a film or a song, not a film


def frames_at(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, only: bool = False
) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames shown at `times`, in one array; see `frames_in_turn`."""
    frames = None
    for row, frame in enumerate(frames_in_turn(path, times, size=size, tolerance=tolerance, only=only)):
        if frames is None:
            frames = np.empty((len(times), *frame.shape), np.uint8)
        frames[row] = frame
    return expect(frames, "one time or more")


def frames_in_turn(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, only: bool = False, **which: Any
) -> Frames:
    """Decode the frames shown at `times`, one when it is asked for; the arguments and errors of `frames_there`.

    Args:
        only: the video must hold these frames and no others.

    Raises:
        CorruptFile: also where there is no frame at one of `times`, or a damaged one; the message gives row and times.
    """
    if only:
        with _video(path) as (_, streams):
            if streams[0].frames not in (0, len(times)):  # 0: this container does not say
                raise CorruptFile(f"{path}: {streams[0].frames} frames in the video for {len(times)} rows")
    with closing(_frames(path, times, size, tolerance, **which)) as frames:
        for row, (frame, instead) in enumerate(frames):
            if frame is None:
                raise CorruptFile(f"{path}: no frame at {times[row]:.4f} s for row {row}; {instead}")
            yield frame


def frames_there(
    path: Path, times: Float[np.ndarray, " t"], *, size: int | None = None, tolerance: float, **which: Any
) -> Generator[UInt8[np.ndarray, "h w 3"] | None, None, None]:
    """Decode the frames shown at `times`, one when it is asked for.

    Args:
        path: a video of any format and codec that FFmpeg reads.
        times: one moment or more, in seconds on the clock of the video, ascending.
        size: resize to size x size by area, whatever the aspect ratio; None keeps the video's own.
        tolerance: how far a frame may be from its moment, in seconds; less than half of the time between two frames.
        which: `track` and `rate`, as of `frame_times`.

    Yields:
        RGB frames, in the order of `times`, all of the size of the first; None where there is none, or a damaged one.

    Raises:
        CorruptFile: not a video, or not one that can be opened.
        MissingExtra: PyAV is not installed.
    """
    with closing(_frames(path, times, size, tolerance, **which)) as frames:
        for frame, _ in frames:
            yield frame


def _frames(
    path: Path, times: np.ndarray, size: int | None, tolerance: float, track: int = 0, rate: float | None = None
) -> Generator[tuple[np.ndarray | None, str], None, None]:
    """The frame at each moment, or None and what is there instead."""
    row, width, height, instead = 0, size, size, "the video ends before that"
    with _video(path, track) as (container, streams):
        stream = streams[track]
        clock = iter(shown_times(path, track, rate, shown=True)) if _is_counted(container) else None
        before = int((times[0] - tolerance) / stream.time_base)
        if clock is None and before > (stream.start_time or 0):  # a file without an index, as a transport stream, seeks badly
            container.seek(before, stream=stream)
        damaged = False
        for frame in _decoded(container, stream):
            time = None if frame is None else frame.time if clock is None else next(clock, None)
            if time is None or frame.is_corrupt:
                damaged, instead = True, "the frame there is damaged"
                if clock is not None:  # nobody knows how many were lost
                    break
                continue
            damaged = damaged and not frame.key_frame
            if damaged:
                continue
            while row < len(times) and time > times[row] + tolerance:
                yield None, instead if "damaged" in instead else f"the next one is at {time:.4f} s"
                row += 1
            if row == len(times):
                return
            if time < times[row] - tolerance:
                continue
            width, height, instead = width or frame.width, height or frame.height, "the video ends before that"
            pixels = frame.reformat(width=width, height=height, format="gbrp", interpolation="AREA").to_ndarray()
            yield np.rot90(pixels, frame.rotation // 90), ""
            row += 1
            if row == len(times):
                return
        yield from [(None, instead)] * (len(times) - row)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a stream as they are shown; None where a packet cannot be decoded."""
    damage = require("av", "data").error.InvalidDataError
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except damage:
            yield None
            continue
        yield from frames


def _is_counted(container: Any) -> bool:
    """Whether frames have no presentation times of their own. Those that FFmpeg gives frames of AVI are decoding times."""
    return container.format.name == "avi" or bool(container.format.flags & UNTIMED)


def tracks_of(path: Path) -> int:
    """How many video streams a file has, covers aside; CorruptFile as of `frame_times`."""
    with _video(path) as (_, streams):
        return len(streams)


def frame_times(path: Path, track: int = 0, rate: float | None = None) -> Float64[np.ndarray, " t"]:
    """When each frame of a video is shown, in seconds on its clock, ascending.

    Args:
        track: which video stream of the file, from 0.
        rate: frames a second of a raw stream, which has no clock; not asked of others.

    Raises:
        CorruptFile: not a video, damaged, without a clock, or two frames at one moment.
        MissingExtra: PyAV is not installed.
    """
    times = shown_times(path, track, rate)
    for row in np.flatnonzero(np.diff(times) == 0)[:1]:
        raise CorruptFile(f"{path}: two frames of the video are at {times[row]:.4f} s")
    return times


def shown_times(path: Path, track: int = 0, rate: float | None = None, *, shown: bool = False) -> Float64[np.ndarray, " t"]:
    """As `frame_times`; two frames may be at one moment. With `shown`, from the first key frame on."""
    with _video(path, track) as (container, streams):
        stream = streams[track]
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
        untimed, base = bool(container.format.flags & UNTIMED), float(stream.time_base)
        if not untimed and None in stamps:
            raise CorruptFile(f"{path}: frame {stamps.index(None)} of the video has no time")
        if untimed and rate is None:
            raise CorruptFile(f"{path}: a raw stream has no clock; give the frames a second that it was filmed at (--rate)")
        first = next((number for number, packet in enumerate(packets) if packet.is_keyframe), 0) if shown else 0
    times = np.arange(len(stamps)) / rate if untimed and rate else np.sort(np.array(stamps, np.int64)) * base
    return times[first:]


@contextmanager
def _video(path: Path, track: int = 0) -> Generator[tuple[Any, list[Any]]]:
    """The file and its video streams, covers aside; whatever FFmpeg says of it is a `CorruptFile`."""
    av = require("av", "data")
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:  # absolute: no name is taken for a URL
            streams = [one for one in container.streams.video if one.codec_context and not one.disposition & COVER]
            if not streams:
                raise CorruptFile(f"{path}: there is no video in it, or none in a codec that FFmpeg knows")
            if track >= len(streams):
                raise CorruptFile(f"{path}: there is no video stream {track} in it; it has {len(streams)}, from 0 on")
            if (pixels := streams[track].height * streams[track].width) > PIXELS:
                raise CorruptFile(f"{path}: a frame declares {pixels:,} pixels, and {PIXELS:,} at most are read")
            streams[track].codec_context.thread_count = 1
            yield container, streams
    except ArmillaryError:
        raise
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, LookupError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorruptFile(f"{path}: the video cannot be decoded ({reason})") from error


def pictures_in_turn(
    files: Iterable[Path], *, size: int | None = None, strict: bool = True
) -> Generator[UInt8[np.ndarray, "h w 3"] | None, None, None]:
    """Decode image files, one when it is asked for, upright and in RGB.

    Args:
        files: in order.
        size: resize to size x size by area, whatever the aspect ratio; None keeps each one's own.
        strict: refuse one that is damaged or no image; else it is None.

    Raises:
        CorruptFile: not an image, damaged, or of more than 8 bits a channel, as depth is kept; the message names the file.
        MissingExtra: Pillow is not installed.
    """
    image, operations = require("PIL.Image", "data"), require("PIL.ImageOps", "data")
    for file in files:
        try:
            with open_picture(file, PICTURES) as picture:
                deep = picture.mode.startswith(("I", "F"))
                if size is not None:
                    picture.draft(None, (size, size))  # JPEG only: decode at 1/2, 1/4 or 1/8 of the size where that suffices
                upright = picture if deep else operations.exif_transpose(picture).convert("RGB")
        except CorruptFile as error:
            if strict:
                raise CorruptFile(f"{file}: {error}") from error
            yield None
            continue
        if deep:
            raise CorruptFile(
                f"{file}: {upright.mode} is no picture of 8 bits a channel; convert it to 8 bits, or, if it is depth, put it "
                "into an array of an .npz or HDF5 file, with `depth` in its name, in metres or in whole millimetres"
            )
        yield np.asarray(upright if size is None else upright.resize((size, size), image.Resampling.BOX))


def left_of(file: Path) -> list[str]:
    """What is not read of an image file, in words; nothing of one that cannot be read at all."""
    with suppress(CorruptFile), open_picture(file, PICTURES) as picture:
        alpha = picture.mode.endswith("A") or "transparency" in picture.info
        return ["alpha"] * alpha + ["pages after the first"] * (getattr(picture, "n_frames", 1) > 1)
    return []
