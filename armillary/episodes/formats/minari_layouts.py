"""The layouts of Minari: one HDF5 file, or a folder of Arrow or Parquet files for each episode; and its spaces, which are JSON.

Both have the metadata of the dataset, with its spaces as JSON, and the numbers of its episodes in order (`names`). An `episode`
is arrays by path, and what is said of it: `observations` (or `observations/<key>` of a dictionary, `observations/_index_<i>` of
a tuple) and `infos/...` with a row more than `actions`, `rewards`, `terminations` and `truncations`.

Source: https://github.com/Farama-Foundation/Minari (minari/dataset/_storages, minari/serialization.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.hdf5_files import faults_in
from armillary.episodes.formats.hdf5_layouts import arrays_of
from armillary.episodes.formats.swm_layouts import reading
from armillary.errors import ArmillaryError, CorruptFile, expect, require
from armillary.files import parse_json

Space = dict[str, Any]
HDF5_FILE, METADATA = "main_data.hdf5", "metadata.json"


def open_layout(path: Path) -> "HDF5 | Arrow":
    """The dataset at this path: its folder, the `data` in it, or the file in that.

    Raises:
        ArmillaryError: nothing is there, or it is no dataset of Minari.
        CorruptFile: a file that is truncated or damaged.
    """
    for folder in (path, path / "data", path.parent):
        if (folder / HDF5_FILE).is_file():
            return HDF5(folder)
        if (folder / METADATA).is_file() and folder != path.parent:
            return Arrow(folder)
    raise ArmillaryError(f"{path}: not a dataset of Minari, there is no data/{HDF5_FILE} and no data/{METADATA} in it")


def _named_values(file: Path) -> dict[str, Any]:
    found = parse_json(file.read_text(), file)
    if not isinstance(found, dict):
        raise CorruptFile(f"{file}: expected a JSON object, got a {type(found).__name__}")
    return found


def leaves(space: Space, path: str) -> Iterator[tuple[str, Space]]:
    """Path and space of each array of a space."""
    parts = space.get("subspaces", {})
    parts = parts.items() if isinstance(parts, dict) else ((f"_index_{i}", part) for i, part in enumerate(parts))
    if space["type"] not in ("Dict", "Tuple"):
        yield path, space
    for name, part in parts:
        yield from leaves(part, f"{path}/{name}")


def space_of(metadata: dict[str, Any], name: str) -> Space | None:
    """The space of this name, or None where the metadata do not say it."""
    return parse_json(metadata[name], name) if name in metadata else None


class HDF5:
    """A group `episode_<id>` for each episode."""

    def __init__(self, folder: Path):
        file = folder / HDF5_FILE
        with reading(file):
            for fault in faults_in([file]).values():
                raise CorruptFile(fault)
            self._file = require("h5py", "data").File(file, "r")
            # Before 0.5 the metadata were attributes of the file.
            said = folder / METADATA
            self.metadata = _named_values(said) if said.is_file() else dict(self._file.attrs)
            self.names = sorted(int(name.removeprefix("episode_")) for name in self._file if name.startswith("episode_"))

    def episode(self, name: int) -> tuple[dict[str, Any], dict[str, Any]]:
        group = self._file[f"episode_{name}"]
        return arrays_of(group), dict(group.attrs)


class Arrow:
    """A folder `<id>` of Arrow or Parquet files for each episode, in which what has a row less is filled up with nothing."""

    def __init__(self, folder: Path):
        with reading(folder):
            self.metadata = _named_values(folder / METADATA)
            self._folder, self._format = folder, self.metadata.get("data_format", "arrow")
            self._spaces = {name: space_of(self.metadata, f"{name[:-1]}_space") for name in ("observations", "actions")}
            self.names = sorted(int(part.name) for part in folder.iterdir() if part.is_dir() and part.name.isdigit())
        if self._format not in ("arrow", "parquet") or None in self._spaces.values():
            raise ArmillaryError(f"{folder}: its format is {self._format!r}, and hdf5, arrow and parquet are known")

    def episode(self, name: int) -> tuple[dict[str, Any], dict[str, Any]]:
        dataset = require("pyarrow.dataset", "data").dataset
        folder = self._folder / str(name)
        files = [str(file) for file in files_in(folder, [f".{self._format}"], deep=False)]
        if not files:
            raise CorruptFile(f"there is no file *.{self._format}")
        table = dataset(files, format=self._format).to_table()
        arrays: dict[str, Any] = {}
        for part, space in self._spaces.items():
            for path, leaf in leaves(expect(space, f"the space of {part}"), part):
                arrays[path] = _leaf(_inside(table[part], path), leaf.get("shape"))
        for part in ("rewards", "terminations", "truncations"):
            arrays[part] = table[part].to_numpy()
        arrays |= {path: values[:-1] for path, values in arrays.items() if path.split("/")[0] != "observations"}
        if "infos" in table.column_names:
            arrays |= _infos(table["infos"].combine_chunks(), "infos")
        said = folder / METADATA
        return arrays, _named_values(said) if said.is_file() else {}


def _inside(column: Any, path: str) -> Any:
    """The array of a leaf in a column of structures."""
    values = column.combine_chunks()
    for name in path.split("/")[1:]:
        values = values.field(name.removeprefix("_index_"))
    return values


def _leaf(values: Any, shape: list[int] | None) -> np.ndarray:
    pa = require("pyarrow", "data")
    if pa.types.is_fixed_size_list(values.type):
        rows = values.flatten().to_numpy(zero_copy_only=False)
        return rows.reshape(len(values), *(shape or (values.type.list_size,)))
    if pa.types.is_binary(values.type):
        return np.array([*values.to_pylist(), None], object)[:-1]
    return values.to_numpy(zero_copy_only=False)


def _infos(values: Any, path: str) -> dict[str, np.ndarray]:
    found = {}
    for i, field in enumerate(values.type):
        name, part = f"{path}/{field.name}", values.field(i)
        if hasattr(part, "field"):
            found |= _infos(part, name)
        else:
            shape = (field.metadata or {}).get(b"shape")
            found[name] = _leaf(part, [int(size) for size in shape.split(b",") if size] if shape else None)
    return found
