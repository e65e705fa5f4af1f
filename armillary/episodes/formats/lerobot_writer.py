"""The files of a LeRobot dataset of v3.0 and what describes them: episodes in, one after the other."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from armillary.episodes.formats.lerobot_files import CHUNK, DATA, DATA_MB, VIDEO, VIDEO_MB, DataFiles, Film, pixel_format
from armillary.episodes.formats.lerobot_stats import Statistics, picture_statistics_of, sampled_rows, statistics_of, together
from armillary.episodes.store import Episodes
from armillary.errors import require
from armillary.files import as_json
from armillary.interrupts import uninterrupted
from armillary.spec import Spec, Stream

BLOCK = 32 << 20  # bytes of frames that are read at a time
LAYOUT = (
    "data/chunk-*/file-*.parquet",
    "videos/*/chunk-*/file-*.mp4",
    "meta/episodes/chunk-*/file-*.parquet",
    "meta/tasks.parquet",
    "meta/stats.json",
    "meta/info.json",
)
Features = dict[str, dict[str, Any]]


def _features(spec: Spec, keys: dict[Stream, str], fps: float) -> Features:
    """The features as info.json describes them."""

    def numbers(dtype: str, size: int, names: tuple[str, ...] = (), unit: tuple[str, ...] = ()) -> dict[str, Any]:
        feature = {"dtype": dtype, "shape": [size], "names": list(names) or None}
        return feature | ({"info": {"unit": list(unit)}} if unit else {})

    def one(stream: Stream) -> dict[str, Any]:
        if stream.is_tabular:
            dtype = "float64" if stream.offset else "float32"
            return numbers(dtype, stream.shape[0], stream.channels, stream.unit)
        if not stream.is_picture:
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
class LeRobotWriter:
    """Episodes into the files of a dataset, one after the other.

    Args:
        root: the dataset's folder.
        episodes, keys: the store, and the feature of each of its streams that is written.
        rate, fill, crf, task: as `export_lerobot` takes them.
        listed: what the dataset says of each episode that is written; those of files that are there already to begin with.
    """

    root: Path
    episodes: Episodes
    keys: dict[Stream, str]
    rate: float
    fill: float | None
    crf: int
    task: str
    listed: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        pa = require("pyarrow", "data")
        for row in self.listed:
            self._numbers_of(row["tasks"])
        self.fps = int(self.rate) if float(self.rate).is_integer() else self.rate
        self.features = _features(self.episodes.spec, self.keys, self.fps)
        schema = []
        for key, feature in self.features.items():
            if feature["dtype"] != "video":
                number, (size,) = getattr(pa, feature["dtype"])(), feature["shape"]
                schema.append((key, number if size == 1 else pa.list_(number, size)))
        self.data = DataFiles(self.root, pa.schema(schema), self._last_place("data"))
        self.films = {
            stream: Film(self.root, key, stream.shape[:2], self.rate, self.crf, self._last_place(f"videos/{key}"))
            for stream, key in self.keys.items()
            if stream.is_picture
        }

    def _last_place(self, kind: str) -> dict[str, int] | None:
        return {name: self.listed[-1][f"{kind}/{name}"] for name in ("chunk_index", "file_index")} if self.listed else None

    def _numbers_of(self, tasks: list[str]) -> list[int]:
        return [self.tasks.setdefault(task, len(self.tasks)) for task in tasks]

    @property
    def rows(self) -> int:
        """How many are written."""
        return self.listed[-1]["dataset_to_index"] if self.listed else 0

    def close(self) -> None:
        """Close all files."""
        with ExitStack() as stack:
            for file in (self.data, *self.films.values()):
                stack.callback(file.close)

    def add(self, number: int) -> None:
        """Write one episode. If that is interrupted, it is not, and what is left of it in videos belongs to no episode."""
        length, films = int(self.episodes.lengths[number]), {}
        tasks = list(map(str, self.episodes.infos[number].get("tasks") or [self.task]))
        columns = self._columns(number, length, self._numbers_of(tasks)[0])
        statistics = {key: statistics_of(values.reshape(length, -1)) for key, values in columns.items()}
        for stream, film in self.films.items():
            key = self.keys[stream]
            start, end = film.write(self._blocks(number, stream))
            place = {**film.place, "from_timestamp": start, "to_timestamp": end}
            films |= {f"videos/{key}/{name}": value for name, value in place.items()}
            sample = self.episodes.read(number, sampled_rows(length), [stream.name])[stream.name]
            statistics[key] = picture_statistics_of(_coloured(sample))
        with uninterrupted():
            self.data.write(columns)
            row = {"episode_index": len(self.listed), "tasks": tasks, "length": length}
            row |= {f"data/{name}": index for name, index in self.data.place.items()}
            row |= {"dataset_from_index": self.rows, "dataset_to_index": self.rows + length, **films}
            for key, found in statistics.items():
                row |= {f"stats/{key}/{name}": value.tolist() for name, value in found.items()}
            self.listed.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})

    def _columns(self, number: int, length: int, task: int) -> dict[str, np.ndarray]:
        """The numbers of one episode: (rows, n), or (rows,) where n is 1."""
        vectors = {stream.name: key for stream, key in self.keys.items() if not stream.is_picture}
        seen = self.episodes.read(number, streams=[*vectors])
        columns: dict[str, np.ndarray] = {
            vectors[name]: self.episodes.spec[name].in_units(values).reshape(length, -1) for name, values in seen.items()
        }
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
        (meta / "episodes/chunk-000").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self.listed), meta / "episodes/chunk-000/file-000.parquet")
        pq.write_table(_tasks(self.tasks), meta / "tasks.parquet")
        whole = {key: together([_statistics(row, key) for row in self.listed]) for key in self.features}
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


def _statistics(row: dict[str, Any], key: str) -> Statistics:
    prefix = f"stats/{key}/"
    return {name.removeprefix(prefix): np.array(value) for name, value in row.items() if name.startswith(prefix)}


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
