"""`armillary import FORMAT`: somebody's recording into a new store of episodes. Each format has its own options."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from armillary.cli.shared import StorePath, parse_options

TimeUnit = Literal["ns", "us", "ms", "s", "min", "h", "d"]


def lerobot(
    path: Positional[Path],
    out: StorePath,
    image_size: int | None = 64,
    cameras: tuple[str, ...] | None = None,
    streams: tuple[str, ...] | None = None,
    action: tuple[str, ...] = (),
    bgr: tuple[str, ...] = (),
    longest: int = 10_000,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """A LeRobot dataset, v2.0, v2.1 or v3.0.

    Args:
        path: the dataset's folder.
        out: the new store.
        image_size: cameras are reduced to this many pixels a side on the way; None keeps them as they are.
        cameras: which ones, by the whole name or its last part; all by default.
        streams: features that a model may see, cameras included; all cameras, observation* and state by default.
        action: features that are the action, joined in this order; action, or else actions, by default.
        bgr: cameras whose colours are blue, green, red, as OpenCV has them; red and blue are exchanged.
        longest: rows of an episode; what is longer is cut, and no step is lost.
        missing: what to do about episodes or videos that the metadata names and that are not there.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.lerobot import import_lerobot

    features = {"cameras": cameras, "streams": streams, "action": action, "bgr": bgr}
    options = {"image_size": image_size, "longest": longest, "missing": missing, "max_episodes": max_episodes}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_lerobot(path, out, **features, **options, **store))


