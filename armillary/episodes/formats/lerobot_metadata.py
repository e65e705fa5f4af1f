"""What the metadata of a LeRobot dataset say: its features, and where each episode is. One form for all versions.

Versions differ in where they keep things: v2.0 and v2.1 have one parquet and one mp4 an episode and a line for each in
meta/episodes.jsonl; v3.0 packs many episodes into a file, and meta/episodes/**.parquet says which file, and from which
second of which video. `Dataset` hides that, and maps features to a Spec.

Source: the dataset code of https://github.com/huggingface/lerobot (codebase versions v2.0, v2.1 and v3.0).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from armillary.episodes.formats.declared import check_parquet
from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.places import fill, inside
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.files import parse_json
from armillary.spec import ActionSpace, Spec, Stream

VERSIONS = ("v2.0", "v2.1", "v3.0")
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True)
class Feature:
    """One feature: (H, W, C) for a picture, whatever the order in the file; a name and a unit for each number, or none."""

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    depth: bool
    unit: tuple[str, ...]

    @classmethod
    def parse(cls, plain: dict) -> "Feature":
        dtype, shape, names = plain["dtype"], tuple(plain["shape"]), plain.get("names") or []
        if isinstance(names, dict):  # {"motors": [names]}, or {name: position}
            names = list(names.values()) if any(isinstance(value, list) for value in names.values()) else list(names)
        names = tuple(str(name) for some in names for name in (some if isinstance(some, list) else [some]))
        if dtype in ("video", "image") and len(shape) == 3:
            channels_first = names[0].startswith("c") if names else shape[0] in (1, 3)
            height, width, channels = (*shape[1:], shape[0]) if channels_first else shape
            shape = (height, width, 3 if dtype == "video" else channels)
        info = plain.get("info") or {}
        depth = any(key.endswith("is_depth_map") and value for key, value in info.items())
        unit = info.get("unit") if isinstance(info.get("unit"), list) else []  # as our own export keeps them
        names, unit = (tuple(each) if shape == (len(each),) else () for each in (names, unit))
        return cls(dtype, shape, names, depth, unit)

    @property
    def camera(self) -> bool:
        return self.dtype in ("video", "image") and len(self.shape) == 3 and not self.depth

    @property
    def vector(self) -> bool:
        return self.dtype.startswith(("float", "int", "uint", "bool")) and len(self.shape) < 2

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        return self.shape[0] if self.shape else 1


@dataclass(frozen=True)
class Video:
    """Where an episode is in a video: from which second, for how many frames (None: it is all that the file holds)."""

    path: Path
    start: float = 0.0
    frames: int | None = None


@dataclass(frozen=True)
class Entry:
    """One episode: LeRobot's index of it, its rows, and its files."""

    index: int
    length: int
    tasks: list[str]
    data: Path
    videos: dict[str, Video]


