"""NumPy archives into a store: arrays that all episodes share, as OGBench keeps them, or a file an episode.

- An episode ends in the rows in which a flag is set: those of `hdf5_layouts.ENDS` that are in the file, unless others are
  named. A file without any is one episode;
- everything else is as in HDF5 (hdf5.py): what is seen are arrays called observations, or below that; the last action of an
  episode is stored where what it led to is known;
- arrays of more than `WHOLE` bytes are read in blocks, also out of a compressed archive. Nothing is unpickled: an array of
  objects stays out by name.

Source: https://github.com/seohongpark/ogbench (ogbench/utils.py), numpy.lib.format.
"""

import math
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from armillary.episodes.formats.arrays import Hints
from armillary.episodes.formats.declared import check_declared
from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.hdf5 import HDF5Summary, import_recording
from armillary.episodes.formats.hdf5_layouts import Place, Recording, gathered, rows_of
from armillary.episodes.formats.importing import Missing, Writing, check_options
from armillary.errors import ArmillaryError, CorruptFile

WHOLE = 64 << 20  # bytes of an array that is read at once


def import_npz(
    path: str | Path,
    out: str | Path,
    *,
    streams: Sequence[str] | None = None,
    action: str | None = None,
    action_kind: Literal["box", "discrete"] | None = None,
    truth: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    axes: Mapping[str, str] | None = None,
    bgr: Sequence[str] = (),
    episode: str | None = None,
    ends: Sequence[str] = (),
    rate: float | None = None,
    image_size: int | None = None,
    longest: int = 10_000,
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> HDF5Summary:
    """Read NumPy archives into a new store; arguments and errors are those of `import_hdf5`."""
    check_options(writing, missing, longest, image_size=image_size, rate=rate)
    path = Path(path)
    if (path / "ep_len.npz").is_file():
        raise ArmillaryError(f"{path} is a recording of stable-worldmodel: armillary import swm {path}")
    files = files_in(path, [".npz"])
    if not files:
        raise ArmillaryError(f"{path}: there is no .npz file there")

    def find(file: Path) -> Recording:
        with _opened(file) as arrays:
            rows = rows_of(arrays, file, episode, ends)
        return Recording("rows", [Place(i, file, "/", some) for i, some in enumerate(rows)])

    options: dict[str, Any] = {"streams": streams, "truth": truth, "action": action, "action_kind": action_kind, "rate": rate}
    options |= {"hints": Hints.of(kinds, axes, bgr), "image_size": image_size, "longest": longest, "missing": missing}
    options |= writing
    return import_recording(gathered(path, files, find, _opened), "npz", path, out, **options)


class _Arrays(dict[str, "_Array"]):
    """The arrays of an archive by name; `unread` says which are not to be had, and why. It has no attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[str, str] = {}
        self.attrs: dict[str, Any] = {}


@contextmanager
def _opened(file: Path, group: str = "/") -> Generator[_Arrays]:
    arrays, declared = _Arrays(), 0
    with zipfile.ZipFile(file) as archive:
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            name = entry.filename.removesuffix(".npy")
            try:
                array = _Array(archive, entry)
            except CorruptFile:
                raise
            except ValueError as error:
                arrays.unread[name] = str(error).splitlines()[0]
                continue
            declared += array.nbytes
            if array.shape:
                arrays[name] = array
            else:
                arrays.unread[name] = "one value, not one a row"
        check_declared(f"{file}: {len(arrays)} arrays", declared, file.stat().st_size)
        yield arrays


class _Array:
    """An array in an archive, of which rows are read when they are asked for: ascending ones without unpacking any twice."""

    _whole: np.ndarray | None = None

    def __init__(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo):
        self._archive, self._entry, self._file = archive, entry, None
        with archive.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, self._columns_first, self.dtype = read(file)
            self._begin = file.tell()
        if self.dtype.hasobject:
            raise ArmillaryError("holds objects, which only unpickling would bring back")
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize
        if min(self.shape, default=0) < 0 or self._begin + self.nbytes > entry.file_size:
            raise CorruptFile(f"{entry.filename} declares {self.dtype} {self.shape} and holds {entry.file_size:,} bytes")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice) -> np.ndarray:
        if not isinstance(rows, slice):
            return self[rows : rows + 1][0]
        if self._whole is None and (self._columns_first or self.nbytes <= WHOLE):
            self._whole = self._bytes(0, self.nbytes).reshape(self.shape, order="F" if self._columns_first else "C")
        if self._whole is not None:
            return self._whole[rows]
        start, stop, _ = rows.indices(len(self))
        count = max(stop - start, 0)
        size = self.nbytes // max(len(self), 1)
        return self._bytes(start * size, count * size).reshape(count, *self.shape[1:])

    def _bytes(self, start: int, count: int) -> np.ndarray:
        """Numbers from byte to byte of the array."""
        if self._file is None:
            self._file = self._archive.open(self._entry)
        self._file.seek(self._begin + start)
        content = self._file.read(count)
        if len(content) < count:
            raise CorruptFile(f"{self._entry.filename} ends after {len(content):,} of {count:,} bytes")
        return np.frombuffer(content, self.dtype)
