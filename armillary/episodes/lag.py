"""The lag test: is the action of a row the one that led to the next row?

A world model learns o[t], a[t] -> o[t+1], and a recorder that is off by one row teaches it noise. The change
o[t+1] - o[t] is regressed on the action a[t+k] for each lag k (and on o[t], since many robots are told where to go):
ridge regression, fitted on one half of the rows and scored by R2 on the other. What the action gains over o[t] alone has
to be largest at lag 0. Two design choices keep it from missing rotation:
- what an action does may depend on the state (a turn changes the cosine of a heading by minus its sine), so that products of
  state and action are tried too, on the main principal axes of both;
- where there are no vectors, the change is the image's motion: the way from where it darkened to where it brightened, the
  shift, turn and zoom that explain the difference best (Lucas and Kanade, 1981), and the turn about the middle, however large.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from armillary.ridge import ridge

LAGS = (-2, -1, 0, 1, 2)
_MARGIN = 2  # rows at both ends of a run, where not every lag has an action
_LEAST = 100  # rows that a regression needs
_AXES = 6  # principal axes of states and of actions of which products are made
_SPOKES, _RINGS = 64, 6  # of an image in polar coordinates


def action_gain(
    states: Sequence[Float[np.ndarray, "_ v"]], actions: Sequence[Float[np.ndarray, "_ a"]], changes: Sequence[np.ndarray]
) -> Float[np.ndarray, " lags"] | None:
    """What the action at each of `LAGS` adds to the R2 of the change, averaged over the channels that it tells most of.

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
    known, axes = _r2(state, change), _principal(_standard(state))
    gains = []
    for lag in LAGS:
        action = np.concatenate([x[at + lag] for x, at in zip(actions, rows, strict=True)])
        plain = np.hstack([state, action])
        products = (axes[:, :, None] * _principal(_standard(action))[:, None]).reshape(len(action), -1)
        gains.append((_r2(plain, change) - known, _r2(np.hstack([plain, products]), change) - known))
    gain = np.array(gains).swapaxes(0, 1)  # (model, lag, channel)
    best = gain.max(1)
    gain, best = gain[best.argmax(0), :, np.arange(best.shape[1])], best.max(0)  # (channel, lag): of the model that tells more
    return gain[best >= min(0.5 * best.max(), best.max())].mean(0)


def _standard(x: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Each channel with zero mean and unit variance, whatever its unit; zeros where it never changes."""
    spread = x.std(0)
    return (x - x.mean(0)) / np.where(np.ptp(x, axis=0) > 0, spread, np.inf)


def _principal(x: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n k"]:
    """Standardised rows on their main principal axes, each of unit variance."""
    variance, axes = np.linalg.eigh(x.T @ x / max(len(x), 1))
    kept = variance[-_AXES:] > 1e-6 * max(variance.max(initial=0), 1e-9)
    return x @ axes[:, -_AXES:][:, kept] / np.sqrt(variance[-_AXES:][kept])


def _r2(inputs: Float[np.ndarray, "n i"], targets: Float[np.ndarray, "n f"]) -> Float[np.ndarray, " f"]:
    """R2 of ridge regression on every other block of 32 rows, fitted on the rest; never below 0."""
    test = np.arange(len(inputs)) // 32 % 2 == 1
    x, targets = np.hstack([_standard(inputs), np.ones((len(inputs), 1))]), _standard(targets)
    fit, aim = x[~test], targets[~test]
    weights = ridge(fit, aim, 1e-3 * len(fit))
    error, spread = ((targets[test] - x[test] @ weights) ** 2).mean(0), targets[test].var(0)
    return np.where(spread > 1e-12, np.maximum(0, 1 - error / np.maximum(spread, 1e-12)), 0)


def motion(images: UInt8[np.ndarray, "t h w c"]) -> Float[np.ndarray, "t-1 7"]:
    """How images move from each to the next: what changed, and all, in pixels along height and width; by how much all turns and
    grows about the middle, in radians and as a share; and the turn again, as far as half a circle.
    """
    gray = images.mean(-1) / 255
    change = np.diff(gray, axis=0)
    flat = change.reshape(len(change), -1)
    place = np.stack(np.meshgrid(*(np.arange(size) for size in gray.shape[1:]), indexing="ij"), -1).reshape(-1, 2)
    brighter, darker = (
        part @ place / np.maximum(part.sum(1, keepdims=True), 1e-6) for part in (np.maximum(flat, 0), np.maximum(-flat, 0))
    )
    slope = np.stack(np.gradient((gray[1:] + gray[:-1]) / 2, axis=(1, 2)), -1).reshape(len(change), -1, 2)
    y, x = (place - place.mean(0)).T
    ways = np.stack(
        [slope[..., 0], slope[..., 1], slope[..., 1] * y - slope[..., 0] * x, slope[..., 0] * y + slope[..., 1] * x], -1
    )
    square = np.einsum("tpi,tpj->tij", ways, ways) + 1e-3 * np.diag([1, 1, *[(y**2 + x**2).mean()] * 2])
    moved = -np.linalg.solve(square, np.einsum("tpi,tp->ti", ways, flat)[..., None])[..., 0]
    return np.hstack([brighter - darker, moved, _turn(gray)[:, None]])


def _turn(gray: Float[np.ndarray, "t h w"]) -> Float[np.ndarray, " u"]:
    """By how much each image is turned about its middle against the one before, in radians: the best match of their spokes."""
    middle = (np.array(gray.shape[1:]) - 1) / 2
    angle = 2 * np.pi * np.arange(_SPOKES) / _SPOKES
    radius = middle.min() * np.linspace(0.3, 1, _RINGS)
    rows, columns = (m + radius[:, None] * f(angle) for m, f in zip(middle, (np.sin, np.cos), strict=True))
    spokes = gray[:, rows.round().astype(int), columns.round().astype(int)]
    waves = np.fft.rfft(spokes - spokes.mean(-1, keepdims=True), axis=-1)
    match = np.fft.irfft((waves[1:] * waves[:-1].conj()).sum(1), n=_SPOKES)
    return (match.argmax(-1) + _SPOKES // 2) % _SPOKES * (2 * np.pi / _SPOKES) - np.pi
