"""`armillary import FORMAT`: a recording of another format into a new store of episodes.

A format's options are a dataclass, whose fields are the arguments of its importer; what formats share they inherit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro
from tyro.conf import Positional

from armillary.cli.shared import StorePath, parse_options, printed

T = TypeVar("T")
Options = Annotated[T, tyro.conf.arg(name="", prefix_name=False)]


@dataclass(kw_only=True)
class Import:
    path: Positional[Path]
    """the file to import, or a folder of files."""
    out: StorePath
    """the store to create: a path, or a URI such as s3://bucket/name."""
    max_episodes: int | None = None
    """stop after this many episodes. A few show quickly whether the options are right. Default: import all."""
    resume: bool = False
    """continue an import of the same recording that was interrupted."""
    overwrite: bool = False
    """replace a store that is at --out."""


@dataclass(kw_only=True)
class Missing:
    missing: Literal["skip", "refuse"] = "skip"
    """what to do about episodes or files that do not fit. skip: leave them out and list them; refuse: stop the import."""


@dataclass(kw_only=True)
class Images:
    image_size: int | None = 64
    """size to which images and depth are reduced, in pixels a side. none keeps the size of the source."""


@dataclass(kw_only=True)
class Cut:
    longest: int = 10_000
    """longest episode, in rows. A longer one is cut into several, and no step is lost. Fewer rows take less memory."""


@dataclass(kw_only=True)
class Colours:
    bgr: tuple[str, ...] = ()
    """names of images whose channels are blue, green, red, as in OpenCV. They are stored as red, green, blue. Default: none."""


@dataclass(kw_only=True)
class Topics:
    streams: tuple[str, ...] | None = None
    """names of the streams that a model may see. Default: all that can be read."""
    truth: tuple[str, ...] = ()
    """names to keep as ground truth, which no model sees. Default: none."""


@dataclass(kw_only=True)
class Arrays(Topics, Colours, Images):
    streams: tuple[str, ...] | None = None
    """arrays that a model may see. Default: observations, and the arrays below obs or observations."""
    kinds: tuple[str, ...] = ()
    """kinds as array=kind, such as top=depth, where the detected kind is wrong. Default: as detected."""
    axes: tuple[str, ...] = ()
    """order of the axes of an image as array=letters, such as camera=chw: height, width, channels, and k for the frames of a
    stack. Default: as detected."""
    rate: float | None = None
    """steps a second, if the source does not say it. Default: as in the source, or none: then time is counted in steps."""


@dataclass(kw_only=True)
class Episodes(Arrays, Cut):
    action: str | None = None
    """the array of actions. Default: actions or action."""
    action_kind: Literal["box", "discrete"] | None = None
    """box: whole numbers are amounts; discrete: they are choices. Default: one whole number a row is a choice."""
    episode: str | None = None
    """the array that says where episodes end: a number that changes there, the first rows, or the rows after the last ones.
    Default: as the file says."""
    ends: tuple[str, ...] = ()
    """arrays of flags that are set in the last row of an episode. Default: terminals, timeouts and similar names."""


@dataclass(kw_only=True)
class Columns:
    controls: tuple[str, ...] = ()
    """columns of actions: what was set, from a row to the next. Default: none, and the recording has no actions."""
    truth: tuple[str, ...] = ()
    """columns of ground truth, which no model sees. Default: none."""
    ignore: tuple[str, ...] = ()
    """columns to leave out. Default: none."""
    gap: float | None = None
    """seconds without a row that end an episode. Default: ten times the median step."""
    longest: int = 100_000
    """longest episode, in rows. A longer one is cut into several."""
    header: bool = True
    """the first line names the columns. With --no-header they are called column 1, column 2 and so on."""
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None
    """unit of the column of time, if it holds numbers. Default: by the column's name, or the size of its numbers."""
    day_first: bool | None = None
    """read 3/4/2026 as the 3rd of April (true) or as March 4th (false). Default: by the dates themselves."""
    zone: str | None = None
    """time zone of dates that name none, such as Europe/Berlin. Then daylight saving time is no jump. Default: as they are."""


