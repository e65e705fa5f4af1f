"""Where the episodes are in HDF5 files: robomimic's groups, a group an episode, a file an episode, or rows of common arrays.

- robomimic: `data/demo_N/{obs/*, actions, ...}`, with filter keys in `mask/`;
- groups: every group below one has the same arrays. Numbers at the end of names count as numbers: demo_10 comes after demo_9;
- arrays in the file itself (or in its only group): an episode, as ALOHA keeps it; or many, where one array says which episode a
  row is of or where episodes begin or end, or flags are set in their last rows, as in D4RL.
Several files are read one after the other, in the order of their names. Soft links are not followed, and files
that link to others are refused (hdf5_files.py). Only names, lengths and what marks episodes are read here.

Sources: https://robomimic.github.io/docs/datasets/overview.html, https://github.com/tonyzhaozh/aloha,
https://github.com/Farama-Foundation/D4RL.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.folders import files_in, natural
from armillary.episodes.formats.hdf5_files import members, open_hdf5
from armillary.episodes.formats.swm_layouts import reading
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json

SEEN = ("obs", "observation", "observations")  # what is below them is seen
SUFFIXES = (".hdf5", ".h5", ".hdf", ".he5")


@dataclass(frozen=True)
class Place:
    """Where an episode is.

    Args:
        name: its number in its file, or, of several files, the name of the file and what is needed beside it.
        file, group: of its arrays.
        rows: from which row to which of them; None for all.
    """

    name: int | str
    file: Path
    group: str
    rows: tuple[int, int] | None = None


@dataclass
class Recording:
    """The episodes of a file or folder, and the rate in Hz where the recording says it."""

    layout: str
    places: list[Place] = field(default_factory=list)
    rate: float | None = None
    skipped: dict[str, str] = field(default_factory=dict)


def arrays_of(group: Any) -> dict[str, Any]:
    """path -> dataset of all below a group, in the order of their names."""
    found = {}
    group.visititems(lambda name, item: found.update({name: item}) if hasattr(item, "dtype") and item.shape else None)
    return found


def open_recording(path: Path, *, only: str | None = None, episode: str | None = None, ends: Sequence[str] = ()) -> Recording:
    """Find the episodes.

    Args:
        path: a file, or a folder of files.
        only: the filter key of robomimic whose episodes alone are wanted.
        episode: an array that changes where a row begins another episode, or of first rows, or of rows after the last.
        ends: arrays of flags that are set in the last row of an episode.

    Raises:
        ArmillaryError: nothing is there, another format is, or options that do not fit.
        CorruptFile: the only file is damaged; of several, the damaged ones are in `skipped`.
    """
    if (path / "main_data.hdf5").is_file() or (path / "data" / "main_data.hdf5").is_file():
        raise ArmillaryError(f"{path} is a dataset of Minari: armillary import minari {path}")
    files = files_in(path, SUFFIXES)
    if not files:
        raise ArmillaryError(f"{path}: there is no HDF5 file there ({', '.join(SUFFIXES)})")
    recording = Recording("")
    for file in files:
        try:
            with reading(file), open_hdf5(file) as opened:
                found = _in_file(opened, file, only, episode, ends)
        except CorruptFile as error:
            if len(files) == 1:
                raise
            recording.skipped[file.name] = str(error)
            continue
        if recording.layout not in ("", found.layout):
            raise ArmillaryError(f"{path}: {file.name} is laid out as {found.layout}, those before as {recording.layout}")
        recording.layout, recording.rate = found.layout, recording.rate or found.rate
        if len(files) > 1:
            name = str(file.relative_to(path))
            alone = len(found.places) == 1
            found.places = [Place(name if alone else f"{name} {p.name}", file, p.group, p.rows) for p in found.places]
        recording.places += found.places
    if not recording.places:
        raise CorruptFile(f"{path}: there is no episode in it; {'; '.join(recording.skipped.values())}")
    return recording


def _in_file(file: Any, path: Path, only: str | None, episode: str | None, ends: Sequence[str]) -> Recording:
    if {"ep_len", "ep_offset"} <= set(file):
        raise ArmillaryError(f"{path} is a recording of stable-worldmodel: armillary import swm {path}")
    data = file.get("data")
    if data is not None and any("actions" in group for group in _groups(data).values()):
        groups, layout = _groups(data), "robomimic"
        if only is not None:
            groups = {name: groups[name] for name in _filtered(file, path, only) if name in groups}
            if not groups:
                raise ArmillaryError(f"{path}: no episode of the filter key {only!r} is there")
        rate = _control_rate(data)
    elif only is not None:
        raise ArmillaryError(f"{path}: filter keys are robomimic's, and this is no file of theirs (data/demo_0/actions)")
    else:
        groups, layout, rate = _episodes_below(file), "groups", None
    if groups:
        if episode or ends:
            raise ArmillaryError(
                f"{path}: every episode has a group of its own ({next(iter(groups))}): leave out episode, ends"
            )
        names = sorted(groups, key=natural)
        numbers = [re.search(r"\d+$", name) for name in names]
        numbers = [int(number[0]) if number else -1 for number in numbers]
        if len(set(numbers)) < len(names) or -1 in numbers:
            numbers = range(len(names))
        places = [Place(number, path, groups[name].name) for number, name in zip(numbers, names, strict=True)]
        return Recording(layout, places, rate)
    group = _below(file)
    if not (episode or ends):
        return Recording("arrays", [Place(0, path, group.name)])
    return Recording("rows", [Place(i, path, group.name, rows) for i, rows in enumerate(_rows(group, path, episode, ends))])


def _groups(group: Any) -> dict[str, Any]:
    return {name: item for name, item in members(group) if hasattr(item, "items")} if hasattr(group, "items") else {}


def _below(group: Any) -> Any:
    """The group that all is in: this one, or its only one."""
    while len(group) == 1 and _groups(group) and not set(SEEN) & set(group):
        group = next(iter(_groups(group).values()))
    return group


def _episodes_below(group: Any) -> dict[str, Any]:
    """The groups that are episodes: two or more in one place, with some arrays in common, and nothing beside them."""
    groups = _groups(_below(group))
    if len(groups) < max(2, len(_below(group))):
        return {}
    common = set.intersection(*(set(arrays_of(one)) for one in groups.values()))
    return groups if common else {}


def _filtered(file: Any, path: Path, only: str) -> Iterator[str]:
    mask = file.get("mask", {})
    if only not in mask:
        raise ArmillaryError(f"{path}: there is no filter key {only!r}; there are {', '.join(mask) or 'none'}")
    return (name.decode() if isinstance(name, bytes) else str(name) for name in mask[only][:])


def _control_rate(data: Any) -> float | None:
    try:
        return float(parse_json(data.attrs["env_args"])["env_kwargs"]["control_freq"]) or None
    except (KeyError, TypeError, ValueError):  # it is there for environments of robosuite alone
        return None


def _rows(group: Any, path: Path, episode: str | None, ends: Sequence[str]) -> list[tuple[int, int]]:
    """First row and row after the last of each episode."""
    arrays = arrays_of(group)
    for name in (*([episode] if episode else []), *ends):
        if name not in arrays:
            raise ArmillaryError(f"{path}: there is no array {name!r}; there are {', '.join(arrays)}")
    rows = Counter(len(array) for array in arrays.values()).most_common(1)[0][0]  # others are no steps
    cuts = np.zeros(rows + 1, bool)
    for name in ends:
        if len(arrays[name]) != rows:
            raise CorruptFile(f"{path}: {name} has {len(arrays[name])} entries for {rows} rows")
        cuts[1:] |= np.asarray(arrays[name][:]).reshape(rows, -1).any(1)
    if episode:
        marks = np.asarray(arrays[episode][:]).ravel()
        if len(marks) == rows:
            cuts[1:-1] |= marks[1:] != marks[:-1]
        elif marks.dtype.kind in "iu" and (np.diff(marks.astype(np.int64), prepend=-1, append=rows + 1) > 0).all():
            cuts[marks.astype(np.int64)] = True
        else:
            raise CorruptFile(f"{path}: {episode} has {len(marks)} entries for {rows} rows, and they are no ascending rows")
    cuts[[0, -1]] = True
    return list(pairwise(np.flatnonzero(cuts).tolist()))
