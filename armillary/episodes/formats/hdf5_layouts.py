"""Where the episodes are in HDF5 files: robomimic's groups, a group an episode, a file an episode, or rows of common arrays.

- robomimic: `data/demo_N/{obs/*, actions, ...}`, with filter keys in `mask/`;
- groups: every group below one has the same arrays. Numbers at the end of names count as numbers: demo_10 comes after demo_9.
  Where they are called demos or episodes, other things may be beside them;
- arrays in the file itself (or in its only group): an episode, as ALOHA keeps it; or many, where one array says which episode a
  row is of or where episodes begin or end, or flags are set in their last rows, as in D4RL. Flags that have one of the
  names in `ENDS` are found.
Several files are read one after the other, in the order of their names. Soft links are not followed, and files
that link to others are refused (hdf5_files.py). Only names, lengths and what marks episodes are read here.

Sources: https://robomimic.github.io/docs/datasets/overview.html, https://github.com/tonyzhaozh/aloha,
https://github.com/Farama-Foundation/D4RL.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.folders import files_in, natural
from armillary.episodes.formats.hdf5_files import faults_in, members
from armillary.episodes.formats.swm_layouts import reading
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.files import parse_json

_EPISODE = re.compile(r"(demo|demonstration|ep|episode|traj|trajectory|rollout|run|seq|sequence)[-_ ]?\d+", re.IGNORECASE)
SEEN = ("obs", "observation", "observations")  # what is below them is seen
ENDS = (
    "terminals",
    "timeouts",
    "terminations",
    "truncations",
    "dones",
    "terminal",
    "timeout",
    "terminated",
    "truncated",
    "done",
)
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
    """The episodes of a file or folder.

    Args:
        layout: in a word.
        places: of the episodes, in order.
        opened: opens the group of a file.
        rate: in Hz, where the recording says it.
        skipped: files and episodes that are not taken, and why.
        beside: what is in a file and belongs to no episode, and why it is not taken.
        numbers: that the episodes have in the source, where it gives them some.
    """

    layout: str
    places: list[Place] = field(default_factory=list)
    opened: Any = field(default=None, repr=False)
    rate: float | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)


def arrays_of(group: Any) -> dict[str, Any]:
    """path -> array of all below a group of HDF5, or in an .npz file (npz.py), in the order of their names."""
    if isinstance(group, dict):
        return dict(group)
    found = {}
    for name, item in members(group):
        if hasattr(item, "items"):
            found |= {f"{name}/{path}": array for path, array in arrays_of(item).items()}
        elif hasattr(item, "dtype") and item.shape:
            found[name] = item
    return found


def left_out(group: Any, inside: str = "") -> dict[str, str]:
    """path -> why, of what is below a group and is no array of rows: links, lone values, empty ones."""
    if isinstance(group, dict):
        return dict(group.unread)
    known, found = dict(members(group)), {}
    for name in group:
        item, path = known.get(name), f"{inside}{name}"
        if item is None:
            found[path] = "a link, which is not followed"
        elif hasattr(item, "items"):
            found |= left_out(item, f"{path}/")
        elif not getattr(item, "shape", None):
            found[path] = "one value, not one a row"
    return found


@contextmanager
def _opened(file: Path, group: str) -> Generator[Any]:
    with require("h5py", "data").File(file, "r") as opened:
        yield opened[group]


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

    faults = faults_in(files)

    def find(file: Path) -> Recording:
        if file in faults:
            raise CorruptFile(faults[file])
        with _opened(file, "/") as opened:
            return _in_file(opened, file, only, episode, ends)

    return gathered(path, files, find, _opened)


def gathered(
    path: Path, files: list[Path], find: Callable[[Path], Recording], opened: Callable[[Path, str], AbstractContextManager[Any]]
) -> Recording:
    """The episodes that `find` finds in each file, one after the other.

    Raises:
        ArmillaryError: files of different layouts.
        CorruptFile: the only file is damaged, or there is no episode; of several, the damaged ones are in `skipped`.
    """
    recording = Recording("", opened=opened)
    for file in files:
        try:
            with reading(file):
                found = find(file)
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
        recording.beside |= found.beside
        recording.numbers += found.numbers
    if len(files) > 1:
        recording.numbers = _numbers([file.stem for file in files])
    if not recording.places:
        raise CorruptFile(f"{path}: there is no episode in it; {'; '.join(recording.skipped.values())}")
    return recording


def _in_file(file: Any, path: Path, only: str | None, episode: str | None, ends: Sequence[str]) -> Recording:
    if {"ep_len", "ep_offset"} <= set(file):
        raise ArmillaryError(f"{path} is a recording of stable-worldmodel: armillary import swm {path}")
    data = file.get("data")
    if data is not None and any("actions" in group for group in _groups(data).values()):
        groups, layout, rate = _groups(data), "robomimic", _control_rate(data)
        numbers, beside = _numbers(groups), _beside(file, ("data", "mask")) | _beside(data, groups)
        if only is not None:
            asked, there = list(_filtered(file, path, only)), groups
            groups = {name: there[name] for name in asked if name in there}
            if not groups:
                raise ArmillaryError(f"{path}: no episode of the filter key {only!r} is there")
            beside |= {
                f"/data/{name}": f"not there, and the filter key {only!r} names it" for name in asked if name not in there
            }
    elif only is not None:
        raise ArmillaryError(f"{path}: filter keys are robomimic's, and this is no file of theirs (data/demo_0/actions)")
    else:
        groups, layout, rate = _episodes_below(file), "groups", None
        numbers, beside = _numbers(groups), _beside(_below(file), groups) if groups else {}
    if groups:
        if episode or ends:
            raise ArmillaryError(
                f"{path}: every episode has a group of its own ({next(iter(groups))}): leave out episode, ends"
            )
        names = sorted(groups, key=natural)
        called = _numbers(names) or range(len(names))
        places = [Place(number, path, groups[name].name) for number, name in zip(called, names, strict=True)]
        return Recording(layout, places, rate=rate, beside=beside, numbers=numbers)
    group = _below(file)
    rows = rows_of(group, path, episode, ends)
    if not (episode or ends) and len(rows) < 2:
        return Recording("arrays", [Place(0, path, group.name)])
    return Recording("rows", [Place(number, path, group.name, some) for number, some in enumerate(rows)])


def _numbers(names: Iterable[str]) -> list[int]:
    """The numbers at the end of names; none where one has no number, or one that another has."""
    found = [re.search(r"\d+$", name) for name in names]
    numbers = [int(number[0]) for number in found if number]
    return numbers if len(set(numbers)) == len(found) else []


def _beside(group: Any, known: Iterable[str]) -> dict[str, str]:
    """What else is in a group."""
    return {f"{group.name.rstrip('/')}/{name}": "beside the episodes" for name in group if name not in set(known)}


def _groups(group: Any) -> dict[str, Any]:
    return {name: item for name, item in members(group) if hasattr(item, "items")} if hasattr(group, "items") else {}


def _below(group: Any) -> Any:
    """The group that all is in: this one, or its only one."""
    while len(group) == 1 and _groups(group) and not set(SEEN) & set(group):
        group = next(iter(_groups(group).values()))
    return group


def _episodes_below(group: Any) -> dict[str, Any]:
    """The groups that are episodes: two or more in one place, with some arrays in common.

    Nothing is beside them, unless they are called as episodes are.
    """
    groups = _groups(_below(group))
    called = {name: one for name, one in groups.items() if _EPISODE.fullmatch(name)}
    if called:
        groups = called
    elif len(groups) < max(2, len(_below(group))):
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


def rows_of(group: Any, path: Path, episode: str | None, ends: Sequence[str]) -> list[tuple[int, int]]:
    """First row and row after the last of each episode; without `episode` and `ends`, by the flags in `ENDS` that are there."""
    arrays = arrays_of(group)
    for name in (*([episode] if episode else []), *ends):
        if name not in arrays:
            raise ArmillaryError(f"{path}: there is no array {name!r}; there are {', '.join(arrays)}")
    rows = Counter(len(array) for array in arrays.values()).most_common(1)[0][0] if arrays else 0  # others are no steps
    if not (episode or ends):
        ends = [name for name in arrays if name.rsplit("/", 1)[-1] in ENDS and _are_flags(arrays[name], rows)]
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


def _are_flags(array: Any, rows: int) -> bool:
    """Whether an array has a 0 or a 1 for each row."""
    return array.shape in ((rows,), (rows, 1)) and array.dtype.kind in "biuf" and bool(np.isin(array[:], (0, 1)).all())
