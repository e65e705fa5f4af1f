"""From prediction errors to p-values and alarms, wherever the errors come from: so every method is judged alike.

- Errors are whitened by the mean and covariance that they have in normal running, on data that the predictor was not fitted
  to: how wrong it is where it has not been is part of what is normal.
- Evidence is their mean over the last rows, with weights that fall off exponentially (a multivariate EWMA chart, Lowry et al.,
  Technometrics 1992): faults that are small and last are found under noise. Single errors are cut at `clip` standard
  deviations, so that one wild row is no alarm, and a fault is forgotten soon after it is mended.
- Surprise is the squared length of the evidence, over its mean in normal running: 1 is as usual.
- The p-value is the share of normal rows that are as surprising. Beyond the most surprising tenth of them, too few are left to
  count, and their excess is taken to fall off exponentially. Evidence changes slowly: 600 rows have some 15 independent values,
  and a tail of one or two excursions. So the mean excess is at least that of normally distributed errors without memory, whose
  evidence is a sum of squares with known weights (Box, Annals of Mathematical Statistics 1954).
- New rows are more surprising than those that mean and covariance were estimated from: the mean square is corrected as that of
  a regression with as many parameters (Akaike's final prediction error, 1969).
- Machines drift, so that one hour of normal running is calmer than another: each quarter of the normal rows gives a p-value,
  and the greatest of the four is taken.
- An alarm begins where p is below the false alarms that are allowed, over the rows in that time, and lasts until p is above
  `RELEASE`, so that a surprise around the threshold is one alarm and not many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import ArmillaryError
from armillary.scales import spread

MEMORY, CLIP = 20.0, 5.0
PARTS, JACKKNIFE_PARTS = 4, 8
RELEASE = 0.05
"""p-value above which an alarm ends."""
TAIL = 0.1
"""Share of the normal rows from which the tail is taken."""
TAIL_QUANTILES = 1.2816, 3.0902
"""Of a standard normal number, exceeded by `TAIL` and by a hundredth of that."""
MOST_FITTED = 0.5
"""Channels by rows, at most, that the correction for new rows is made for."""
FLOOR = 0.3
"""Added to the variances (whose mean is 1) along the principal directions of standardised errors. Directions in which channels
cancel out are as fragile as they are sharp: a machine that warms up leaves them first."""
BLOCK = 64
"""Rows that evidence is worked out for at once: few enough for BLAS to keep to one thread."""


@dataclass(frozen=True)
class Evidence:
    """What errors add up to: (n, d) errors to (n, k) exponentially weighted means of (error - mean) @ scale, cut at `clip`.

    Args:
        mean: (d,).
        scale: (d, k), which whitens.
        memory: rows over which errors are averaged, 1 or more.
        clip: in standard deviations.
    """

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, "d k"]
    memory: float = MEMORY
    clip: float = CLIP

    def __call__(
        self, errors: Float[np.ndarray, "n d"], before: Float[np.ndarray, " k"] | None = None
    ) -> Float[np.ndarray, "n k"]:
        """Evidence after each row; `before` is that of the row before the first, none at the start of an episode."""
        cut = np.clip((errors - self.mean) @ self.scale, -self.clip, self.clip)
        result, state = np.empty_like(cut), np.zeros(cut.shape[1]) if before is None else before
        kept = (1 - 1 / self.memory) ** np.arange(BLOCK + 1)
        weights = np.tril(kept[np.abs(np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK)))]) / self.memory
        for start in range(0, len(cut), BLOCK):
            part = cut[start : start + BLOCK]
            n = len(part)
            result[start : start + n] = weights[:n, :n] @ part + kept[1 : n + 1, None] * state
            state = result[start + n - 1]
        return result


@dataclass(frozen=True)
class Monitor:
    """Evidence, and how large it is in normal running.

    Args:
        evidence: of whitened errors.
        usual: mean squared length of the evidence in normal running, as new rows will have it.
        least_excess: least mean excess of surprises in the tail; see `_least_excess`.
        normal: (PARTS, q) surprises in normal running, in the order of time, each part sorted.
        one_sided: only evidence above the mean counts, as for scores of which a low one is no fault.
    """

    evidence: Evidence
    usual: float
    least_excess: float
    normal: Float[np.ndarray, "parts q"]
    one_sided: bool = False

    @classmethod
    def fit(
        cls,
        errors: Sequence[Float[np.ndarray, "_ d"]],
        *,
        memory: float = MEMORY,
        clip: float = CLIP,
        jackknife: bool = False,
        one_sided: bool = False,
        learned: Sequence[Float[np.ndarray, "_ d"]] = (),
    ) -> "Monitor":
        """Learn what is normal.

        Args:
            errors: of stretches of normal running that the predictor was not fitted to, each without a gap.
            memory, clip: see `Evidence`.
            jackknife: judge each eighth of the rows by mean and covariance of the others, as new rows will be. Where there are
                many channels and few rows, they are more surprising than the rows that both are of. Only where the machine does
                not drift: else each eighth is surprising for its place in time.
            one_sided: see `Monitor`.
            learned: errors on rows that the predictor was fitted to. They count for the mean alone, which a short stretch of
                slow errors leaves most uncertain.

        Raises:
            ArmillaryError: a memory below one row, or fewer than forty rows beyond the first `memory` of each stretch.
        """
        if memory < 1:
            raise ArmillaryError(f"the memory of a monitor is 1 row or more, not {memory}")
        rows = np.concatenate(errors)
        left = sum(max(0, len(stretch) - int(memory)) for stretch in errors)
        if left < 10 * PARTS:
            raise ArmillaryError(
                f"{len(rows)} rows of normal running in {len(errors)} stretches leave {left} to calibrate on after a memory of "
                f"{memory:g} rows in each; {10 * PARTS} are the least, and some hundreds are useful"
            )
        known = np.concatenate([rows[:0], *learned])
        evidence = _whitened(rows, known, memory, clip)
        part = np.arange(len(rows)) * JACKKNIFE_PARTS // len(rows)
        judges = [_whitened(rows[part != k], known, memory, clip) for k in range(JACKKNIFE_PARTS)] if jackknife else [evidence]
        lengths = [[_squared(judge(stretch), one_sided) for stretch in errors] for judge in judges]
        whole = np.choose(part, [np.concatenate(of) for of in lengths]) if jackknife else np.concatenate(lengths[0])
        settled = np.concatenate([np.arange(len(stretch)) >= int(memory) for stretch in errors])
        length = whole[settled]
        mean = max(float(length.mean()), 1e-12)
        normal = np.sort((length / mean)[: left // PARTS * PARTS].reshape(PARTS, -1))
        fitted = 0 if jackknife else min(rows.shape[1] / len(rows), MOST_FITTED)
        least = _least_excess((rows @ evidence.scale).var(axis=0), one_sided)
        return cls(evidence, mean * (1 + fitted) / (1 - fitted), least, normal, one_sided)

    def surprise(self, evidence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        """How unusual evidence is; 1 is the mean of normal running."""
        return _squared(evidence, self.one_sided) / self.usual

    def calmed(self, evidence: Sequence[Float[np.ndarray, "_ k"]]) -> "Monitor":
        """The same, with more parts of normal running: no surprise is rarer than in these stretches of evidence."""
        size = self.normal.shape[1]
        surprise = np.concatenate([self.surprise(rows)[int(self.evidence.memory) :] for rows in evidence])
        parts = np.sort(surprise[: len(surprise) // size * size].reshape(-1, size))
        return replace(self, normal=np.concatenate([self.normal, parts]))

    def surprise_at(self, p: float) -> float:
        """The surprise whose p-value this is, for one in the tail."""
        return max(_tail(part, self.least_excess).surprise_at(p) for part in self.normal)

    def p_value(self, surprise: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The share of normal rows that are at least as surprising, by counting and, in the tail, by extrapolation."""
        return np.max([_share_above(part, surprise, self.least_excess) for part in self.normal], axis=0)


