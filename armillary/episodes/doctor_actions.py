"""What the doctor asks of actions: do they come in the right row, do they vary, and how much of what is possible was tried?"""

from collections.abc import Iterator

import numpy as np

from armillary.episodes import turning
from armillary.episodes.doctor_sample import Run
from armillary.episodes.lag import LAGS, action_gain, motion
from armillary.kinds.check import Row
from armillary.spec import ActionSpace

EXPLAINS = 0.02  # least gain in R2 that counts as an effect of the action
SLOW = 0.995  # autocorrelation of actions at lag 1
SATURATED = 0.3  # share of action numbers at a bound
ACTIONS = 0.5  # least coverage


def lag(runs: list[Run], period: np.ndarray) -> Row:
    """Whether the action of a row is the one that led to the next, or one before or after it."""
    if columns := runs[0].vectors.shape[1]:
        period = period if columns == len(period) else np.full(columns, np.inf)  # of outlines
        states = [turning.features(run.vectors, period) for run in runs]
        changes = [np.diff(turning.unwrap(run.vectors, period), axis=0) for run in runs]
        gain = action_gain(states, [run.actions for run in runs], changes)
    elif runs[0].images:
        moves = [np.hstack([motion(images) for images in run.images.values()]) for run in runs]
        gain = action_gain([np.empty((len(m) + 1, 0)) for m in moves], [run.other_actions for run in runs], moves)
    else:
        gain = None
    check = "lag of the action"
    if gain is None:
        return Row.of(check, "not measured", "warn", "it takes 100 rows")
    best, now = LAGS[int(gain.argmax())], gain[LAGS.index(0)]
    value = f"{best:+d} rows; gain in R2 " + ", ".join(f"{lag:+d}: {g:.3f}" for lag, g in zip(LAGS, gain, strict=True))
    if gain.max() < EXPLAINS:
        return Row.of(check, value, "warn", "the action explains next to no change: was it this one that was taken?")
    if now > 0.95 * gain.max():
        return Row(check, f"0 rows; {value.split('; ')[1]}", "ok")
    led = f"a[t{best:+d}] is what led from o[t] to o[t+1]"
    rows = f"{abs(best)} row{'s' * (abs(best) > 1)}"
    late = f"the action comes {rows} late, as if logged as a result: {led}; move the actions up by {rows}"
    early = f"the action comes {rows} early, or the world answers with that delay: {led}"
    return Row.of(check, value, "fail" if best > 0 or now < 0.5 * gain.max() else "warn", late if best > 0 else early)


def constant_actions(runs: list[Run]) -> Iterator[Row]:
    """Numbers of an action that never vary."""
    spread = np.ptp(np.concatenate([run.actions for run in runs]), axis=0)
    still = int((spread == 0).sum())
    verdict = "fail" if still == len(spread) else still > 0
    yield Row.of("constant actions", f"{still} of {len(spread)}", verdict, "what is never varied cannot be learned")


def habits(space: ActionSpace, runs: list[Run]) -> Iterator[Row]:
    """Actions that hardly change from row to row, or are at their bounds."""
    before, after = (np.concatenate([run.actions[part] for run in runs]) for part in (slice(-1), slice(1, None)))
    if len(before):
        before, after = before - before.mean(0), after - after.mean(0)
        product, size = (before * after).mean(), np.sqrt((before**2).mean() * (after**2).mean())
        correlation = product / size if size else 0.0
        advice = "actions hardly change from row to row; take a larger frame skip, so that their effects can be told apart"
        yield Row.of("action autocorrelation", f"{correlation:.3f} from row to row", bool(correlation > SLOW), advice)
    if space.kind == "box":
        actions = np.concatenate([run.actions for run in runs])
        low, high = _bounds(space, actions)
        edge = 1e-3 * (high - low)
        share = ((actions <= low + edge) | (actions >= high - edge)).mean()
        advice = "what lies between is hardly tried: scale actions down, or check the bounds in the spec"
        yield Row.of("action saturation", f"{share:.0%} at a bound", bool(share > SATURATED), advice)


def action_coverage(space: ActionSpace, runs: list[Run]) -> Iterator[Row]:
    """The share of ten equal parts of each number's range, or of the choices, that is used."""
    actions = np.concatenate([run.actions for run in runs])
    if space.kind == "discrete":
        used = actions.any(0).mean()
    else:
        low, high = _bounds(space, actions)
        tenth = np.clip((actions - low) / np.where(high > low, high - low, 1) * 10, 0, 9).astype(int)
        used = np.mean([len(np.unique(column)) / 10 for column in tenth.T])
    advice = "planners will ask for actions that were never tried; act more variously, or tighten the bounds in the spec"
    yield Row.of("action coverage", f"{used:.0%} of the range", bool(used < ACTIONS), advice)


def _bounds(space: ActionSpace, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of a box, and where it has none, the extremes of these actions."""
    low, high = np.asarray(space.low), np.asarray(space.high)
    return np.where(np.isfinite(low), low, actions.min(0)), np.where(np.isfinite(high), high, actions.max(0))
