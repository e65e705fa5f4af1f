"""HDF5 files into a store: robomimic's, a group or a file an episode, or arrays that all episodes share.

- The action of a row is the one that was taken on seeing it, as all these write it. Where an episode has a row more than
  actions, all is stored. Where it has as many, what the last action led to is known only if the file has it as `next_obs/*`
  (robomimic) or `next_observations` (D4RL), for every stream: then that becomes the last row. Else the last action is not
  stored; the summary says which it was. What comes next has to be the next row, or the episode is unfit;
- what a model sees are the arrays below `obs`, `observation` or `observations`, unless streams are named. Of robomimic's,
  `object` is the simulator's truth: beside images it is kept as truth. Actions are the array `actions` or `action`;
- the kind of a stream is found (arrays.py), said in the summary, and can be given;
- an action of floats is a box without bounds, since files say none; a lone whole number is a choice, of as many as the largest
  one needs;
- rows are read in blocks, and an episode longer than `longest` is cut, with the row between two parts in both: no step is lost.
"""

import math
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from armillary.episodes.formats.arrays import ArraySummary, Column, Hints, action_space, colour_notes, read_actions
from armillary.episodes.formats.hdf5_layouts import SEEN, Place, Recording, arrays_of, left_out, open_recording
from armillary.episodes.formats.importing import Missing, Name, Writing, check_options, gaps, import_units, parts
from armillary.episodes.formats.swm_layouts import reading
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION, ActionSpace, Spec

ACTIONS = ("actions", "action")


@dataclass(kw_only=True)
class HDF5Summary(ArraySummary):
    """What an import did, and of how many episodes the last action is not stored, since what it led to is not in the file.

    That is None without actions.

    Args:
        unwritten: arrays that were never written, in part or as a whole, and in how many groups.
    """

    unfollowed: int | None = None
    unwritten: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        if self.unfollowed is None:
            last = "no array is called actions or action, so there are no actions; name it with --action"
        elif self.unfollowed:
            last = f"of {self.unfollowed} episodes the last action is not stored: what it led to is not in the file"
        else:
            last = "the last action of every episode is stored, with what it led to as the last row"
        never = [
            f"{path} was never written in {count} groups, in part or as a whole, and holds its fill value there: leave it out"
            for path, count in self.unwritten.items()
        ]
        return [*super().notes(), last, *never]