@dataclass(frozen=True)
class _Tail:
    """The most surprising of sorted normal rows: from where on, what share of all, and their mean excess."""

    start: float
    share: float
    excess: float

    def surprise_at(self, p: float) -> float:
        return self.start + self.excess * max(0.0, np.log(self.share / p))


def _tail(normal: Float[np.ndarray, " q"], least_excess: float) -> _Tail:
    first = len(normal) - max(2, round(TAIL * len(normal)))
    start = float(normal[first])
    return _Tail(start, (len(normal) - first) / len(normal), max(float((normal[first:] - start).mean()), least_excess))


def _least_excess(weights: Float[np.ndarray, " k"], one_sided: bool) -> float:
    """Mean excess in the tail of a sum of squares of normal numbers with these variances, in units of its mean.

    It is about chi-squared with (sum of weights)^2 / sum of weights^2 degrees of freedom, times a factor (Box, 1954). The
    excess is taken between two of its quantiles (Wilson and Hilferty, PNAS 1931), the second exceeded a hundredth as often.
    """
    ninth = 2 / 9 * (np.square(weights / weights.sum()).sum() if weights.any() else 1.0)
    low, high = ((1 - ninth + z * np.sqrt(ninth)) ** 3 for z in TAIL_QUANTILES)
    return float(high - low) / np.log(100) * (2 if one_sided else 1)


