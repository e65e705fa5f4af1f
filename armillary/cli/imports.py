"""`armillary import FORMAT`: somebody's recording into a new store of episodes. Each format has its own options."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional


def lerobot(
    path: Positional[Path],
    out: Path,
    image_size: int | None = 64,
    cameras: tuple[str, ...] | None = None,
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
) -> None:
    """A LeRobot dataset, v2.0, v2.1 or v3.0.

    Args:
        path: the dataset's folder.
        out: the new store.
        image_size: cameras are reduced to this many pixels a side on the way; None keeps them as they are.
        cameras: which ones; all unless given.
        missing: what to do about episodes or videos that the metadata names and that are not there.
        max_episodes: stop after so many.
    """
    from armillary.episodes.formats.lerobot import import_lerobot

    print(import_lerobot(path, out, image_size=image_size, cameras=cameras, missing=missing, max_episodes=max_episodes))


def swm(
    path: Positional[Path],
    out: Path,
    image_size: int | None = 64,
    streams: tuple[str, ...] | None = None,
    truth: tuple[str, ...] = (),
    missing: Literal["skip", "refuse"] = "skip",
    max_episodes: int | None = None,
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
    """
    from armillary.episodes.formats.swm import import_swm

    options = {"streams": streams, "truth": truth, "missing": missing, "max_episodes": max_episodes}
    print(import_swm(path, out, image_size=image_size, **options))


def table(
    path: Positional[Path],
    out: Path,
    time: str | None = None,
    controls: tuple[str, ...] = (),
    truth: tuple[str, ...] = (),
    episode: str | None = None,
    ignore: tuple[str, ...] = (),
    gap: float | None = None,
    clock: Literal["rows", "hold"] = "rows",
    missing: Literal["refuse", "skip"] = "refuse",
    longest: int = 100_000,
    max_episodes: int | None = None,
) -> None:
    """Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a sensor.

    Args:
        path: a file, or a folder of them.
        out: the new store.
        time: the column of dates, or of seconds.
        controls: columns that say what was done; without any, the recording has no actions.
        truth: columns of labels, which no model sees.
        episode: a column that changes where an episode ends.
        ignore: columns that stay out.
        gap: seconds between two rows that end an episode; ten times the median step unless given.
        clock: take rows as they come, or hold them on the even clock of the median step.
        missing: refuse rows in which a number is missing, or skip them, which ends an episode there.
        longest: rows of an episode; what is longer is cut.
        max_episodes: stop after so many.
    """
    from armillary.episodes.formats.table import import_table

    columns = {"time": time, "controls": controls, "truth": truth, "episode": episode, "ignore": ignore}
    options = {"gap": gap, "clock": clock, "missing": missing, "longest": longest, "max_episodes": max_episodes}
    print(import_table(path, out, **columns, **options))
