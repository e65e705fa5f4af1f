"""HDF5 files from strangers: read only if all that they hold is in themselves, and if the HDF5 library survives them.

An HDF5 file can name other files (external links, external storage, virtual datasets), which would copy what its author wants
from the reader's disk into a store; groups can contain themselves, so that a search never ends; and a few bytes can declare an
array of any size. A damaged file can also crash the HDF5 library, or keep it in a loop that no signal to Python ends. All of it
is found before an import, in a walk through every file in a process of its own, which ends itself when a step takes too long.
"""

import json
import math
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from armillary.episodes.faults import _reason
from armillary.episodes.formats.declared import check_declared
from armillary.errors import CorruptFile, require

DEPTH = 50
"""Groups inside groups; recordings have five or so."""
STEP_SECONDS = 10
"""Of the processor, for one object of a file, or for some rows of an array; a sound file takes milliseconds."""
_ROWS = 64  # of an array, that are read at once
_DEFLATE, _CHECKSUM = 1, 3
_OF_SAME_SIZE = {2, _CHECKSUM}  # filters that unpack to what they are given: shuffle is the other one
_TRIED = {5, 6}  # filters n-bit and scale-offset, which unpack by numbers that the file gives
_HARMLESS = 512_000  # bytes of a chunk: deflate unpacks to 1032 times as many, at most


def faults_in(files: Sequence[Path]) -> dict[Path, str]:
    """file -> what is wrong with it, of the files that must not be read; for a `CorruptFile`.

    Raises:
        MissingExtra: h5py is needed and not installed.
    """
    require("h5py", "data")
    source = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import walk; walk({STEP_SECONDS})"
    command = [sys.executable, "-I", "-c", source]  # isolated: nothing is imported from the folder of the data
    waiting, faults = [*files], {}
    while waiting:
        names = json.dumps([str(file) for file in waiting])
        done = subprocess.run(command, input=names, capture_output=True, text=True, errors="replace")
        began, *found = done.stdout.splitlines() or [""]
        if not began:
            raise RuntimeError(f"the process that checks HDF5 files did not start: {done.stderr[-500:]}")
        faults |= {file: fault for file, line in zip(waiting, found, strict=False) if (fault := json.loads(line))}
        waiting = waiting[len(found) :]
        if waiting:
            file, endless = waiting.pop(0), done.returncode == -signal.SIGPROF
            does = "keeps the HDF5 library busy without end" if endless else "crashes the HDF5 library"
            faults[file] = f"{file}: reading it {does}; the file is damaged, or not to be trusted"
    return faults


def walk(seconds: float) -> None:
    """The process of `faults_in`: takes a JSON list of files; prints a line when it begins, then the fault of each as JSON."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, also inside the library
    h5py = require("h5py", "data")
    with suppress(ImportError):
        require("hdf5plugin", "data")
    print("begins", flush=True)
    for name in json.load(sys.stdin):
        fault = None
        try:
            signal.setitimer(signal.ITIMER_PROF, seconds)
            with h5py.File(name, "r") as file:
                for _ in _steps(file):
                    signal.setitimer(signal.ITIMER_PROF, seconds)
        except CorruptFile as error:
            fault = str(error)
        except Exception as error:
            fault = f"{name}: cannot be read ({_reason(error)})"
        print(json.dumps(fault), flush=True)


def _steps(file: Any) -> Iterator[None]:
    """Require that an open file (h5py) holds all that it shows, and read what the library could fail on; object by object.

    Raises:
        CorruptFile: it refers to other files, a group is in it twice, or an array declares more than the file can hold.
    """
    seen = {_address(file): "/"}
    waiting = [(file, "", 0)]
    while waiting:
        group, path, depth = waiting.pop()
        _read_attributes(group)
        for name, item in members(group, linked_files="refuse"):
            yield
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
                _read_attributes(item)
                made = item.id.get_create_plist()
                filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
                yield from _check_chunks(place, item, filters)
                yield from _try_rows(item, filters)


def _read_attributes(item: Any) -> None:
    for name in item.attrs:
        with suppress(Exception):  # of a kind that h5py does not know
            item.attrs[name]


def _try_rows(array: Any, filters: list[int]) -> Iterator[None]:
    """Read all rows of an array whose bytes lead the library elsewhere: of variable length, or packed by some filters."""
    if array.shape and (array.dtype.hasobject or not _TRIED.isdisjoint(filters)):
        for first in range(0, len(array), _ROWS):
            yield
            with suppress(Exception):  # which the import meets again, and says where
                array[first : first + _ROWS]


def _check_chunks(place: str, array: Any, filters: list[int]) -> Iterator[None]:
    """Require that no chunk unpacks to more than it declares, which the library would allocate."""
    packed = [one for one in filters if one not in _OF_SAME_SIZE]
    if len(packed) > 1 or (_DEFLATE in packed and packed[0] != next(one for one in filters[::-1] if one != _CHECKSUM)):
        raise CorruptFile(f"{place} is compressed in an unusual order of filters ({filters}), which could unpack to any size")
    if not array.chunks or _DEFLATE not in packed:
        return
    size, large = math.prod(array.chunks) * array.dtype.itemsize, []
    array.id.chunk_iter(lambda chunk: large.append(chunk.chunk_offset) if chunk.size > _HARMLESS else None)
    for offset in large:
        yield
        with suppress(zlib.error, OSError):
            if len(zlib.decompressobj().decompress(array.id.read_direct_chunk(offset)[1], size + 1)) > size:
                raise CorruptFile(f"{place}: the chunk at {offset} unpacks to more than the {size:,} bytes that it declares")


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
