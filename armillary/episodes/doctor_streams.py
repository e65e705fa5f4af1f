"""What the doctor asks of what was sensed: is anything missing, what do the kinds say, and how much of the world was seen?"""

from collections.abc import Iterator

import numpy as np

from armillary import kinds
from armillary.episodes.doctor_sample import Run, there
from armillary.episodes.store import Episodes
from armillary.kinds.check import Row
from armillary.spec import Spec

STATES = 0.05  # least coverage
_CELLS = 16  # of state coverage, along each of two axes


def missing(episodes: Episodes, runs: list[Run]) -> Row:
    """Rows without an action, or with numbers that are not finite where there should be some."""
    actions = np.delete(episodes.actions(), episodes.starts + episodes.lengths - 1, axis=0)
    bad = ~np.isfinite(actions).all(1) if actions.ndim == 2 else actions < 0
    count = int(bad.sum() + sum((~np.isfinite(run.vectors[:, there(run)])).any(1).sum() for run in runs))
    for values in (values for run in runs for name, values in run.others.items() if not run.spec[name].gaps):
        count += int((~np.isfinite(values.reshape(len(values), -1))).any(1).sum())
    return Row.of(
        "NaN or missing", f"{count} rows", "fail" if count else "ok", "repair or remove these rows; nothing else was checked"
    )


def of_kinds(spec: Spec, runs: list[Run]) -> Iterator[Row]:
    """What the kinds say of their own streams."""
    seen = [run.seen for run in runs]
    for name in dict.fromkeys(stream.kind for stream in spec.observed):
        yield from kinds.get(name).checks([stream for stream in spec.observed if stream.kind == name], seen)


def state_coverage(runs: list[Run]) -> Iterator[Row]:
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
