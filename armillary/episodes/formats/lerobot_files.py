"""The files that a LeRobot dataset of v3.0 packs its episodes into: numbers into Parquet, the frames of a camera into MP4.

A file is ended, and the next one begun, between two episodes, once it is larger than LeRobot's own limit. Numbers have a row
group an episode. An export that is resumed goes on with new files. Videos are H.264 with a key frame at every second frame, so
that a frame is reached as quickly as in LeRobot's own; colour has half the resolution, as nearly every player asks for, unless
a side is odd, which that does not allow, or so short that half would be too little.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from armillary.errors import expect, require
from armillary.interrupts import uninterrupted

DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
CHUNK = 1000  # files in a folder
DATA_MB, VIDEO_MB = 100, 200
SHORT = 128  # pixels
ENCODER = {"g": "2", "bf": "0", "preset": "veryfast"}


def pixel_format(height: int, width: int) -> str:
    """How the colours of a video of this size are kept."""
    return "yuv444p" if height % 2 or width % 2 or min(height, width) < SHORT else "yuv420p"


def frame_of(pixels: UInt8[np.ndarray, "h w 3"]) -> Any:
    """A picture as PyAV takes it."""
    return require("av", "data").VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


class _Files(ABC):
    """One file after the other; `place` says which one it is at, and `after` which one was the last, where there are some."""

    def __init__(self, root: Path, template: str, limit_mb: int, after: dict[str, int] | None):
        self._root, self._template, self._limit = root, template, limit_mb << 20
        self._number = after["chunk_index"] * CHUNK + after["file_index"] if after else -1
        self._open, self._written = None, 0

    @property
    def place(self) -> dict[str, int]:
        """The numbers in the file's name."""
        return {"chunk_index": self._number // CHUNK, "file_index": self._number % CHUNK}

    @uninterrupted()
    def _begin(self) -> None:
        """Begin an episode: in this file, or in the next one if this is full."""
        if self._open is None or self._written >= self._limit:
            self.close()
            self._number, self._written = self._number + 1, 0
            path = self._root / self._template.format(**self.place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open = self._create(path)

    @abstractmethod
    def _create(self, path: Path) -> Any:
        """Open a new file."""

    def close(self) -> None:
        """End the file that is open, if there is one."""
        if self._open is not None:
            self._open.close()
            self._open = None


class DataFiles(_Files):
    """The numbers of all episodes.

    Args:
        root: the dataset's folder.
        schema: of pyarrow.
        after: the place of the last file that is there already.
    """

    def __init__(self, root: Path, schema: Any, after: dict[str, int] | None = None):
        super().__init__(root, DATA, DATA_MB, after)
        self._schema = schema

    def _create(self, path: Path) -> Any:
        return require("pyarrow.parquet", "data").ParquetWriter(path, self._schema)

    def write(self, columns: dict[str, np.ndarray]) -> None:
        """Write one episode: the (rows,) or (rows, n) values of every column."""
        pa = require("pyarrow", "data")
        self._begin()
        arrays = [
            pa.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1]) if values.ndim == 2 else pa.array(values)
            for values in (columns[name] for name in self._schema.names)
        ]
        table = pa.table(arrays, schema=self._schema)
        expect(self._open, "an open file").write_table(table)
        self._written += table.nbytes


class Film(_Files):
    """The frames of one camera, of all episodes.

    Args:
        root: the dataset's folder.
        key: the camera's feature.
        size: (height, width).
        rate: frames a second.
        crf: what is lost to the codec: from 0, which is nothing but the conversion of colours, to 51.
        after: the place of the last file that is there already.
    """

    def __init__(self, root: Path, key: str, size: tuple[int, ...], rate: float, crf: int, after: dict[str, int] | None = None):
        super().__init__(root, VIDEO.replace("{video_key}", key), VIDEO_MB, after)
        self._size, self._rate, self._frames = size, Fraction(rate).limit_denominator(1001), 0
        self._options = {"crf": str(crf), **ENCODER}

    def _create(self, path: Path) -> Any:
        container = require("av", "data").open(str(path), "w")
        self._stream = container.add_stream("libx264", rate=self._rate, options=self._options)
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt, self._frames = pixel_format(*self._size), 0
        return container

    def write(self, blocks: Iterable[UInt8[np.ndarray, "b h w 3"]]) -> tuple[float, float]:
        """Write one episode, some frames at a time; returns when it begins and ends, in seconds on the clock of the file."""
        self._begin()
        first = self._frames
        for block in blocks:
            for pixels in block:
                frame = frame_of(pixels)
                with uninterrupted():  # packets may belong to frames of the episode before
                    frame.pts, self._frames = self._frames, self._frames + 1
                    packets = self._stream.encode(frame)
                    expect(self._open, "an open film").mux(packets)
                self._written += sum(packet.size for packet in packets)
        return float(first / self._rate), float(self._frames / self._rate)

    def close(self) -> None:
        if self._open is not None:
            self._open.mux(self._stream.encode())
        super().close()