def import_hdf5(
    path: str | Path,
    out: str | Path,
    *,
    streams: Sequence[str] | None = None,
    action: str | None = None,
    action_kind: Literal["box", "discrete"] | None = None,
    truth: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    axes: Mapping[str, str] | None = None,
    bgr: Sequence[str] = (),
    only: str | None = None,
    episode: str | None = None,
    ends: Sequence[str] = (),
    rate: float | None = None,
    image_size: int | None = None,
    longest: int = 10_000,
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> HDF5Summary:
    """Read HDF5 files into a new store.

    Arrays are named by their path in the episode, such as `obs/agentview_image`, or by its end, where that is of one alone.

    Args:
        path: the file to import, or a folder of files.
        out: the store to create: a path, or a URI such as s3://bucket/name.
        streams: arrays that a model may see. Default: observations, and the arrays below obs, observation or observations.
        action: the array of actions. Default: actions or action; where there is neither, the recording has no actions.
        action_kind: box: whole numbers are amounts; discrete: they are choices. Default: one whole number a row is a choice.
        truth: names to keep as ground truth, which no model sees. Default: none.
        kinds: kinds as array=kind, such as top=depth, where the detected kind is wrong. Default: as detected.
        axes: order of the axes of an image as array=letters, such as camera=chw: height, width, channels, and k for frames of
            a stack. Default: as detected.
        bgr: names of images whose channels are blue, green, red, as in OpenCV. They are stored as red, green, blue. Default:
            none.
        only: robomimic's filter key, such as train: only the episodes of mask/train. Default: all episodes.
        episode: the array that says where episodes end: a number that changes there, the first rows, or the rows after the last
            ones. Default: as the file says.
        ends: arrays of flags that are set in the last row of an episode. Default: terminals, timeouts and their like, unless
            `episode` is given.
        rate: steps a second, if the source does not say it. Default: as in the source, or none: then time is counted in steps.
        image_size: size to which images (by area) and depth (by the nearest pixel) are reduced, in pixels a side, whatever its
            aspect ratio. None keeps the size of the source.
        longest: longest episode, in rows. A longer one is cut into several, with the row between two parts in both, so that no
            step is lost. Fewer rows take less memory.
        missing: what to do about episodes or files that do not fit. skip: leave them out, listed; refuse: stop the import.
        max_episodes: stop after this many episodes. A few show quickly whether the options are right. Default: import all.
        resume: continue an import of the same recording that was interrupted; begin if there is none.
        overwrite: replace the store that is there.
        progress: show a progress bar.

    Raises:
        ArmillaryError: no such file there, one of a format with a reader of its own, names that are not there or of no kind,
            options that contradict each other, nothing to import, something unfit under "refuse", a store that is there already
            or cannot be written.
        CorruptFile: a file that is truncated or damaged.
        MissingExtra: a package that is needed is not installed, such as h5py or Pillow.
    """
    check_options(writing, missing, longest, image_size=image_size, rate=rate)
    path = Path(path)
    recording = open_recording(path, only=only, episode=episode, ends=ends)
    options: dict[str, Any] = {"streams": streams, "truth": truth, "action": action, "action_kind": action_kind, "rate": rate}
    options |= {"hints": Hints.of(kinds, axes, bgr), "image_size": image_size, "longest": longest, "missing": missing}
    options |= writing
    return import_recording(recording, "HDF5", path, out, **options)


def import_recording(
    recording: Recording,
    said: str,
    path: Path,
    out: str | Path,
    *,
    hints: Hints,
    streams: Sequence[str] | None,
    truth: Sequence[str],
    action: str | None,
    action_kind: Literal["box", "discrete"] | None,
    rate: float | None,
    image_size: int | None,
    longest: int,
    missing: Missing,
    **writing: Unpack[Writing],
) -> HDF5Summary:
    """The episodes of a recording of groups of arrays into a new store; see `import_hdf5`.

    Args:
        said: what the format is called.
        hints: kinds, axes and colours.
    """
    if missing == "refuse" and recording.skipped:
        raise CorruptFile(next(iter(recording.skipped.values())))
    first = recording.places[0]
    with reading(first.file), recording.opened(first.file, first.group) as group:
        arrays, none = arrays_of(group), left_out(group)
        try:
            columns, ignored = _choose(arrays, streams, truth, hints, image_size, recording.layout == "robomimic")
            name = _find(action, arrays) if action else next((name for name in ACTIONS if name in arrays), None)
        except ArmillaryError as error:
            raise ArmillaryError(f"{path}: {error}") from error
    following = name is not None and all(f"next_{column.path}" in arrays for column in columns)
    used = {name, *(column.path for column in columns), *(f"next_{column.path}" for column in columns if following), *ignored}
    ignored |= {one: "not asked for; name it in streams, or in truth" for one in arrays if one not in used}
    ignored |= none | recording.beside
    space = action_space(_arrays_called(name, recording), action_kind) if name else NO_ACTION
    spec = Spec(tuple(column.stream for column in columns), space, rate or recording.rate)
    reader = _Reader(recording, columns, name, space, following, longest, set(arrays) | set(none), ignored)
    summary = HDF5Summary(
        format=f"{said}, {recording.layout}",
        source=str(path),
        out=str(out),
        spec=spec,
        skipped=dict(recording.skipped),
        ignored=ignored,
        gaps=gaps(recording.numbers),
        kinds={column.stream.name: column.said for column in columns},
        colours=colour_notes(columns),
    )
    about = {"source": f"{said} {recording.layout} {path.name}"}
    import_units(reader.units(), summary, info=about, total=len(recording.places), missing=missing, **writing)
    summary.ignored = dict(sorted(ignored.items()))
    summary.unfollowed, summary.unwritten = reader.unfollowed if reader.action else None, reader.unwritten
    return summary


def _choose(
    arrays: Mapping[str, Any],
    streams: Sequence[str] | None,
    truth: Sequence[str],
    hints: Hints,
    size: int | None,
    robomimic: bool,
) -> tuple[list[Column], dict[str, str]]:
    """The columns that are asked for, or that are there to be seen; and which of the latter cannot be read, with the reason."""
    hints = hints.renamed({name: _find(name, arrays) for name in hints.names})
    truth = [_find(name, arrays) for name in truth]
    columns, ignored = [], {}

    def add(name: str, asked: bool, privileged: bool) -> None:
        try:
            column = Column.of(name, arrays[name], _named(name), hints, size=size, truth=privileged)
            columns.append(column)
        except ArmillaryError as error:
            if asked or name in hints.names:
                raise ArmillaryError(f"{name}: {error}") from error
            ignored[name] = str(error)

    if streams is None:
        for name in arrays:
            if name.split("/")[0] in SEEN and name not in truth:
                add(name, False, False)
        if robomimic and any(column.stream.is_picture for column in columns):
            truth += [column.path for column in columns if column.path == "obs/object"]
            columns = [column for column in columns if column.path != "obs/object"]
    for name in streams or ():
        add(_find(name, arrays), True, False)
    if not columns:
        there = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        why = "".join(f"; {name} {reason}" for name, reason in ignored.items())
        raise ArmillaryError(f"nothing to see by default{why}; name streams, of {there or 'no arrays'}")
    for name in truth:
        add(name, True, True)
    return columns, ignored


@dataclass
class _Reader:
    """Places to episodes."""

    recording: Recording
    columns: list[Column]
    action: str | None
    space: ActionSpace
    following: bool  # whether the file has what the last action of an episode led to
    longest: int
    known: set[str]  # of the arrays of the first episode
    ignored: dict[str, str]  # gets the arrays that only others have
    unfollowed: int = 0
    unwritten: Counter[str] = field(default_factory=Counter)
    _open: ExitStack = field(default_factory=ExitStack)
    _at: tuple[Path, str] | None = None
    _group: Any = None

    def units(self) -> Generator[tuple[Name, Iterator[Episode]], None, None]:
        """A name and the episodes of each place."""
        with self._open:
            for place in self.recording.places:
                yield place.name, self.episodes(place)

    def _opened(self, place: Place) -> Any:
        """The group of a place, which stays open until another is asked for."""
        if self._at != (place.file, place.group):
            self._open.close()
            self._at, self._group = None, self._open.enter_context(self.recording.opened(place.file, place.group))
            self._at = (place.file, place.group)
            paths = (column.path for column in self.columns if column.path in self._group)
            self.unwritten.update(path for path in paths if _is_unwritten(self._group[path]))
        return self._group

    def episodes(self, place: Place) -> Iterator[Episode]:
        """The parts of one episode, checked; a CorruptFile says what is wrong with it, with the figure."""
        with reading(place.file.name):
            group = self._opened(place)
            self.ignored.update(dict.fromkeys(arrays_of(group).keys() - self.known, "the first episode has no such array"))
            for name in (*([self.action] if self.action else []), *(column.path for column in self.columns)):
                if name not in group:
                    raise CorruptFile(f"there is no array {name}, which the first episode has")
            start, stop = place.rows or (0, None)
            steps, actions = self._lengths(group, start, stop)
            followed = self.following and actions == steps
            if followed:
                self._check_following(group, start, steps)
            if steps + followed < 2:
                raise CorruptFile(f"{steps + followed} rows, and an episode needs 2")
            for first, last in parts(steps + followed, self.longest):
                yield self._episode(group, place, start + first, start + last, start + steps)
            self.unfollowed += actions == steps and not followed

    def _lengths(self, group: Any, start: int, stop: int | None) -> tuple[int, int | None]:
        """Rows of each array, and how many actions there are."""

        def length(name: str) -> int:
            return len(group[name]) if stop is None else min(len(group[name]), stop) - start

        first, *others = (column.path for column in self.columns)
        steps = length(first)
        for name in others:
            if length(name) != steps:
                raise CorruptFile(f"{name} has {length(name)} rows, and {first} has {steps}")
        actions = length(self.action) if self.action else None
        if actions not in (None, steps - 1, steps):
            raise CorruptFile(f"{actions} actions for {steps} rows of {first}; there are as many, or one less")
        if actions is not None and group.attrs.get("num_samples", actions) != actions:
            raise CorruptFile(f"num_samples says {group.attrs['num_samples']}, and there are {actions} actions")
        return steps, actions

    def _check_following(self, group: Any, start: int, steps: int) -> None:
        """What follows each row has to be the next one; of images, which are large, that of the first row alone."""
        for column in self.columns:
            rows = steps if column.stream.is_tabular else min(steps, 2)
            for first, last in parts(rows, self.longest):
                after = column.read(group[f"next_{column.path}"], start + first, start + last - 1)
                own = column.read(group[column.path], start + first + 1, start + last)
                for row, *_ in np.argwhere(~np.isclose(after, own, equal_nan=True))[:1]:
                    row += first
                    raise CorruptFile(
                        f"next_{column.path} of row {row} is not {column.path} of row {row + 1}: rows are missing"
                    )

    def _episode(self, group: Any, place: Place, first: int, last: int, steps: int) -> Episode:
        """Rows from `first` to before `last`; one of them may be beyond the `steps` rows of the arrays."""
        values: dict[bool, dict[str, np.ndarray]] = {False: {}, True: {}}
        for column in self.columns:
            rows = column.read(group[column.path], first, min(last, steps))
            if last > steps:
                rows = np.concatenate([rows, column.read(group[f"next_{column.path}"], steps - 1, steps)])
            values[column.stream.truth][column.stream.name] = rows
        count = last - first - 1
        actions = np.empty((count, 0), np.float32)
        if self.action:
            actions = read_actions(group[self.action], first, last - 1, self.space)
        info = {"source": f"HDF5 {place.file.name}", "episode": place.name, "group": place.group, "row": first}
        return Episode(values[False], actions, values[True], info)


def _is_unwritten(array: Any) -> bool:
    """Whether an array of HDF5 has rows that nobody wrote."""
    if not hasattr(array, "id") or not array.size:
        return False
    if not array.chunks:
        return array.id.get_storage_size() == 0
    chunks = math.prod(-(-side // chunk) for side, chunk in zip(array.shape, array.chunks, strict=True))
    return array.id.get_num_chunks() < chunks


def _arrays_called(name: str, recording: Recording) -> Iterator[Any]:
    """The array of this name of each group, as far as it is there."""
    for file, name_of_group in dict.fromkeys((place.file, place.group) for place in recording.places):
        with reading(file), recording.opened(file, name_of_group) as group:
            if name in group:
                yield group[name]


def _find(name: str, arrays: Mapping[str, Any]) -> str:
    """The path of an array by itself, or by its end."""
    found = [name] if name in arrays else [full for full in arrays if full.endswith(f"/{name}")]
    found = [full for full in found if not full.startswith("next_")] if len(found) > 1 else found
    if len(found) != 1:
        said = f"there are several arrays {name!r}: {', '.join(found)}" if found else f"there is no array {name!r}"
        raise ArmillaryError(f"{said}; there are {', '.join(arrays) or 'none'}")
    return found[0]


def _named(path: str) -> str:
    """The name of a stream: the path of its array, without the group of all that is seen."""
    parts = path.split("/")
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in SEEN else parts)
