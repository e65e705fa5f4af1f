"""Daily and weekly profiles of what is watched, where normal running shows them.

A profile is the mean at each time of the day or of the week. Whether there is one is asked of normal rows alone: each is
compared with the mean of the others at its time (leave one out), so that a profile of few days is not taken for one of all
days. It has to explain `LEAST_EXPLAINED` of the variance: a weaker one is often a habit of that month.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

DAY_S, WEEK_S = 86_400.0, 604_800.0
LEAST_EXPLAINED = 0.75
"""Share of the variance."""
LEAST_GAIN = 0.02
"""Share of the variance by which a finer or longer profile has to be better than a shorter one."""
FINEST_S = 1800.0
MOST_BINS = 5000


@dataclass(frozen=True)
class Profile:
    """Means at each time of a period.

    Args:
        period_s: how long it is.
        means: (bins, c), of which each covers an equal share of the period; where fewer than two rows fell, the overall mean.
    """

    period_s: float
    means: Float[np.ndarray, "bins c"]

    def __call__(self, clock: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n c"]:
        """What is usual at these times, in s from any zero that is a full period before or after that of the fit."""
        return self.means[_bins(clock, self.period_s, len(self.means))]


def fit_profile(
    values: Float[np.ndarray, "n c"], clock: Float[np.ndarray, " n"], period_s: float, bins: int, least: float = 0.0
) -> tuple[Profile, Float[np.ndarray, "n c"], Float[np.ndarray, " c"]]:
    """The profile of this period, how far each row is from the mean of the others in its bin, and the share of each channel's
    variance that this explains. A channel of which it explains less than `least` has its overall mean for a profile."""
    at = _bins(clock, period_s, bins)
    count = np.bincount(at, minlength=bins)[:, None]
    sums = np.stack([np.bincount(at, channel, minlength=bins) for channel in values.T], axis=1)
    mean, variance = values.mean(axis=0), values.var(axis=0)
    means = np.where(count > 1, sums / np.maximum(count, 1), mean)
    left_out = (values - means[at]) * np.where(count > 1, count / np.maximum(count - 1, 1), 1.0)[at]
    explained = 1 - np.divide(left_out.var(axis=0), variance, out=np.ones_like(variance), where=variance > 0)
    kept = explained >= least
    return Profile(period_s, np.where(kept, means, mean)), np.where(kept, left_out, values - mean), explained


def find_profile(values: Float[np.ndarray, "n c"], clock: Float[np.ndarray, " n"], step_s: float) -> tuple[float, int] | None:
    """Period in s and bins of the daily or weekly profile that explains most of any channel, or None where none does enough.

    Args:
        values: normal rows.
        clock: (n,) in s.
        step_s: between two rows.
    """
    best, least = None, LEAST_EXPLAINED
    for period_s, bins in _candidates(clock, step_s):
        explained = float(fit_profile(values, clock, period_s, bins)[2].max())
        if explained >= least:
            best, least = (period_s, bins), explained + LEAST_GAIN
    return best


def _candidates(clock: np.ndarray, step_s: float) -> Iterator[tuple[float, int]]:
    """Periods that fit twice into what was recorded, with half hours and with single rows as bins."""
    for period_s in (DAY_S, WEEK_S):
        if np.ptp(clock) >= 2 * period_s:
            widths = sorted({max(step_s, FINEST_S), step_s}, reverse=True)
            yield from ((period_s, bins) for bins in (round(period_s / width) for width in widths) if 4 <= bins <= MOST_BINS)


def _bins(clock: np.ndarray, period_s: float, bins: int) -> Int[np.ndarray, " n"]:
    return np.floor(np.mod(clock, period_s) * (bins / period_s) + 1e-6).astype(int) % bins