@dataclass(kw_only=True)
class Lerobot(Colours, Images, Cut, Missing, Import):
    path: Positional[Path]
    """the folder of the dataset."""
    cameras: tuple[str, ...] | None = None
    """cameras to import, by the whole name or its last part. Default: all."""
    streams: tuple[str, ...] | None = None
    """features that a model may see, cameras included. Default: all cameras, observation* and state."""
    action: tuple[str, ...] = ()
    """features that make up the action, joined in this order. Default: action, or else actions."""


def lerobot(options: Options[Lerobot]) -> Any:
    """A LeRobot dataset, v2.0, v2.1 or v3.0."""
    from armillary.episodes.formats.lerobot import import_lerobot

    return printed(import_lerobot(**vars(options)))


@dataclass(kw_only=True)
class Swm(Topics, Images, Missing, Import):
    path: Positional[Path]
    """the folder of the recording, or its file."""
    streams: tuple[str, ...] | None = None
    """columns that a model may see. Default: pixels."""


def swm(options: Options[Swm]) -> Any:
    """A recording of stable-worldmodel: Lance, HDF5 or a folder."""
    from armillary.episodes.formats.swm import import_swm

    return printed(import_swm(**vars(options)))


@dataclass(kw_only=True)
class Table(Columns, Import):
    time: tuple[str, ...] = ()
    """the column of time, or two columns, of the date and of the time of day. Default: none; rows have no clock."""
    episode: str | None = None
    """a column whose value changes where an episode ends. Default: none."""
    clock: Literal["rows", "hold"] = "rows"
    """rows: keep rows as they come; hold: put them on an even clock of the median step, holding the last value."""
    missing: Literal["refuse", "skip", "hold", "interpolate"] = "refuse"
    """what to do about a missing number. refuse: stop; skip: drop the row, which ends the episode there; hold: repeat the
    number before it; interpolate: fill the gap by a straight line."""
    longest_gap: int = 5
    """rows over which a gap is filled. A longer gap is treated as under skip."""


def table(options: Options[Table]) -> Any:
    """Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a sensor."""
    from armillary.episodes.formats.table import import_table

    return printed(import_table(**vars(options)))


@dataclass(kw_only=True)
class Streams(Columns, Missing, Import):
    path: Positional[Path]
    """a folder of CSV or Parquet files, or a folder of such folders."""
    rate: float
    """steps a second onto which all tables are put."""
    time: tuple[str, ...]
    """the column of time, which every table has, or two columns, of the date and of the time of day."""
    controls: tuple[str, ...] = ()
    """columns of actions (table.column where two tables have it), held from step to step. Default: none."""
    mean: tuple[str, ...] = ()
    """tables of which a step takes the mean since the step before. Of other tables it takes the last row. Default: none."""
    every: tuple[str, ...] = ()
    """tables of which a step takes all rows since the step before, as a signal. Default: none."""
    drift: float = 0.1
    """seconds by which a clock may begin after the others, or end before them, beyond a step of its own."""
    missing: Literal["skip", "refuse"] = "refuse"
    """what to do about folders that are damaged or whose clocks do not fit. refuse: stop the import; skip: leave them out."""


def streams(options: Options[Streams]) -> Any:
    """Folders of tables, each table with a clock of its own: a folder is an episode, and a table in it is a stream."""
    from armillary.episodes.formats.streams import import_streams

    return printed(import_streams(**vars(options)))


@dataclass(kw_only=True)
class Hdf5(Episodes, Missing, Import):
    only: str | None = None
    """robomimic's filter key, such as train. Default: all episodes."""


