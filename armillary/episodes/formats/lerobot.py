"""LeRobot datasets into a store: v2.0 and v2.1 (one parquet and mp4 an episode), and v3.0 (many episodes a file).

Design choices:
- LeRobot writes what was seen and what was then done into one row, which is our order: action[t] was taken on seeing o[t].
  What the last action of an episode led to was not recorded, so that action is not stored; the summary says so;
- a row finds its frame by time (its timestamp, plus where the episode begins in the video), and the timestamps have to keep
  the declared rate to a tenth of a frame. What does not fit is named with its figure and never repaired;
- an episode that is missing or unfit is skipped and listed, or the whole import is refused, as the caller asks;
- streams are the cameras and the features named `observation*` or `state`. Rewards, success flags and bookkeeping would
  tell a model the answer: they are ignored and listed. Actions are a box without bounds: LeRobot records no bounds, and the
  range that was seen is not one;
- a few episodes are read at once, each by one thread (a fifth less work than a decoder with threads of its own).

Source: the dataset code of https://github.com/huggingface/lerobot (codebase versions v2.0, v2.1 and v3.0).
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes import images
from armillary.episodes.formats.declared import check_parquet
from armillary.episodes.formats.importing import ImportSummary, Missing, check_options, grouped, import_units
from armillary.episodes.formats.lerobot_metadata import Dataset, Entry
from armillary.episodes.formats.video_frames import frames_at
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.spec import Spec

TOLERANCE = 0.1  # of the time between two frames: how far a row or a frame may be from its moment
THREADS = min(4, os.cpu_count() or 1)  # episodes read at once


@dataclass(kw_only=True)
class LeRobotSummary(ImportSummary):
    """What an import did, and what only LeRobot's has.

    Args:
        version: the dataset's LeRobot version.
        missing_cameras: cameras that the metadata name and that have no video at all; the store is without them.
    """

    version: str
    missing_cameras: tuple[str, ...]

    def notes(self) -> list[str]:
        lines = ["the last action of each episode has no next observation, so it is not stored"]
        return lines + [f"without camera {name}: the metadata name it, its videos are missing" for name in self.missing_cameras]


def import_lerobot(
    path: str | Path,
    out: str | Path,
    *,
    image_size: int | None = None,
    cameras: Sequence[str] | None = None,
    missing: Missing = "skip",
    max_episodes: int | None = None,
    progress: bool = True,
) -> LeRobotSummary:
    """Read a LeRobot dataset from a folder into a new store.

    Args:
        path: the folder that holds `meta/info.json`.
        out: the store to create.
        image_size: resize every camera to image_size x image_size by area, whatever its aspect ratio; None keeps its own.
        cameras: the cameras to import, by their whole name or its last part (`cam_high`); None for all, () for none.
        missing: "skip" lists and leaves out cameras without any video, and episodes that are missing or unfit (an absent
            or damaged file, NaN, lengths or times that do not match); "refuse" raises instead.
        max_episodes: stop after this many.
        progress: show a progress bar.

    Raises:
        ArmillaryError: not a LeRobot dataset, a version that is not supported, nothing to import, something missing or
            unfit under "refuse", or a store that cannot be written. A store that this call has begun is then removed.
        MissingExtra: pyarrow, PyAV or Pillow is needed and not installed.
    """
    check_options(missing, image_size=image_size, max_episodes=max_episodes)
    dataset = Dataset.open(Path(path))
    chosen = dataset.cameras(cameras)
    entries = dataset.entries[:max_episodes] if missing == "refuse" else dataset.entries
    skipped, lost = _absent(entries, chosen)
    if missing == "refuse" and (skipped or lost):
        what = "; ".join([*(f"every video of {name}" for name in lost), *grouped(skipped)])
        raise ArmillaryError(f"{path}: missing: {what}. Import the rest with missing='skip'")
    spec, ignored = dataset.spec([name for name in chosen if name not in lost], image_size)
    present = [entry for entry in entries if entry.index not in skipped]
    summary = LeRobotSummary(
        format=f"LeRobot {dataset.version}",
        source=str(path),
        out=str(out),
        spec=spec,
        skipped=skipped,
        ignored=ignored,
        version=dataset.version,
        missing_cameras=tuple(lost),
    )
    return import_units(
        _ahead(lambda entry: _read(dataset, entry, spec, image_size), present),
        summary,
        info={"source": f"LeRobot {dataset.version} {dataset.root.name}", "robot": dataset.robot},
        total=min(len(present), max_episodes or len(present)),
        missing=missing,
        max_episodes=max_episodes,
        progress=progress,
    )


def _absent(entries: list[Entry], cameras: list[str]) -> tuple[dict[int, str], list[str]]:
    """Episodes without a file that they need, and cameras without a video of any episode."""
    skipped = {entry.index: "no data file" for entry in entries if not entry.data.is_file()}
    present = [entry for entry in entries if entry.index not in skipped]
    lost = []
    for name in cameras:
        without = [entry.index for entry in present if name in entry.videos and not entry.videos[name].path.is_file()]
        if without and len(without) == len(present):
            lost.append(name)
        else:
            skipped |= dict.fromkeys(without, f"no video of {name}")
    return skipped, lost


def _read(dataset: Dataset, entry: Entry, spec: Spec, image_size: int | None) -> Episode:
    """One episode, checked; an ArmillaryError says what is wrong with it, with the figure."""
    pyarrow, pq = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    columns = ["timestamp", "action", *(stream.name for stream in spec.streams if stream.name not in entry.videos)]
    try:
        mine = [("episode_index", "=", entry.index)]
        check_parquet(entry.data)
        table = pq.read_table(entry.data, columns=columns, filters=mine, partitioning=None)
    except (OSError, pyarrow.ArrowException) as error:
        raise CorruptFile(f"{entry.data}: cannot be read ({_line(error)})") from error
    length, fps = table.num_rows, dataset.fps
    if length != entry.length or length < 2:
        raise CorruptFile(f"{entry.data}: {length} rows, where the metadata say {entry.length} and an episode needs 2")
    times = _numbers(table, "timestamp", 1, np.float64)[:, 0]
    expected = times[0] + np.arange(length) / fps
    for row in np.flatnonzero(abs(times - expected) > TOLERANCE / fps)[:1]:
        what = f"row {row} is at {times[row]:.4f} s, and at {fps:g} frames a second it has to be at {expected[row]:.4f} s"
        raise CorruptFile(f"{entry.data}: {what}")

    observations = {}
    for stream in spec.streams:
        if stream.kind == "vector":
            values = _numbers(table, stream.name, stream.shape[0])
        elif stream.name not in entry.videos:
            values = _pictures(table, stream.name, dataset.features[stream.name].shape, image_size)
        else:
            video = entry.videos[stream.name]
            if video.frames not in (None, length):
                raise CorruptFile(f"{video.path}: {video.frames} frames of episode {entry.index} for its {length} rows")
            moments, only = video.start + times, video.frames is None
            values = frames_at(video.path, moments, size=image_size, tolerance=TOLERANCE / fps, only=only)
            if values.shape[1:] != stream.shape:
                raise CorruptFile(f"{video.path}: frames are {values.shape[1:]}, the metadata say {stream.shape}")
        observations[stream.name] = values
    actions = _numbers(table.slice(0, length - 1), "action", spec.action.n)
    info = {"source": f"LeRobot {dataset.version} {dataset.root.name}", "episode": entry.index, "tasks": entry.tasks}
    return Episode(observations, actions, info=info)


def _numbers(table: Any, name: str, size: int, dtype: type = np.float32) -> np.ndarray:
    """A column of numbers, or of lists of numbers, as (rows, size)."""
    try:
        values = np.array(table[name].to_pylist(), dtype).reshape(table.num_rows, -1)
    except (TypeError, ValueError) as error:
        raise CorruptFile(f"{name}: rows of different lengths, or not numbers ({_line(error)})") from error
    if values.shape[1] != size:
        raise CorruptFile(f"{name}: {values.shape[1]} numbers a row, the metadata say {size}")
    for row, _ in np.argwhere(~np.isfinite(values))[:1]:
        raise CorruptFile(f"{name}: not a finite number in row {row}")
    return values


def _pictures(table: Any, name: str, shape: tuple[int, ...], size: int | None) -> np.ndarray:
    """A column of PNG or JPEG files, decoded and resized."""
    files = [picture and picture["bytes"] for picture in table[name].to_pylist()]
    if None in files:
        raise CorruptFile(f"{name}: no picture in row {files.index(None)}")
    return images.decode(files, shape, size)


def _ahead(read: Callable[[Entry], Episode], entries: Iterable[Entry]) -> Generator[tuple[int, Iterator[Episode]], None, None]:
    """Read entries in threads and hand them over in order; at most one more than there are threads is ahead. Close it."""
    pool, waiting = ThreadPoolExecutor(THREADS), deque()
    try:
        for entry in entries:
            waiting.append((entry.index, _result(pool.submit(read, entry))))
            if len(waiting) > THREADS:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _result(future: "Future[Episode]") -> Iterator[Episode]:
    yield future.result()


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
