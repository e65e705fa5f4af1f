"""Offsets of vectors (`Stream.offset`): constants that are taken off before float32, where it would merge values.

float32 has 24 bits. A pressure of 101325 Pa comes in steps of 0.008 Pa, so that changes of 0.001 Pa are lost. What is stored is
the value less a round number near it, and then it makes no difference what was added to the sensor. Whole numbers beyond 2^53,
which float64 would round, stay whole until it is off. Recordings that float32 holds have no offset. Angles have none: they are
seen as sine and cosine.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Shaped

from armillary.episodes.episode import Episode
from armillary.spec import Spec, Stream

LOST, BENT = 0.01, 0.1
"""Shares of a channel's changes that float32 drops, or alters by more than a tenth, from which on there is an offset."""
NOISE = 1e-3  # of a channel's usual change, below which others do not matter
FLOAT64_WHOLE = 2**53  # whole numbers up to it are exact in float64
FINER = 16  # an offset makes the numbers at least so many times smaller, or there is none


def exact(values: np.ndarray) -> np.ndarray:
    """Numbers as float64, but for whole ones that it would round, which stay as they are."""
    whole = values.dtype.kind in "iu" and values.size and max(int(values.max()), -int(values.min())) > FLOAT64_WHOLE
    return values if whole else values.astype(np.float64, copy=False)


def with_offsets(spec: Spec, episodes: Sequence[Episode]) -> Spec:
    """The spec with the offsets that some episodes call for, whose vectors are float64, or whole numbers of 64 bits."""

    def one(stream: Stream) -> Stream:
        seen = [(episode.truth if stream.truth else episode.observations).get(stream.name) for episode in episodes]
        runs = [values for values in seen if values is not None and values.dtype != np.float32]
        if not stream.is_tabular or not runs:
            return stream
        found = find_offset(runs)
        found[stream.angles] = 0.0
        return replace(stream, offset=tuple(found) if found.any() else ())

    return Spec(tuple(map(one, spec.streams)), spec.action, spec.rate)


def _changes(run: Shaped[np.ndarray, "t c"]) -> Float[np.ndarray, "_ c"]:
    """From row to row; those of whole numbers to the digit."""
    changes = np.diff(run, axis=0)
    return changes if changes.dtype.kind == "f" else changes.astype(np.int64).astype(np.float64)  # unsigned ones wrap


def find_offset(runs: Sequence[Shaped[np.ndarray, "_ c"]]) -> Float[np.ndarray, " c"]:
    """For each channel a round number near its median, or 0 where float32 holds it as it is, or with an offset no better."""
    changes = np.concatenate([_changes(run) for run in runs])
    kept = np.concatenate([np.diff(run.astype(np.float32).astype(np.float64), axis=0) for run in runs])
    moved = np.maximum((changes != 0).sum(0), 1)
    lost = ((changes != 0) & (kept == 0)).sum(0) / moved
    bent = (np.abs(kept - changes) > 0.1 * np.abs(changes)).sum(0) / moved
    found = np.zeros(changes.shape[1])
    for channel in np.flatnonzero((lost > LOST) | (bent > BENT)):
        values, steps = np.concatenate([run[:, channel].astype(np.float64) for run in runs]), np.abs(changes[:, channel])
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        grid = 10.0 ** np.ceil(np.log10(max(high - low, np.median(steps[steps > 0]))))
        offset = float(f"{np.round(middle / grid) * grid:.15g}")
        if FINER * max(abs(low - offset), abs(high - offset)) <= abs(middle):
            found[channel] = offset
    return found


def narrowed(episode: Episode, spec: Spec) -> Episode:
    """An episode whose vectors are in their units and, as its actions, may be of 64 bits, as a store of this spec holds it."""
    kept = [
        {name: spec[name].stored(values) if spec[name].is_tabular else values for name, values in streams.items()}
        for streams in (episode.observations, episode.truth)
    ]
    actions = episode.actions.astype(spec.action.dtype, copy=False)
    return replace(episode, observations=kept[0], truth=kept[1], actions=actions)


class Merging:
    """Counts the changes from row to row that a store does not keep, by channel."""

    def __init__(self) -> None:
        self._changes, self._lost = Counter(), Counter()
        self._step: dict[str, float] = {}

    def add(self, spec: Spec, episode: Episode, kept: Episode) -> None:
        """Look at the vectors and actions of an episode that are of 64 bits, and at what is stored of them."""
        given, stored_ones = episode.observations | episode.truth, kept.observations | kept.truth
        found = [(channels_of(s), given[s.name], stored_ones[s.name]) for s in spec.streams if s.is_tabular and s.name in given]
        actions = [*spec.action.channels] or [f"action {i}" for i in range(spec.action.n)]
        for names, values, stored in [*found, (actions, episode.actions, kept.actions)]:
            if values.dtype == stored.dtype or len(values) < 2:
                continue
            moves = np.abs(_changes(values))
            changed = moves > NOISE * np.quantile(moves, 0.9, axis=0)
            lost, steps = changed & (np.diff(stored, axis=0) == 0), np.spacing(abs(stored).max(0))
            for name, moved, gone, step in zip(names, changed.sum(0), lost.sum(0), steps, strict=True):
                self._changes[name] += int(moved)
                self._lost[name] += int(gone)
                self._step[name] = max(self._step.get(name, 0.0), float(step))

    def notes(self) -> list[str]:
        """A line for each channel that loses more than a hundredth of its changes."""
        return [
            f"column {name!r} loses {lost:,} of {self._changes[name]:,} changes: float32 keeps steps of {self._step[name]:g} "
            "there, and no offset helps; subtract a constant from it first, if its changes are small beside it"
            for name, lost in self._lost.items()
            if lost > LOST * self._changes[name]
        ]


def channels_of(stream: Stream) -> list[str]:
    """The channels of a vector by name, or by number."""
    return [*stream.channels] or [f"{stream.name} {i}" for i in range(stream.shape[0])]


def offset_channels(spec: Spec) -> dict[str, float]:
    """The channels that have an offset, by name, and which."""
    every = (pair for stream in spec.streams for pair in zip(channels_of(stream), stream.offset, strict=False))
    return {name: offset for name, offset in every if offset}


def offsets_in_words(spec: Spec) -> list[str]:
    """A line that names the channels with an offset; none without."""
    named = [f"{name} {offset:.15g}" for name, offset in offset_channels(spec).items()]
    return [f"stored less an offset, since float32 would merge values: {', '.join(named)}"] if named else []
