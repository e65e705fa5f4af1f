"""Recordings of stable-worldmodel (what LeWM is trained on) into a store: its Lance, HDF5 and folder layouts.

What their recorder (0.1.1) writes, and what is made of it:
- while it records, a row is what a step led to, with the action of that step. At the end of an episode the actions alone are
  turned by one place, so that row t holds o[t] and the action that was taken on seeing it: our order. Nothing is shifted;
- the action that this brings to the last row was not taken there. It is the episode's first one in 0.1.1, where episodes
  begin after the first step, and NaN in recordings that begin with what reset shows. It is never stored;
- NaN anywhere else, rows that are missing (`step_idx` jumps) or that the file lacks make an episode unfit. It is skipped and
  listed, or the import is refused, as the caller asks;
- every column that is not asked for stays out and is listed. Unless told otherwise a model sees the images named `pixels*`,
  and only where there are none `proprio`, `state` and `observation`: in some of their worlds `proprio` is the whole truth;
- their Lance writer flattens arrays and makes numbers of choices. So vectors are flat, and actions a box without bounds;
- one episode at a time is read, and committed in groups of some megabytes: memory is bounded, and the store of a killed
  import opens.

Source: stable_worldmodel 0.1.1, https://github.com/galilai-group/stable-worldmodel (world/world.py, data/formats).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from armillary.episodes.formats.importing import ImportSummary, Missing, Writing, check_options, import_units
from armillary.episodes.formats.swm_layouts import Layout, open_layout, reading
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import ActionSpace, Spec, Stream

VECTORS = ("proprio", "state", "observation")  # what a model sees where there are no images


class SwmSummary(ImportSummary):
    """What an import did."""

    def notes(self) -> list[str]:
        return ["the last row of each episode has no action of its own, so none is stored there"]


def import_swm(
    path: str | Path,
    out: str | Path,
    *,
    image_size: int | None = None,
    streams: Sequence[str] | None = None,
    truth: Sequence[str] = (),
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> SwmSummary:
    """Read a recording of stable-worldmodel into a new store; other arguments and errors are those of `import_hdf5`.

    Args:
        path: the recording: a .lance folder, an .h5 or .hdf5 file, a folder with one of them, or one of .npz and JPEG files.
        streams: columns that a model may see. Default: the images named pixels*, or else proprio, state and observation.
    """
    check_options(writing, missing, image_size=image_size)
    recording = open_layout(Path(path))
    total = len(recording.lengths)
    if not total:
        raise ArmillaryError(f"{path}: there is no episode in it")
    spec = _spec(recording, streams, truth, image_size)
    asked = {"action", *(stream.name for stream in spec.streams)}
    ignored = dict.fromkeys(set(recording.columns) - asked, "not asked for; name it in streams, or in truth")
    return import_units(
        ((int(recording.names[number]), _read(recording, number, spec, image_size)) for number in range(total)),
        SwmSummary(
            format=f"stable-worldmodel, {recording.layout}",
            source=str(path),
            out=str(out),
            spec=spec,
            ignored=dict(sorted({**ignored, **recording.unread}.items())),
        ),
        info={"source": f"stable-worldmodel {recording.layout} {recording.root.name}"},
        total=min(total, writing.get("max_episodes") or total),
        missing=missing,
        **writing,
    )


def _spec(recording: Layout, streams: Sequence[str] | None, truth: Sequence[str], size: int | None) -> Spec:
    columns, where = recording.columns, recording.root
    if streams is None:
        everything = (*columns, *recording.unread)  # also images that cannot be read: vectors are no substitute for them
        pixels = [name for name in everything if name.startswith("pixels") and len(columns.get(name, (0, 0, 0))) == 3]
        streams = pixels or [name for name in VECTORS if name in columns and name not in truth]
    if not streams:
        raise ArmillaryError(f"{where}: nothing to see in it by default; name streams, of {', '.join(columns) or 'none'}")
    for name in ("action", *streams, *truth):
        if name in recording.unread:
            raise ArmillaryError(f"{where}: column {name!r} cannot be imported: {recording.unread[name]}")
        if name not in columns:
            raise ArmillaryError(f"{where}: there is no column {name!r}; there are {', '.join(columns) or 'none'}")

    def stream(name: str) -> Stream:
        shape = columns[name]
        if len(shape) == 1:
            return Stream(name, "vector", shape, unit=("",) * shape[0], truth=name in truth)  # pixels beside radians
        return Stream(name, "image", (size, size, shape[-1]) if size else shape, truth=name in truth)

    return Spec(tuple(map(stream, (*streams, *truth))), ActionSpace("box", columns["action"][-1]))


def _read(recording: Layout, number: int, spec: Spec, size: int | None) -> Iterator[Episode]:
    """One episode, when it is asked for; a CorruptFile says what is wrong with it, with the figure."""
    length, start = int(recording.lengths[number]), int(recording.starts[number])
    if length < 2:
        raise CorruptFile(f"{length} rows, and an episode needs 2")
    if recording.steps is not None:
        for row in np.flatnonzero(np.diff(recording.steps[start : start + length].astype(np.int64)) != 1)[:1]:
            raise CorruptFile(f"step_idx does not go on by 1 after row {row}: rows are missing")

    def column(name: str, rows: int = length) -> np.ndarray:
        with reading(name):
            values = recording.read(name, number, rows, size)
        if len(values) != rows:
            raise CorruptFile(f"{name}: the file has {len(values)} rows of this episode, which needs {rows}")
        if values.ndim == 2:
            for row, _ in np.argwhere(~np.isfinite(values))[:1]:
                raise CorruptFile(f"{name}: not a finite number in row {row} of {length}")
        return values

    observations = {stream.name: column(stream.name) for stream in spec.observed}
    truth = {stream.name: column(stream.name) for stream in spec.truth}
    source = f"stable-worldmodel {recording.layout} {recording.root.name}"
    info = {"source": source, "episode": int(recording.names[number])}
    yield Episode(observations, column("action", length - 1), truth, info)