def swm(
    path: Positional[Path],
    out: StorePath,
    image_size: int | None = 64,
    streams: tuple[str, ...] | None = None,
    truth: tuple[str, ...] = (),
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """A recording of stable-worldmodel: Lance, HDF5 or a folder.

    Args:
        path: the recording's folder, or its file.
        out: the new store.
        image_size: images are reduced to this many pixels a side on the way; None keeps them as they are.
        streams: columns that a model may see; pixels unless given.
        truth: columns to keep as ground truth, which no model sees.
        missing: what to do about episodes that are unfit.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.swm import import_swm

    options = {"streams": streams, "truth": truth, "missing": missing, "max_episodes": max_episodes}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_swm(path, out, image_size=image_size, **options, **store))


def table(
    path: Positional[Path],
    out: StorePath,
    time: tuple[str, ...] = (),
    controls: tuple[str, ...] = (),
    truth: tuple[str, ...] = (),
    episode: str | None = None,
    ignore: tuple[str, ...] = (),
    gap: float | None = None,
    clock: Literal["rows", "hold"] = "rows",
    missing: Literal["refuse", "skip", "hold", "interpolate"] = "refuse",
    longest_gap: int = 5,
    header: bool = True,
    time_unit: TimeUnit | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    longest: int = 100_000,
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a sensor.

    Args:
        path: a file, or a folder of them.
        out: the new store.
        time: the column of dates or of numbers; or two columns, of the date and of the time of day.
        controls: columns that say what was done; without any, the recording has no actions.
        truth: columns of labels, which no model sees.
        episode: a column that changes where an episode ends.
        ignore: columns that stay out.
        gap: seconds between two rows that end an episode; ten times the median step unless given.
        clock: take rows as they come, or hold them on the even clock of the median step.
        missing: refuse rows in which a number is missing; skip them, which ends an episode there; or fill gaps of a cell, by
            the number before it (hold) or by a straight line (interpolate).
        longest_gap: rows over which a gap is filled; a longer one is as under skip.
        header: --no-header says that the first line does not name the columns; then they are column 1, column 2, ...
        time_unit: of numbers of time; the default goes by the column's name, or its size.
        day_first: whether 3/4/2026 is in April (--day-first) or March (--no-day-first); default: by the dates.
        zone: of dates that do not say one, such as Europe/Berlin: then daylight saving time is no jump.
        longest: rows of an episode; what is longer is cut.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.table import import_table

    columns = {"time": time, "controls": controls, "truth": truth, "episode": episode, "ignore": ignore}
    options = {"gap": gap, "clock": clock, "missing": missing, "longest": longest, "max_episodes": max_episodes}
    options |= {"longest_gap": longest_gap, "header": header, "time_unit": time_unit, "day_first": day_first, "zone": zone}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_table(path, out, **columns, **options, **store))


def hdf5(
    path: Positional[Path],
    out: StorePath,
    streams: tuple[str, ...] | None = None,
    action: str | None = None,
    action_kind: Literal["box", "discrete"] | None = None,
    truth: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    axes: tuple[str, ...] = (),
    bgr: tuple[str, ...] = (),
    only: str | None = None,
    episode: str | None = None,
    ends: tuple[str, ...] = (),
    rate: float | None = None,
    image_size: int | None = 64,
    longest: int = 10_000,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """HDF5 files: robomimic's, a group or a file an episode (ALOHA), or arrays that all episodes share (D4RL).

    Args:
        path: a file, or a folder of them.
        out: the new store.
        streams: arrays that a model may see; those below obs or observations unless given.
        action: the array of actions; actions or action by default.
        action_kind: box takes whole numbers as amounts, discrete as choices; by default a lone whole number a row is a choice.
        truth: arrays to keep as ground truth, which no model sees.
        kinds: array=kind, such as top=depth, where the kind that is found is not right.
        axes: array=letters, such as camera=chw: the order of height, width, channels and k (frames of a stack) of an image.
        bgr: images whose colours are blue, green, red, as OpenCV has them; red and blue are exchanged.
        only: robomimic's filter key, such as train.
        episode: the array that changes where an episode ends, or of first rows, or of the rows after the last ones.
        ends: arrays of flags that are set in the last row of an episode.
        rate: steps a second, where the file does not say it.
        image_size: images and depth are reduced to this many pixels a side on the way; None keeps them as they are.
        longest: rows of an episode; what is longer is cut, and no step is lost.
        missing: what to do about episodes that are unfit.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.hdf5 import import_hdf5

    arrays = {"streams": streams, "action": action, "action_kind": action_kind, "truth": truth, "kinds": parse_options(kinds)}
    arrays |= {"axes": parse_options(axes), "bgr": bgr}
    options = {"only": only, "episode": episode, "ends": ends, "rate": rate, "image_size": image_size, "longest": longest}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_hdf5(path, out, **arrays, **options, missing=missing, max_episodes=max_episodes, **store))


