"""LeRobot datasets into a store: v2.0 and v2.1 (one parquet and mp4 an episode), and v3.0 (many episodes a file).

Design choices:
- LeRobot writes what was seen and what was then done into one row, which is our order: action[t] was taken on seeing o[t].
  What the last action of an episode led to was not recorded, so that action is not stored; the summary says so;
- which frame belongs to which row is lerobot_videos.py's matter. Time stamps of rows have to keep the declared rate to a tenth
  of a frame. What does not fit is named with its figure and never repaired; a film may be one frame short;
- an episode that is missing or unfit is skipped and listed, or the whole import is refused, as the caller asks;
- streams are the cameras and the features named `observation*` or `state`, unless others are named. Rewards, success flags and
  bookkeeping would tell a model the answer: they are ignored and listed. Actions are a box without bounds: LeRobot records no
  bounds, and the range that was seen is not one;
- pictures in a column are files (in a structure, as bytes, or by their path): RGB without alpha, grey, or depth of 16 bits;
- a few episodes, or parts of long ones, are read at once, each by one thread (a fifth less work than a decoder with threads of
  its own).

Source: the dataset code of https://github.com/huggingface/lerobot (codebase versions v2.0, v2.1 and v3.0).
"""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from armillary.episodes import images
from armillary.episodes.formats.arrays import colours
from armillary.episodes.formats.declared import check_parquet
from armillary.episodes.formats.depth import DEPTH, decode_depth
from armillary.episodes.formats.folders import UNFETCHED, unfetched
from armillary.episodes.formats.importing import (
    ImportSummary,
    Missing,
    Name,
    Writing,
    check_options,
    gaps,
    grouped,
    import_units,
    parts,
    units_stored,
)
from armillary.episodes.formats.lerobot_metadata import Dataset, Entry
from armillary.episodes.formats.lerobot_videos import TOLERANCE, Films
from armillary.episodes.formats.places import inside
from armillary.episodes.formats.video_frames import frames_at
from armillary.episodes.offsets import exact
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.spec import Spec, Stream

THREADS = min(4, os.cpu_count() or 1)  # episodes read at once


@dataclass(kw_only=True)
class LeRobotSummary(ImportSummary):
    """What an import did, and what only LeRobot's has.

    Args:
        version: the dataset's LeRobot version.
        actions: the features that are the action.
        without_alpha, coloured: cameras whose fourth channel is left out, and whose colours are taken as they are.
        missing_cameras: cameras that the metadata name and that have no video at all; the store is without them.
    """

    version: str
    actions: tuple[str, ...]
    without_alpha: tuple[str, ...]
    coloured: tuple[str, ...]
    missing_cameras: tuple[str, ...]

    def notes(self) -> list[str]:
        lines = ["the last action of each episode has no next observation, so it is not stored"]
        if self.actions != ("action",):
            lines.append(f"actions are {', '.join(self.actions)}")
        lines += colours(self.coloured)
        lines += [f"{name} is stored without alpha" for name in self.without_alpha]
        return lines + [f"without camera {name}: the metadata name it, its videos are missing" for name in self.missing_cameras]


