"""What raises alarms: a chart of prediction errors and, where normal rows allow it, one of the sensors' levels beside it.

A model that predicts the next row well is not surprised by a slow sensor that has gone where it never was, or that does at
night what it does by day. A chart of the sensors themselves sees both, but only where their levels hold: a machine that drifts
leaves all levels that it had. Which of the two it is, and whether a daily or weekly profile is usual, is decided on normal
rows alone:

- `Profile`s are taken off where they explain most of the levels, from the levels and from the errors;
- levels hold if a chart of either half of the normal rows finds at most `MOST_ALARMS` of the rows of the other as surprising as
  one in 100 of its own. Then they have a chart, and both charts are calibrated by the jackknife of `Monitor.fit`;
- else errors have the only chart, calibrated as they are: what drifts is not compared across the drift.

The p-value of two charts is twice the smaller one (Bonferroni). Surprises are compared where their p-values are `MATCHED`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import ArmillaryError
from armillary.monitoring.monitor import MEMORY, Monitor
from armillary.monitoring.seasonality import Profile, find_profile, fit_profile

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
        self, values: Float[np.ndarray, "n c"], clock: Float[np.ndarray, " n"] | None, before: np.ndarray | None
    ) -> Float[np.ndarray, "n k"]:
        """What these rows add up to, after `before`.

        Raises:
            ArmillaryError: there is a profile, and no clock.
        """
        left = scaled(values, self.scale)
        if self.profile is not None:
            if clock is None:
                raise ArmillaryError("normal running had a daily or weekly profile; give the time of each row, too (--time)")
            left = left - self.profile(clock)
        return self.monitor.evidence(left, before)

    def shares(self, evidence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        """Of each channel in the squared length of evidence (Alcala and Qin, 2009), those below 0 as 0."""
        whiten = self.monitor.evidence.scale
        parts = np.zeros((len(evidence), len(self.scale)))
        parts[:, self.scale > 0] = np.maximum((evidence @ np.linalg.inv(whiten)) * (evidence @ whiten.T), 0)
        return parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Judged:
    """What is said of n rows.

    Args:
        surprise: 1 is as usual.
        p: the share of normal rows that are as surprising.
        by_level: whether it is the level chart that says so.
        level_shares: (n, channels) in that; None without a level chart.
        state: evidence after the last row, for the next call.
    """

    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    by_level: Bool[np.ndarray, " n"]
    level_shares: Float[np.ndarray, "n c"] | None
    state: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Detector:
    """Charts of errors and of levels.

    Args:
        errors: of predictions.
        levels: of the sensors, where they hold.
    """

    errors: Chart
    levels: Chart | None = None

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
    ) -> "Detector":
        """Learn what is normal.

        Args:
            errors: of stretches of normal running that the predictor was not fitted to; see `Monitor.fit`.
            levels: what the sensors showed in stretches of normal running, the same or more of them; none for no level chart.
            error_clocks, level_clocks: s at each of these rows; without them there is no profile.
            step_s: between two rows.
            memory, one_sided: see `Monitor`.
        """
        ones = np.ones(errors[0].shape[1])
        alone = cls(Chart(ones, Monitor.fit(errors, memory=memory, one_sided=one_sided)))
        scale = _scale(np.concatenate(levels)) if levels else np.zeros(0)
        if not (scale > 0).any():
            return alone
        levels, found = [scaled(rows, scale) for rows in levels], None
        if error_clocks and level_clocks and step_s:
            found = find_profile(np.concatenate(levels), np.concatenate(level_clocks), step_s)
        levels, level_profile = _without_profile(levels, level_clocks, found)
        if not _levels_hold(levels, memory):
            return alone
        errors, error_profile = _without_profile(errors, error_clocks, found)
        of_errors, of_levels = (Monitor.fit(rows, memory=memory, jackknife=True) for rows in (errors, levels))
        return cls(Chart(ones, of_errors, error_profile), Chart(scale, of_levels, level_profile))

    def __call__(
        self,
        errors: Float[np.ndarray, "n d"],
        levels: Float[np.ndarray, "n c"] | None = None,
        clock: Float[np.ndarray, " n"] | None = None,
        state: tuple[np.ndarray, ...] = (),
    ) -> Judged:
        """Judge the next rows of an episode.

        Args:
            errors: of their predictions.
            levels: what the sensors showed there.
            clock: s at each, where there is a profile.
            state: what the call before left; none at the start of an episode.
        """
        evidence = self.errors.evidence(errors, clock, state[0] if state else None)
        surprise = self.errors.monitor.surprise(evidence)
        p = self.errors.monitor.p_value(surprise)
        if self.levels is None:
            return Judged(surprise, p, np.zeros(len(p), bool), None, (evidence[-1],))
        moved = self.levels.evidence(levels, clock, state[1] if state else None)
        beside = self.levels.monitor.surprise(moved)
        beside_p = self.levels.monitor.p_value(beside)
        matched = self.errors.monitor.surprise_at(MATCHED) / max(self.levels.monitor.surprise_at(MATCHED), 1e-12)
        return Judged(
            np.maximum(surprise, matched * beside),
            np.minimum(1, 2 * np.minimum(p, beside_p)),
            beside_p < p,
            self.levels.shares(moved),
            (evidence[-1], moved[-1]),
        )


def scaled(values: Float[np.ndarray, "n c"], scale: Float[np.ndarray, " c"]) -> Float[np.ndarray, "n kept"]:
    """Values times their scale, without the channels whose scale is 0."""
    return values[:, scale > 0] * scale[scale > 0]


def _scale(levels: Rows) -> np.ndarray:
    """One over the standard deviation, and 0 where a sensor never varies."""
    varies = np.ptp(levels, axis=0) > ROUNDING * np.abs(levels).max(axis=0)
    return np.divide(1.0, levels.std(axis=0), out=np.zeros(levels.shape[1]), where=varies)


def _without_profile(
    stretches: Sequence[Rows], clocks: Clocks | None, found: tuple[float, int] | None
) -> tuple[list[Rows], Profile | None]:
    if found is None:
        return list(stretches), None
    profile, left = fit_profile(np.concatenate(stretches), np.concatenate(clocks), *found)
    return np.split(left, np.cumsum([len(rows) for rows in stretches])[:-1]), profile


def _levels_hold(levels: Sequence[Rows], memory: float) -> bool:
    """Whether charts of either half of the rows are content with the other."""
    first, second = _halves(levels)
    try:
        charts = [Monitor.fit(half, memory=memory, jackknife=True) for half in (first, second)]
    except ArmillaryError:  # too few rows to tell
        return False
    return all(
        (np.concatenate([chart.p_value(chart.surprise(chart.evidence(rows))) for rows in other]) < CHECK_LEVEL).mean()
        <= MOST_ALARMS
        for chart, other in zip(charts, (second, first), strict=True)
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
    return tuple([rows for rows in half if len(rows)] for half in both)
