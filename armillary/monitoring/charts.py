"""One control chart for each sensor, beside the monitor of all prediction errors together.

A monitor of everything says that something is wrong. For a sensor to be named, judged while others are missing, and to raise an
alarm of its own while another one goes on, it needs charts of its own errors:

- `drift`: their exponentially weighted mean, cut as the monitor cuts it, for what is small and lasts;
- `jump`: a single error, for what is large and is over in a row. Together they are a Shewhart-EWMA chart (Lucas and Saccucci,
  Technometrics 1990), each with its tail of normal running;
- `stuck`: a value that does not change for three times as long as it ever did not in normal running;
- `moved`: a sensor that never varied shows another value. Until then it has no share in any surprise.

All are relative to what the sensor does in normal running, or to float32's resolution, so that its unit does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float

from armillary.monitoring.monitor import CLIP, PARTS, TAIL, Evidence

KINDS = ("drift", "jump", "stuck", "moved")
CERTAIN = KINDS[2:]
"""These are no matter of chance."""
LEAST_STUCK, TIMES_STUCK, LEAST_CHANGES = 10, 3, 20
"""Rows without a change that are stuck at the earliest; times the longest such run of normal running; changes that a sensor
shows there at least, or it is not asked whether it is stuck."""
BEYOND = 1.5
"""Times the largest error of normal running that a jump is beyond, since single errors may have any tail."""
ROUNDING = 4 * np.finfo(np.float32).eps
"""Relative change of a value that is no change."""
NOISE = 1e-4
"""Of a sensor's standard deviation: what a prediction misses by less than this is numerical noise."""
NORMAL = 2.0
"""Mean excess in the tail of the square of a normal number, over its mean square. A sum of many errors has no lighter one,
though normal running may be too short to show it."""
UNCUT = 1e6
"""Errors are not cut where sensors are compared: one that is far off misleads the model about others, but by less."""


