"""Judges rows as they come: how surprising, whether it is an alarm, and which sensors are to blame.

- What is missing (or stuck, or muted) is filled in for the model, and the other sensors are judged on, each by its own chart.
- A jump of a single row is an alarm there, and does not stand in the context of the rows after it.
- A sensor whose alarm goes on misleads the model about the others. It is set aside: the others are predicted without it, and it
  is judged by itself, so that its alarm does not hide theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from armillary.errors import ArmillaryError
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import Calibration, channel_errors
from armillary.monitoring.charts import KINDS, UNCUT, runs
from armillary.monitoring.monitor import CLIP, alarms
from armillary.monitoring.surprise import Surprise

SPAN, SHORT = 1024, 128
"""Rows that are judged together, and after something that changes how the next are judged."""
EVERY, AFTER, MOST_ASIDE = 16, 32, 3
"""Sensors are set aside at each 16th row, when their alarm has lasted for 32, the worst first, and at most 3 of them."""
FARTHEST = 1e6
"""Standard deviations that what the model is given is within, so that its numbers stay finite."""
WEIGHTS = {"all": 2, "drift": 4, "jump": 4}
"""A row has as many ways to be an alarm by chance: a half of the chance is for all errors together, a quarter for each kind of
chart, shared among sensors (Bonferroni)."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on n rows.

    Args:
        surprise: 1 is as usual; NaN where the row is not judged.
        p: the share of normal rows that are as surprising; NaN where the row is not judged.
        alarm: from a p below the level on, until p is large again (`monitor.alarms`).
        began: a new alarm begins, or that of another sensor beside one that goes on. Sensors that follow within `memory` rows
            are in the same alarm, but for one that is stuck or moved.
        fresh: (n, channels) whose own alarm begins.
        shares: (n, channels) of the channels' errors in what was unusual.
        on: (n, channels) 0, or 1 + the place in `KINDS` of the chart that is in alarm.
    """

    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    alarm: Bool[np.ndarray, " n"]
    began: Bool[np.ndarray, " n"]
    fresh: Bool[np.ndarray, "n c"]
    shares: Float[np.ndarray, "n c"]
    on: Int[np.ndarray, "n c"]

    @classmethod
    def together(cls, parts: Sequence["Verdict"]) -> "Verdict":
        """Of rows one after the other."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


@dataclass
class _State:
    """What is kept of the rows before: of everything the last one, and a context of what the model was given."""

    x: np.ndarray  # (reach, c) filled in
    actions: np.ndarray
    streak: np.ndarray  # rows that each sensor's alarm has lasted
    all: tuple[np.ndarray, ...] = ()  # evidence
    drift: np.ndarray | None = None
    uncut: np.ndarray | None = None
    jumped: np.ndarray | None = None
    row: int = 0


