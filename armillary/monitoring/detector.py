"""What raises alarms: a chart of prediction errors and one of the sensors' levels, as far as normal rows allow either.

A model that predicts the next row well is not surprised by a slow sensor that has gone where it never was, or that does at
night what it does by day. A chart of the sensors themselves sees both, but only where their levels hold: a machine that drifts
leaves all levels that it had. Which charts there are, and whether a daily or weekly profile is usual, is decided on normal rows
alone:

- `Profile`s are taken off where they explain most of the levels, from the levels and from the errors;
- a chart holds if that of either half of the normal rows finds at most `MOST_ALARMS` of the rows of the other as surprising as
  one in 100 of its own;
- where levels hold, they have a chart, and so have errors if they hold, too, by the jackknife of `Monitor.fit`;
- where levels do not hold, errors have the only chart, calibrated as they are: what drifts is not compared across the drift.

The p-value of two charts is twice the smaller one (Bonferroni). Surprises are compared where their p-values are `MATCHED`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import ArmillaryError, expect
from armillary.monitoring.monitor import MEMORY, Evidence, Monitor
from armillary.monitoring.seasonality import DAY_S, LEAST_EXPLAINED, Profile, find_profile, fit_profile

Rows = Float[np.ndarray, "_ c"]
Clocks = Sequence[Float[np.ndarray, " _"]]
CHECK_LEVEL, MOST_ALARMS = 0.01, 0.25
MATCHED = 1e-3
ROUNDING = 4 * np.finfo(np.float32).eps
"""Relative change of a sensor that is none."""


@dataclass(frozen=True)
class Chart:
    """A monitor of values, less their profile.

    Args:
        scale: (c,) that values are multiplied by; channels with 0 are left out.
        monitor: of what the profile leaves of scaled values.
        profile: of scaled values.
    """

    scale: Float[np.ndarray, " c"]
    monitor: Monitor
    profile: Profile | None = None

    def evidence(
        self,
        values: Float[np.ndarray, "n c"],
        clock: Float[np.ndarray, " n"] | None,
        before: Float[np.ndarray, " k"] | None,
        usable: Bool[np.ndarray, " n"] | None = None,
    ) -> Float[np.ndarray, "n k"]:
        """What these rows add up to, after `before`; those that are not usable count as their mean.

        Raises:
            ArmillaryError: there is a profile, and no clock.
        """
        left = scaled(values, self.scale)
        if self.profile is not None:
            if clock is None:
                raise ArmillaryError("normal running had a daily or weekly profile; give the time of each row, too (--time)")
            left = left - self.profile(clock)
        if usable is not None:
            left = np.where(usable[:, None], left, self.monitor.evidence.mean)
        return self.monitor.evidence(left, before)

    def shares(self, evidence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        """Of each channel in the squared length of evidence (Alcala and Qin, 2009), those below 0 as 0."""
        whiten = self.monitor.evidence.scale
        parts = np.zeros((len(evidence), len(self.scale)))
        parts[:, self.scale > 0] = np.maximum((evidence @ np.linalg.inv(whiten)) * (evidence @ whiten.T), 0)
        return parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Judged:
    """The verdict on n rows.

    Args:
        surprise: 1 is as usual.
        p: the share of normal rows that are as surprising.
        by_level: whether it is the level chart that says so.
        level_shares: (n, channels) in that; None without a level chart.
        evidence: of each chart, after each row.
    """

    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    by_level: Bool[np.ndarray, " n"]
    level_shares: Float[np.ndarray, "n c"] | None
    evidence: tuple[Float[np.ndarray, "n _"], ...]

    def state(self, row: int = -1) -> tuple[np.ndarray, ...]:
        """What the call for the rows after this one needs."""
        return tuple(of[row] for of in self.evidence)


@dataclass(frozen=True)
class Detector:
    """Charts by name: `errors` of predictions, `levels` of the sensors, or both."""

    charts: Mapping[str, Chart]

    def __str__(self) -> str:
        """As in "errors and levels with a daily profile"."""
        profile = next((chart.profile for chart in self.charts.values() if chart.profile), None)
        beside = f" with a {'daily' if profile.period_s == DAY_S else 'weekly'} profile" if profile else ""
        return " and ".join(self.charts) + beside

    @classmethod
    def fit(
        cls,
        errors: Sequence[Float[np.ndarray, "_ d"]],
        levels: Sequence[Float[np.ndarray, "_ c"]] = (),
        *,
        error_clocks: Clocks | None = None,
        level_clocks: Clocks | None = None,
        step_s: float | None = None,
        memory: float = MEMORY,
        one_sided: bool = False,
        learned: Sequence[Float[np.ndarray, "_ d"]] = (),
    ) -> "Detector":
        """Learn what is normal.

        Args:
            errors: of stretches of normal running that the predictor was not fitted to; see `Monitor.fit`.
            levels: what the sensors showed in stretches of normal running, the same or more of them; none for no level chart.
            error_clocks, level_clocks: s at each of these rows; without them there is no profile.
            step_s: between two rows.
            memory, one_sided, learned: see `Monitor`; with a profile, which has the mean, `learned` does not count.
        """
        ones = np.ones(errors[0].shape[1])
        alone = cls({"errors": Chart(ones, Monitor.fit(errors, memory=memory, one_sided=one_sided, learned=learned))})
        scale = _scale(np.concatenate(levels)) if levels else np.zeros(0)
        if not (scale > 0).any():
            return alone
        levels, found = [scaled(rows, scale) for rows in levels], None
        if error_clocks and level_clocks and step_s:
            found = find_profile(np.concatenate(levels), np.concatenate(level_clocks), step_s)
        of_levels = _chart(levels, level_clocks, found, LEAST_EXPLAINED, scale, memory)
        of_errors = _chart(errors, error_clocks, found, 0.0, ones, memory, learned)
        if of_levels is None:
            return alone
        return cls({"errors": of_errors, "levels": of_levels} if of_errors else {"levels": of_levels})

    def __call__(
        self,
        errors: Float[np.ndarray, "n d"],
        levels: Float[np.ndarray, "n c"] | None = None,
        clock: Float[np.ndarray, " n"] | None = None,
        state: tuple[np.ndarray, ...] = (),
        usable: Bool[np.ndarray, " n"] | None = None,
    ) -> Judged:
        """Judge the next rows of an episode.

        Args:
            errors: of their predictions.
            levels: what the sensors showed there.
            clock: s at each, where there is a profile.
            state: what `Judged.state` of the call before says; none at the start of an episode.
            usable: rows that count; all by default.
        """
        values = {"errors": errors, "levels": levels}
        found, surprises, ps = [], [], []
        for i, (name, chart) in enumerate(self.charts.items()):
            evidence = chart.evidence(expect(values[name], name), clock, state[i] if state else None, usable)
            surprise = chart.monitor.surprise(evidence)
            found.append(evidence)
            ps.append(chart.monitor.p_value(surprise))
            surprises.append(surprise / max(chart.monitor.surprise_at(MATCHED), 1e-12))
        first = next(iter(self.charts.values())).monitor.surprise_at(MATCHED)
        p, names = np.stack(ps), list(self.charts)
        return Judged(
            first * np.max(surprises, axis=0),
            np.minimum(1, len(p) * p.min(axis=0)),
            np.array(names)[p.argmin(axis=0)] == "levels",
            self.charts["levels"].shares(found[-1]) if "levels" in names else None,
            tuple(found),
        )

    def calmed(self, errors: Sequence[Float[np.ndarray, "_ d"]], clocks: Clocks) -> "Detector":
        """The same, but no more surprised by errors than it is by these: those of rows that the model learned from. It is less
        wrong about them than about new ones, so that an alarm there would be a false one elsewhere, too."""
        if "errors" not in self.charts or not errors:
            return self
        chart = self.charts["errors"]
        when = clocks if chart.profile else [None] * len(errors)
        evidence = [chart.evidence(rows, clock, None) for rows, clock in zip(errors, when, strict=True)]
        return Detector({**self.charts, "errors": replace(chart, monitor=chart.monitor.calmed(evidence))})

    def plain(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays by name, and what JSON holds of the rest."""
        arrays: dict[str, np.ndarray] = {}
        header: dict[str, Any] = {}
        for name, chart in self.charts.items():
            monitor, evidence, profile = chart.monitor, chart.monitor.evidence, chart.profile
            of = {"scale": chart.scale, "mean": evidence.mean, "whiten": evidence.scale, "normal": monitor.normal}
            of |= {"profile": profile.means} if profile else {}
            arrays |= {f"{name}.{part}": values for part, values in of.items()}
            header[name] = {"usual": monitor.usual, "least_excess": monitor.least_excess}
            header[name] |= {"memory": evidence.memory, "clip": evidence.clip}
            header[name] |= {"period_s": profile.period_s} if profile else {}
        return arrays, header

    @classmethod
    def of_plain(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> "Detector":
        """The detector that `plain` was called of.

        Raises:
            KeyError: a part is missing.
        """
        charts = {}
        for name, of in header.items():
            evidence = Evidence(arrays[f"{name}.mean"], arrays[f"{name}.whiten"], of["memory"], of["clip"])
            monitor = Monitor(evidence, of["usual"], of["least_excess"], arrays[f"{name}.normal"])
            profile = Profile(of["period_s"], arrays[f"{name}.profile"]) if "period_s" in of else None
            charts[name] = Chart(arrays[f"{name}.scale"], monitor, profile)
        return cls(charts)


def scaled(values: Float[np.ndarray, "n c"], scale: Float[np.ndarray, " c"]) -> Float[np.ndarray, "n kept"]:
    """Values times their scale, without the channels whose scale is 0."""
    return values[:, scale > 0] * scale[scale > 0]


def _scale(levels: Rows) -> np.ndarray:
    """One over the standard deviation, and 0 where a sensor never varies."""
    varies = np.ptp(levels, axis=0) > ROUNDING * np.abs(levels).max(axis=0)
    return np.divide(1.0, levels.std(axis=0), out=np.zeros(levels.shape[1]), where=varies)


def _chart(
    stretches: Sequence[Rows],
    clocks: Clocks | None,
    found: tuple[float, int] | None,
    least: float,
    scale: np.ndarray,
    memory: float,
    learned: Sequence[Rows] = (),
) -> Chart | None:
    """Of scaled values, less the profile that was found where it explains the `least` share; None where it does not hold."""
    profile = None
    if found is not None:
        learned = ()
        profile, left, _ = fit_profile(
            np.concatenate(stretches), np.concatenate(expect(clocks, "clocks, for a profile")), *found, least
        )
        stretches = np.split(left, np.cumsum([len(rows) for rows in stretches])[:-1])
    if not _holds(stretches, memory):
        return None
    return Chart(scale, Monitor.fit(stretches, memory=memory, jackknife=True, learned=learned), profile)


def _holds(stretches: Sequence[Rows], memory: float) -> bool:
    """Whether charts of either half of the rows are content with the other, by the tails that these rows show: a longer one,
    which is for what is not seen in normal running, would hide what is."""
    first, second = _halves(stretches)
    try:
        fitted = [Monitor.fit(half, memory=memory, jackknife=True) for half in (first, second)]
        monitors = [replace(monitor, least_excess=1e-12) for monitor in fitted]
    except ArmillaryError:  # too few rows to tell
        return False
    return all(
        (np.concatenate([of.p_value(of.surprise(of.evidence(rows))) for rows in other]) < CHECK_LEVEL).mean() <= MOST_ALARMS
        for of, other in zip(monitors, (second, first), strict=True)
    )


def _halves(stretches: Sequence[Rows]) -> tuple[list[Rows], list[Rows]]:
    """The same number of rows before and after, of which a stretch may be cut in two."""
    starts = np.cumsum([0, *(len(rows) for rows in stretches)])
    middle = starts[-1] // 2
    cuts = [int(np.clip(middle - start, 0, len(rows))) for start, rows in zip(starts, stretches, strict=False)]
    both = (
        [rows[:cut] for rows, cut in zip(stretches, cuts, strict=True)],
        [rows[cut:] for rows, cut in zip(stretches, cuts, strict=True)],
    )
    before, after = ([rows for rows in half if len(rows)] for half in both)
    return before, after