@dataclass(frozen=True)
class Dataset:
    """A dataset as its metadata describe it; nothing is said of which files are there."""

    root: Path
    version: str
    robot: str | None
    fps: float
    features: dict[str, Feature]
    entries: list[Entry]

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """Read the metadata in the folder `root`.

        Raises:
            ArmillaryError: there is no such folder, no dataset in it, or one of a version that is not supported.
            CorruptFile: metadata that are damaged or incomplete.
        """
        pyarrow = require("pyarrow", "data")
        if not root.is_dir():
            raise ArmillaryError(f"{root}: there is no such folder")
        file = next((root / name for name in ("meta/info.json", "meta_data/info.json") if (root / name).is_file()), None)
        if file is None:
            raise ArmillaryError(f"{root}: not a LeRobot dataset, there is no meta/info.json in it")
        try:
            info = parse_json(file.read_text(), file)
            version = info.get("codebase_version", "of no version")
            if version in VERSIONS:
                features = {name: Feature.parse(plain) for name, plain in info["features"].items()}
                videos = [name for name, feature in features.items() if feature.dtype == "video"]
                entries = (_entries_v3 if version == "v3.0" else _entries_v2)(root, info, videos)
                entries = sorted(entries, key=lambda entry: entry.index)
                return cls(root, version, info.get("robot_type"), float(info["fps"]), features, entries)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, pyarrow.ArrowException) as error:
            said = next(iter(str(error).splitlines()), "")
            what = said if isinstance(error, CorruptFile) else f"{type(error).__name__}: {said}"
            raise CorruptFile(f"{file.parent}: these are not LeRobot metadata, or they are damaged ({what})") from error
        raise ArmillaryError(
            f"{root}: LeRobot {version} is not supported, only {', '.join(VERSIONS)}; convert it with lerobot's own converter"
        )

    def cameras(self, asked: Sequence[str] | None) -> list[str]:
        """The cameras of these names (whole, or the last part), or all of them.

        Raises:
            ArmillaryError: a camera that is not there.
        """
        cameras = [name for name, feature in self.features.items() if feature.camera]
        for name in asked or ():
            if not any(name in (camera, camera.split(".")[-1]) for camera in cameras):
                raise ArmillaryError(f"{self.root}: no camera {name!r}; the cameras are {', '.join(cameras) or 'none'}")
        return [camera for camera in cameras if asked is None or {camera, camera.split(".")[-1]} & set(asked)]

    def spec(self, cameras: list[str], image_size: int | None) -> tuple[Spec, dict[str, str]]:
        """The Spec with these cameras, and the features that no model should or can see, each with the reason.

        Raises:
            ArmillaryError: no actions, or nothing that is observed.
        """
        action = self.features.get("action")
        if action is None or not action.vector:
            raise ArmillaryError(f"{self.root}: no feature 'action' of numbers; the features are {', '.join(self.features)}")
        streams, ignored = [], {}
        for name, feature in self.features.items():
            if name in cameras:
                shape = feature.shape if image_size is None else (image_size, image_size, feature.shape[-1])
                streams.append(Stream(name, "image", shape, rate=self.fps))
            elif name == "action" or feature.camera:
                continue
            elif name in BOOKKEEPING:
                ignored[name] = "time or index"
            elif feature.depth:
                ignored[name] = "depth map"
            elif not (name == "state" or name.startswith("observation")):
                ignored[name] = "not an observation"
            elif not feature.vector:
                ignored[name] = f"{feature.dtype} {feature.shape}"
            else:
                streams.append(Stream(name, "vector", (feature.size,), feature.unit, feature.names, self.fps))
        if not streams:
            raise ArmillaryError(f"{self.root}: nothing observed is left to import, neither a camera nor a state")
        return Spec(tuple(streams), ActionSpace("box", action.size, unit=action.unit, channels=action.names), self.fps), ignored


def _entries_v2(root: Path, info: dict, cameras: list[str]) -> Iterator[Entry]:
    for line in (root / "meta/episodes.jsonl").read_text().splitlines():
        row = parse_json(line, "meta/episodes.jsonl")
        place = {"episode_index": row["episode_index"], "episode_chunk": row["episode_index"] // info["chunks_size"]}
        videos = {name: Video(inside(root, fill(info["video_path"], video_key=name, **place))) for name in cameras}
        data = inside(root, fill(info["data_path"], **place))
        yield Entry(row["episode_index"], row["length"], row.get("tasks", []), data, videos)


def _entries_v3(root: Path, info: dict, cameras: list[str]) -> Iterator[Entry]:
    pq = require("pyarrow.parquet", "data")

    def place(row: dict, of: str, template: str) -> Path:
        indices = {name: row[f"{of}/{name}"] for name in ("chunk_index", "file_index")}
        return inside(root, fill(template, video_key=of.removeprefix("videos/"), **indices))

    for file in files_in(root / "meta/episodes", [".parquet"]):
        check_parquet(file)
        columns = [name for name in pq.read_schema(file).names if not name.startswith("stats/")]
        for row in pq.read_table(file, columns=columns, partitioning=None).to_pylist():
            videos = {}
            for name in cameras:
                start, end = (row[f"videos/{name}/{edge}_timestamp"] for edge in ("from", "to"))
                frames = round((end - start) * info["fps"])
                videos[name] = Video(place(row, f"videos/{name}", info["video_path"]), start, frames)
            yield Entry(row["episode_index"], row["length"], row["tasks"], place(row, "data", info["data_path"]), videos)