def npz(
    path: Positional[Path],
    out: StorePath,
    streams: tuple[str, ...] | None = None,
    action: str | None = None,
    action_kind: Literal["box", "discrete"] | None = None,
    truth: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    axes: tuple[str, ...] = (),
    bgr: tuple[str, ...] = (),
    episode: str | None = None,
    ends: tuple[str, ...] = (),
    rate: float | None = None,
    image_size: int | None = 64,
    longest: int = 10_000,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """NumPy archives (.npz): arrays that all episodes share (OGBench), or a file an episode.

    Args:
        path: a file, or a folder of them.
        out: the new store.
        streams: arrays that a model may see; observations, and what is below obs or observations, by default.
        action: the array of actions; actions or action by default.
        action_kind: box takes whole numbers as amounts, discrete as choices; by default a lone whole number a row is a choice.
        truth: arrays to keep as ground truth, which no model sees.
        kinds: array=kind, such as top=depth, where the kind that is found is not right.
        axes: array=letters, such as camera=chw: the order of height, width, channels and k (frames of a stack) of an image.
        bgr: images whose colours are blue, green, red, as OpenCV has them; red and blue are exchanged.
        episode: the array that changes where an episode ends, or of first rows, or of the rows after the last ones.
        ends: arrays of flags that are set in the last row of an episode; terminals, timeouts and their like by default.
        rate: steps a second.
        image_size: images and depth are reduced to this many pixels a side on the way; None keeps them as they are.
        longest: rows of an episode; what is longer is cut, and no step is lost.
        missing: what to do about episodes that are unfit.
        max_episodes: stop after this many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.npz import import_npz

    arrays = {"streams": streams, "action": action, "action_kind": action_kind, "truth": truth, "kinds": parse_options(kinds)}
    arrays |= {"axes": parse_options(axes), "bgr": bgr}
    options = {"episode": episode, "ends": ends, "rate": rate, "image_size": image_size, "longest": longest}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_npz(path, out, **arrays, **options, missing=missing, max_episodes=max_episodes, **store))


def minari(
    path: Positional[Path],
    out: StorePath,
    streams: tuple[str, ...] | None = None,
    truth: tuple[str, ...] = ("rewards",),
    kinds: tuple[str, ...] = (),
    axes: tuple[str, ...] = (),
    bgr: tuple[str, ...] = (),
    rate: float | None = None,
    image_size: int | None = 64,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """A dataset of Minari: HDF5, Arrow or Parquet.

    Args:
        path: the dataset's folder.
        out: the new store.
        streams: keys of the observation that a model may see; all unless given.
        truth: arrays to keep as ground truth, which no model sees: keys of the observation, rewards, or infos/...
        kinds: array=kind, where the kind that is found is not right.
        axes: array=letters, such as camera=chw: the order of height, width, channels and k (frames of a stack) of an image.
        bgr: images whose colours are blue, green, red, as OpenCV has them; red and blue are exchanged.
        rate: steps a second, which Minari does not say.
        image_size: images and depth are reduced to this many pixels a side on the way; None keeps them as they are.
        missing: what to do about episodes that are unfit.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.minari import import_minari

    options = {"streams": streams, "truth": truth, "kinds": parse_options(kinds), "rate": rate, "image_size": image_size}
    options |= {"axes": parse_options(axes), "bgr": bgr}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_minari(path, out, **options, missing=missing, max_episodes=max_episodes, **store))


def mcap(
    path: Positional[Path],
    out: StorePath,
    streams: tuple[str, ...] | None = None,
    truth: tuple[str, ...] = (),
    action: str | None = None,
    rate: float | None = None,
    clock: str | None = None,
    gap: float | None = None,
    tolerance: float | None = None,
    image_size: int | None = 64,
    points: int = 1024,
    longest: int = 10_000,
    missing: Literal["refuse", "skip"] = "refuse",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Recordings of ROS (.mcap, .db3, .bag): images, depth, scans, clouds, inertial units, joints, on one control clock.

    Args:
        path: a file, or a folder of files of one kind: MCAP or SQLite of ROS 2, bags of ROS 1.
        out: the new store.
        streams: topics that a model may see; all that have a kind of stream unless given.
        truth: topics to keep as ground truth, which no model sees.
        action: the topic of what was done, of any messages of numbers (Twist, JointState, PoseStamped); none by default.
        rate: of an even control clock, in Hz.
        clock: the topic whose messages are the control clock; that of the actions, or the slowest, unless given.
        gap: seconds of silence of a topic that make rows stale; ten times its own median step unless given.
        tolerance: seconds by which the time from stamp to log may differ between beginning and end; half a step unless given.
        image_size: images and depth are reduced to this many pixels a side on the way; None keeps them as they are.
        points: of a cloud, at most.
        longest: rows of an episode; what is longer is cut, and no step is lost.
        missing: refuse rows that are stale and files that are unfit, or skip them, which ends an episode there.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.mcap import import_mcap

    topics = {"streams": streams, "truth": truth, "action": action, "rate": rate, "clock": clock, "gap": gap}
    options = {"tolerance": tolerance, "image_size": image_size, "points": points, "longest": longest, "missing": missing}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_mcap(path, out, **topics, **options, max_episodes=max_episodes, **store))


