"""`armillary import FORMAT`: somebody's recording into a new store of episodes.

A format's options are a dataclass, whose fields are the arguments of its importer; what formats share they inherit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro
from tyro.conf import Positional

from armillary.cli.shared import StorePath, parse_options

T = TypeVar("T")
Options = Annotated[T, tyro.conf.arg(name="", prefix_name=False)]


@dataclass(kw_only=True)
class Import:
    path: Positional[Path]
    """a file, or a folder of them."""
    out: StorePath
    """the new store."""
    missing: Literal["skip", "refuse"] = "skip"
    """what to do about episodes or files that are unfit: skip and list them, or refuse the import (to repair them first)."""
    max_episodes: int | None = None
    """stop after so many; all by default. A few show quickly whether the options are right."""
    resume: bool = False
    """go on with an import of the same that was interrupted."""
    overwrite: bool = False
    """replace the store that is there."""


@dataclass(kw_only=True)
class Images:
    image_size: int | None = 64
    """pixels a side that images and depth are reduced to on the way; None keeps them as they are."""


@dataclass(kw_only=True)
class Cut:
    longest: int = 10_000
    """rows of an episode; what is longer is cut, and no step is lost. Fewer take less memory."""


@dataclass(kw_only=True)
class Colours:
    bgr: tuple[str, ...] = ()
    """images whose colours are blue, green, red, as OpenCV has them; red and blue are exchanged."""


@dataclass(kw_only=True)
class Topics:
    streams: tuple[str, ...] | None = None
    """what a model may see, by name; all that becomes a stream by default."""
    truth: tuple[str, ...] = ()
    """what to keep as ground truth, which no model sees, by name."""


@dataclass(kw_only=True)
class Arrays(Topics, Colours, Images):
    streams: tuple[str, ...] | None = None
    """arrays that a model may see; observations, and those below obs or observations, by default."""
    kinds: tuple[str, ...] = ()
    """array=kind, such as top=depth, where the kind that is found is not right."""
    axes: tuple[str, ...] = ()
    """array=letters, such as camera=chw: the order of height, width, channels and k (frames of a stack) of an image."""
    rate: float | None = None
    """steps a second, where the source does not say it; without one, time is counted in steps."""


@dataclass(kw_only=True)
class Episodes(Arrays, Cut):
    action: str | None = None
    """the array of actions; actions or action by default."""
    action_kind: Literal["box", "discrete"] | None = None
    """box takes whole numbers as amounts, discrete as choices; by default a lone whole number a row is a choice."""
    episode: str | None = None
    """the array that changes where an episode ends, or of first rows, or of the rows after the last ones."""
    ends: tuple[str, ...] = ()
    """arrays of flags that are set in the last row of an episode; terminals, timeouts and their like by default."""


@dataclass(kw_only=True)
class Columns:
    controls: tuple[str, ...] = ()
    """columns that say what was done, from a row to the next; without any, the recording has no actions."""
    truth: tuple[str, ...] = ()
    """columns of labels, which no model sees."""
    ignore: tuple[str, ...] = ()
    """columns that stay out."""
    gap: float | None = None
    """seconds without a row that end an episode; ten times the median step by default."""
    longest: int = 100_000
    """rows of an episode; what is longer is cut."""
    header: bool = True
    """--no-header says that the first line does not name the columns; then they are column 1, column 2, ..."""
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None
    """of numbers of time; by default it goes by the column's name, or its size."""
    day_first: bool | None = None
    """True: 3/4/2026 is in April; False: in March; by default it goes by the dates themselves."""
    zone: str | None = None
    """of dates that do not say one, such as Europe/Berlin: then daylight saving time is no jump."""


@dataclass(kw_only=True)
class Lerobot(Colours, Images, Cut, Import):
    path: Positional[Path]
    """the dataset's folder."""
    cameras: tuple[str, ...] | None = None
    """which ones, by the whole name or its last part; all by default."""
    streams: tuple[str, ...] | None = None
    """features that a model may see, cameras included; all cameras, observation* and state by default."""
    action: tuple[str, ...] = ()
    """features that are the action, joined in this order; action, or else actions, by default."""


def lerobot(options: Options[Lerobot]) -> None:
    """A LeRobot dataset, v2.0, v2.1 or v3.0."""
    from armillary.episodes.formats.lerobot import import_lerobot

    print(import_lerobot(**vars(options)))


@dataclass(kw_only=True)
class Swm(Topics, Images, Import):
    path: Positional[Path]
    """the recording's folder, or its file."""
    streams: tuple[str, ...] | None = None
    """columns that a model may see; pixels by default."""


def swm(options: Options[Swm]) -> None:
    """A recording of stable-worldmodel: Lance, HDF5 or a folder."""
    from armillary.episodes.formats.swm import import_swm

    print(import_swm(**vars(options)))


@dataclass(kw_only=True)
class Table(Columns, Import):
    time: tuple[str, ...] = ()
    """the column of dates or of numbers; or two columns, of the date and of the time of day."""
    episode: str | None = None
    """a column that changes where an episode ends."""
    clock: Literal["rows", "hold"] = "rows"
    """take rows as they come, or hold them on the even clock of the median step."""
    missing: Literal["refuse", "skip", "hold", "interpolate"] = "refuse"
    """refuse rows in which a number is missing; skip them, which ends an episode there; or fill gaps of a cell, by the number
    before it (hold) or by a straight line (interpolate)."""
    longest_gap: int = 5
    """rows over which a gap is filled; a longer one is as under skip."""


