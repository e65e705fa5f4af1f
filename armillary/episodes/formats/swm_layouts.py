"""The layouts of stable-worldmodel: Lance, HDF5, and folders of .npz and JPEG files.

Each is a class that lists columns and episodes when it is opened, and reads one column of one episode at a time. Only what
belongs to the layout is checked here; what an episode needs to be fit is the importer's matter. Nothing is unpickled.

Source: stable_worldmodel 0.1.1, https://github.com/galilai-group/stable-worldmodel (data/formats).
"""

import math
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from armillary.axes import axes_of, picture_shape, to_pictures
from armillary.episodes import images
from armillary.episodes.faults import _reason
from armillary.episodes.formats.declared import check_declared
from armillary.episodes.formats.folders import UNFETCHED, files_in, hidden, unfetched
from armillary.episodes.formats.hdf5_files import faults_in, members
from armillary.errors import ArmillaryError, CorruptFile, require

_BLOCK = 64  # raw images that are read at once


class Layout(Protocol):
    """What an importer needs of a recording.

    Attributes:
        layout, root: its name and where it is.
        columns: name -> shape of a row of what can be read: (n,) of numbers, or (H, W, C) of an image.
        unread: name -> why, of what cannot.
        names, starts, lengths: of each episode its number, its first row and its rows.
        steps: the step of every row, or None where the recording does not say.
    """

    layout: str
    root: Path
    columns: dict[str, tuple[int, ...]]
    unread: dict[str, str]
    names: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    steps: np.ndarray | None

    def read(self, name: str, number: int, rows: int, size: int | None) -> np.ndarray:
        """The first rows of an episode, (rows, *shape), fewer where the file ends; images at (size, size) if that is given."""


def open_layout(path: Path) -> Layout:
    """The recording at this path.

    Raises:
        ArmillaryError: nothing is there, or it is no recording of stable-worldmodel, or holds several.
        CorruptFile: a file that is truncated or damaged.
    """
    if not path.exists():
        raise ArmillaryError(f"{path} does not exist")
    if path.is_file():
        return HDF5(path)
    if path.suffix == ".lance" or (path / "_versions").is_dir():
        return Lance(path)
    if (path / "ep_len.npz").is_file():
        return Folder(path)
    found = [file for end in ("lance", "h5", "hdf5") for file in path.glob(f"*.{end}") if not hidden(file, path)]
    if len(found) != 1:
        raise ArmillaryError(f"{path}: there are {len(found)} recordings (*.lance, *.h5, *.hdf5) in it; give the path of one")
    return open_layout(found[0])


@contextmanager
def reading(what: str | Path) -> Generator[None]:
    """Whatever a reader raises in here means that the file is damaged."""
    if isinstance(what, Path) and what.is_file() and unfetched(what):
        raise CorruptFile(f"{what}: {UNFETCHED}")
    try:
        yield
    except (ArmillaryError, MemoryError):
        raise
    except Exception as error:  # those of HDF5, of zip files and of Arrow have nothing in common
        raise CorruptFile(f"{what}: cannot be read ({_reason(error)})") from error


def _shape_of(picture: bytes | None) -> tuple[int, ...]:
    """Shape of the image in a JPEG or PNG file."""
    with images.open_picture(picture or b"") as image:
        return (image.height, image.width, 1 if image.mode in images.GREY else 3)


class Lance:
    """One row a step, in a table of LanceDB; binary columns hold JPEG files, and numbers are lists of fixed size."""

    layout = "Lance"

    def __init__(self, path: Path):
        lance, pa = require("lance", "data"), require("pyarrow", "data")
        self.root, self.columns, self.unread = path, {}, {}
        with reading(path):
            self._data = lance.dataset(str(path))
            for field in self._data.schema:
                if pa.types.is_fixed_size_list(field.type):
                    self.columns[field.name] = (field.type.list_size,)
                elif pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
                    first = self._data.head(1, columns=[field.name])[field.name].to_pylist()
                    try:
                        self.columns[field.name] = _shape_of(first[0] if first else None)
                    except CorruptFile:
                        self.unread[field.name] = "not images"
                elif field.name not in ("episode_idx", "step_idx"):
                    self.unread[field.name] = f"is of type {field.type}"
            absent = {"episode_idx", "step_idx"} - set(self._data.schema.names)
            if absent:
                raise ArmillaryError(f"{path} is no recording of stable-worldmodel: it has no column {sorted(absent)}")
            index = self._data.to_table(columns=["episode_idx", "step_idx"])
        episodes, self.steps = (index[name].to_numpy() for name in ("episode_idx", "step_idx"))
        self.starts = np.flatnonzero(np.diff(episodes, prepend=episodes[:1] - 1))
        self.lengths, self.names = np.diff(self.starts, append=len(episodes)), episodes[self.starts]
        names, times = np.unique(self.names, return_counts=True)
        for name in names[times > 1][:1]:
            raise CorruptFile(f"{path}: the rows of episode {name} are not together")

    def read(self, name: str, number: int, rows: int, size: int | None) -> np.ndarray:
        start = int(self.starts[number])
        column = self._data.take(list(range(start, start + rows)), columns=[name])[name].combine_chunks()
        if column.null_count:
            raise CorruptFile(f"{name}: nothing in row {column.is_null().to_pylist().index(True)}")
        if len(self.columns[name]) == 3:
            return images.decode(column.to_pylist(), self.columns[name], size, convert=True)
        return np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(rows, -1)


