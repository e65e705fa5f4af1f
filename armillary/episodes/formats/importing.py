"""What all importers share: into a new store with one progress bar, one way to skip or refuse, and one form of report.

- A source is read in units: an episode of a dataset, or a file with any number of episodes in it. What is wrong with a unit is
  a `CorruptFile`: it is skipped and listed, or the import is refused, as the caller asks;
- episodes are committed in groups of some megabytes, so that memory is bounded. An import that fails or is killed before the
  first commit leaves nothing, and later a store that says that it is unfinished (filling.py), which can be resumed: the info of
  each episode says of which unit it is (`unit`, counted from 0), so that units before the last stored one are not read again.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypedDict, TypeVar

from rich.progress import Progress

from armillary.console import plain_console
from armillary.episodes.filling import Filling
from armillary.episodes.formats.doubts import Doubts
from armillary.episodes.offsets import Merging, narrowed, offsets_in_words, with_offsets
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, CorruptFile, NoStore
from armillary.spec import Spec

COMMIT_BYTES = 32 << 20  # of observations in one commit
Missing = Literal["skip", "refuse"]
Name = int | str  # of a unit: the number of an episode, or a file
Summary = TypeVar("Summary", bound="ImportSummary")


@dataclass(kw_only=True)
class ImportSummary:
    """What an import did; `str()` of it is the report for a person.

    Args:
        format: what the source is, such as "LeRobot v2.1".
        source, out: the source's path, and the store that was written.
        spec: the streams and the action space of the store.
        episodes: what the source calls each stored episode (its info's `episode`, or else `source`), in the store's order.
        frames: observations stored.
        already: episodes that were stored before, by an import that this one went on with; `episodes` and `frames` do not
            count them.
        skipped: each unit that was left out, and why.
        left_out: rows that were left out of what is stored, by reason.
        ignored: features or columns that are not in the store, and why.
        gaps: numbers that the source's own numbering leaves out, in words.
        doubts: a line for each channel whose changes float32 does not keep, or whose numbers are likely something else.
        seconds: wall time.
    """

    format: str
    source: str
    out: str
    spec: Spec
    episodes: tuple[Name, ...] = ()
    frames: int = 0
    already: int = 0
    skipped: dict[Name, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    ignored: dict[str, str] = field(default_factory=dict)
    gaps: str = ""
    doubts: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def notes(self) -> list[str]:
        """Lines of the report that this format alone has."""
        return []

    def leave(self, reason: str, rows: int) -> None:
        """Count rows that are left out."""
        if rows:
            self.left_out[reason] += rows

    def losses(self) -> list[str]:
        """Units and rows that are not stored, a line for each reason."""
        lines = [f"skipped {units}" for units in grouped(self.skipped)]
        if self.gaps:
            lines.append(f"the numbering of the source has gaps: {self.gaps} are not in it")
        return lines + [f"{count} rows left out: {reason}" for reason, count in self.left_out.items()]

    def __str__(self) -> str:
        action, rate = self.spec.action, f"{self.spec.rate:g} Hz" if self.spec.rate else "no clock"
        streams = [f"{stream.name} {stream.shape}{' (truth)' * stream.truth}" for stream in self.spec.streams]
        lines = [
            f"{self.format}: {self.source} -> {self.out} in {self.seconds:.1f} s",
            f"{len(self.episodes)} episodes, {self.frames} rows at {rate}, "
            + (f"actions of {action.n}" if action.n else "no actions"),
            f"streams: {', '.join(streams)}",
            *[f"{self.already} episodes were stored before"] * bool(self.already),
            *offsets_in_words(self.spec),
            *self.doubts,
            *self.notes(),
            *self.losses(),
        ]
        for reason in dict.fromkeys(self.ignored.values()):
            lines.append(f"ignored ({reason}): {', '.join(name for name in self.ignored if self.ignored[name] == reason)}")
        return "\n".join(lines)


class Writing(TypedDict, total=False):
    """How a new store is written; see `import_units`."""

    max_episodes: int | None
    resume: bool
    overwrite: bool
    progress: bool


def check_options(writing: Writing, missing: str = "skip", longest: int = 2, **numbers: float | None) -> None:
    """Require that `missing` is one of its two words, episodes have two rows or more, and numbers are positive or None.

    Raises:
        ArmillaryError: naming the option.
    """
    if missing not in ("skip", "refuse"):
        raise ArmillaryError(f"missing is 'skip' or 'refuse', not {missing!r}")
    if longest < 2:
        raise ArmillaryError(f"longest is 2 rows or more, not {longest}")
    for name, number in {"max_episodes": writing.get("max_episodes"), **numbers}.items():
        if number is not None and not number > 0:
            raise ArmillaryError(f"{name} is a positive number or None, not {number}")


def import_units(
    units: Generator[tuple[Name, Iterable[Episode]], None, None],
    summary: Summary,
    *,
    info: dict[str, Any],
    total: int | None = None,
    begin: int = 0,
    missing: Missing = "refuse",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Summary:
    """Write the episodes of all units into a new store.

    Args:
        units: a name and the episodes of each unit, in order; both are read one at a time, and closed at the end. Vectors may
            come in float64, or whole numbers of 64 bits, and get an offset where float32 would merge what the first commit
            shows of them (offsets.py). So may actions, which get none.
        summary: where the store will be and its spec; it gets what was stored and skipped, and the time it took.
        info: what the store says of itself.
        total: how many units there are, for the progress bar.
        begin: how many units are left out of `units`, since they are stored already; see `units_stored`.
        missing: a unit that raises `CorruptFile` is skipped from there on, or refused.
        max_episodes: stop after this many.
        resume: go on with the store of an import that was interrupted; begin if there is none.
        overwrite: replace the store that is there.
        progress: show a progress bar.

    Returns:
        The summary.

    Raises:
        ArmillaryError: nothing to import; something unfit under "refuse"; a store that is there already, and is not to be
            resumed or overwritten; one that cannot be written. What was committed stays, marked as unfinished.
    """
    began, job = perf_counter(), {"command": f"import {summary.format}", **info}
    into = Filling(summary.out, summary.spec, job=job, info=info, resume=resume, overwrite=overwrite)
    summary.spec = into.spec
    if into.done:
        summary.already = into.stored
        return summary
    bar = Progress(console=plain_console(stderr=True), disable=not progress)
    task, stored = bar.add_task("import", total=total), []
    last, inside = _reached(into)
    merging, doubts = Merging(), Doubts()

    def fit() -> Iterator[Episode]:
        for unit, (name, episodes) in enumerate(units, begin):
            try:
                for place, episode in enumerate(episodes if unit >= last else ()):
                    if unit == last and place < inside:
                        into.require_same(into.stored - inside + place, narrowed(episode, into.spec))
                    else:
                        yield replace(episode, info={**episode.info, "unit": unit})
            except CorruptFile as error:
                if missing == "refuse" and isinstance(name, int):
                    raise CorruptFile(f"{summary.source}: episode {name}: {error}") from error
                if missing == "refuse":
                    raise
                summary.skipped[name] = str(error)
            bar.advance(task)

    with into, closing(units), bar:
        for group in groups(islice(fit(), None if max_episodes is None else max(0, max_episodes - into.stored))):
            if into.store is None:
                summary.spec = into.spec = with_offsets(into.spec, group)
            kept = [narrowed(episode, into.spec) for episode in group]
            for episode, stored_one in zip(group, kept, strict=True):
                merging.add(into.spec, episode, stored_one)
                doubts.add(into.spec, episode)
            into.append(*kept)
            stored += [episode.info.get("episode", episode.info.get("source")) for episode in group]
            summary.frames += sum(map(len, group))
            bar.update(task, description=f"import, {summary.frames:,} rows")
        bar.update(task, total=total or 1, completed=total or 1)
    if not stored and not into.stored:
        raise ArmillaryError(f"{summary.source}: {'; '.join(['there is no episode to import', *summary.losses()])}")
    into.finish()
    summary.episodes, summary.skipped = tuple(stored), dict(sorted(summary.skipped.items()))
    summary.doubts = [*merging.notes(), *doubts.notes()]
    summary.already, summary.seconds = into.stored, perf_counter() - began
    return summary


def units_stored(out: str | Path) -> int:
    """How many units of an import that was interrupted need not be read again; 0 where there is none."""
    try:
        infos = Episodes.open(out).infos
    except NoStore:
        return 0
    return infos[-1].get("unit", 0) if infos else 0


def _reached(into: Filling) -> tuple[Any, int]:
    """The unit of the last episode that is stored, and how many episodes of it are."""
    units = [info.get("unit") for info in into.store.infos] if into.store is not None else []
    return (units[-1], units.count(units[-1])) if units else (0, 0)


def parts(rows: int, longest: int) -> list[tuple[int, int]]:
    """First row and row after the last of each part of an episode of at most `longest` rows.

    The last row of a part is the first of the next, so that no step is lost.
    """
    return [(first, min(first + longest, rows)) for first in range(0, rows - 1, longest - 1)]


def grouped(skipped: Mapping[Any, str]) -> list[str]:
    """Skipped units in words, those with one reason together: "80 episodes (0-9, 30-99): no data file"."""
    lines = []
    for reason in dict.fromkeys(skipped.values()):
        names: list[Any] = sorted(name for name in skipped if skipped[name] == reason)
        kind, ranges = ("episode", _ranges(names)) if isinstance(names[0], int) else ("file", names)
        lines.append(f"{len(names)} {kind}{'s'[: len(names) > 1]} ({', '.join(ranges)}): {reason}")
    return lines


def gaps(numbers: Iterable[int]) -> str:
    """Numbers between the first and the last that are not there, in words: "1, 3-5"; none where most are not, as of dates."""
    there = set(numbers)
    absent = (
        sorted(set(range(min(there), max(there))) - there) if there and max(there) - min(there) < 2 * len(there) + 100 else []
    )
    return ", ".join(_ranges(absent))


def _ranges(numbers: list[int]) -> list[str]:
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]


def groups(episodes: Iterable[Episode]) -> Iterator[list[Episode]]:
    """Episodes, so many together as are worth a commit."""
    group, size = [], 0
    for episode in episodes:
        group.append(episode)
        size += sum(values.nbytes for values in episode.observations.values())
        if size >= COMMIT_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
