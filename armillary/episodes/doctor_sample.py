"""The sample of a recording that the doctor looks at: some rows of some episodes, and whole episodes where all are searched."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from armillary import kinds
from armillary.episodes import turning
from armillary.episodes.store import Episodes
from armillary.spec import Spec, Stream

EPISODES, ROWS, OTHER_ROWS, IMAGE_SIZE = 64, 1000, 64, 32  # the sample


@dataclass(frozen=True)
class Run:
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


def spread(numbers: np.ndarray, most: int) -> np.ndarray:
    """Up to `most` of these, evenly spread."""
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, most).astype(int))]


def read_sample(episodes: Episodes, number: int) -> Run:
    """The middle rows of an episode."""
    spec, length = episodes.spec, int(episodes.lengths[number])
    actions = episodes.actions(number)
    if spec.action.kind == "discrete":
        actions = actions[:, None] == np.arange(spec.action.n)

    def middle(streams: list[Stream], count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        first = max(0, (length - count) // 2)
        rows = episodes.starts[number] + np.arange(first, min(length, first + count))
        read = episodes.read_rows(rows, [stream.name for stream in streams], image_size=IMAGE_SIZE)
        return read, actions[first : first + len(rows) - 1].astype(float)

    vectors, near = middle([stream for stream in spec.observed if stream.is_tabular], ROWS)
    others, beside = middle([stream for stream in spec.observed if not stream.is_tabular], OTHER_ROWS)
    others = {name: rows for name, rows in others.items() if name not in episodes.present or episodes.present[name][number]}
    flat = np.concatenate([np.empty((len(near) + 1, 0)), *vectors.values()], axis=1)
    return Run(flat, others, near, beside, spec)


def whole_episodes(
    episodes: Episodes, names: list[str], which: Iterable[int], together: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Whole episodes of vectors side by side, or of one camera: number and rows, read some thousand rows at a time."""
    waiting: list[int] = []
    for number in [*which, None]:
        if number is not None:
            waiting.append(int(number))
        if waiting and (number is None or episodes.lengths[waiting].sum() >= together):
            rows = np.concatenate([episodes.starts[n] + np.arange(episodes.lengths[n]) for n in waiting])
            read = episodes.read_rows(rows, names, image_size=IMAGE_SIZE)
            ends = np.cumsum(episodes.lengths[waiting])[:-1]
            yield from zip(waiting, np.split(np.concatenate(list(read.values()), axis=-1), ends), strict=True)
            waiting = []


def common(runs: list[Run]) -> list[Run]:
    """The runs with the streams that all of them have; where these are neither vectors nor images, outlines are the vectors."""
    channels = everywhere(runs)
    names = [name for name in runs[0].others if all(name in run.others for run in runs)]
    some = [replace(run, vectors=run.vectors[:, channels], others={n: run.others[n] for n in names}) for run in runs]
    if channels.any() or some[0].images or not names:
        return some
    return [replace(run, vectors=outlines(run.spec, run.others), actions=run.other_actions) for run in some]


def everywhere(runs: list[Run]) -> np.ndarray:
    """Which channels belong to streams that all runs have."""
    return np.asarray(np.all([there(run) for run in runs], 0))


def there(run: Run) -> np.ndarray:
    """Which channels belong to a stream that the episode has."""
    return np.asarray(np.isfinite(run.vectors).any(0))


def outlines(spec: Spec, seen: dict[str, np.ndarray]) -> np.ndarray:
    """The outlines of these streams (T, *shape), side by side."""
    return np.concatenate([kinds.of(spec[name]).outline(rows) for name, rows in seen.items()], axis=1)


def periods(spec: Spec, runs: list[Run]) -> np.ndarray:
    """After how much each channel of the vectors is the same again; infinity where it does not wrap."""
    unit = [unit for s in spec.observed if s.is_tabular for unit in s.unit or ("",) * s.shape[0]]
    return turning.periods([run.vectors for run in runs], [i for i, one in enumerate(unit) if one == "rad"])


def channels(spec: Spec) -> list[str]:
    """The names of the channels of all vectors, side by side."""
    vectors = [stream for stream in spec.observed if stream.is_tabular]
    return [f"{stream.name}[{name}]" for stream in vectors for name in stream.channels or range(stream.shape[0])]