class Arrays:
    """Rows of all episodes in one array a column, and of each episode `ep_len` and `ep_offset`."""

    layout: str

    def __init__(self, path: Path, arrays: dict[str, Any]):
        self.root, self.columns, self.unread, self._arrays, self._axes = path, {}, {}, arrays, {}
        absent = {"ep_len", "ep_offset"} - set(arrays)
        if absent:
            raise ArmillaryError(f"{path} is no recording of stable-worldmodel: it has no column {sorted(absent)}")
        for name in arrays.keys() - {"ep_len", "ep_offset"}:
            shape, dtype = arrays[name].shape, arrays[name].dtype
            if not shape or dtype.kind not in "biuf":
                self.unread[name] = f"is of type {dtype}, {shape}"
            elif dtype == np.uint8 and len(shape) > 3 and (axes := axes_of(shape[1:])):
                self.columns[name], self._axes[name] = picture_shape(shape[1:], axes), axes
            elif dtype == np.uint8 and len(shape) > 2:
                self.unread[name] = f"uint8 {shape[1:]} is no image, with channels in its first or last axis"
            else:
                self.columns[name] = (int(np.prod(shape[1:])),)
        with reading(path):
            self.lengths, self.starts = (np.asarray(arrays[name][:], np.int64) for name in ("ep_len", "ep_offset"))
            self.steps = np.asarray(arrays["step_idx"][:]).ravel() if "step_idx" in self.columns else None
        if len(self.starts) != len(self.lengths):
            raise CorruptFile(f"{path}: ep_len has {len(self.lengths)} entries and ep_offset {len(self.starts)}")
        self.names, ends = np.arange(len(self.lengths)), self.starts + self.lengths
        for number in np.flatnonzero((self.lengths < 0) | (self.starts < np.append(0, ends[:-1])))[:1]:
            raise CorruptFile(f"{path}: episode {number} begins in row {self.starts[number]}, inside of the one before")

    def read(self, name: str, number: int, rows: int, size: int | None) -> np.ndarray:
        array, start = self._arrays[name], int(self.starts[number])
        stop = max(start, min(start + rows, len(array)))  # ep_len may say any number
        if len(self.columns[name]) == 1:
            return np.asarray(array[start:stop], np.float32).reshape(-1, *self.columns[name])
        firsts = range(start, stop, _BLOCK) or [start]
        blocks = (to_pictures(array[at : min(at + _BLOCK, stop)], self._axes[name]) for at in firsts)
        return np.concatenate([images.resize(block, size) if size and len(block) else block for block in blocks])


class HDF5(Arrays):
    """One file; raw images of uint8."""

    layout = "HDF5"

    def __init__(self, path: Path):
        h5py = require("h5py", "data")
        with suppress(ImportError):
            require("hdf5plugin", "data")  # brings further compressions, where it is installed
        with reading(path):
            for fault in faults_in([path]).values():
                raise CorruptFile(fault)
            self._file = h5py.File(path, "r")
            arrays = {name: item for name, item in members(self._file) if isinstance(item, h5py.Dataset)}
            super().__init__(path, arrays)
            for name in [name for name in self.columns if not _can_decompress(arrays[name])]:
                self.columns.pop(name)
                self.unread[name] = "a compression that h5py lacks; pip install hdf5plugin"
        self.unread |= dict.fromkeys(self._file.keys() - arrays.keys(), "a group")


def _can_decompress(array: Any) -> bool:
    made = array.id.get_create_plist()
    return all(require("h5py", "data").h5z.filter_avail(made.get_filter(i)[0]) for i in range(made.get_nfilters()))


class Folder(Arrays):
    """An .npz file a column, and of each image column a folder of JPEG files, `ep_<episode>_step_<step>.jpeg`."""

    layout = "folder"

    def __init__(self, path: Path):
        arrays, text = {}, {}
        for file in files_in(path, [".npz"], deep=False):
            with reading(file), np.load(file) as archive:
                _check_archive(file, archive)
                try:
                    arrays[file.stem] = archive["arr_0"]
                except ValueError:  # objects, which only unpickling would bring back
                    text[file.stem] = "holds objects"
        super().__init__(path, arrays)
        self.unread |= text
        for folder in (entry for entry in path.iterdir() if entry.is_dir() and not hidden(entry, path)):
            with reading(folder):
                try:
                    self.columns[folder.name] = _shape_of(_picture(folder, 0, 0))
                except FileNotFoundError:
                    self.unread[folder.name] = "no JPEG file of the first step"

    def read(self, name: str, number: int, rows: int, size: int | None) -> np.ndarray:
        if name in self._arrays:
            return super().read(name, number, rows, size)
        files = [_picture(self.root / name, number, row) for row in range(rows)]
        return images.decode(files, self.columns[name], size, convert=True)


def _check_archive(path: Path, archive: Any) -> None:
    """Require that the arrays of an .npz file are as large as their headers declare, and not packed beyond reason."""
    for entry in archive.zip.infolist():
        check_declared(f"{path}: {entry.filename}", entry.file_size, entry.compress_size)
        with archive.zip.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize > entry.file_size:
            raise CorruptFile(f"{path}: {entry.filename} declares {dtype} {shape}, and holds {entry.file_size:,} bytes")


def _picture(folder: Path, episode: int, step: int) -> bytes:
    path = folder / f"ep_{episode}_step_{step}.jpeg"
    return (path if path.exists() else path.with_suffix(".jpg")).read_bytes()
