"""Doctor: is this recording fit to learn a world model from?

Each check gives rows of a table: a value in words, a verdict and, where something is wrong, what to do. Lengths, duplicates,
missing actions, jumps and units of vectors, and the digests of files, are checked in full, the rest on a sample: up to 64
episodes, evenly spaced, and of each the middle 1000 rows of vectors and 64 of everything else (images at 32 px). What can be
wrong with a stream by itself, its kind says (`Kind.checks`); here is what has to do with actions, episodes and the store. That
is asked of vectors, or else of images, or else of outlines of what there is. What the thresholds are is named below.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from armillary import kinds
from armillary.addresses import local_path
from armillary.episodes import turning
from armillary.episodes.checksums import Checksums
from armillary.episodes.jumps import IMAGE_RATIO, USUAL, change, find_jumps, smooth_channels
from armillary.episodes.lag import LAGS, action_gain, motion
from armillary.episodes.store import Episodes
from armillary.episodes.units import Blocks
from armillary.episodes.verify import verify
from armillary.errors import CorruptFile
from armillary.kinds.check import Row, Verdict
from armillary.spec import ActionSpace, Spec, Stream

_EPISODES, _ROWS, _OTHER_ROWS, _IMAGE_SIZE = 64, 1000, 64, 32  # the sample
EXPLAINS = 0.02  # least gain in R2 that counts as an effect of the action
SLOW = 0.995  # autocorrelation of actions at lag 1
SATURATED = 0.3  # share of action numbers at a bound
STATES, ACTIONS = 0.05, 0.5  # least coverage
MANY = 0.5  # share of episodes with a jump, above which to fail
COPIES = 0.5  # share of episodes that are copies, from which on to fail
_FILM = 8192  # rows that are searched for jumps where there are no vectors
_TOGETHER = 65_536  # rows of vectors that are read at a time
_CELLS = 16  # of state coverage, along each of two axes


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


@dataclass(frozen=True)
class _Run:
    """Consecutive rows of one episode, choices one-hot: vectors (T, V), actions beside them, and all other streams by name.

    Those have rows of their own, (T', *shape), images (T', 32, 32, C), and actions beside them. Of optional streams that the
    episode is without, vectors are NaN, and others are left out.
    """

    vectors: np.ndarray
    others: dict[str, np.ndarray]
    actions: np.ndarray
    other_actions: np.ndarray
    spec: Spec

    @property
    def images(self) -> dict[str, np.ndarray]:
        return {name: values for name, values in self.others.items() if self.spec[name].is_picture}

    @property
    def seen(self) -> dict[str, np.ndarray]:
        """What the episode has, by stream."""
        vectors = [stream for stream in self.spec.observed if stream.is_tabular]
        parts = np.split(self.vectors, np.cumsum([stream.shape[0] for stream in vectors])[:-1], axis=1)
        named = {stream.name: part for stream, part in zip(vectors, parts, strict=False)}
        return {name: part for name, part in named.items() if np.isfinite(part).any()} | self.others


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
    runs = [_read(episodes, number) for number in _spread(moving, _EPISODES)]
    rows.append(_missing(episodes, runs))
    if rows[-1].verdict == "ok":
        common, done = _common(runs), spec.action
        angles = _angles(spec, runs)
        seen = [*_jumps(episodes, runs, angles), *_of_kinds(spec, runs), *_states(common)]
        rows += (
            [_lag(common, angles[_everywhere(runs)]), *_idle(runs), *seen, *_habits(done, runs), *_actions(done, runs)]
            if done.n
            else seen
        )
    return rows


def _spread(numbers: np.ndarray, most: int) -> np.ndarray:
    """Up to `most` of these, evenly spread."""
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, most).astype(int))]


def _read(episodes: Episodes, number: int) -> _Run:
    spec, length = episodes.spec, int(episodes.lengths[number])
    actions = episodes.actions(number)
    if spec.action.kind == "discrete":
        actions = actions[:, None] == np.arange(spec.action.n)

    def middle(streams: list[Stream], count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        first = max(0, (length - count) // 2)
        rows = episodes.starts[number] + np.arange(first, min(length, first + count))
        read = episodes.read_rows(rows, [stream.name for stream in streams], image_size=_IMAGE_SIZE)
        return read, actions[first : first + len(rows) - 1].astype(float)

    vectors, near = middle([stream for stream in spec.observed if stream.is_tabular], _ROWS)
    others, beside = middle([stream for stream in spec.observed if not stream.is_tabular], _OTHER_ROWS)
    others = {name: rows for name, rows in others.items() if name not in episodes.present or episodes.present[name][number]}
    flat = np.concatenate([np.empty((len(near) + 1, 0)), *vectors.values()], axis=1)
    return _Run(flat, others, near, beside, spec)


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


def _common(runs: list[_Run]) -> list[_Run]:
    """The runs with the streams that all of them have; where these are neither vectors nor images, outlines are the vectors."""
    channels = _everywhere(runs)
    names = [name for name in runs[0].others if all(name in run.others for run in runs)]
    some = [replace(run, vectors=run.vectors[:, channels], others={n: run.others[n] for n in names}) for run in runs]
    if channels.any() or some[0].images or not names:
        return some
    return [replace(run, vectors=_outlines(run.spec, run.others), actions=run.other_actions) for run in some]


def _outlines(spec: Spec, seen: dict[str, np.ndarray]) -> np.ndarray:
    """The outlines of these streams (T, *shape), side by side."""
    return np.concatenate([kinds.of(spec[name]).outline(rows) for name, rows in seen.items()], axis=1)


def _of_kinds(spec: Spec, runs: list[_Run]) -> Iterator[Row]:
    """What the kinds say of their own streams."""
    seen = [run.seen for run in runs]
    for name in dict.fromkeys(stream.kind for stream in spec.observed):
        yield from kinds.get(name).checks([stream for stream in spec.observed if stream.kind == name], seen)


def _everywhere(runs: list[_Run]) -> np.ndarray:
    """Which channels belong to streams that all runs have."""
    return np.all([_there(run) for run in runs], 0)


def _there(run: _Run) -> np.ndarray:
    """Which channels belong to a stream that the episode has."""
    return np.isfinite(run.vectors).any(0)


def _missing(episodes: Episodes, runs: list[_Run]) -> Row:
    actions = np.delete(episodes.actions(), episodes.starts + episodes.lengths - 1, axis=0)
    bad = ~np.isfinite(actions).all(1) if actions.ndim == 2 else actions < 0
    count = int(bad.sum() + sum((~np.isfinite(run.vectors[:, _there(run)])).any(1).sum() for run in runs))
    for values in (values for run in runs for name, values in run.others.items() if not run.spec[name].gaps):
        count += int((~np.isfinite(values.reshape(len(values), -1))).any(1).sum())
    return Row.of(
        "NaN or missing", f"{count} rows", "fail" if count else "ok", "repair or remove these rows; nothing else was checked"
    )


def _angles(spec: Spec, runs: list[_Run]) -> np.ndarray:
    """After how much each channel of the vectors is the same again; infinity where it does not wrap."""
    unit = [unit for s in spec.observed if s.is_tabular for unit in s.unit or ("",) * s.shape[0]]
    return turning.periods([run.vectors for run in runs], [i for i, one in enumerate(unit) if one == "rad"])


def _lag(runs: list[_Run], period: np.ndarray) -> Row:
    if columns := runs[0].vectors.shape[1]:
        period = period if columns == len(period) else np.full(columns, np.inf)  # of outlines
        states = [turning.features(run.vectors, period) for run in runs]
        changes = [np.diff(turning.unwrap(run.vectors, period), axis=0) for run in runs]
        gain = action_gain(states, [run.actions for run in runs], changes)
    elif runs[0].images:
        moves = [np.hstack([motion(images) for images in run.images.values()]) for run in runs]
        gain = action_gain([np.empty((len(m) + 1, 0)) for m in moves], [run.other_actions for run in runs], moves)
    else:
        gain = None
    check = "lag of the action"
    if gain is None:
        return Row.of(check, "not measured", "warn", "it takes 100 rows")
    best, now = LAGS[int(gain.argmax())], gain[LAGS.index(0)]
    value = f"{best:+d} rows; gain in R2 " + ", ".join(f"{lag:+d}: {g:.3f}" for lag, g in zip(LAGS, gain, strict=True))
    if gain.max() < EXPLAINS:
        return Row.of(check, value, "warn", "the action explains next to no change: was it this one that was taken?")
    if now > 0.95 * gain.max():
        return Row(check, f"0 rows; {value.split('; ')[1]}", "ok")
    led = f"a[t{best:+d}] is what led from o[t] to o[t+1]"
    rows = f"{abs(best)} row{'s' * (abs(best) > 1)}"
    late = f"the action comes {rows} late, as if logged as a result: {led}; move the actions up by {rows}"
    early = f"the action comes {rows} early, or the world answers with that delay: {led}"
    return Row.of(check, value, "fail" if best > 0 or now < 0.5 * gain.max() else "warn", late if best > 0 else early)


def _jumps(episodes: Episodes, runs: list[_Run], period: np.ndarray) -> Iterator[Row]:
    """Jumps and changes of unit, in all vectors of the store; where there are none, jumps in images or whatever there is."""
    spec, jumps, blocks = episodes.spec, [], Blocks()
    names = [stream.name for stream in spec.observed if stream.is_tabular]
    cameras = [stream.name for stream in spec.observed if stream.is_picture]
    if names:
        values = [turning.unwrap(run.vectors, period) for run in runs]
        usual = smooth_channels(values, [np.abs(np.diff(x, axis=0)) for x in values])
        for number, rows in _whole(episodes, names, range(len(episodes)), _TOGETHER):
            blocks.add(number, rows)
            steps = np.abs(np.diff(turning.unwrap(rows, period), axis=0))
            jumps += [(number, int(t) + 1) for t in find_jumps(steps, usual)]
    elif cameras and len(there := np.flatnonzero(episodes.present.get(cameras[0], True) & (episodes.lengths > 1))):
        count = max(1, _FILM // int(np.median(episodes.lengths)))
        chosen = _spread(there, min(count, _EPISODES))
        changes = {n: change(rows) for n, rows in _whole(episodes, cameras[:1], chosen, _FILM)}
        usual = np.quantile(np.concatenate(list(changes.values())), USUAL, axis=0)
        jumps = [(n, int(t) + 1) for n, steps in changes.items() for t in find_jumps(steps, usual, IMAGE_RATIO)]
    elif others := [stream.name for stream in spec.observed if not stream.optional]:
        count = max(1, _FILM // int(np.median(episodes.lengths)))
        chosen = _spread(np.flatnonzero(episodes.lengths > 1), min(count, _EPISODES))
        values = {int(n): _outlines(spec, episodes.read(int(n), streams=others)) for n in chosen}
        moves = {n: np.abs(np.diff(rows, axis=0)) for n, rows in values.items()}
        usual = smooth_channels([*values.values()], [*moves.values()])
        jumps = [(n, int(t) + 1) for n, steps in moves.items() for t in find_jumps(steps, usual)]
    which = ", ".join(f"episode {number} row {row}" for number, row in jumps[:5]) + ", ..." * (len(jumps) > 5)
    many = len({number for number, _ in jumps}) > MANY * len(episodes)
    advice = "what is seen jumps there, as after a reset or lost rows; end the episode before that row"
    yield Row.of("jumps", f"{len(jumps)} {which}".strip(), "fail" if many else len(jumps) > 0, advice)
    found = blocks.changes() if names else []
    where = []
    for unit in found[:5]:
        ((_, rows),) = _whole(episodes, names, [unit.episode], 1)
        first = unit.row(rows[:, unit.channel])
        where.append(f"{_channels(spec)[unit.channel]} from episode {unit.episode} row {first} on: {unit.how}")
    advice = "a unit seems to change inside the recording; bring all rows to one unit"
    yield Row.of("change of unit", f"{len(found)} {'; '.join(where)}".strip(), len(found) > 0, advice)


def _whole(episodes: Episodes, names: list[str], which: Sequence[int], together: int) -> Iterator[tuple[int, np.ndarray]]:
    """Whole episodes of vectors side by side, or of one camera: number and rows, read some thousand rows at a time."""
    waiting: list[int] = []
    for number in [*which, None]:
        if number is not None:
            waiting.append(int(number))
        if waiting and (number is None or episodes.lengths[waiting].sum() >= together):
            rows = np.concatenate([episodes.starts[n] + np.arange(episodes.lengths[n]) for n in waiting])
            read = episodes.read_rows(rows, names, image_size=_IMAGE_SIZE)
            ends = np.cumsum(episodes.lengths[waiting])[:-1]
            yield from zip(waiting, np.split(np.concatenate(list(read.values()), axis=-1), ends), strict=True)
            waiting = []


def _channels(spec: Spec) -> list[str]:
    vectors = [stream for stream in spec.observed if stream.is_tabular]
    return [f"{stream.name}[{name}]" for stream in vectors for name in stream.channels or range(stream.shape[0])]


def _idle(runs: list[_Run]) -> Iterator[Row]:
    spread = np.ptp(np.concatenate([run.actions for run in runs]), axis=0)
    still = int((spread == 0).sum())
    verdict = "fail" if still == len(spread) else still > 0
    yield Row.of("constant actions", f"{still} of {len(spread)}", verdict, "what is never varied cannot be learned")


def _habits(space: ActionSpace, runs: list[_Run]) -> Iterator[Row]:
    before, after = (np.concatenate([run.actions[part] for run in runs]) for part in (slice(-1), slice(1, None)))
    if len(before):
        before, after = before - before.mean(0), after - after.mean(0)
        product, size = (before * after).mean(), np.sqrt((before**2).mean() * (after**2).mean())
        correlation = product / size if size else 0.0
        advice = "actions hardly change from row to row; take a larger frame skip, so that their effects can be told apart"
        yield Row.of("action autocorrelation", f"{correlation:.3f} from row to row", bool(correlation > SLOW), advice)
    if space.kind == "box":
        actions = np.concatenate([run.actions for run in runs])
        low, high = _bounds(space, actions)
        edge = 1e-3 * (high - low)
        share = ((actions <= low + edge) | (actions >= high - edge)).mean()
        advice = "what lies between is hardly tried: scale actions down, or check the bounds in the spec"
        yield Row.of("action saturation", f"{share:.0%} at a bound", bool(share > SATURATED), advice)


def _states(runs: list[_Run]) -> Iterator[Row]:
    """Vectors, or else images at 8 x 8, on their two main principal axes, in 16 x 16 square cells over the longer: the share of
    cells visited (of as many as the rows could visit), and how many of those one episode visits.
    """
    states, least = [run.vectors for run in runs], 0.0  # vectors differ in their units, so that none has to vary the most
    if not runs[0].vectors.shape[1]:
        least = 1e-2
        first = [next(iter(run.images.values())).mean(-1) for run in runs if run.images]
        states = [images.reshape(len(images), 8, 4, 8, 4).mean((2, 4)).reshape(len(images), -1) for images in first]
    if states:
        x = np.concatenate(states)
        spread = x.std(0) + least * x.std(0).max(initial=0)
        x = (x - x.mean(0)) / np.where(spread > 0, spread, 1)
        y = x @ np.linalg.eigh(x.T @ x)[1][:, -2:]
        y = (y - y.min(0)) / (np.ptp(y, axis=0).max() + 1e-9)
        cell = np.minimum(y * _CELLS, _CELLS - 1).astype(int) @ _CELLS ** np.arange(y.shape[1])
        seen = len(np.unique(cell))
        share = seen / min(_CELLS ** y.shape[1], len(cell))
        each = np.split(cell, np.cumsum([len(part) for part in states])[:-1])
        one = np.median([len(np.unique(part)) for part in each]) / seen
        value = f"{share:.0%} of cells; an episode sees {one:.0%} of those"
        yield Row.of("state coverage", value, share < STATES, "the recording stays in few places; act more variously")


def _actions(space: ActionSpace, runs: list[_Run]) -> Iterator[Row]:
    """The share of ten equal parts of each number's range, or of the choices, that is used."""
    actions = np.concatenate([run.actions for run in runs])
    if space.kind == "discrete":
        used = actions.any(0).mean()
    else:
        low, high = _bounds(space, actions)
        tenth = np.clip((actions - low) / np.where(high > low, high - low, 1) * 10, 0, 9).astype(int)
        used = np.mean([len(np.unique(column)) / 10 for column in tenth.T])
    advice = "planners will ask for actions that were never tried; act more variously, or tighten the bounds in the spec"
    yield Row.of("action coverage", f"{used:.0%} of the range", bool(used < ACTIONS), advice)


def _bounds(space: ActionSpace, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of a box, and where it has none, the extremes of these actions."""
    low, high = np.asarray(space.low), np.asarray(space.high)
    return np.where(np.isfinite(low), low, actions.min(0)), np.where(np.isfinite(high), high, actions.max(0))
