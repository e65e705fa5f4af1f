"""Which movies are the scenes of IntPhys and IntPhys 2, in the folders that their archives unpack to.

IntPhys (Riochet et al., arXiv 1803.07616), the folder `dev`:

    O1/01/1/scene/scene_001.png     to scene_100.png: 15 frames a second, 288 x 288 px
    O1/01/1/status.json             {"header": {"is_possible": true}}

A scene of a block (O1, O2, O3) is four movies in the folders 1 to 4, in random order. Two are possible, and the impossible ones
are spliced from their frames. The folder `test` has no status.json, because its labels are secret.

IntPhys 2 (Bordes et al., arXiv 2506.09849), the folder `Main` or `Debug`:

    metadata.csv                    SceneIndex,name,file_name,game_name,condition,env,type,occluder,Difficulty,Camera
    Videos/0838...3e3d.mp4          60 frames a second, 512 x 512 px; `file_name` is relative to the folder

`type` is 1_Possible, 1_Impossible, 2_Possible or 2_Impossible; videos of one number are a pair. In `Debug`, each scene was
rendered three times: each rendering counts as a scene. The folder `HeldOut` has no labels.

Sources: the generator of IntPhys (github.com/bootphon/intphys, commit 9f3ff2b: director.py and DefaultEngine.ini capture every
second tick of 30 Hz; saver.py, make_archives.py, shuffle_test.py and Utils.cpp give folders, names and labels), a reader of it
(github.com/facebookresearch/jepa-intuitive-physics, commit 41fbfff), and of IntPhys 2 the README (github.com/facebookresearch/
IntPhys2, commit faf78cd) and the metadata (huggingface.co/datasets/facebook/IntPhys2, commit a077a2f).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from armillary.episodes.formats.folders import UNFETCHED, files_in, natural, unfetched
from armillary.episodes.formats.places import inside
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json

BLOCKS = {"O1": "object permanence", "O2": "shape constancy", "O3": "continuity"}
MOVIES = "1", "2", "3", "4"
IMAGES_HZ = 15.0
"""Rate of the movies of IntPhys, which are images."""
TYPES = "1_Possible", "2_Possible", "1_Impossible", "2_Impossible"
COLUMNS = "SceneIndex", "file_name", "condition", "type"


@dataclass(frozen=True)
class Movie:
    """A video, or a folder of images at `IMAGES_HZ`."""

    path: Path
    images: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Quadruplet:
    """The four movies of a scene.

    Args:
        name: of the scene.
        violated: what the impossible movies violate.
        movies: two possible ones, then two impossible ones.
        paired: whether each impossible movie is known to belong to the possible one two before it.
    """

    name: str
    violated: str
    movies: tuple[Movie, ...]
    paired: bool


def find_scenes(path: Path) -> tuple[str, list[Quadruplet]]:
    """The benchmark that lies in a folder, and its scenes, not read yet.

    Raises:
        ArmillaryError: neither of the two, or one without labels.
        CorruptFile: a scene is not complete, or its labels cannot be.
    """
    if (path / "metadata.csv").is_file():
        name, scenes = "IntPhys 2", list(_intphys2(path))
    elif any((path / block).is_dir() for block in BLOCKS):
        name, scenes = "IntPhys", list(_intphys(path))
    else:
        raise ArmillaryError(
            f"{path}: expected the folder dev of IntPhys, with O1, O2 and O3, or Main of IntPhys 2, with metadata.csv; HeldOut "
            "has no labels"
        )
    if not scenes:
        raise CorruptFile(f"{path}: there are no scenes of {name} in it")
    return name, scenes


def _intphys(path: Path) -> Iterator[Quadruplet]:
    for block, violated in BLOCKS.items():
        for scene in _folders(path / block):
            if (found := tuple(folder.name for folder in _folders(scene))) != MOVIES:
                raise CorruptFile(f"{scene}: expected the movies 1, 2, 3 and 4, got {', '.join(found) or 'none'}")
            possible = {name: _is_possible(scene / name) for name in MOVIES}
            if sum(possible.values()) != 2:
                raise CorruptFile(f"{scene}: expected 2 possible movies, got {sum(possible.values())}")
            order = sorted(MOVIES, key=lambda name: not possible[name])
            movies = tuple(Movie(scene / name, _images(scene / name / "scene")) for name in order)
            yield Quadruplet(f"{block}/{scene.name}", f"{block} {violated}", movies, paired=False)


def _folders(path: Path) -> list[Path]:
    found = path.iterdir() if path.is_dir() else ()
    return sorted((one for one in found if one.is_dir() and not one.name.startswith(".")), key=natural)


def _is_possible(movie: Path) -> bool:
    status = movie / "status.json"
    if not status.is_file():
        raise ArmillaryError(
            f"{movie}: no status.json says whether this movie is possible; IntPhys keeps the labels of its test set secret: "
            "give the folder dev"
        )
    match parse_json(status.read_bytes(), status):
        case {"header": {"is_possible": bool(possible)}}:
            return possible
    raise CorruptFile(f"{status}: expected true or false as is_possible in header")


def _images(folder: Path) -> tuple[Path, ...]:
    images = files_in(folder, (".png",), deep=False)
    if not images:
        raise CorruptFile(f"{folder}: expected scene_001.png and so on, got no images")
    for number, image in enumerate(images, start=1):
        if image.name != f"scene_{number:03d}.png":
            raise CorruptFile(f"{folder}: expected scene_{number:03d}.png, got {image.name}; a frame is missing")
    return tuple(images)


def _intphys2(path: Path) -> Iterator[Quadruplet]:
    table = path / "metadata.csv"
    scenes: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in _rows(table):
        if row["type"] not in TYPES:
            raise CorruptFile(f"{table}: type is one of {', '.join(TYPES)}, not {row['type'][:100]!r}")
        scenes.setdefault(row["SceneIndex"], {name: [] for name in TYPES})[row["type"]].append(row)
    for index, rows in scenes.items():
        counts = {name: len(some) for name, some in rows.items()}
        if len(set(counts.values())) > 1:
            have = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise CorruptFile(f"{table}: scene {index[:100]}: expected as many videos of each type, got {have}")
        for four in zip(*rows.values(), strict=True):
            if len({row["condition"] for row in four}) > 1:
                raise CorruptFile(f"{table}: scene {index[:100]}: its videos are of different conditions")
            movies = tuple(Movie(_video(path, row["file_name"])) for row in four)
            yield Quadruplet(f"scene {index}", four[0]["condition"], movies, paired=True)


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise CorruptFile(f"{table}: not a table in CSV ({error})") from error
    for row in rows:
        if absent := [name for name in COLUMNS if not row.get(name)]:
            raise CorruptFile(f"{table}: a row has no {', '.join(absent)}; the videos of HeldOut have no labels")
    if len({row["file_name"] for row in rows}) < len(rows):
        raise CorruptFile(f"{table}: two rows name the same video")
    return rows


def _video(path: Path, name: str) -> Path:
    video = inside(path, name)
    if not video.is_file():
        raise CorruptFile(f"{path}: the metadata name {name[:200]!r}, which is not there")
    if unfetched(video):
        raise CorruptFile(f"{video}: {UNFETCHED}")
    return video
