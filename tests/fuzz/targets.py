"""The parsers of what strangers hand over: how to make a small good file, and how to read it as far as a user would."""

import io
import os
import shutil
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from fuzz import foreign_files as foreign
from fuzz import own_files as own

from armillary.episodes.formats import hdf5, hdf5_files, lerobot, mcap, minari, npz, swm, table, video
from armillary.episodes.formats.table_clock import Asked
from armillary.errors import ArmillaryError
from armillary.monitoring.rows import Reading, read_rows


@dataclass(frozen=True)
class Target:
    """A parser.

    Args:
        make: writes good files into an empty folder.
        read: reads what is in a folder; the second folder is empty, for what it writes.
        rewrite: changes a file in a way of its own, deeper than bytes; None for none.
        quick: mutations in `make test`.
    """

    make: Callable[[Path], None]
    read: Callable[[Path, Path], Any]
    rewrite: Callable[[Path, Any], None] | None = None
    quick: int = 200


def _forked(command: list[str], *, input: str, **_: Any) -> SimpleNamespace:
    """What the process that checks HDF5 files finds, from a fork of this one: a hundred times as quick as another Python."""
    read, write = os.pipe()
    if not (child := os.fork()):
        with suppress(BaseException), open(write, "w") as sys.stdout:
            sys.stdin = io.StringIO(input)
            hdf5_files.walk(1.0)
        os._exit(0)
    os.close(write)
    with open(read) as lines:
        said = lines.read()
    return SimpleNamespace(stdout=said, stderr="", returncode=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _read_table(folder: Path, out: Path) -> None:
    """With an option that depends on the file, and as `watch` reads it."""
    path, columns = folder / "log.csv", ["a [bar]", "b", "valve"]
    missing = ("refuse", "skip", "hold", "interpolate")[zlib.crc32(path.read_bytes()) % 4] if path.exists() else "skip"
    with suppress(ArmillaryError):
        for rows in read_rows(path, columns, Reading(Asked(("time",)), hold=2)):
            for row in range(len(rows.lines)):
                rows.why(row)
    table.import_table(path, out / "store", time="time", controls=("valve",), missing=missing, progress=False)


def _imports(read: Callable, name: str = "", **options: Any) -> Callable[[Path, Path], None]:
    def through(folder: Path, out: Path) -> None:
        with mock.patch.object(hdf5_files, "subprocess", SimpleNamespace(run=_forked)):
            read(folder / name, out / "store", progress=False, **options)

    return through


TARGETS = {
    "checkpoint": Target(own.checkpoint, own.read_checkpoint, own.change_header, quick=50),
    "calibration": Target(own.calibration, own.read_calibration, own.change_header),
    "pairs": Target(own.pairs, own.read_pairs, own.change_pairs),
    "log": Target(own.log, own.read_log),
    "store": Target(own.store, own.read_store, quick=60),
    "store_png": Target(partial(own.store, images="png"), own.read_store, quick=30),
    "lerobot": Target(foreign.lerobot, _imports(lerobot.import_lerobot), quick=60),
    "lerobot_v3": Target(foreign.lerobot_v3, _imports(lerobot.import_lerobot, "set"), quick=20),
    "hdf5": Target(foreign.hdf5, _imports(hdf5.import_hdf5, image_size=4), foreign.change_in_place, quick=40),
    "minari": Target(foreign.minari, _imports(minari.import_minari), foreign.change_in_place, quick=30),
    "minari_arrow": Target(foreign.minari_arrow, _imports(minari.import_minari), quick=40),
    "swm": Target(foreign.swm, _imports(swm.import_swm, streams=("state",)), foreign.change_archive, quick=40),
    "swm_hdf5": Target(foreign.swm_hdf5, _imports(swm.import_swm, image_size=4), foreign.change_in_place, quick=30),
    "npz": Target(foreign.npz, _imports(npz.import_npz), foreign.change_archive, quick=40),
    "mcap": Target(foreign.mcap, _imports(mcap.import_mcap, action="/cmd", image_size=4), quick=40),
    "bag": Target(foreign.bag, _imports(mcap.import_mcap, action="/cmd", image_size=4), quick=40),
    "db3": Target(foreign.db3, _imports(mcap.import_mcap, action="/cmd", image_size=4), quick=40),
    "table": Target(foreign.table, _read_table, quick=40),
    "images": Target(foreign.images, _imports(video.import_video, rate=10.0), quick=40),
    "video": Target(foreign.video, _imports(video.import_video, missing="refuse"), foreign.change_film, quick=40),
}


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