def table(options: Options[Table]) -> None:
    """Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a sensor."""
    from armillary.episodes.formats.table import import_table

    print(import_table(**vars(options)))


@dataclass(kw_only=True)
class Streams(Columns, Import):
    path: Positional[Path]
    """a folder of CSV or Parquet files, or a folder of such folders."""
    rate: float
    """steps a second, which all tables are put on."""
    time: tuple[str, ...]
    """the column of dates or of numbers that every table has; or two, of the date and of the time of day."""
    controls: tuple[str, ...] = ()
    """columns that say what was done (table.column where two tables have it), held from step to step."""
    mean: tuple[str, ...] = ()
    """tables of which a step takes the mean since the one before; it takes the last row of others."""
    every: tuple[str, ...] = ()
    """tables of which a step takes every row since the one before, as a signal."""
    drift: float = 0.1
    """seconds that a clock may begin after the others, or end before them, beyond a step of its own."""
    missing: Literal["skip", "refuse"] = "refuse"
    """what to do about folders that are damaged or whose clocks do not fit."""


def streams(options: Options[Streams]) -> None:
    """Folders of tables, each table with a clock of its own: a folder is an episode, and a table in it is a stream."""
    from armillary.episodes.formats.streams import import_streams

    print(import_streams(**vars(options)))


@dataclass(kw_only=True)
class Hdf5(Episodes, Import):
    only: str | None = None
    """robomimic's filter key, such as train."""


def hdf5(options: Options[Hdf5]) -> None:
    """HDF5 files: robomimic's, a group or a file an episode (ALOHA), or arrays that all episodes share (D4RL)."""
    from armillary.episodes.formats.hdf5 import import_hdf5

    print(import_hdf5(**_parsed(options)))


@dataclass(kw_only=True)
class Npz(Episodes, Import):
    pass


def npz(options: Options[Npz]) -> None:
    """NumPy archives (.npz): arrays that all episodes share (OGBench), or a file an episode."""
    from armillary.episodes.formats.npz import import_npz

    print(import_npz(**_parsed(options)))


@dataclass(kw_only=True)
class Minari(Arrays, Import):
    path: Positional[Path]
    """the dataset's folder."""
    streams: tuple[str, ...] | None = None
    """keys of the observation that a model may see; all by default."""
    truth: tuple[str, ...] = ("rewards",)
    """arrays to keep as ground truth, which no model sees: keys of the observation, rewards, or infos/..."""


def minari(options: Options[Minari]) -> None:
    """A dataset of Minari: HDF5, Arrow or Parquet."""
    from armillary.episodes.formats.minari import import_minari

    print(import_minari(**_parsed(options)))


@dataclass(kw_only=True)
class Mcap(Topics, Images, Cut, Import):
    path: Positional[Path]
    """a file, or a folder of files of one kind: MCAP or SQLite of ROS 2, bags of ROS 1."""
    action: str | None = None
    """the topic of what was done, of any messages of numbers (Twist, JointState, PoseStamped); none by default."""
    rate: float | None = None
    """of an even control clock, in Hz; or give --clock."""
    clock: str | None = None
    """the topic whose messages are the control clock; that of the actions, or the slowest, by default."""
    gap: float | None = None
    """seconds of silence of a topic that make rows stale; ten times its own median step by default."""
    tolerance: float | None = None
    """seconds by which the time from stamp to log may differ between beginning and end; half a step by default."""
    points: int = 1024
    """of a cloud, at most."""
    missing: Literal["refuse", "skip"] = "refuse"
    """refuse rows that are stale and files that are unfit, or skip them, which ends an episode there."""


def mcap(options: Options[Mcap]) -> None:
    """Recordings of ROS (.mcap, .db3, .bag): images, depth, scans, clouds, inertial units, joints, on one control clock."""
    from armillary.episodes.formats.mcap import import_mcap

    print(import_mcap(**vars(options)))


@dataclass(kw_only=True)
class Video(Images, Cut, Import):
    path: Positional[Path]
    """a video, a folder of images, or a folder in which all of them are read."""
    controls: tuple[str, ...] | None = None
    """columns of the tables that are the action; all that are numbers by default, and nothing after it for none."""
    time: str | None = None
    """the column of the tables that is their clock, in dates or in seconds; by default row i belongs to frame i."""
    begins: float | None = None
    """what that column shows at the first frame, in seconds; 0, or of dates the first, by default."""
    drift: float = 0.1
    """seconds that the clocks of a video and its table may be apart at either end."""
    rate: float | None = None
    """frames a second to hold frames on, or those of images and of raw H.264 or HEVC; by default frames as they come."""
    tracks: tuple[int, ...] | None = None
    """video streams of a file to take, 0 for the first; all that the first video has by default."""
    longest: int = 3000
    """rows of an episode; what is longer is cut. Fewer take less memory."""


def video(options: Options[Video]) -> None:
    """Videos and folders of images, each an episode; with actions where a CSV or Parquet table is beside each."""
    from armillary.episodes.formats.video import import_video

    print(import_video(**vars(options)))


def _parsed(options: Arrays) -> dict[str, Any]:
    return vars(options) | {"kinds": parse_options(options.kinds), "axes": parse_options(options.axes)}
