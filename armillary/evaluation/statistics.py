"""Numbers and the intervals that they have to be printed with.

No number without an interval: an `Estimate` carries all three. Shares of successes get Wilson's interval, which holds at
0%, at 100% and at small n. Everything else is bootstrapped over groups (episodes, scenes), never over the frames inside
them, which are not independent.

Sources: Wilson (1927); Efron (1979), percentile bootstrap.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from armillary.errors import ArmillaryError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number, and the interval in which it lies with a confidence of 95%."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """As in "86% [74, 93]"."""
        return f"{100 * self.value:.0f}% [{100 * self.low:.0f}, {100 * self.high:.0f}]"


def wilson(successes: int, n: int) -> Estimate:
    """The share of successes with Wilson's score interval.

    Raises:
        ArmillaryError: no trials, or more successes than trials.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ArmillaryError(f"an interval needs at least one trial and at most as many successes, not {successes} of {n}")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, centre = successes / n, (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(n * share * (1 - share) + z * z / 4)
    # At 0 and n successes the bound is the share itself; rounding must not push it past that.
    return Estimate(share, float(min(share, max(0.0, centre - half))), float(max(share, min(1.0, centre + half))))


def bootstrap(
    *values: np.ndarray,
    groups: np.ndarray | None = None,
    statistic: Callable[..., float] = np.mean,
    samples: int = 1000,
) -> Estimate:
    """`statistic(*values)` with the percentile interval of resampling whole groups with replacement.

    Args:
        values: one or more arrays of equal length (n, ...), which the statistic takes as its arguments.
        groups: (n,) the group of each row; None makes every row a group of its own.
    """
    n = len(values[0])
    if n == 0:
        raise ArmillaryError("an interval needs at least one value")
    _, member = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(samples):
        picked = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        drawn.append(statistic(*(v[picked] for v in values)))
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(statistic(*values)), float(low), float(high))


def spread(values: list[float]) -> Estimate:
    """The mean over training seeds, with the lowest and the highest seed in place of an interval."""
    return Estimate(float(np.mean(values)), float(np.min(values)), float(np.max(values)))


def r2(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Share of variance that the prediction (n, d) explains of the truth (n, d), over all columns together.

    Columns are summed before dividing, so that a sine and its cosine count as the one angle they are. 1 is perfect, and 0
    is no better than the mean. NaN when the truth does not vary.
    """
    rest = np.square(truth - prediction).sum()
    total = np.square(truth - truth.mean(axis=0)).sum()
    return float(1 - rest / total) if total > 0 else float("nan")
