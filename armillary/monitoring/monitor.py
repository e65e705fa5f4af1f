"""From prediction errors to p-values and alarms, wherever the errors come from: so every method is judged alike.

- Errors are whitened by the mean and covariance that they have in normal running, on data that the predictor was not fitted
  to: how wrong it is where it has not been is part of what is normal.
- Evidence is their mean over the last rows, with weights that fall off exponentially (a multivariate EWMA chart, Lowry et al.,
  Technometrics 1992): faults that are small and last are found under noise. Single errors are cut at `clip` standard
  deviations, so that one wild row is no alarm, and a fault is forgotten soon after it is mended.
- Surprise is the squared length of the evidence, over its mean in normal running: 1 is as usual.
- The p-value is the share of normal rows that are as surprising. Beyond the most surprising tenth of them, too few are left to
  count, and their excess is taken to fall off exponentially, as the tail of a sum of squares does (Box, 1954). Machines drift,
  so that one hour of normal running is calmer than another: each quarter of the normal rows is asked by itself, and the
  greatest of the four p-values stands.
- An alarm is on where p is below the false alarms that are allowed, over the rows in that time. Surprising rows come in runs,
  and a run is one alarm: there are fewer false alarms than allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.errors import ArmillaryError

MEMORY, CLIP = 20.0, 5.0
PARTS = 4
TAIL = 0.1
"""Share of the normal rows from which the tail is taken."""
FLOOR = 0.3
"""Added to the variances (whose mean is 1) along the principal directions of standardised errors. Directions in which channels
cancel out are as fragile as they are sharp: a machine that warms up leaves them first."""
BLOCK = 256


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
        usual: mean squared length of the evidence in normal running.
        normal: (PARTS, q) surprises in normal running, in the order of time, each part sorted.
    """

    evidence: Evidence
    usual: float
    normal: Float[np.ndarray, "parts q"]

    @classmethod
    def fit(cls, errors: Sequence[Float[np.ndarray, "_ d"]], *, memory: float = MEMORY, clip: float = CLIP) -> "Monitor":
        """Learn what is normal.

        Args:
            errors: of stretches of normal running that the predictor was not fitted to, each without a gap.
            memory, clip: see `Evidence`.

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
        mean, std = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-12)
        variance, vectors = np.linalg.eigh(np.cov(((rows - mean) / std).T).reshape(len(std), -1))
        evidence = Evidence(mean, vectors / std[:, None] / np.sqrt(variance + FLOOR), memory, clip)
        length = np.concatenate([_squared(evidence(stretch))[int(memory) :] for stretch in errors])
        usual = max(float(length.mean()), 1e-12)
        return cls(evidence, usual, np.sort((length / usual)[: left // PARTS * PARTS].reshape(PARTS, -1)))

    def surprise(self, evidence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        """How unusual evidence is; 1 is the mean of normal running."""
        return _squared(evidence) / self.usual

    def p_value(self, surprise: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The share of normal rows that are at least as surprising, by counting and, in the tail, by extrapolation."""
        return np.max([_share_above(part, surprise) for part in self.normal], axis=0)


def _share_above(normal: Float[np.ndarray, " q"], surprise: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    count = len(normal)
    first = count - max(2, round(TAIL * count))
    start = normal[first]
    excess = max(float((normal[first:] - start).mean()), 1e-12)
    counted = (count - np.searchsorted(normal, surprise)) / count
    tail = (count - first) / count * np.exp(-np.maximum(surprise - start, 0) / excess)
    return np.where(surprise > start, tail, counted)


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


def _squared(evidence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    return np.square(evidence).sum(axis=1)
