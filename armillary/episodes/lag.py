"""The lag test: is the action of a row the one that led to the next row?

A world model learns o[t], a[t] -> o[t+1], and a recorder that is off by one row teaches it noise. The change
o[t+1] - o[t] is regressed on the action a[t+k] for each lag k (and on o[t], since many robots are told where to go):
ridge regression, fitted on one half of the rows and scored by R2 on the other. What the action gains over o[t] alone has
to be largest at lag 0. Where there are no vectors, the change is the image's motion: the way from where it darkened to
where it brightened, and the shift that explains the difference best (Lucas and Kanade, 1981).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

LAGS = (-2, -1, 0, 1, 2)
_MARGIN = 2  # rows at both ends of a run, where not every lag has an action
_LEAST = 100  # rows that a regression needs


def action_gain(
    states: Sequence[Float[np.ndarray, "_ v"]], actions: Sequence[Float[np.ndarray, "_ a"]], changes: Sequence[np.ndarray]
) -> Float[np.ndarray, " lags"] | None:
    """What the action at each of `LAGS` adds to the R2 of the change, averaged over its channels.

    Args:
        states: of each run of T rows, (T, V); V may be 0.
        actions: of each run, (T-1, A).
        changes: of each run, (T-1, F).

    Returns:
        The gain at each lag, or None for fewer than 100 rows.
    """
    rows = [np.arange(_MARGIN, len(change) - _MARGIN) for change in changes]
    change = np.concatenate([x[at] for x, at in zip(changes, rows, strict=True)])
    if len(change) < _LEAST:
        return None
    state = np.concatenate([x[at] for x, at in zip(states, rows, strict=True)])
    known = _r2(state, change)
    gains = []
    for lag in LAGS:
        action = np.concatenate([x[at + lag] for x, at in zip(actions, rows, strict=True)])
        gains.append((_r2(np.hstack([state, action]), change) - known).mean())
    return np.array(gains)


def _r2(inputs: Float[np.ndarray, "n i"], targets: Float[np.ndarray, "n f"]) -> Float[np.ndarray, " f"]:
    """R2 of ridge regression on every other block of 32 rows, fitted on the rest; never below 0."""
    test = np.arange(len(inputs)) // 32 % 2 == 1
    x = np.hstack([(inputs - inputs.mean(0)) / (inputs.std(0) + 1e-9), np.ones((len(inputs), 1))])
    fit, aim = x[~test], targets[~test]
    weights = np.linalg.solve(fit.T @ fit + 1e-3 * len(fit) * np.eye(x.shape[1]), fit.T @ aim)
    error, spread = ((targets[test] - x[test] @ weights) ** 2).mean(0), targets[test].var(0)
    return np.where(spread > 1e-12, np.maximum(0, 1 - error / np.maximum(spread, 1e-12)), 0)


def motion(images: UInt8[np.ndarray, "t h w c"]) -> Float[np.ndarray, "t-1 4"]:
    """How images move from each to the next, in pixels along height and width: of what changed, and of all."""
    gray = images.mean(-1) / 255
    change = np.diff(gray, axis=0)
    flat = change.reshape(len(change), -1)
    place = np.stack(np.meshgrid(*map(np.arange, gray.shape[1:]), indexing="ij"), -1).reshape(-1, 2)
    brighter, darker = (
        part @ place / np.maximum(part.sum(1, keepdims=True), 1e-6) for part in (np.maximum(flat, 0), np.maximum(-flat, 0))
    )
    slope = np.stack(np.gradient((gray[1:] + gray[:-1]) / 2, axis=(1, 2)), -1).reshape(len(change), -1, 2)
    square = np.einsum("tpi,tpj->tij", slope, slope) + 1e-3 * np.eye(2)
    shift = -np.linalg.solve(square, np.einsum("tpi,tp->ti", slope, flat)[..., None])[..., 0]
    return np.hstack([brighter - darker, shift])