def import_lerobot(
    path: str | Path,
    out: str | Path,
    *,
    image_size: int | None = None,
    cameras: Sequence[str] | None = None,
    streams: Sequence[str] | None = None,
    action: Sequence[str] = (),
    bgr: Sequence[str] = (),
    longest: int = 10_000,
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> LeRobotSummary:
    """Read a LeRobot dataset from a folder into a new store; other arguments and errors are those of `import_hdf5`.

    Args:
        path: the folder of the dataset, which holds meta/info.json.
        cameras: cameras to import, by the whole name or its last part (cam_high). Default: all.
        streams: features that a model may see, cameras included. Default: all cameras, observation* and state.
        action: features that make up the action, joined in this order. Default: action, or else actions.
        missing: what to do about cameras without any video, and about episodes that are missing or do not fit (a damaged file,
            NaN, lengths or times that do not match). skip: leave them out and list them; refuse: stop the import.
    """
    check_options(writing, missing, longest, image_size=image_size)
    dataset = Dataset.open(Path(path))
    actions, everything = dataset.actions(action), dataset.cameras(None)
    chosen = dataset.cameras(cameras)
    if streams is not None and cameras is None:
        chosen = [name for name in everything if {name, name.split(".")[-1]} & set(streams)]
    swapped = dataset.named(bgr, chosen, "camera")
    most = writing.get("max_episodes")
    entries = dataset.entries[:most] if missing == "refuse" else dataset.entries
    skipped, lost = _absent(entries, chosen)
    if missing == "refuse" and (skipped or lost):
        what = "; ".join([*(f"every video of {name}" for name in lost), *grouped(skipped)])
        raise ArmillaryError(f"{path}: missing: {what}. Import the rest with missing='skip'")
    present = [entry for entry in entries if entry.index not in skipped]
    chosen = [name for name in chosen if name not in lost]
    _find_depth(dataset, present, chosen)
    spec, ignored = dataset.spec(chosen, actions, image_size, streams)
    summary = LeRobotSummary(
        format=f"LeRobot {dataset.version}",
        source=str(path),
        out=str(out),
        spec=spec,
        skipped=skipped,
        ignored=ignored,
        gaps=gaps(entry.index for entry in dataset.entries),
        version=dataset.version,
        actions=tuple(actions),
        without_alpha=tuple(name for name in chosen if dataset.features[name].alpha),
        coloured=tuple(s.name for s in spec.streams if s.is_picture and s.shape[-1] == 3 and s.name not in swapped),
        missing_cameras=tuple(lost),
    )
    reader = _Reader(dataset, Films(dataset.entries, dataset.fps), spec, actions, swapped, image_size)
    begin = units_stored(out) if writing.get("resume") else 0
    return import_units(
        reader.units(present, longest, summary, begin),
        summary,
        info={"source": f"LeRobot {dataset.version} {dataset.root.name}", "robot": dataset.robot},
        total=min(len(present), most or len(present)),
        begin=begin,
        missing=missing,
        **writing,
    )


def _absent(entries: list[Entry], cameras: list[str]) -> tuple[dict[Name, str], list[str]]:
    """Episodes without a file that they need, and cameras without a video of any episode."""
    skipped: dict[Name, str] = {entry.index: "no data file" for entry in entries if not entry.data.is_file()}
    for entry in entries:
        files = [entry.data, *(video.path for name, video in entry.videos.items() if name in cameras)]
        if entry.index not in skipped and any(file.is_file() and unfetched(file) for file in files):
            skipped[entry.index] = UNFETCHED
    present = [entry for entry in entries if entry.index not in skipped]
    lost = []
    for name in cameras:
        without = [entry.index for entry in present if name in entry.videos and not entry.videos[name].path.is_file()]
        if without and len(without) == len(present):
            lost.append(name)
        else:
            skipped |= dict.fromkeys(without, f"no video of {name}")
    return skipped, lost


def _find_depth(dataset: Dataset, entries: list[Entry], cameras: list[str]) -> None:
    """Features of PNG files of 16 bits are depth, also where the metadata do not say it."""
    for name in cameras:
        feature = dataset.features[name]
        if feature.dtype == "image" and not feature.depth and entries:
            with suppress(CorruptFile):  # which is then said of the episode
                first = _files(dataset, _table(entries[0], [name]).slice(0, 1), name)[0]
                with images.open_picture(first) as picture:
                    if picture.mode in DEPTH:
                        dataset.features[name] = replace(feature, depth=True)


def _table(entry: Entry, columns: list[str]) -> Any:
    """These columns of an episode."""
    pyarrow, pq = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    try:
        mine = [("episode_index", "=", entry.index)]
        check_parquet(entry.data)
        return pq.read_table(entry.data, columns=columns, filters=mine, partitioning=None)
    except (OSError, UnicodeError, pyarrow.ArrowException) as error:
        raise CorruptFile(f"{entry.data}: cannot be read ({_line(error)})") from error


def _spans(entry: Entry, longest: int) -> list[tuple[int, int]]:
    """First row and row after the last of each part; one part where the file has not got so many rows, which is said later."""
    if entry.length > longest:
        with suppress(OSError, require("pyarrow", "data").ArrowException):
            if require("pyarrow.parquet", "data").read_metadata(entry.data).num_rows >= entry.length:
                return parts(entry.length, longest)
    return [(0, entry.length)]


@dataclass(frozen=True)
class _Reader:
    """Entries to episodes, in threads."""

    dataset: Dataset
    films: Films
    spec: Spec
    actions: list[str]
    bgr: list[str]
    size: int | None

    def units(
        self, entries: Iterable[Entry], longest: int, summary: LeRobotSummary, begin: int
    ) -> Generator[tuple[int, Iterator[Episode]], None, None]:
        """Every part of every entry in order, from number `begin` on; at most one more than there are threads is
        ahead. Close it.
        """
        pool, waiting = ThreadPoolExecutor(THREADS), deque()

        def one(future: "Future[tuple[Episode | None, int]]") -> Iterator[Episode]:
            episode, lost = future.result()
            summary.leave("the film of a camera is a frame short", lost)
            if episode is not None:
                yield episode

        try:
            spans = ((entry, *span) for entry in entries for span in _spans(entry, longest))
            for entry, first, last in islice(spans, begin, None):
                waiting.append((entry.index, one(pool.submit(self._read, entry, first, last))))
                if len(waiting) > THREADS:
                    yield waiting.popleft()
            yield from waiting
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, entry: Entry, first: int, last: int) -> tuple[Episode | None, int]:
        """Rows from `first` to before `last` of an episode, checked, and how many of them have no frame.

        Raises:
            CorruptFile: what is wrong with the episode, with the figure.
        """
        dataset, fps = self.dataset, self.dataset.fps
        own = [stream.name for stream in self.spec.streams if stream.name not in entry.videos]
        table = _table(entry, ["timestamp", *self.actions, *own])
        length = table.num_rows
        if length != entry.length or length < 2:
            raise CorruptFile(f"{entry.data}: {length} rows, where the metadata say {entry.length} and an episode needs 2")
        times = _numbers(table, "timestamp", 1, np.float64)[:, 0]
        expected = times[0] + np.arange(length) / fps
        for row in np.flatnonzero(abs(times - expected) > TOLERANCE / fps)[:1]:
            what = f"row {row} is at {times[row]:.4f} s, and at {fps:g} frames a second it has to be at {expected[row]:.4f} s"
            raise CorruptFile(f"{entry.data}: {what}")
        videos = {name: video for name, video in entry.videos.items() if name in [stream.name for stream in self.spec.streams]}
        shown = {name: self.films.moments(video, entry, times) for name, video in videos.items()}
        stop = min([last, *map(len, shown.values())])
        if stop - first < 2:
            return None, last - max(stop, first + 1)
        some = table.slice(first, stop - first)
        observations = {
            stream.name: self._stream(stream, entry, some, shown, slice(first, stop)) for stream in self.spec.streams
        }
        taken = table.slice(first, stop - first - 1)
        actions = np.concatenate([_numbers(taken, name, dataset.features[name].size) for name in self.actions], 1)
        info = {"source": f"LeRobot {dataset.version} {dataset.root.name}", "episode": entry.index, "tasks": entry.tasks}
        return Episode(observations, actions, info=info | ({"row": first} if first else {})), last - stop

    def _stream(self, stream: Stream, entry: Entry, table: Any, shown: dict[str, np.ndarray], rows: slice) -> np.ndarray:
        """One stream of these rows of an episode."""
        name, shape = stream.name, self.dataset.features[stream.name].shape
        if stream.is_tabular:
            return _numbers(table, name, stream.shape[0], None)
        if name in shown:
            tolerance = TOLERANCE / self.dataset.fps
            values = frames_at(entry.videos[name].path, shown[name][rows], size=self.size, tolerance=tolerance)
            if values.shape[1:] != stream.shape:
                raise CorruptFile(f"{entry.videos[name].path}: frames are {values.shape[1:]}, the metadata say {stream.shape}")
        elif not stream.is_picture:
            return decode_depth(_files(self.dataset, table, name), shape[:2], self.size)
        else:
            values = images.decode(_files(self.dataset, table, name), shape, self.size, convert=True)
        return values[..., ::-1] if name in self.bgr else values


