"""What the metadata of a LeRobot dataset say: its features, and where each episode is. One form for all versions.

Versions differ in where they keep things: v2.0 and v2.1 have one parquet and one mp4 an episode and a line for each in
meta/episodes.jsonl; v3.0 packs many episodes into a file, and meta/episodes/**.parquet says which file, and from which
second of which video. `Dataset` hides that, and maps features to a Spec.

Source: the dataset code of https://github.com/huggingface/lerobot (codebase versions v2.0, v2.1 and v3.0).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armillary.axes import axes_of, picture_shape
from armillary.episodes.formats.declared import check_parquet
from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.places import fill, inside
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.files import parse_json
from armillary.spec import ActionSpace, Spec, Stream

VERSIONS = ("v2.0", "v2.1", "v3.0")
ACTIONS = ("action", "actions")
LARGEST = 1_000_000  # side of an array in a row
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True)
class Feature:
    """One feature: (H, W, C) for a picture, whatever the order in the file; a name and a unit for each number, or none.

    Pictures have 1 channel or 3; `alpha` says that the metadata count a fourth, which is left out.
    """

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    depth: bool
    unit: tuple[str, ...]
    alpha: bool = False

    @classmethod
    def parse(cls, plain: dict) -> "Feature":
        dtype, shape, names = plain["dtype"], tuple(plain["shape"]), plain.get("names") or []
        if not isinstance(dtype, str) or not all(type(side) is int and 0 < side <= LARGEST for side in shape):
            raise CorruptFile(f"a feature has the type {str(dtype)[:50]!r} and the shape {str(shape)[:50]}")
        if isinstance(names, dict):  # {"motors": [names]}, or {name: position}
            names = list(names.values()) if any(isinstance(value, list) for value in names.values()) else list(names)
        names = tuple(str(name) for some in names for name in (some if isinstance(some, list) else [some]))
        alpha = False
        if dtype in ("video", "image") and len(shape) in (2, 3):
            said = "chw" if names and names[0].startswith("c") else "hwc"
            height, width, channels = picture_shape(shape, axes_of(shape) or said)
            alpha, shape = channels == 4, (height, width, 1 if dtype == "image" and channels < 3 else 3)
        info = plain.get("info") or {}
        depth = any(key.endswith("is_depth_map") and value for key, value in info.items())
        unit: Any = info.get("unit") if isinstance(info.get("unit"), list) else ()  # as our own export keeps them
        named, units = (tuple(each) if shape == (len(each),) else () for each in (names, unit))
        return cls(dtype, shape, named, depth, units, alpha)

    @property
    def camera(self) -> bool:
        picture = self.dtype == "image" or (self.dtype == "video" and not self.depth)
        return picture and len(self.shape) == 3

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

    def __post_init__(self) -> None:
        if not (type(self.index) is type(self.length) is int and min(self.index, self.length) >= 0):
            raise CorruptFile(f"an episode has the index {str(self.index)[:50]!r} and the length {str(self.length)[:50]!r}")


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
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, pyarrow.ArrowException) as error:
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
        return cameras if asked is None else self.named(asked, cameras, "camera")

    def named(self, asked: Sequence[str], among: Sequence[str], what: str) -> list[str]:
        """Those of these names, whole or the last part, in the order of the metadata.

        Raises:
            ArmillaryError: one that is not there.
        """
        for name in asked:
            if not any(name in (one, one.split(".")[-1]) for one in among):
                raise ArmillaryError(f"{self.root}: no {what} {name!r}; there are {', '.join(among) or 'none'}")
        return [one for one in among if {one, one.split(".")[-1]} & set(asked)]

    def actions(self, asked: Sequence[str]) -> list[str]:
        """The features that are the action, in the order that was asked for; `action`, or else `actions`, if none was.

        Raises:
            ArmillaryError: they are not there, or are no numbers.
        """
        vectors = [name for name, feature in self.features.items() if feature.vector and name not in BOOKKEEPING]
        chosen = [self.named([name], vectors, "feature of numbers") for name in asked]
        chosen = [one for some in chosen for one in some] or [name for name in ACTIONS if name in vectors][:1]
        if not chosen:
            there = ", ".join(vectors) or "none"
            raise ArmillaryError(f"{self.root}: no feature 'action' or 'actions' of numbers; name it with --action: {there}")
        return chosen

    def spec(
        self, cameras: list[str], actions: list[str], image_size: int | None, streams: Sequence[str] | None = None
    ) -> tuple[Spec, dict[str, str]]:
        """The Spec with these cameras and actions, and the features that no model should or can see, each with the reason.

        Args:
            streams: the other features that are seen, by their names; None for those that are named as observations are.

        Raises:
            ArmillaryError: nothing that is observed, or a feature in `streams` that cannot be.
        """
        seen = set(self.named(streams or (), [name for name in self.features if name not in actions], "feature"))
        found, ignored = [], {}
        for name, feature in self.features.items():
            size = feature.shape[:2] if image_size is None else (image_size, image_size)
            if name in cameras and feature.depth:
                found.append(Stream(name, "depth", size, rate=self.fps))
            elif name in cameras:
                found.append(Stream(name, "image", (*size, feature.shape[-1]), rate=self.fps))
            elif name in actions or feature.camera:
                continue
            elif streams is not None and name not in seen:
                ignored[name] = "not asked for"
            elif name in BOOKKEEPING and name not in seen:
                ignored[name] = "time or index"
            elif not feature.vector:
                ignored[name] = "depth in a video" if feature.depth else f"{feature.dtype} {feature.shape}"
                if name in seen:
                    raise ArmillaryError(f"{self.root}: {name!r} cannot be imported: {ignored[name]}")
            elif name in seen or name.startswith("observation") or name == "state":
                found.append(Stream(name, "vector", (feature.size,), feature.unit, feature.names, self.fps))
            else:
                ignored[name] = "not an observation"
        if not found:
            raise ArmillaryError(
                f"{self.root}: nothing observed is left to import, neither a camera nor a state; name --streams"
            )
        return Spec(tuple(found), self._action_space(actions), self.fps), ignored

    def _action_space(self, actions: list[str]) -> ActionSpace:
        parts = [self.features[name] for name in actions]

        def joined(kind: str) -> tuple[str, ...]:
            """Units or names of all numbers, empty ones where a part has none; none where no part has any."""
            each = [getattr(part, kind) or ("",) * part.size for part in parts]
            return sum(each, ()) if any(getattr(part, kind) for part in parts) else ()

        whole = all(part.dtype.startswith(("int", "uint")) for part in parts)
        size = sum(part.size for part in parts)
        return ActionSpace("box", size, unit=joined("unit"), channels=joined("names"), whole=whole)


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
