"""HDF5 files from strangers: opened only if all that they hold is in themselves.

An HDF5 file can name other files (external links, external storage, virtual datasets), which would copy what its author wants
from the reader's disk into a store; groups can contain themselves, so that a search never ends; and a few bytes can declare an
array of any size. All of it is refused when the file is opened, in one walk that looks at links and headers alone.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from armillary.episodes.formats.declared import check_declared
from armillary.errors import CorruptFile, require

DEPTH = 50
"""Groups inside groups; recordings have five or so."""


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[Any]:
    """The file as h5py has it, open for reading.

    Raises:
        OSError: it is no HDF5 file.
        CorruptFile: it refers to other files, a group is in it twice, or an array declares more than the file can hold.
    """
    with require("h5py", "data").File(path, "r") as file:
        check_self_contained(file)
        yield file


def check_self_contained(file: Any) -> None:
    """Require that an open file (h5py) holds all that it shows; see `open_hdf5`."""
    seen = {_address(file): "/"}
    waiting = [(file, "", 0)]
    while waiting:
        group, path, depth = waiting.pop()
        for name, item in members(group, linked_files="refuse"):
            place = f"{file.filename}: {path}/{name}"
            if hasattr(item, "items"):
                if (address := _address(item)) in seen:
                    raise CorruptFile(f"{place} is the group {seen[address]} once more; every group must be in the file once")
                if depth == DEPTH:
                    raise CorruptFile(f"{place}: groups are nested more than {DEPTH} deep")
                seen[address] = f"{path}/{name}"
                waiting.append((item, f"{path}/{name}", depth + 1))
            elif hasattr(item, "shape"):
                _check_array(place, item)


def members(group: Any, *, linked_files: str = "skip") -> Iterator[tuple[str, Any]]:
    """Name and item of all that is in a group itself. Soft links are left out: what they lead to is in the file already.

    Args:
        linked_files: "skip" leaves out external links too; "refuse" raises.

    Raises:
        CorruptFile: an external link, under "refuse".
    """
    h5py = require("h5py", "data")
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            yield name, group[name]
        elif isinstance(link, h5py.ExternalLink) and linked_files == "refuse":
            where = f"{group.file.filename}: {group.name.rstrip('/')}/{name}"
            raise CorruptFile(
                f"{where} is an external link to {link.path} of {link.filename}, and links to other files are not followed; "
                "import that file instead, or copy the data into this one"
            )


def _check_array(place: str, array: Any) -> None:
    if array.external:
        raise CorruptFile(
            f"{place} is stored in another file ({array.external[0][0]}), which is not read; copy the data into this"
        )
    if array.is_virtual:
        raise CorruptFile(
            f"{place} is a virtual dataset, made of other arrays, which are not read; copy the data into this file"
        )
    if array.shape is None:
        return
    stored = array.id.get_storage_size()
    check_declared(f"{place} {array.dtype} {array.shape}", array.nbytes, stored)
    if array.chunks:
        check_declared(f"{place}, in chunks of {array.chunks}", math.prod(array.chunks) * array.dtype.itemsize, stored)


def _address(group: Any) -> tuple[int, int]:
    info = require("h5py", "data").h5o.get_info(group.id)
    return info.fileno, info.addr