def _share_above(
    normal: Float[np.ndarray, " q"], surprise: Float[np.ndarray, " n"], least_excess: float
) -> Float[np.ndarray, " n"]:
    tail = _tail(normal, least_excess)
    counted = (len(normal) - np.searchsorted(normal, surprise)) / len(normal)
    beyond = tail.share * np.exp(-np.maximum(surprise - tail.start, 0) / tail.excess)
    return np.where(surprise > tail.start, beyond, counted)


def alarm_level(false_alarms_per_hour: float, seconds_per_row: float) -> float:
    """The p-value below which a row is an alarm.

    Raises:
        ArmillaryError: a rate of no alarms, or of one every row.
    """
    level = false_alarms_per_hour * seconds_per_row / 3600
    if not 0 < level < 1:
        raise ArmillaryError(
            f"{false_alarms_per_hour:g} false alarms an hour are {level:g} a row of {seconds_per_row:g} s; ask for more "
            "than 0 and fewer than one every row"
        )
    return level


def alarms(p: Float[np.ndarray, " n"], level: float, on: bool = False) -> Bool[np.ndarray, " n"]:
    """Where an alarm is on: from a p-value below `level` until one above `RELEASE`, or above `level` where that is more.

    Args:
        p: NaN where a row says nothing.
        on: whether one was on in the row before the first.
    """
    change = np.concatenate([[1 if on else -1], np.where(p < level, 1, np.where(p > max(level, RELEASE), -1, 0))])
    last = np.maximum.accumulate(np.where(change != 0, np.arange(len(change)), 0))
    return (change[last] > 0)[1:]


def _whitened(rows: Float[np.ndarray, "n d"], known: Float[np.ndarray, "m d"], memory: float, clip: float) -> Evidence:
    mean, std = np.concatenate([rows, known]).mean(axis=0), spread(rows)
    variance, vectors = np.linalg.eigh(np.cov((rows / std).T).reshape(len(std), -1))
    return Evidence(mean, vectors / std[:, None] / np.sqrt(variance + FLOOR), memory, clip)


def _squared(evidence: Float[np.ndarray, "n k"], one_sided: bool = False) -> Float[np.ndarray, " n"]:
    return np.square(np.maximum(evidence, 0) if one_sided else evidence).sum(axis=1)
