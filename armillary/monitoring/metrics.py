"""How well alarms and scores tell faults from normal running, row by row and event by event. No point adjustment anywhere.

- `Confusion`: F1, false-alarm rate and missed-alarm rate of rows, as the Skoltech Anomaly Benchmark counts them: counts are
  summed over all files first;
- `average_precision`: the area under the curve of precision and recall, without a threshold (AUC-PR);
- `vus_pr`: the same with labels that fade out before and after each event, averaged over how far they do, so that a detection
  a little early or late is no false one (Paparrizos et al., "Volume Under the Surface", VLDB 2022);
- `judge_events`: which events were caught, how late, and how many alarms began outside of them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Confusion:
    """Rows by verdict and label; sums of them are of all rows together."""

    true_alarms: float
    false_alarms: float
    missed: float
    quiet: float

    @classmethod
    def of(cls, alarm: Bool[np.ndarray, " n"], fault: Bool[np.ndarray, " n"]) -> "Confusion":
        """Count rows."""
        return cls(*(int(both.sum()) for both in (alarm & fault, alarm & ~fault, ~alarm & fault, ~alarm & ~fault)))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is neither fault nor alarm."""
        wrong = self.false_alarms + self.missed
        return self.true_alarms / (self.true_alarms + wrong / 2) if self.true_alarms + wrong else float("nan")

    @property
    def false_alarm_rate(self) -> float:
        """Share of the normal rows that raise an alarm (FAR)."""
        normal = self.false_alarms + self.quiet
        return self.false_alarms / normal if normal else float("nan")

    @property
    def missed_alarm_rate(self) -> float:
        """Share of the rows of faults that raise none (MAR)."""
        faults = self.true_alarms + self.missed
        return self.missed / faults if faults else float("nan")


def events(fault: Bool[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """First row of each run of faults, and the row after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], fault, [False]])))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def average_precision(score: Float[np.ndarray, " n"], fault: Bool[np.ndarray, " n"]) -> float:
    """Precision at each threshold, weighted by the recall that it adds; the share of faults for a score that knows nothing.

    Rows with equal scores are alarms together. NaN without a fault.
    """
    order, last = _thresholds(score)
    caught = fault[order].cumsum()[last]
    return float((np.diff(caught, prepend=0) * caught / (last + 1)).sum() / fault.sum()) if fault.any() else float("nan")


def vus_pr(score: Float[np.ndarray, " n"], fault: Bool[np.ndarray, " n"], buffer: int) -> float:
    """Volume under the surface of precision, recall and buffer: the mean of the area over buffers of 0 to `buffer` rows.

    With a buffer of l rows, the label falls off as sqrt(1 - d / l) at d rows from the event, up to l / 2; positives count as
    the mean of hard and faded labels, and recall is multiplied by the share of events of which at least one row is found.
    NaN without a fault.

    Args:
        score: higher is more suspicious.
        fault: true labels.
        buffer: the greatest one, in rows.
    """
    found, (order, last) = events(fault), _thresholds(score)
    if not found:
        return float("nan")
    rank = np.argsort(order)
    areas = []
    for width in range(buffer + 1):
        label, reach = fault.astype(float), width // 2
        for start, stop in found:
            near = np.sqrt(1 - np.arange(1, reach + 1) / max(width, 1))
            before, after = label[max(start - reach, 0) : start], label[stop : stop + reach]
            before[:] = np.maximum(before, near[: len(before)][::-1])
            after[:] = np.maximum(after, near[: len(after)])
        caught = label[order].cumsum()[last]
        first = np.sort([rank[max(start - reach, 0) : stop + reach].min() for start, stop in found])
        existence = np.searchsorted(first, last, "right") / len(found)
        recall = np.minimum(caught / ((fault.sum() + label.sum()) / 2), 1) * existence
        areas.append((np.diff(recall, prepend=0) * caught / (last + 1)).sum())
    return float(np.mean(areas))


def _thresholds(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows from the highest score down, and the place in that order of the last of each group of equal scores."""
    order = np.argsort(-score, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)


@dataclass(frozen=True)
class Events:
    """What a stream of alarms did about events.

    Args:
        events, caught: how many there were, and in how many an alarm was on.
        delays: rows from the beginning of each caught event to its first row with an alarm.
        false_alarms: alarms that began outside of every event.
        normal: rows outside of events.
    """

    events: int
    caught: int
    delays: list[int]
    false_alarms: int
    normal: int


def judge_events(alarm: Bool[np.ndarray, " n"], fault: Bool[np.ndarray, " n"]) -> Events:
    """An alarm that began before an event and lasts into it has caught it, and was false when it began."""
    found = events(fault)
    delays = [int(alarm[start:stop].argmax()) for start, stop in found if alarm[start:stop].any()]
    false = sum(not fault[start] for start, _ in events(alarm))
    return Events(len(found), len(delays), delays, false, int((~fault).sum()))
