"""What a method's alarms are worth on a test recording, and over many of them: `Measured`, `scores`, `lead`, `missed_bars`."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from armillary.evaluation.statistics import Estimate, bootstrap
from armillary.monitoring.metrics import Confusion, average_precision, judge_events, vus_pr
from armillary.monitoring.monitor import alarms

LEVEL = 1e-3
"""Share of the normal rows that may be alarms."""
BUFFER = 100
"""Rows, the greatest of the volume under the surface."""
RESAMPLES = 1000
MOST_FALSE, MOST_BELOW = 2.0, 0.05
"""False alarms as a multiple of the allowed number; AUC-PR below the best baseline's."""


@dataclass(frozen=True)
class Watched:
    """One method's verdicts on the test rows of one series.

    Args:
        step: seconds between two rows.
        allowed: share of the normal rows at which an alarm may begin, where events are judged.
    """

    name: str
    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    fault: Bool[np.ndarray, " n"]
    step: float
    allowed: float


@dataclass(frozen=True)
class Measured:
    """One method on one series.

    Args:
        rows: as in `Confusion`, at `LEVEL`.
        vus_pr, auc_pr: areas; NaN without a fault.
        events: caught, how many there were, false alarms that began, and how many were allowed.
        delay: the median of the caught events, in s; NaN where none was caught.
    """

    name: str
    rows: tuple[float, float, float, float]
    vus_pr: float
    auc_pr: float
    events: tuple[float, float, float, float]
    delay: float


def measure(watched: Watched) -> Measured:
    """What there is to say of one series."""
    found = judge_events(alarms(watched.p, watched.allowed), watched.fault)
    return Measured(
        watched.name,
        astuple(Confusion.of(alarms(watched.p, LEVEL), watched.fault)),
        vus_pr(watched.surprise, watched.fault, BUFFER),
        average_precision(watched.surprise, watched.fault),
        (found.caught, found.events, found.false_alarms, found.normal * watched.allowed),
        watched.step * float(np.median(found.delays)) if found.delays else float("nan"),
    )


def scores(measured: Sequence[Measured]) -> dict[str, Estimate]:
    """One line of a table, from all series and seeds of a method.

    - `f1`, `false_alarm_rate`, `missed_alarm_rate`: of all rows together, at `LEVEL`;
    - `vus_pr`, `auc_pr`: mean over series with a fault;
    - `event_recall`, `false_alarms`, `delay`: share of the events that were caught; false alarms that began, as a multiple of
      those that were allowed; the median delay, in s, of the events that were caught (NaN where none was).
    """
    series = np.array([one.name for one in measured])

    def estimate(part: str, statistic: Any = np.nanmean) -> Estimate:
        values = np.array([getattr(one, part) for one in measured], float)
        return bootstrap(values, groups=series, statistic=statistic, samples=RESAMPLES)

    return {
        "f1": estimate("rows", _f1),
        "false_alarm_rate": estimate("rows", lambda counts: Confusion(*counts.sum(0)).false_alarm_rate),
        "missed_alarm_rate": estimate("rows", lambda counts: Confusion(*counts.sum(0)).missed_alarm_rate),
        "vus_pr": estimate("vus_pr"),
        "auc_pr": estimate("auc_pr"),
        "event_recall": estimate("events", lambda of: _ratio(*of[:, :2].sum(0))),
        "false_alarms": estimate("events", lambda of: _ratio(*of[:, 2:].sum(0))),
        "delay": estimate("delay", _median),
    }


def lead(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[str, Estimate]:
    """How far one method is before another in F1 and VUS-PR, with intervals over the series, each of which judged both."""
    both = [*ours, *theirs]
    first, series = np.arange(len(both)) < len(ours), np.array([one.name for one in both])

    def estimate(values: np.ndarray, statistic: Any) -> Estimate:
        def difference(values: np.ndarray, first: np.ndarray) -> float:
            return statistic(values[first]) - statistic(values[~first])

        return bootstrap(values, first, groups=series, statistic=difference, samples=RESAMPLES)

    rows, areas = np.array([one.rows for one in both], float), np.array([one.vus_pr for one in both])
    return {"f1": estimate(rows, _f1), "vus_pr": estimate(areas, np.nanmean)}


def per_series(measured: Sequence[Measured]) -> dict[str, dict[str, list[float | None]]]:
    """By name of the series, each number of each seed; None where there is none."""
    table: dict[str, dict[str, list[float | None]]] = {}
    for one in measured:
        caught, events, false, allowed = one.events
        values = {"auc_pr": one.auc_pr, "vus_pr": one.vus_pr, "f1": Confusion(*one.rows).f1, "delay": one.delay}
        values |= {"caught": caught, "events": events, "false_alarms": false, "allowed": allowed}
        for name, value in values.items():
            table.setdefault(one.name, {}).setdefault(name, []).append(float(value) if np.isfinite(value) else None)
    return table


def missed_bars(series: dict[str, dict[str, dict[str, list[Any]]]], ours: str, baselines: Sequence[str]) -> list[str]:
    """Where any seed of `ours` raises more than `MOST_FALSE` times the allowed false alarms, or is behind the best baseline.

    Args:
        series: `per_series` of each method.
    """
    missed = []
    for name, of in series[ours].items():
        false, allowed = max(of["false_alarms"]), of["allowed"][0]
        if false > MOST_FALSE * allowed:
            missed.append(f"{name}: {false:.0f} false alarms, {allowed:.1f} allowed")
        if None in of["auc_pr"]:
            continue
        best = max(baselines, key=lambda method: np.mean(series[method][name]["auc_pr"]))
        reached, least = min(of["auc_pr"]), float(np.mean(series[best][name]["auc_pr"]))
        if reached < least - MOST_BELOW:
            missed.append(f"{name}: AUC-PR {reached:.3f}, {best} {least:.3f}")
    return missed


def _ratio(part: float, of: float) -> float:
    return part / of if of else float("nan")


def _f1(counts: np.ndarray) -> float:
    return Confusion(*counts.sum(0)).f1


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
