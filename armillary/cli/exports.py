"""`armillary export FORMAT`: a store of episodes in the format of other tools."""

from pathlib import Path
from typing import Any

from tyro.conf import Positional

from armillary.cli.shared import StorePath, printed


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
) -> Any:
    """Export to a LeRobot dataset, v3.0: images as video, everything else as vectors. What cannot be exported is listed.

    Args:
        store: the store of episodes to export.
        path: the folder to create.
        rate: rows a second of the dataset. Default: the recording's own.
        fill: number that stands for "nothing measured" in depth, scans and points. Default: these streams are left out.
        crf: compression of videos, from 0 (lossless but for the conversion of colours) to 51 (smallest files).
        task: the task in words, for episodes whose recording names none.
        max_episodes: stop after this many episodes. Default: export all.
        resume: continue an export of the same store that was interrupted.
        overwrite: replace an export that is at the folder. Nothing but an export is replaced.
    """
    from armillary.episodes.formats.lerobot_export import export_lerobot

    options: dict[str, Any] = {"rate": rate, "fill": fill, "crf": crf, "task": task, "max_episodes": max_episodes}
    return printed(export_lerobot(store, path, **options, resume=resume, overwrite=overwrite))
