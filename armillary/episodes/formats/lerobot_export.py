"""A store out again, as a LeRobot dataset of v3.0: many episodes a file, pictures as video.

- A row is a row: LeRobot, too, writes what was seen and what was then done together. It wants an action in the last row of an
  episode, where nobody knows what was done: there the one before stands once more, and our reader leaves it out.
- Images become videos, whose error is the codec's. Every other stream is one vector of float32, to the digit; what has more
  axes is flattened. Units are kept beside the feature, where our reader finds them again.
- What may hold NaN, where nothing was measured (depth, scans, points), is left out unless a number is given to stand for it:
  LeRobot's statistics and policies have no place for NaN. Ground truth is left out: a policy would see it. Bounds of actions
  are lost. All that is lost is listed.
- The folder appears under its name when it is whole (export_folder.py).

Source: the dataset code of https://github.com/huggingface/lerobot (codebase version v3.0).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.progress import track

from armillary.console import plain_console
from armillary.episodes.formats.export_folder import ExportFolder
from armillary.episodes.formats.importing import check_options
from armillary.episodes.formats.lerobot_writer import LAYOUT, LeRobotWriter
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.interrupts import uninterrupted
from armillary.spec import Spec, Stream


@dataclass(kw_only=True)
class ExportSummary:
    """What an export did; `str()` of it is the report for a person.

    Args:
        source, out: the store, and the folder of the dataset.
        episodes, frames: how many are in it.
        features: the LeRobot feature of each stream.
        left_out: streams that are not in it, and why.
        notes: what else is not as it was.
        seconds: wall time.
    """

    source: str
    out: str
    episodes: int
    frames: int
    features: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        lines = [
            f"{self.source} -> LeRobot v3.0 {self.out} in {self.seconds:.1f} s",
            f"{self.episodes} episodes, {self.frames} frames",
            f"features: {', '.join(self.features.values())}",
            *self.notes,
        ]
        return "\n".join([*lines, *(f"left out {stream}: {reason}" for stream, reason in self.left_out.items())])


def export_lerobot(
    store: str | Path,
    path: str | Path,
    *,
    rate: float | None = None,
    fill: float | None = None,
    crf: int = 18,
    task: str = "no task was given",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> ExportSummary:
    """Write a store as a new LeRobot dataset.

    Args:
        store: the store of episodes to export.
        path: the folder to create.
        rate: rows a second of the dataset. Default: the recording's own.
        fill: number that stands for "nothing measured" (NaN) in depth, scans and points. Default: these streams are left out.
        crf: compression of videos, from 0 (lossless but for the conversion of colours) to 51 (smallest files).
        task: the task in words, for episodes whose recording names none.
        max_episodes: stop after this many episodes. Default: export all.
        resume: continue an export of the same store that was interrupted; begin if there is none.
        overwrite: replace an export that is at the folder, finished or not. Nothing but an export is replaced.
        progress: show a progress bar.

    Raises:
        ArmillaryError: the folder exists, and neither `resume` nor `overwrite` says what to do with it; it holds what no export
            has written; the store is empty or has no rate, or nothing of it has a place in LeRobot.
        MissingExtra: PyAV or pyarrow is needed and not installed.
        OSError: the folder cannot be written; nothing of it is then left.
    """
    began, path, episodes = perf_counter(), Path(path), Episodes.open(store).require_some()
    check_options({"max_episodes": max_episodes}, rate=rate)
    if not 0 <= crf <= 51:
        raise ArmillaryError(f"crf is 0 to 51, not {crf}")
    spec, rate = episodes.spec, rate or episodes.spec.rate
    if rate is None:
        raise ArmillaryError(f"{store} has no rate, and LeRobot needs one: say how many rows are a second")
    keys, left_out = _keys(spec, fill)
    count = min(len(episodes), max_episodes or len(episodes))
    how = {"rate": rate, "fill": fill, "crf": crf, "task": task, "episodes": count}
    into = ExportFolder(path, {"command": "export lerobot", "recording": episodes.content_hash(), **how}, LAYOUT)
    with into.filled(resume=resume, overwrite=overwrite):
        if not into.done:
            _write(into, LeRobotWriter(into.part, episodes, keys, rate, fill, crf, task, [*into.rows]), count, progress)
    return ExportSummary(
        source=str(store),
        out=str(path),
        episodes=count,
        frames=int(episodes.lengths[:count].sum()),
        features={stream.name: key for stream, key in keys.items()},
        left_out=left_out,
        notes=(*["it was there and finished"] * into.done, *_notes(spec, list(keys))),
        seconds=perf_counter() - began,
    )


def _write(into: ExportFolder, writer: LeRobotWriter, count: int, progress: bool) -> None:
    """All episodes that are not written yet, and what describes them; an interrupt keeps those that are."""
    numbers, console = range(len(writer.listed), count), plain_console(stderr=True)
    try:
        for number in track(numbers, "export", console=console, disable=not progress):
            writer.add(number)
        writer.close()
        writer.describe(writer.episodes.info.get("robot"))
    except KeyboardInterrupt:
        with uninterrupted():
            writer.close()
            into.keep(writer.listed)
        raise
    finally:
        writer.close()


def _keys(spec: Spec, fill: float | None) -> tuple[dict[Stream, str], dict[str, str]]:
    """The name that each stream has in LeRobot, and why some have no place in it."""
    keys: dict[Stream, str] = {}
    left_out = {stream.name: "ground truth, which a policy would see" for stream in spec.truth}
    for stream in spec.observed:
        if stream.optional:
            left_out[stream.name] = "some episodes may be without it, which LeRobot does not know"
        elif stream.gaps and fill is None:
            left_out[stream.name] = f"{stream.kind} may hold NaN where nothing was measured; give a number to fill it with"
        elif stream.is_picture and stream.shape[-1] not in (1, 3):
            left_out[stream.name] = f"{stream.shape[-1]} channels, and a video has 1 or 3"
        else:
            name, prefix = stream.name.replace("/", "."), "observation.images." if stream.is_picture else "observation."
            keys[stream] = name if name.startswith("observation.") else prefix + name
    if not keys:
        raise ArmillaryError(f"nothing of it has a place in LeRobot: {'; '.join(map(': '.join, left_out.items()))}")
    if len(set(keys.values())) < len(keys):
        raise ArmillaryError(f"two streams would have one name in LeRobot: {sorted(keys.values())}; rename one")
    return keys, left_out


def _notes(spec: Spec, streams: list[Stream]) -> Iterator[str]:
    if spec.action.n:
        yield "the last row of each episode repeats the action before it, since none is known there"
    else:
        yield "there are no actions, without which LeRobot trains no policy and 'armillary import lerobot' reads nothing"
    if spec.action.kind == "discrete":
        yield f"the {spec.action.n} choices are whole numbers, which 'armillary import lerobot' reads as a box"
    elif np.isfinite([*spec.action.low, *spec.action.high]).any():
        yield "the bounds of actions have no place in it"
    for stream in streams:
        if stream.is_picture and stream.shape[-1] == 1:
            yield f"{stream.name} is grey, in three equal channels"
        elif not (stream.is_picture or stream.is_tabular):
            yield f"{stream.name} is {stream.kind} {stream.shape}, flattened"
