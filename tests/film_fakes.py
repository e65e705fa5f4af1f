"""Videos whose frames show their own number as eight black or white blocks, which survive compression and resizing."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

FPS = 10


def picture(number: int) -> np.ndarray:
    bits = np.array([number >> bit & 1 for bit in range(8)], np.uint8).reshape(2, 4)
    return np.repeat(np.kron(bits, np.full((32, 16), 255, np.uint8))[..., None], 3, axis=-1)


def numbers_of(frames: np.ndarray) -> list[int]:
    height, width = frames.shape[1] // 2, frames.shape[2] // 4
    blocks = frames[..., 0].reshape(len(frames), 2, height, 4, width).mean(axis=(2, 4)).reshape(-1, 8)
    assert (abs(blocks - 127.5) > 60).all(), "a block that is neither black nor white: a mixture of two frames"
    return list((blocks > 127) @ (1 << np.arange(8)))


def film(
    path: Path,
    numbers: Sequence[int],
    *,
    codec: str = "libx264",
    group: int = 250,
    drop: tuple[int, ...] = (),
    times: Sequence[float] | None = None,
    rotation: int = 0,
    between: int | None = None,
    tracks: int = 1,
) -> Path:
    """A video of these numbers at FPS, or at these times in seconds, with a key frame every `group`.

    Args:
        between: B frames after each other, where the codec's own choice is not wanted.
        tracks: video streams; each shows numbers that are 100 higher than those of the one before.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        for _ in range(tracks):
            stream = container.add_stream(codec, rate=FPS)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 64, "yuv420p", group
            stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, FPS)
            if between is not None:
                stream.codec_context.max_b_frames = between
            if rotation:
                stream.set_display_rotation(rotation)
        for track, stream in enumerate(container.streams.video):
            for at, number in enumerate(numbers):
                if at not in drop:
                    frame = av.VideoFrame.from_ndarray(picture(number + 100 * track), format="rgb24")
                    frame.pts = round(1000 * times[at]) if times else at
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def remux(path: Path, out: Path, keep: Callable[[int, Any], bool]) -> Path:
    """The packets of a video for which `keep`, which may change them, is true."""
    import av

    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and keep(number, packet):
                packet.stream = stream
                target.mux(packet)
    return out
