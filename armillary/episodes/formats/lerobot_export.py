"""A store out again, as a LeRobot dataset of v3.0: many episodes a file, pictures as video.

- A row is a row: LeRobot, too, writes what was seen and what was then done together. It wants an action in the last row of an
  episode, where nobody knows what was done: there the one before stands once more, and our reader leaves it out.
- Images become videos, whose error is the codec's. Every other stream is one vector of float32, to the digit; what has more
  axes is flattened. Units are kept beside the feature, where our reader finds them again.
- What may hold NaN, where nothing was measured (depth, scans, points), is left out unless a number is given to stand for it:
  LeRobot's statistics and policies have no place for NaN. Ground truth is left out: a policy would see it. Bounds of actions
  are lost. All that is lost is listed.
- The folder appears under its name when it is whole.

Source: the dataset code of https://github.com/huggingface/lerobot (codebase version v3.0).
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rich.progress import track

from armillary.console import plain_console
from armillary.episodes.formats.importing import check_options
from armillary.episodes.formats.lerobot_files import CHUNK, DATA, DATA_MB, VIDEO, VIDEO_MB, DataFiles, Film, pixel_format
from armillary.episodes.formats.lerobot_stats import Statistics, picture_statistics_of, sampled_rows, statistics_of, together
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, require
from armillary.files import as_json
from armillary.spec import Spec, Stream

BLOCK = 32 << 20  # bytes of frames that are read at a time
Features = dict[str, dict[str, Any]]


@dataclass(kw_only=True)
class ExportSummary:
    """What an export did; `str()` of it is the report for a person.

    Args:
        source, out: the store, and the folder of the dataset.
        episodes, frames: how many are in it.
        features: the LeRobot feature of each stream.
        left_out: streams that are not in it, and why.
        notes: what else is not as it was.
        seconds: wall time.
    """

    source: str
    out: str
    episodes: int
    frames: int
    features: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        lines = [
            f"{self.source} -> LeRobot v3.0 {self.out} in {self.seconds:.1f} s",
            f"{self.episodes} episodes, {self.frames} frames",
            f"features: {', '.join(self.features.values())}",
            *self.notes,
        ]
        return "\n".join([*lines, *(f"left out {stream}: {reason}" for stream, reason in self.left_out.items())])


def export_lerobot(
    store: str | Path,
    path: str | Path,
    *,
    rate: float | None = None,
    fill: float | None = None,
    crf: int = 18,
    task: str = "no task was given",
    max_episodes: int | None = None,
    progress: bool = True,
) -> ExportSummary:
    """Write a store as a new LeRobot dataset.

    Args:
        store: the recording.
        path: the folder to create.
        rate: rows a second; the recording's own unless given.
        fill: what stands for NaN in depth, scans and points; None leaves those streams out.
        crf: what videos lose to the codec: from 0, which is nothing but the conversion of colours, to 51.
        task: what was to be done, in words, in episodes whose info has no `tasks`.
        max_episodes: stop after this many.
        progress: show a progress bar.

    Raises:
        ArmillaryError: the folder exists, the store is empty or has no rate, or nothing of it has a place in LeRobot.
        MissingExtra: PyAV or pyarrow is needed and not installed.
        OSError: the folder cannot be written; nothing of it is then left.
    """
    began, path, episodes = perf_counter(), Path(path), Episodes.open(store).require_some()
    check_options(rate=rate, max_episodes=max_episodes)
    if not 0 <= crf <= 51:
        raise ArmillaryError(f"crf is 0 to 51, not {crf}")
    if path.exists():
        raise ArmillaryError(f"{path} exists; an export needs a new path")
    spec, rate = episodes.spec, rate or episodes.spec.rate
    if rate is None:
        raise ArmillaryError(f"{store} has no rate, and LeRobot needs one: say how many rows are a second")
    keys, left_out = _keys(spec, fill)
    part, count = path.with_name(f"{path.name}.{os.getpid()}.part"), min(len(episodes), max_episodes or len(episodes))
    try:
        writer = _Writer(part, episodes, keys, rate, fill, crf, task)
        with closing(writer):
            for number in track(range(count), "export", console=plain_console(stderr=True), disable=not progress):
                writer.add(number)
        writer.describe(episodes.info.get("robot"))
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ExportSummary(
        source=str(store),
        out=str(path),
        episodes=count,
        frames=int(episodes.lengths[:count].sum()),
        features={stream.name: key for stream, key in keys.items()},
        left_out=left_out,
        notes=tuple(_notes(spec, list(keys))),
        seconds=perf_counter() - began,
    )


def _keys(spec: Spec, fill: float | None) -> tuple[dict[Stream, str], dict[str, str]]:
    """The name that each stream has in LeRobot, and why some have no place in it."""
    keys: dict[Stream, str] = {}
    left_out = {stream.name: "ground truth, which a policy would see" for stream in spec.truth}
    for stream in spec.observed:
        if stream.optional:
            left_out[stream.name] = "some episodes may be without it, which LeRobot does not know"
        elif stream.gaps and fill is None:
            left_out[stream.name] = f"{stream.kind} may hold NaN where nothing was measured; give a number to fill it with"
        elif stream.kind == "image" and stream.shape[-1] not in (1, 3):
            left_out[stream.name] = f"{stream.shape[-1]} channels, and a video has 1 or 3"
        else:
            name, prefix = stream.name.replace("/", "."), "observation.images." if stream.kind == "image" else "observation."
            keys[stream] = name if name.startswith("observation.") else prefix + name
    if not keys:
        raise ArmillaryError(f"nothing of it has a place in LeRobot: {'; '.join(map(': '.join, left_out.items()))}")
    if len(set(keys.values())) < len(keys):
        raise ArmillaryError(f"two streams would have one name in LeRobot: {sorted(keys.values())}; rename one")
    return keys, left_out


def _notes(spec: Spec, streams: list[Stream]) -> Iterator[str]:
    if spec.action.n:
        yield "the last row of each episode repeats the action before it, since none is known there"
    else:
        yield "there are no actions, without which LeRobot trains no policy and 'armillary import lerobot' reads nothing"
    if spec.action.kind == "discrete":
        yield f"the {spec.action.n} choices are whole numbers, which 'armillary import lerobot' reads as a box"
    elif np.isfinite([*spec.action.low, *spec.action.high]).any():
        yield "the bounds of actions have no place in it"
    for stream in streams:
        if stream.kind == "image" and stream.shape[-1] == 1:
            yield f"{stream.name} is grey, in three equal channels"
        elif stream.kind not in ("image", "vector"):
            yield f"{stream.name} is {stream.kind} {stream.shape}, flattened"


def _features(spec: Spec, keys: dict[Stream, str], fps: float) -> Features:
    """The features as info.json describes them."""

    def numbers(dtype: str, size: int, names: tuple[str, ...] = (), unit: tuple[str, ...] = ()) -> dict[str, Any]:
        feature = {"dtype": dtype, "shape": [size], "names": list(names) or None}
        return feature | ({"info": {"unit": list(unit)}} if unit else {})

    def one(stream: Stream) -> dict[str, Any]:
        if stream.kind == "vector":
            return numbers("float32", stream.shape[0], stream.channels, stream.unit)
        if stream.kind != "image":
            return numbers("float32", int(np.prod(stream.shape)))
        height, width, _ = stream.shape
        info = {"height": height, "width": width, "codec": "h264", "pix_fmt": pixel_format(height, width), "fps": fps}
        info = {f"video.{name}": value for name, value in {**info, "channels": 3, "is_depth_map": False}.items()}
        shape = {"shape": [height, width, 3], "names": ["height", "width", "channels"]}
        return {"dtype": "video", **shape, "info": info | {"has_audio": False}}

    action, features = spec.action, {key: one(stream) for stream, key in keys.items()}
    if action.kind == "box":
        features["action"] = numbers("float32", action.n, action.channels, action.unit)
    elif action.kind == "discrete":
        features["action"] = numbers("int64", 1)
    features["timestamp"] = numbers("float32", 1)
    return features | {name: numbers("int64", 1) for name in ("frame_index", "episode_index", "index", "task_index")}


@dataclass
class _Writer:
    """Episodes into the files of a dataset, one after the other."""

    root: Path
    episodes: Episodes
    keys: dict[Stream, str]
    rate: float
    fill: float | None
    crf: int
    task: str
    tasks: dict[str, int] = field(default_factory=dict, init=False)
    rows: int = field(default=0, init=False)
    listed: list[dict[str, Any]] = field(default_factory=list, init=False)
    statistics: list[dict[str, Statistics]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        pa = require("pyarrow", "data")
        self.fps = int(self.rate) if float(self.rate).is_integer() else self.rate
        self.features = _features(self.episodes.spec, self.keys, self.fps)
        schema = []
        for key, feature in self.features.items():
            if feature["dtype"] != "video":
                number, (size,) = getattr(pa, feature["dtype"])(), feature["shape"]
                schema.append((key, number if size == 1 else pa.list_(number, size)))
        self.data = DataFiles(self.root, pa.schema(schema))
        images = {stream: key for stream, key in self.keys.items() if stream.kind == "image"}
        self.films = {stream: Film(self.root, key, stream.shape[:2], self.rate, self.crf) for stream, key in images.items()}

    def close(self) -> None:
        """Close all files."""
        with ExitStack() as stack:
            for file in (self.data, *self.films.values()):
                stack.callback(file.close)

    def add(self, number: int) -> None:
        """Write one episode."""
        length = int(self.episodes.lengths[number])
        tasks = list(map(str, self.episodes.infos[number].get("tasks") or [self.task]))
        for task in tasks:
            self.tasks.setdefault(task, len(self.tasks))
        columns = self._columns(number, length, self.tasks[tasks[0]])
        self.data.write(columns)
        row = {"episode_index": len(self.listed), "tasks": tasks, "length": length}
        row |= {f"data/{name}": index for name, index in self.data.place.items()}
        row |= {"dataset_from_index": self.rows, "dataset_to_index": self.rows + length}
        statistics = {key: statistics_of(values.reshape(length, -1)) for key, values in columns.items()}
        for stream, film in self.films.items():
            key = self.keys[stream]
            start, end = film.write(self._blocks(number, stream))
            place = {**film.place, "from_timestamp": start, "to_timestamp": end}
            row |= {f"videos/{key}/{name}": value for name, value in place.items()}
            sample = self.episodes.read(number, sampled_rows(length), [stream.name])[stream.name]
            statistics[key] = picture_statistics_of(_coloured(sample))
        for key, found in statistics.items():
            row |= {f"stats/{key}/{name}": value.tolist() for name, value in found.items()}
        self.listed.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        self.statistics.append(statistics)
        self.rows += length

    def _columns(self, number: int, length: int, task: int) -> dict[str, np.ndarray]:
        """The numbers of one episode: (rows, n), or (rows,) where n is 1."""
        vectors = {stream.name: key for stream, key in self.keys.items() if stream.kind != "image"}
        seen = self.episodes.read(number, streams=[*vectors])
        columns = {vectors[name]: values.reshape(length, -1) for name, values in seen.items()}
        if self.fill is not None:
            columns = {key: np.nan_to_num(values, nan=self.fill) for key, values in columns.items()}
        action = self.episodes.spec.action
        if action.n:
            actions = self.episodes.actions(number)
            last = actions[-1:] if len(actions) else np.zeros((1, *action.shape), action.dtype)
            columns["action"] = np.concatenate([actions, last])
        columns["timestamp"] = (np.arange(length) / self.rate).astype(np.float32)
        columns |= {"frame_index": np.arange(length), "index": self.rows + np.arange(length)}
        columns |= {"episode_index": np.full(length, len(self.listed)), "task_index": np.full(length, task)}
        return {key: values[:, 0] if values.shape[1:] == (1,) else values for key, values in columns.items()}

    def _blocks(self, number: int, stream: Stream) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
        """The frames of one episode, some at a time."""
        some = max(1, BLOCK // stream.nbytes)
        for start in range(0, int(self.episodes.lengths[number]), some):
            yield _coloured(self.episodes.read(number, slice(start, start + some), [stream.name])[stream.name])

    def describe(self, robot: str | None) -> None:
        """Write what describes the dataset, once all files are closed."""
        pa, pq = require("pyarrow", "data"), require("pyarrow.parquet", "data")
        meta = self.root / "meta"
        (meta / "episodes/chunk-000").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.listed), meta / "episodes/chunk-000/file-000.parquet")
        pq.write_table(_tasks(self.tasks), meta / "tasks.parquet")
        whole = {key: together([statistics[key] for statistics in self.statistics]) for key in self.statistics[0]}
        plain = {key: {name: value.tolist() for name, value in found.items()} for key, found in whole.items()}
        (meta / "stats.json").write_text(as_json(plain, indent=4))
        info = {
            "codebase_version": "v3.0",
            "robot_type": robot,
            "total_episodes": len(self.listed),
            "total_frames": self.rows,
            "total_tasks": len(self.tasks),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self.fps,
            "splits": {"train": f"0:{len(self.listed)}"},
            "data_path": DATA,
            "video_path": VIDEO if self.films else None,
            "features": self.features,
        }
        (meta / "info.json").write_text(as_json(info, indent=4))


def _coloured(frames: UInt8[np.ndarray, "t h w c"]) -> UInt8[np.ndarray, "t h w 3"]:
    return np.broadcast_to(frames, (*frames.shape[:3], 3))


def _tasks(tasks: dict[str, int]) -> Any:
    """The table of tasks, which pandas has to read as one that is indexed by their words."""
    pa = require("pyarrow", "data")
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
        for name, kind, dtype in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    table = pa.table({"task_index": pa.array(tasks.values(), pa.int64()), "task": pa.array(tasks, pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})
