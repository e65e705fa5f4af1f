"""Datasets of Minari into a store, read without Minari: HDF5, Arrow and Parquet.

- Minari keeps an observation more than actions: its rows are ours, and nothing is shifted or left out;
- each array of an observation space is a stream, under its key (`a.b` below another, its number in a tuple); a lone one is
  called `image` or `state`, as `spec_of` calls it, so that a model that was learned here can act there;
- what a step gave (rewards, and infos that have a row less) is truth in the row that the step led to, with 0 in the first row.
  How an episode ended, terminated or truncated, is in its info;
- a box of actions keeps its bounds; choices that begin elsewhere are counted from 0; choices of several things become the
  choices of their combinations (`numpy.ravel_multi_index`); boxes in a dictionary or tuple are put one after the other.

Source: https://minari.farama.org/content/dataset_standards.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from armillary.episodes.formats.arrays import ArraySummary, Column, Hints, action_space, colour_notes, read_actions
from armillary.episodes.formats.importing import Missing, Name, Writing, check_options, gaps, import_units
from armillary.episodes.formats.minari_layouts import HDF5, Arrow, Space, leaves, open_layout, space_of
from armillary.episodes.formats.swm_layouts import reading
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import ActionSpace, Spec

COMBINATIONS = 4096  # of several choices, at most


@dataclass(kw_only=True)
class MinariSummary(ArraySummary):
    """What an import did; `actions` is what became of the action space."""

    actions: str

    def notes(self) -> list[str]:
        return [*super().notes(), f"actions: {self.actions}"]


def import_minari(
    path: str | Path,
    out: str | Path,
    *,
    streams: Sequence[str] | None = None,
    truth: Sequence[str] = ("rewards",),
    kinds: Mapping[str, str] | None = None,
    axes: Mapping[str, str] | None = None,
    bgr: Sequence[str] = (),
    rate: float | None = None,
    image_size: int | None = None,
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> MinariSummary:
    """Read a dataset of Minari into a new store; other arguments and errors are those of `import_hdf5`.

    Args:
        path: the folder of the dataset, such as ~/.minari/datasets/D4RL/door/human-v2.
        streams: keys of the observation that a model may see. Default: all.
        truth: arrays to keep as ground truth, which no model sees: keys of the observation, rewards, or infos/NAME.
    """
    check_options(writing, missing, image_size=image_size, rate=rate)
    path = Path(path)
    dataset = open_layout(path)
    if not dataset.names:
        raise ArmillaryError(f"{path}: there is no episode in it")
    with reading(path):
        arrays, _ = dataset.episode(dataset.names[0])
        try:
            columns, ignored = _choose(arrays, streams, truth, Hints.of(kinds, axes, bgr), image_size)
            actions = _Actions.of(space_of(dataset.metadata, "action_space"), dataset)
        except ArmillaryError as error:
            raise ArmillaryError(f"{path}: {error}") from error
    name = str(dataset.metadata.get("dataset_id", path.name))
    summary = MinariSummary(
        format="Minari",
        source=str(path),
        out=str(out),
        spec=Spec(tuple(column.stream for column in columns), actions.space, rate),
        ignored=ignored,
        gaps=gaps(dataset.names),
        kinds={column.stream.name: column.said for column in columns},
        colours=colour_notes(columns),
        actions=actions.said,
    )

    def units() -> Generator[tuple[Name, Iterator[Episode]], None, None]:
        for number in dataset.names:
            yield number, _episodes(dataset, number, columns, actions, name)

    about = {"source": f"Minari {name}", "actions": actions.said}
    return import_units(units(), summary, info=about, total=len(dataset.names), missing=missing, **writing)


def _choose(
    arrays: Mapping[str, Any], streams: Sequence[str] | None, truth: Sequence[str], hints: Hints, size: int | None
) -> tuple[list[Column], dict[str, str]]:
    """The columns of what is seen and of truth, and which arrays stay out, with the reason."""
    names = {_named(path): path for path in arrays if path.split("/")[0] not in ("actions", "terminations", "truncations")}
    for name in (*(streams or ()), *truth, *hints.names):
        if name not in names and name != "rewards":
            raise ArmillaryError(f"there is no array {name!r}; there are {', '.join(names)}")
    truth = [name for name in truth if name in names]
    by_path = hints.renamed(names)
    seen = [name for name, path in names.items() if path.startswith("observations") and name not in truth]
    columns, ignored = [], dict.fromkeys(names, "not asked for; name it in streams, or in truth")
    for name in (*(seen if streams is None else streams), *truth):
        try:
            column = Column.of(names[name], arrays[names[name]], name, by_path, size=size, truth=name in truth)
            if names[name] == "observations":
                lone = "image" if column.stream.is_picture else "state"
                column = replace(column, stream=replace(column.stream, name=lone))
            columns.append(column)
            del ignored[name]
        except ArmillaryError as error:
            if streams is not None or name in truth or name in hints.names:
                raise ArmillaryError(f"{name}: {error}") from error
            ignored[name] = str(error)
    if all(column.stream.truth for column in columns):
        raise ArmillaryError(f"nothing to see in it; name streams, of {', '.join(names)}")
    return columns, ignored


def _named(path: str) -> str:
    """What a stream is called: the keys below the observation, and the whole path of everything else."""
    if path.startswith("observations/"):
        return ".".join(part.removeprefix("_index_") for part in path.split("/")[1:])
    return path


def _episodes(dataset: HDF5 | Arrow, number: int, columns: list[Column], actions: "_Actions", source: str) -> Iterator[Episode]:
    """The episode of this number, checked; a CorruptFile says what is wrong with it, with the figure."""
    with reading("the file"):
        arrays, said = dataset.episode(number)
        absent = [name for name in (*actions.paths, *(column.path for column in columns)) if name not in arrays]
        if absent:
            raise CorruptFile(f"there is no array {', '.join(absent)}, which the first episode has")
        steps = len(arrays[actions.paths[0]])
        if steps < 1:
            raise CorruptFile("no step, and an episode needs one")
        values: dict[bool, dict[str, np.ndarray]] = {False: {}, True: {}}
        for column in columns:
            array = arrays[column.path]
            given = column.stream.truth and len(array) == steps  # by a step, and not by a reset
            if len(array) != steps + 1 and not given:
                raise CorruptFile(f"{column.path} has {len(array)} rows for {steps} actions, and needs one more")
            rows = column.read(array, 0, len(array))
            values[column.stream.truth][column.stream.name] = np.concatenate([rows[:1] * 0, rows]) if given else rows
        taken = actions.read(arrays, steps)
        flags = {end: bool(arrays[f"{end}ions"][steps - 1]) for end in ("terminat", "truncat") if f"{end}ions" in arrays}
        info: dict[str, Any] = {"source": f"Minari {source}", "episode": number}
        if said.get("seed") is not None:
            info["seed"] = int(said["seed"])
    info["ended"] = next((f"{end}ed" for end, flag in flags.items() if flag), "cut")
    yield Episode(values[False], taken, values[True], info)


@dataclass(frozen=True)
class _Actions:
    """How Minari's actions become ours.

    Args:
        space: ours.
        paths: of the arrays that they are in.
        said: for a person.
        start: of choices.
        sizes: of several choices, how many each has.
    """

    space: ActionSpace
    paths: tuple[str, ...]
    said: str
    start: np.ndarray | int = 0
    sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, space: Space | None, dataset: HDF5 | Arrow) -> "_Actions":
        """From the space that the metadata say, or else from the arrays.

        Raises:
            ArmillaryError: a space that has no like here.
        """
        if space is None:
            found = action_space(dataset.episode(name)[0]["actions"] for name in dataset.names)
            return cls(found, ("actions",), f"{found.kind} of {found.n}; the metadata do not say the space")
        parts = dict(leaves(space, "actions"))
        kinds = {part["type"] for part in parts.values()}
        if kinds == {"Box"}:
            bounds = [np.concatenate([np.ravel(part[edge]) for part in parts.values()]) for edge in ("low", "high")]
            n, whole = len(bounds[0]), all(np.dtype(part.get("dtype", "float32")).kind in "iu" for part in parts.values())
            if not (bounds[0] < bounds[1]).all():
                return cls(
                    ActionSpace("box", n, whole=whole), tuple(parts), f"box of {n}; its bounds leave no room and are not kept"
                )
            edges = (tuple(edge.tolist()) for edge in bounds)
            return cls(ActionSpace("box", n, *edges, whole=whole), tuple(parts), f"box of {n}{' whole numbers' * whole}")
        if kinds == {"Discrete"} and len(parts) == 1:
            n, start = int(space["n"]), int(space.get("start", 0))
            return cls(
                ActionSpace("discrete", n), ("actions",), f"{n} choices" + f", counted from {start}" * bool(start), start
            )
        if len(parts) == 1 and kinds <= {"MultiDiscrete", "MultiBinary"}:
            sizes = space["nvec"] if "nvec" in space else np.full(space["n"], 2)
            sizes = tuple(int(size) for size in np.ravel(sizes))
            n = int(np.prod([float(size) for size in sizes]))
            if n <= COMBINATIONS:
                said = f"{n} choices, the combinations of {' x '.join(map(str, sizes))} (numpy.ravel_multi_index)"
                return cls(ActionSpace("discrete", n), ("actions",), said, np.ravel(space.get("start", 0)), sizes)
            raise ArmillaryError(f"the action space has {n} combinations, and at most {COMBINATIONS} are taken as choices")
        raise ArmillaryError(f"an action space of {', '.join(sorted(kinds))} has no like here: boxes, or choices alone")

    def read(self, arrays: Mapping[str, Any], steps: int) -> np.ndarray:
        """(steps, n), or (steps,) for choices."""
        for path in self.paths:
            if len(arrays[path]) != steps:
                raise CorruptFile(f"{path} has {len(arrays[path])} rows, and {self.paths[0]} has {steps}")
        if self.space.kind == "box":
            parts = [np.asarray(arrays[path][:]).reshape(steps, -1) for path in self.paths]
            return read_actions(np.concatenate(parts, 1), 0, steps, self.space)
        chosen = np.asarray(arrays[self.paths[0]][:]).astype(np.int64) - self.start
        sizes = self.sizes or (self.space.n,)
        chosen = chosen.reshape(steps, len(sizes))
        for row, *_ in np.argwhere((chosen < 0) | (chosen >= sizes))[:1]:
            raise CorruptFile(f"actions: {chosen[row].tolist()} in row {row} is no choice of {' x '.join(map(str, sizes))}")
        return np.ravel_multi_index(tuple(chosen.T), sizes)