@dataclass(frozen=True)
class Charts:
    """What each of c sensors and its prediction errors are like in normal running.

    Args:
        value, spread: (c,) mean and standard deviation of the sensor.
        keeps: (c,) its correlation with the row before, by which a missing value is filled.
        constant: (c,) the value of a sensor that never varied, NaN of the others.
        stuck_after: (c,) rows without a change that are an alarm; infinite where it is not asked.
        mean, scale: (c,) of its errors, and one over their standard deviation; 0 where it never varied.
        usual: (c,) root mean square of what its errors add up to.
        start, excess: (2, PARTS, c) where the tails of drift and jump begin, and their mean excess.
        largest: (c,) squared, of its standardised errors.
        wider: (c, c) how many times as large the errors of the second sensor are where the first is filled in; 1 or more.
        memory: rows over which errors are averaged.
    """

    value: Float[np.ndarray, " c"]
    spread: Float[np.ndarray, " c"]
    keeps: Float[np.ndarray, " c"]
    constant: Float[np.ndarray, " c"]
    stuck_after: Float[np.ndarray, " c"]
    mean: Float[np.ndarray, " c"]
    scale: Float[np.ndarray, " c"]
    usual: Float[np.ndarray, " c"]
    start: Float[np.ndarray, "2 parts c"]
    excess: Float[np.ndarray, "2 parts c"]
    largest: Float[np.ndarray, " c"]
    wider: Float[np.ndarray, "c c"]
    memory: float

    @classmethod
    def fit(
        cls,
        sensed: Sequence[Float[np.ndarray, "_ c"]],
        errors: Sequence[Float[np.ndarray, "_ c"]],
        memory: float,
        history: Sequence[Float[np.ndarray, "_ c"]] = (),
        learned: Sequence[Float[np.ndarray, "_ c"]] = (),
    ) -> "Charts":
        """Learn what is normal.

        Args:
            sensed, errors: of stretches of normal running, row by row, what was shown and how far predictions missed it.
            memory: see `Charts`.
            history: more of what the sensors do, such as the training part; a sensor that varies there is not constant.
            learned: errors of rows that the model learned from, which are no rarer than they are there.
        """
        normal, everything = np.concatenate(sensed), np.concatenate([*sensed, *history])
        value, spread = normal.mean(0), normal.std(0)
        varies, varied = _varies(normal), _varies(everything)
        spread = np.where(varies, spread, np.where(varied, everything.std(0), 0.0))
        together = np.concatenate(errors)
        mean, std = together.mean(0), np.maximum(together.std(0), np.where(varies, NOISE, 1.0) * spread)
        scale = np.divide(1.0, std, out=np.zeros_like(std), where=varied)
        kept = [_standard(part, mean, scale) for part in errors]
        rows = int(memory)
        uncut, cut = (np.concatenate([_averaged(part, memory, clip)[rows:] for part in kept]) for clip in (UNCUT, CLIP))
        usual = np.sqrt(np.square(uncut).mean(0))
        usual = np.where(usual > 0, usual, 1.0)
        single = np.square(np.concatenate(kept))
        tails = [_tail(np.square(cut / usual)), _tail(single)]
        if sum(len(part[rows:]) for part in learned) >= len(single):
            more = [_standard(part, mean, scale) for part in learned]
            cut = np.concatenate([_averaged(part, memory, CLIP)[rows:] for part in more])
            beside = [_tail(np.square(cut / usual)), _tail(np.square(np.concatenate(more)))]
            tails = [tuple(map(np.concatenate, zip(*both, strict=True))) for both in zip(tails, beside, strict=True)]
        start, excess = map(np.stack, zip(*tails, strict=True))
        excess[0] = np.maximum(excess[0], NORMAL)
        return cls(
            value=value,
            spread=spread,
            keeps=_correlation(sensed, value),
            constant=np.where(varied, np.nan, value),
            stuck_after=_patience([*sensed, *history]),
            mean=mean,
            scale=scale,
            usual=usual,
            start=start,
            excess=excess,
            largest=single.max(0),
            wider=np.ones((len(value), len(value))),
            memory=memory,
        )

    def widened(self, filled: int, errors: Sequence[Float[np.ndarray, "_ c"]], plain: Sequence[np.ndarray]) -> np.ndarray:
        """How many times as large errors are with a sensor filled in as `plain` ones of the same rows, (c,): single ones, what
        they add up to, and both in the tail."""
        both = [[_standard(part, self.mean, self.scale) for part in of] for of in (errors, plain)]
        sizes = []
        for of in both:
            summed = np.abs(np.concatenate([_averaged(part, self.memory, UNCUT) for part in of]))
            single = np.abs(np.concatenate(of))
            rms = [np.sqrt(np.square(part).mean(0)) for part in (summed, single)]
            sizes.append(np.stack([*rms, *(np.quantile(part, 0.99, axis=0) for part in (summed, single))]))
        ratio = np.divide(*sizes, out=np.ones_like(sizes[0]), where=sizes[1] > 0).max(0).clip(min=1)
        ratio[filled] = 1
        return ratio

    def wideness(self, filled: Bool[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """How many times as large errors are where these sensors are filled in: variances add up."""
        if not filled.any():
            return np.ones(filled.shape)
        return np.sqrt(1 + filled @ (np.square(self.wider) - 1))

    @property
    def varies(self) -> Bool[np.ndarray, " c"]:
        """Which sensors are judged by their errors."""
        return self.scale > 0

    def evidence(self, clip: float) -> Evidence:
        """Of each sensor's own errors."""
        return Evidence(self.mean, np.diag(self.scale), self.memory, clip)

    def unusual(self, evidence: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """What errors add up to, squared; 1 is the mean of normal running, and 0 of a sensor that never varied."""
        return np.square(evidence / self.usual)

    def p_drift(self, evidence: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """The share of normal rows whose (cut) errors add up to as much; 1 below the tail."""
        return self._p(0, self.unusual(evidence))

    def p_jump(self, errors: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """The share of normal rows with as large an error; 1 below the tail, and up to `BEYOND` times the largest."""
        squared = np.square(_standard(errors, self.mean, self.scale))
        return np.where(squared > BEYOND**2 * self.largest, self._p(1, squared), 1.0)

    def moved(self, sensed: Float[np.ndarray, "n c"]) -> Bool[np.ndarray, "n c"]:
        """Where a sensor that never varied shows another value."""
        return np.abs(sensed - self.constant) > ROUNDING * np.abs(self.constant)

    def _p(self, which: int, statistic: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        over = statistic[:, None] - self.start[which]
        return np.where(over > 0, TAIL * np.exp(-np.maximum(over, 0) / self.excess[which]), 1.0).max(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """All but the memory, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "memory"}


def runs(values: Float[np.ndarray, "n c"], run: np.ndarray | int = 0, last: np.ndarray | None = None) -> np.ndarray:
    """(n, c) for how many rows each value has not changed; 0 where it has.

    Args:
        run, last: of the row before the first.
    """
    last = np.full(values.shape[1], np.nan) if last is None else last
    same = values == np.concatenate([last[None], values[:-1]])
    rows = np.arange(1, len(values) + 1)[:, None]
    changed = np.maximum.accumulate(np.where(same, 0, rows), axis=0)
    return np.where(changed > 0, rows - changed, rows + run)


def _varies(rows: Float[np.ndarray, "n c"]) -> Bool[np.ndarray, " c"]:
    return np.ptp(rows, axis=0) > ROUNDING * np.abs(rows).max(0)


def _standard(errors: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (errors - mean) * scale


def _averaged(standard: np.ndarray, memory: float, clip: float) -> np.ndarray:
    count = standard.shape[1]
    return Evidence(np.zeros(count), np.eye(count), memory, clip)(standard)


def _correlation(stretches: Sequence[np.ndarray], value: np.ndarray) -> np.ndarray:
    """With the row before, from 0 to 1."""
    moment = sum((np.square(part[:-1] - value)).sum(0) for part in stretches)
    product = sum(((part[1:] - value) * (part[:-1] - value)).sum(0) for part in stretches)
    return np.clip(np.divide(product, moment, out=np.zeros_like(value), where=moment > 0), 0, 1)


def _patience(stretches: Sequence[np.ndarray]) -> np.ndarray:
    """Rows without a change after which each sensor is stuck."""
    longest = np.max([runs(part).max(0) for part in stretches if len(part)], axis=0)
    changes = sum((np.diff(part, axis=0) != 0).sum(0) for part in stretches)
    patience = np.maximum(LEAST_STUCK, TIMES_STUCK * (longest + 1))
    return np.where(changes >= LEAST_CHANGES, patience, np.inf)


def _tail(statistic: Float[np.ndarray, "n c"]) -> tuple[np.ndarray, np.ndarray]:
    """Of each part in time, where the last tenth begins, and its mean excess."""
    parts = np.sort(statistic[: len(statistic) // PARTS * PARTS].reshape(PARTS, -1, statistic.shape[1]), axis=1)
    first = parts.shape[1] - max(2, round(TAIL * parts.shape[1]))
    start = parts[:, first]
    excess = (parts[:, first:] - start[:, None]).mean(1)
    return start, np.maximum(excess, 1e-6 * np.maximum(start, 1))