def _files(dataset: Dataset, table: Any, name: str) -> list[bytes]:
    """The PNG or JPEG files in a column: as bytes, in a structure of bytes and path, or by their path in the dataset."""
    found = []
    for row, cell in enumerate(table[name].to_pylist()):
        content = cell.get("bytes") or cell.get("path") if isinstance(cell, dict) else cell
        if isinstance(content, str):
            path = inside(dataset.root, content)
            content = path.read_bytes() if path.is_file() else None
        if not isinstance(content, bytes):
            raise CorruptFile(f"{name}: no picture in row {row}")
        found.append(content)
    return found


def _numbers(table: Any, name: str, size: int, dtype: type | None = np.float32) -> np.ndarray:
    """A column of numbers, or of lists of numbers, as (rows, size); without a dtype, as of `exact`."""
    try:
        values = np.array(table[name].to_pylist(), dtype).reshape(table.num_rows, -1)
        values = exact(values) if dtype is None else values
    except (TypeError, ValueError) as error:
        raise CorruptFile(f"{name}: rows of different lengths, or not numbers ({_line(error)})") from error
    if values.shape[1] != size:
        raise CorruptFile(f"{name}: {values.shape[1]} numbers a row, the metadata say {size}")
    for row, _ in np.argwhere(~np.isfinite(values))[:1]:
        raise CorruptFile(f"{name}: not a finite number in row {row}")
    return values


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