def video(
    path: Positional[Path],
    out: StorePath,
    controls: tuple[str, ...] | None = None,
    time: str | None = None,
    begins: float | None = None,
    drift: float = 0.1,
    rate: float | None = None,
    tracks: tuple[int, ...] | None = None,
    image_size: int | None = 64,
    longest: int = 3000,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Videos and folders of images, each an episode; with actions where a CSV or Parquet table is beside each.

    Args:
        path: a video, a folder of images, or a folder in which all of them are read.
        out: the new store.
        controls: columns of the tables that are the action; all that are numbers unless given, and nothing after it for none.
        time: the column of the tables that is their clock, in dates or in seconds; row i belongs to frame i unless given.
        begins: what that column shows at the first frame, in seconds; 0, or of dates the first, unless given.
        drift: seconds that the clocks of a video and its table may be apart at either end.
        rate: frames a second to hold frames on, or those of images and of raw H.264 or HEVC; default: frames as they come.
        tracks: video streams of a file to take, 0 for the first; all that the first video has by default.
        image_size: frames are reduced to this many pixels a side on the way; None keeps them as they are.
        longest: rows of an episode; what is longer is cut.
        missing: what to do about what is damaged or does not fit.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.video import import_video

    options = {"rate": rate, "tracks": tracks, "image_size": image_size, "longest": longest, "missing": missing}
    store = {"max_episodes": max_episodes, "resume": resume, "overwrite": overwrite}
    print(import_video(path, out, controls=controls, time=time, begins=begins, drift=drift, **options, **store))


def streams(
    path: Positional[Path],
    out: StorePath,
    rate: float,
    time: tuple[str, ...],
    controls: tuple[str, ...] = (),
    truth: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    mean: tuple[str, ...] = (),
    every: tuple[str, ...] = (),
    gap: float | None = None,
    drift: float = 0.1,
    longest: int = 100_000,
    missing: Literal["skip", "refuse"] = "refuse",
    header: bool = True,
    time_unit: TimeUnit | None = None,
    day_first: bool | None = None,
    zone: str | None = None,
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Folders of tables, each table with a clock of its own: a folder is an episode, and a table in it is a stream.

    Args:
        path: a folder of CSV or Parquet files, or a folder of such folders.
        out: the new store.
        rate: steps a second, which all tables are put on.
        time: the column of dates or of numbers that every table has; or two, of the date and of the time of day.
        controls: columns that say what was done (table.column where two tables have it), held from step to step.
        truth: columns of labels, which no model sees.
        ignore: columns that stay out.
        mean: tables of which a step takes the mean since the one before; it takes the last row of others.
        every: tables of which a step takes every row since the one before, as a signal.
        gap: seconds without a row of a table that end an episode; ten steps of its own unless given.
        drift: seconds that a clock may begin after the others, or end before them, beyond a step of its own.
        longest: rows of an episode; what is longer is cut.
        missing: what to do about folders that are damaged or whose clocks do not fit.
        header: --no-header says that the first lines do not name the columns; then they are column 1, column 2, ...
        time_unit: of numbers of time; the default goes by the column's name, or its size.
        day_first: whether 3/4/2026 is in April (--day-first) or March (--no-day-first); default: by the dates.
        zone: of dates that do not say one, such as Europe/Berlin: then daylight saving time is no jump.
        max_episodes: stop after so many.
        resume: go on with an import of the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.formats.streams import import_streams

    columns = {"controls": controls, "truth": truth, "ignore": ignore, "mean": mean, "every": every}
    options = {"gap": gap, "drift": drift, "longest": longest, "missing": missing, "max_episodes": max_episodes}
    options |= {"header": header, "time_unit": time_unit, "day_first": day_first, "zone": zone}
    store = {"resume": resume, "overwrite": overwrite}
    print(import_streams(path, out, rate=rate, time=time, **columns, **options, **store))
