"""Where the frames of clips are kept: in memory, in a cache file, or left in the store.

Each tier holds the used frames of one stream in slots, so ordered that a clip of T frames is T slots in a row, and gives
the same answer to `gather(first slots, T)`.
- `Resident`: one array and one vectorised gather;
- `Mapped`: decoded once into a file; a clip is one read into the batch. Reading rather than mapping keeps the pages in
  the system's cache and out of this process, so that a recording larger than memory costs no memory;
- `Streamed`: nothing is kept; rows are read and decoded as they are asked for.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import whole_file
from armillary.spec import Stream

_CHUNK = 8 << 20  # bytes that are decoded at a time
_READERS, _SHARE = 8, 8 << 20  # threads, and bytes for which it pays to have one more
_CACHE_FILE = re.compile(r"[0-9a-f]{20}\.frames(\.[0-9a-f]{8})?")  # whole, or being written
_pool = ThreadPoolExecutor(_READERS, "armillary-cache")


@runtime_checkable
class Tier(Protocol):
    """The frames of one stream."""

    def gather(self, slots: np.ndarray, length: int) -> Tensor:
        """Frames (B, length, *shape) from these first slots (B,) on, in a new tensor."""


class Frames:
    """The frames of one stream at `rows` of a store, in that order; `stream` has the shape that they are wanted in."""

    def __init__(self, episodes: Episodes, stream: Stream, rows: np.ndarray):
        self.episodes, self.stream, self.rows = episodes, stream, rows
        self.nbytes = len(rows) * stream.nbytes
        resized = stream.shape != episodes.spec[stream.name].shape
        self._size = stream.shape[0] if resized else None

    def read(self, at: np.ndarray | slice) -> np.ndarray:
        """Frames (n, *shape) of these slots."""
        name = self.stream.name
        kind = {"streams": (), "truth": (name,)} if self.stream.truth else {"streams": (name,)}
        return self.episodes.read_rows(self.rows[at], **kind, image_size=self._size)[name]

    def chunks(self) -> Iterator[np.ndarray]:
        """All of them in order, some at a time."""
        some = max(1, _CHUNK // self.stream.nbytes)
        for at in range(0, len(self.rows), some):
            yield self.read(slice(at, at + some))

    def key(self) -> str:
        """A hash of what these frames are: store, stream, shape, rows."""
        parts = (self.episodes.content_hash(), repr(self.stream), str(self._size))
        return hashlib.sha256("\n".join(parts).encode() + self.rows.tobytes()).hexdigest()[:20]


class Resident:
    """Frames in memory."""

    def __init__(self, frames: Frames):
        values, at = np.empty((len(frames.rows), *frames.stream.shape), frames.stream.dtype), 0
        for chunk in frames.chunks():
            values[at : at + len(chunk)] = chunk
            at += len(chunk)
        self._values = values

    def gather(self, slots: np.ndarray, length: int) -> Tensor:
        # NumPy takes huge pages for a large batch where torch does not, and is 3x as fast for it.
        return torch.from_numpy(self._values[slots[:, None] + np.arange(length)])


class Mapped:
    """Frames in a file of `folder`, which is made once and used again while store and rows are the same.

    Raises:
        ArmillaryError: the file cannot be written.
    """

    def __init__(self, frames: Frames, folder: str | os.PathLike):
        self._stream, self._path = frames.stream, Path(folder) / f"{frames.key()}.frames"
        if self._path.exists() and self._path.stat().st_size == frames.nbytes:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path, f".{secrets.token_hex(4)}", durable=False) as file:
                for chunk in frames.chunks():
                    file.write(chunk.data)
        except OSError as error:
            raise ArmillaryError(f"the cache of {frames.nbytes >> 20} MB in {folder} cannot be written: {error}") from error

    def gather(self, slots: np.ndarray, length: int) -> Tensor:
        values = np.empty((len(slots), length, *self._stream.shape), self._stream.dtype)
        parts = min(_READERS, 1 + values.nbytes // _SHARE)  # a thread reads as fast as it copies, and a GPU takes more
        list(_pool.map(self._read, np.array_split(slots, parts), np.array_split(values, parts)))
        return torch.from_numpy(values)

    def _read(self, slots: np.ndarray, values: np.ndarray) -> None:
        """Fill clips (b, length, *shape)."""
        with open(self._path, "rb", buffering=0) as file:
            for slot, clip in zip(slots.tolist(), values, strict=True):
                file.seek(slot * self._stream.nbytes)
                if file.readinto(clip) != clip.nbytes:
                    raise CorruptFile(f"the cache file {self._path} is truncated; delete it, and it will be made again")


def remove_cache(folder: str | os.PathLike) -> None:
    """Remove all cache files of a folder, and the folder if nothing else is in it."""
    for path in Path(folder).glob("*"):
        if _CACHE_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        Path(folder).rmdir()


class Streamed:
    """Frames that stay in the store."""

    def __init__(self, frames: Frames):
        self._frames = frames

    def gather(self, slots: np.ndarray, length: int) -> Tensor:
        index = slots[:, None] + np.arange(length)
        return torch.from_numpy(self._frames.read(index.reshape(-1))).unflatten(0, index.shape)
