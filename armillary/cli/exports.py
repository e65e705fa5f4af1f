"""`armillary export FORMAT`: a store of episodes out again, for somebody else's tools."""

from pathlib import Path

from tyro.conf import Positional

from armillary.cli.shared import StorePath


def lerobot(
    store: Positional[StorePath],
    path: Positional[Path],
    rate: float | None = None,
    fill: float | None = None,
    crf: int = 18,
    task: str = "no task was given",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """A LeRobot dataset, v3.0: images as video, everything else as vectors; what has no place in it is listed.

    Args:
        store: the store of episodes.
        path: the folder to create.
        rate: rows a second; the recording's own unless given.
        fill: what stands for "nothing measured" in depth, scans and points, which are left out unless it is given.
        crf: what videos lose to the codec: from 0, which is nothing but the conversion of colours, to 51.
        task: what was to be done, in words, where the recording does not say.
        max_episodes: stop after so many.
        resume: go on with an export of the same that was interrupted.
        overwrite: replace the export that is there; nothing but an export is replaced.
    """
    from armillary.episodes.formats.lerobot_export import export_lerobot

    options = {"rate": rate, "fill": fill, "crf": crf, "task": task, "max_episodes": max_episodes}
    print(export_lerobot(store, path, **options, resume=resume, overwrite=overwrite))
