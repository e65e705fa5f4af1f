"""Doctor: is this recording fit to learn a world model from?

Each check gives rows of a table: a value in words, a verdict and, where something is wrong, what to do. Lengths, duplicates,
missing actions, jumps and units of vectors, and the digests of files, are checked in full, the rest on a sample: up to 64
episodes, evenly spaced, and of each the middle 1000 rows of vectors and 64 of everything else (images at 32 px). What can be
wrong with a stream by itself, its kind says (`Kind.checks`). What has to do with actions (doctor_actions.py), with changes
inside episodes (doctor_changes.py) and with coverage (doctor_streams.py) is asked of vectors, or else of images, or else of
outlines of what there is. Thresholds are named at the head of each file.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from armillary.addresses import local_path
from armillary.episodes.checksums import Checksums
from armillary.episodes.doctor_actions import action_coverage, constant_actions, habits, lag
from armillary.episodes.doctor_changes import jumps_and_units
from armillary.episodes.doctor_sample import EPISODES, common, everywhere, periods, read_sample, spread
from armillary.episodes.doctor_streams import missing, of_kinds, state_coverage
from armillary.episodes.store import Episodes
from armillary.episodes.verify import verify
from armillary.errors import CorruptFile
from armillary.kinds.check import Row, Verdict

COPIES = 0.5  # share of episodes that are copies, from which on to fail


@dataclass(frozen=True)
class Report:
    """What `diagnose` found."""

    rows: tuple[Row, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any row."""
        return max((row.verdict for row in self.rows), key=("ok", "warn", "fail").index)

    def __str__(self) -> str:
        lines = [f"{r.verdict:5} {r.check:24} {r.value}" + f"\n{'':6}{r.advice}" * bool(r.advice) for r in self.rows]
        return "\n".join(lines)


def damage(path: str | os.PathLike) -> Report | None:
    """The report on a store whose files are damaged, without opening it, which could end the process; else None."""
    bad = Checksums(local_path(path)).damaged()
    return Report((_as_written(f"damaged: {', '.join(bad)}", "fail"),)) if bad else None


def diagnose(
    episodes: Episodes, *, parts: Sequence[np.ndarray] = (), length: int = 2, bad: Sequence[str] | None = None
) -> Report:
    """Check a recording.

    Args:
        parts: episode numbers of training part and held-out parts, as `split` gives them, to look for leaks between them.
        length: rows that a training window needs; shorter episodes are of no use.
        bad: files that are damaged, if `damage` has looked already.

    Raises:
        ArmillaryError: the store is empty.
    """
    episodes.require_some()
    found = verify(episodes, bad)
    kept = _as_written(str(found), "fail" if found.damaged else "warn" if found.unsure else "ok")
    rows = [_lengths(episodes.lengths, length), *_unfinished(episodes), kept]
    try:
        rows += _content(episodes, parts)
    except CorruptFile:
        if not found.damaged:
            raise
    return Report(tuple(rows))


def _content(episodes: Episodes, parts: Sequence[np.ndarray]) -> list[Row]:
    spec, moving = episodes.spec, np.flatnonzero(episodes.lengths > 1)  # a single row has no step that could be judged
    rows = [*_duplicates(np.array(episodes.digests), parts), *_absent(episodes)]
    if not len(moving):
        return rows
    runs = [read_sample(episodes, number) for number in spread(moving, EPISODES)]
    rows.append(missing(episodes, runs))
    if rows[-1].verdict == "ok":
        shared, done = common(runs), spec.action
        angles = periods(spec, runs)
        seen = [*jumps_and_units(episodes, runs, angles), *of_kinds(spec, runs), *state_coverage(shared)]
        rows += (
            [
                lag(shared, angles[everywhere(runs)]),
                *constant_actions(runs),
                *seen,
                *habits(done, runs),
                *action_coverage(done, runs),
            ]
            if done.n
            else seen
        )
    return rows


def _lengths(lengths: np.ndarray, length: int) -> Row:
    short = int((lengths < length).sum())
    value = f"{len(lengths)} episodes of {lengths.min()} to {lengths.max()} rows, {lengths.sum()} in all"
    advice = f"{short} episodes are shorter than the {length} rows of a window and are never used"
    return Row.of("episode length", value, "fail" if short == len(lengths) else short > 0, advice)


def _unfinished(episodes: Episodes) -> Iterator[Row]:
    if episodes.unfinished is not None:
        value = f"{episodes.unfinished['command']}: {len(episodes)} episodes so far"
        yield Row("unfinished", value, "warn", "it was interrupted, or is at it still; --resume goes on with it")


def _as_written(value: str, verdict: Verdict) -> Row:
    lost = "a disk or a copy changed it; restore it from another copy, or record again"
    old = "a store that this version writes can be verified as a whole: merge or record anew"
    return Row.of("digests of what is stored", value, verdict, lost if verdict == "fail" else old)


def _duplicates(digests: np.ndarray, parts: Sequence[np.ndarray]) -> Iterator[Row]:
    copies = len(digests) - len(np.unique(digests))
    advice = "an episode that is there twice counts twice; split() keeps copies on one side"
    verdict = "fail" if copies >= COPIES * len(digests) else copies > 0
    yield Row.of("duplicate episodes", f"{copies} of {len(digests)}", verdict, advice)
    if parts:
        leaks = sum(len(np.intersect1d(digests[one], digests[other])) for one, other in combinations(parts, 2))
        advice = "held-out episodes are also in another part, so that scores mean nothing; use split()"
        yield Row.of("leaks between splits", f"{leaks} episodes", "fail" if leaks else "ok", advice)


def _absent(episodes: Episodes) -> Iterator[Row]:
    for name, there in episodes.present.items():
        advice = "no episode has it, so that nothing can be learned of it; leave it out of the spec"
        yield Row.of(f"optional {name}", f"in {there.sum()} of {len(there)} episodes", not there.any(), advice)
