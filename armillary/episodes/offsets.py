"""Offsets of vectors (`Stream.offset`): constants that are taken off before float32, where it would merge values.

float32 has 24 bits. A pressure of 101325 Pa comes in steps of 0.008 Pa, so that changes of 0.001 Pa are lost. What is stored is
the value less a round number near it, and then it makes no difference what was added to the sensor. Recordings that float32
holds have no offset. Angles have none: they are seen as sine and cosine.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from armillary.episodes.episode import Episode
from armillary.spec import Spec, Stream

LOST, BENT = 0.01, 0.1
"""Shares of a channel's changes that float32 drops, or alters by more than a tenth, from which on there is an offset."""
FINER = 16  # an offset makes the numbers at least so many times smaller, or there is none


def with_offsets(spec: Spec, episodes: Sequence[Episode]) -> Spec:
    """The spec with the offsets that some episodes call for, whose vectors are float64."""

    def one(stream: Stream) -> Stream:
        seen = [(episode.truth if stream.truth else episode.observations).get(stream.name) for episode in episodes]
        runs = [values for values in seen if values is not None and values.dtype == np.float64]
        if not stream.is_tabular or not runs:
            return stream
        found = find_offset(runs)
        found[stream.angles] = 0.0
        return replace(stream, offset=tuple(found) if found.any() else ())

    return Spec(tuple(map(one, spec.streams)), spec.action, spec.rate)


def find_offset(runs: Sequence[Float[np.ndarray, "_ c"]]) -> Float[np.ndarray, " c"]:
    """For each channel a round number near its median, or 0 where float32 holds it as it is, or with an offset no better."""
    changes = np.concatenate([np.diff(run, axis=0) for run in runs])
    kept = np.concatenate([np.diff(run.astype(np.float32).astype(np.float64), axis=0) for run in runs])
    moved = np.maximum((changes != 0).sum(0), 1)
    lost = ((changes != 0) & (kept == 0)).sum(0) / moved
    bent = (np.abs(kept - changes) > 0.1 * np.abs(changes)).sum(0) / moved
    found = np.zeros(changes.shape[1])
    for channel in np.flatnonzero((lost > LOST) | (bent > BENT)):
        values, steps = np.concatenate([run[:, channel] for run in runs]), np.abs(changes[:, channel])
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        grid = 10.0 ** np.ceil(np.log10(max(high - low, np.median(steps[steps > 0]))))
        offset = float(f"{np.round(middle / grid) * grid:.15g}")
        if FINER * max(abs(low - offset), abs(high - offset)) <= abs(middle):
            found[channel] = offset
    return found


def narrowed(episode: Episode, spec: Spec) -> Episode:
    """An episode whose vectors are in their units and may be float64, as a store of this spec holds it."""
    kept = [
        {name: spec[name].stored(values) if spec[name].is_tabular else values for name, values in streams.items()}
        for streams in (episode.observations, episode.truth)
    ]
    return replace(episode, observations=kept[0], truth=kept[1])


def offset_channels(spec: Spec) -> dict[str, float]:
    """The channels that have an offset, by name, and which."""
    return {
        stream.channels[i] if stream.channels else f"{stream.name} {i}": offset
        for stream in spec.streams
        for i, offset in enumerate(stream.offset)
        if offset
    }


def offsets_in_words(spec: Spec) -> list[str]:
    """A line that names the channels with an offset; none without."""
    named = [f"{name} {offset:.15g}" for name, offset in offset_channels(spec).items()]
    return [f"stored less an offset, since float32 would merge values: {', '.join(named)}"] if named else []