class Watcher:
    """Judges rows as they come.

    Args:
        model: of vectors alone, in eval mode.
        calibration: of this model.
        level: the p-value below which a row is an alarm.
        mute: names of sensors that are not judged, and that nothing is predicted from.

    Raises:
        ArmillaryError: a sensor to mute that the model does not know, or none that is left.
    """

    def __init__(self, model: WorldModel, calibration: Calibration, level: float, mute: Sequence[str] = ()) -> None:
        self.model, self.calibration, self.level = model, calibration, level
        names = calibration.channels
        if unknown := [name for name in mute if name not in names]:
            raise ArmillaryError(f"there is no sensor {', '.join(map(repr, unknown))} to mute; there are {', '.join(names)}")
        self.muted = np.isin(names, list(mute))
        self.charts = calibration.charts
        if self.muted.all():
            raise ArmillaryError("all sensors are muted, so that there is nothing to judge; mute fewer")
        # The errors of a sensor that is alone are all errors; and where errors do not hold, neither do each sensor's.
        self._by_sensor = "errors" in calibration.detector.charts and self.charts.varies.sum() > 1
        self._offset = np.concatenate([stream.offsets for stream in model.spec.observed])
        self._surprise, self._split = Surprise(model), np.cumsum([s.shape[0] for s in model.spec.observed])[:-1]
        self._cut, self._uncut = self.charts.evidence(CLIP), self.charts.evidence(UNCUT)
        self._on, self._total, self._last_alarm, self._last_start = False, 0, -np.inf, -np.inf
        self._last_on = np.full((2, len(names)), -np.inf)  # in any alarm; stuck or moved
        self.start()

    @property
    def reach(self) -> int:
        """Rows of an episode before the first that is judged."""
        return self._surprise.reach

    def start(self) -> None:
        """A new episode begins. Alarms that go on across the gap are not new ones."""
        count = len(self.muted)
        self._state = _State(
            np.empty((0, count)), np.empty((0, self.model.spec.action.n), np.float32), np.zeros(count, np.int64)
        )
        self._raw, self._run = np.full(count, np.nan), np.zeros(count, np.int64)
        self._known, self._gone, self._settle = self.charts.value.copy(), np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._aside: list[int] = []
        self._absent = np.zeros((0, count), bool)

    def __call__(
        self,
        sensed: Float[np.ndarray, "n c"],
        actions: Float[np.ndarray, "n a"],
        clock: Float[np.ndarray, " n"] | None = None,
    ) -> Verdict:
        """Judge the next rows of an episode, in their own units; NaN is a missing number. `actions` are the controls that stand
        in each row, finite; `clock` is s at each row, which a daily or weekly profile needs."""
        sensed, actions = (sensed - self._offset).astype(np.float32).astype(np.float64), actions.astype(np.float32)
        sensed[~np.isfinite(sensed)] = np.nan
        run = runs(sensed, self._run, self._raw)
        self._run, self._raw = run[-1], sensed[-1]
        stuck, moved = run >= self.charts.stuck_after, self.charts.moved(sensed)
        x, judged = self._filled(sensed, stuck)
        filled = self._recent(np.isnan(sensed) | stuck) | self.muted
        parts, at, span = [], 0, SPAN
        while at < len(sensed):
            rows = slice(at, min(at + span, len(sensed)))
            verdict, after, count = self._judge(sensed, x, actions, clock, judged, filled, stuck, moved, rows)
            parts.append(verdict)
            self._state, at, span = after, at + count, SPAN if count == rows.stop - rows.start else SHORT
        return Verdict.together(parts)

    def _recent(self, absent: Bool[np.ndarray, "n c"]) -> Bool[np.ndarray, "n c"]:
        """Where a number is filled in in a row or in its context."""
        before = self._absent
        both = np.concatenate([before, absent])
        self._absent = both[-self.reach :]
        if not both.any():
            return absent
        count = np.cumsum(np.concatenate([np.zeros((1, both.shape[1]), np.int64), both]), axis=0)
        ends = len(before) + 1 + np.arange(len(absent))
        return count[ends] > count[np.maximum(ends - self.reach - 1, 0)]

    def _filled(self, sensed: np.ndarray, stuck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the model is given, and which numbers are judged: not those that are missing, nor until as many rows as were
        missing (a context at most) are there again."""
        charts, x = self.charts, sensed.copy()
        absent, judged = np.isnan(sensed) | stuck, np.ones(sensed.shape, bool)
        for c in np.flatnonzero(absent.any(0) | (self._gone > 0) | (self._settle > 0)):
            edges = np.flatnonzero(np.diff(absent[:, c])) + 1
            for first, end in pairwise([0, *edges, len(x)]):
                length = end - first
                if absent[first, c]:
                    ahead = self._gone[c] + np.arange(1, length + 1)
                    known = x[first - 1, c] if first else self._known[c]
                    x[first:end, c] = charts.value[c] + (known - charts.value[c]) * charts.keeps[c] ** ahead
                    judged[first:end, c] = False
                    self._gone[c] += length
                    self._settle[c] = min(self._gone[c], self.reach)
                else:
                    judged[first : first + self._settle[c], c] = False
                    self._gone[c], self._settle[c] = 0, max(0, self._settle[c] - length)
        here = ~absent
        last = len(x) - 1 - here[::-1].argmax(0)
        self._known = np.where(here.any(0), x[last, np.arange(x.shape[1])], self._known)
        farthest = FARTHEST * np.where(charts.spread > 0, charts.spread, 1.0)
        x = np.clip(x, charts.value - farthest, charts.value + farthest)
        x[:, self.muted | ~charts.varies] = charts.value[self.muted | ~charts.varies]
        return x, judged & ~self.muted

    def _judge(
        self,
        sensed: np.ndarray,
        x: np.ndarray,
        actions: np.ndarray,
        clock: np.ndarray | None,
        judged: np.ndarray,
        filled: np.ndarray,
        stuck: np.ndarray,
        moved: np.ndarray,
        rows: slice,
    ) -> tuple[Verdict, _State, int]:
        """The verdict on some rows, the state after it, and how many they are: up to where the way to judge changes."""
        before, charts, calibration, n = self._state, self.charts, self.calibration, rows.stop - rows.start
        silent = min(n, max(0, self.reach - len(before.x)))
        given, acted = np.concatenate([before.x, x[rows]]), np.concatenate([before.actions, actions[rows]])
        judged, filled, moved, stuck = (part[rows][silent:] for part in (judged, filled, moved, stuck))
        moved, stuck = moved & ~self.muted, stuck & ~self.muted
        judged = judged & charts.varies
        whole, errors = self._errors(given, acted, sensed[rows][silent:])
        errors = np.where(judged, charts.mean + (errors - charts.mean) / self._wideness(filled), charts.mean)
        drift = self._cut(errors, before.drift)
        uncut = self._uncut(errors, before.uncut)
        # All errors together count where all sensors are there; else they stand at their mean.
        complete = (judged | ~charts.varies).all(1) & ~filled.any(1) & (not self._aside)
        times = None if clock is None else clock[rows][silent:]
        everything = calibration.detector(whole, x[rows][silent:], times, before.all, complete)
        surprise = everything.surprise
        share = np.maximum(judged.sum(1), 1)[:, None]
        p = {
            "all": np.where(complete, everything.p, 1.0)[:, None],
            "drift": np.where(judged & self._by_sensor, charts.p_drift(drift), 1.0) * share,
            "jump": np.where(judged, charts.p_jump(errors), 1.0) * share,
        }
        p = {name: WEIGHTS[name] * of for name, of in p.items()}
        on = np.zeros(judged.shape, np.int64)
        for number, of in enumerate((p["drift"] < self.level, p["jump"] < self.level, stuck, moved), 1):
            on[of] = number
        row_p = np.minimum(1.0, np.concatenate(list(p.values()), axis=1).min(1))
        row_p[(on > KINDS.index("jump") + 1).any(1)] = 0.0
        unusual = np.where(judged, charts.unusual(uncut), 0.0)
        surprise = np.where(complete, surprise, unusual.sum(1) / share[:, 0])
        unusual[on > KINDS.index("jump") + 1] = np.inf
        nothing = ~(judged | stuck | moved).any(1)
        count, aside, jumped = self._change(on, unusual, silent, n)
        if everything.level_shares is not None:
            by_level = everything.by_level & complete & (on == 0).all(1)
            unusual = np.where(by_level[:, None], everything.level_shares, unusual)
        said = (np.where(nothing, np.nan, of) for of in (row_p, surprise))
        verdict = self._verdict(silent, *said, unusual, np.where(nothing[:, None], 0, on), count)
        m = max(0, count - silent)
        streak = _streaks(on[:m], before.streak)
        keep = slice(max(0, len(before.x) + count - self.reach), len(before.x) + count)
        after = _State(
            given[keep], acted[keep], streak, before.all, before.drift, before.uncut, before.jumped, before.row + count
        )
        if m:
            last = m - 1
            after = replace(after, all=everything.state(last), drift=drift[last], uncut=uncut[last], jumped=on[last] == 2)
        if jumped is not None:  # what would have been there without the jump
            held = given[len(before.x) + count - 2]
            after.x[-1] = np.where(jumped, charts.value + (held - charts.value) * charts.keeps, after.x[-1])
        if aside is not None:
            self._aside, after.streak = aside, np.zeros_like(streak)
        return verdict, after, count

    def _errors(self, given: np.ndarray, acted: np.ndarray, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latent errors and those of each channel, for the last rows. A channel that is set aside is judged without those that
        were set aside before it, and the others without any of them."""
        whole = errors = np.empty(0)
        for number in range(len(self._aside), -1, -1):
            x = given.copy()
            x[:, self._aside[:number]] = self.charts.value[self._aside[:number]]
            parts = np.split(x.astype(np.float32), self._split, axis=1)
            streams = {s.name: torch.from_numpy(part) for s, part in zip(self.model.spec.observed, parts, strict=True)}
            self._surprise.start()
            predicted = self._surprise(streams, torch.from_numpy(acted))
            found = channel_errors(self.calibration.readout, predicted, np.nan_to_num(sensed))
            if number == len(self._aside):
                whole, errors = predicted.errors.double().cpu().numpy() * self.calibration.alive, found
            else:
                errors[:, self._aside[number]] = found[:, self._aside[number]]
        return whole, errors

    def _wideness(self, filled: Bool[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """How much larger the errors of each sensor are for what it is predicted without."""
        if not self._aside:
            return self.charts.wideness(filled)
        taken = filled.copy()
        taken[:, self._aside] = True
        wideness = self.charts.wideness(taken)
        for number, channel in enumerate(self._aside):
            taken = filled.copy()
            taken[:, self._aside[:number]] = True
            wideness[:, channel] = self.charts.wideness(taken)[:, channel]
        return wideness

    def _change(
        self, on: np.ndarray, unusual: np.ndarray, silent: int, n: int
    ) -> tuple[int, list[int] | None, np.ndarray | None]:
        """How many rows stand as they are judged, and what changes after them: who is set aside, or which sensors jumped."""
        before = self._state
        jump = on == KINDS.index("jump") + 1
        previous = np.zeros((1, jump.shape[1]), bool) if before.jumped is None else before.jumped[None]
        fresh = jump & ~np.concatenate([previous, jump[:-1]])[: len(jump)]
        at = np.flatnonzero(fresh.any(1))
        first = silent + int(at[0]) + 1 if len(at) else n + 1
        for count in range(EVERY - before.row % EVERY, min(n, first) + 1, EVERY):
            m = count - silent
            if m < 1 or not (self._aside or on[m - 1].any()):
                continue
            streak = _streaks(on[:m], before.streak)
            kept = [c for c in self._aside if on[m - 1, c] in (1, 2)]
            lasting = (streak >= AFTER) & (on[m - 1] > 0) & (on[m - 1] < 3)
            lasting[self._aside] = False
            if kept == self._aside and lasting.any() and len(kept) < MOST_ASIDE:
                kept = [*kept, int(np.where(lasting, unusual[m - 1], -1).argmax())]
            if kept != self._aside:
                return count, kept, fresh[m - 1] if count == first else None
        if first <= n:
            return first, None, fresh[at[0]]
        return n, None, None

    def _verdict(
        self, silent: int, row_p: np.ndarray, surprise: np.ndarray, unusual: np.ndarray, on: np.ndarray, count: int
    ) -> Verdict:
        """Of `count` rows, of which the first are silent."""

        def whole(values: np.ndarray, missing: float) -> np.ndarray:
            return np.concatenate([np.full((silent, *values.shape[1:]), missing, values.dtype), values])[:count]

        certain = np.isinf(unusual)
        weight = np.where(certain.any(1, keepdims=True), certain, unusual)
        shares = whole(weight / np.maximum(weight.sum(1, keepdims=True), 1e-12), np.nan)
        p, on = whole(row_p, np.nan), whole(on, 0)
        alarm = alarms(p, self.level, self._on) & ~np.isnan(p)
        self._on = bool(alarm[-1])
        return Verdict(whole(surprise, np.nan), p, alarm, *self._began(alarm, on), shares, on)

    def _began(self, alarm: np.ndarray, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where an alarm begins, and of which sensors: those that were in none, or not stuck or moved, for `memory` rows."""
        began, fresh, memory = np.zeros(len(alarm), bool), np.zeros(on.shape, bool), self.charts.memory
        for i in np.flatnonzero(alarm):
            row = self._total + i
            kinds = np.stack([on[i] > 0, on[i] > KINDS.index("jump") + 1])
            news = kinds & (row - self._last_on > memory)
            fresh[i] = news.any(0)
            another = news[1].any() or (news[0].any() and row - self._last_start > memory)
            began[i] = another or row - self._last_alarm > memory
            self._last_on[kinds], self._last_alarm = row, row
            self._last_start = row if began[i] else self._last_start
        self._total += len(alarm)
        return began, fresh


def _streaks(on: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Rows up to the last for which each sensor has been in alarm."""
    if not len(on):
        return before
    off = on[::-1] == 0
    return np.where(off.any(0), off.argmax(0), before + len(on))