def hdf5(options: Options[Hdf5]) -> Any:
    """HDF5 files: robomimic's, a group or a file an episode (ALOHA), or arrays that all episodes share (D4RL)."""
    from armillary.episodes.formats.hdf5 import import_hdf5

    return printed(import_hdf5(**_parsed(options)))


@dataclass(kw_only=True)
class Npz(Episodes, Missing, Import):
    pass


def npz(options: Options[Npz]) -> Any:
    """NumPy archives (.npz): arrays that all episodes share (OGBench), or a file an episode."""
    from armillary.episodes.formats.npz import import_npz

    return printed(import_npz(**_parsed(options)))


@dataclass(kw_only=True)
class Minari(Arrays, Missing, Import):
    path: Positional[Path]
    """the folder of the dataset."""
    streams: tuple[str, ...] | None = None
    """keys of the observation that a model may see. Default: all."""
    truth: tuple[str, ...] = ("rewards",)
    """arrays to keep as ground truth, which no model sees: keys of the observation, rewards, or infos/NAME."""


def minari(options: Options[Minari]) -> Any:
    """A dataset of Minari: HDF5, Arrow or Parquet."""
    from armillary.episodes.formats.minari import import_minari

    return printed(import_minari(**_parsed(options)))


@dataclass(kw_only=True)
class Mcap(Topics, Images, Cut, Missing, Import):
    path: Positional[Path]
    """a file, or a folder of files of one kind: MCAP or SQLite of ROS 2, or bags of ROS 1."""
    action: str | None = None
    """the topic of actions, of any messages of numbers (Twist, JointState, PoseStamped). Default: none."""
    rate: float | None = None
    """rate of an even control clock, in Hz. Default: the clock of --clock."""
    clock: str | None = None
    """the topic whose messages are the control clock. Default: the topic of actions, or the slowest topic."""
    gap: float | None = None
    """seconds of silence of a topic after which rows are stale. Default: ten times its median step."""
    tolerance: float | None = None
    """seconds by which the delay from stamp to log may change between start and end. Default: half a step."""
    points: int = 1024
    """points of a cloud to keep at most. More take more memory."""
    missing: Literal["refuse", "skip"] = "refuse"
    """what to do about stale rows and unfit files. refuse: stop the import; skip: drop them, which ends the episode there."""


def mcap(options: Options[Mcap]) -> Any:
    """Recordings of ROS (.mcap, .db3, .bag): images, depth, scans, clouds, inertial units, joints, on one control clock."""
    from armillary.episodes.formats.mcap import import_mcap

    return printed(import_mcap(**vars(options)))


@dataclass(kw_only=True)
class Video(Images, Cut, Missing, Import):
    path: Positional[Path]
    """a video, a folder of images, or a folder of several of these."""
    controls: tuple[str, ...] | None = None
    """columns of the tables that are the action; --controls alone means no actions. Default: all columns of numbers."""
    time: str | None = None
    """the column of the tables that is their clock, in dates or in seconds. Default: row i belongs to frame i."""
    begins: float | None = None
    """value of that column at the first frame, in seconds. Default: 0, or the first date."""
    drift: float = 0.1
    """seconds by which the clocks of a video and its table may differ at either end."""
    rate: float | None = None
    """frames a second to put frames on, or those of images and of raw H.264 or HEVC. Default: frames as they come."""
    tracks: tuple[int, ...] | None = None
    """video streams of a file to import, 0 for the first. Default: all that the first video has."""
    longest: int = 3000
    """longest episode, in rows. A longer one is cut into several. Fewer rows take less memory."""


def video(options: Options[Video]) -> Any:
    """Videos and folders of images, each an episode; with actions where a CSV or Parquet table is beside each."""
    from armillary.episodes.formats.video import import_video

    return printed(import_video(**vars(options)))


def _parsed(options: Arrays) -> dict[str, Any]:
    return vars(options) | {"kinds": parse_options(options.kinds), "axes": parse_options(options.axes)}
