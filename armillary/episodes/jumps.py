"""Jumps inside episodes: a reset that no flag marks, rows that were lost, a cut in a film.

A world model learns that o[t], a[t] lead to o[t+1], and a reset inside an episode teaches it that they lead anywhere. A step
is a jump if it is several times as large as all steps near it and as the usual step of the recording, in at least half of the
channels that move smoothly: a gripper that closes, a set point that changes or a ball that bounces is none. A step is measured
against its neighbours because a machine that sets out takes many large steps in a row, and a jump is alone. Velocities do not
count beside what they are the rates of: a bounce turns them at once. At either end of an episode a step may go on from the two
beside it, as a decay does that begins with its largest step.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

RATIO = 3.0  # of a jump to any other step near it
IMAGE_RATIO = 4.0  # the same for images, whose steps vary more
NEAR = 5  # rows on either side that it is measured against
USUAL = 0.9  # quantile of the recording's steps that it is measured against too
SMOOTH = 0.2  # share of its range that a channel's usual step stays below; others are noise or switches and cannot jump
FEW = 20  # steps that tell what is usual
RATE = 0.9  # correlation of a channel with the steps of another from which on it is its velocity
ROWS = 10_000  # that this is looked for in, about


def smooth_channels(values: list[Float[np.ndarray, "_ c"]], moves: list[Float[np.ndarray, "_ c"]]) -> Float[np.ndarray, " c"]:
    """The usual step of each channel, from a sample of runs; NaN where it does not move smoothly, or is a velocity.

    Args:
        values: of each run of T rows, (T, C).
        moves: of each run, the steps between its rows, (T-1, C), 0 or more.
    """

    def usual(rows: np.ndarray, steps: np.ndarray) -> float:
        steps, rows = steps[steps > 0], rows[np.isfinite(rows)]
        if len(steps) < FEW:
            return np.nan
        low, high = np.quantile(rows, (0.01, 0.99))
        step = float(np.quantile(steps, USUAL))
        return step if step < SMOOTH * (high - low) else np.nan

    smooth = np.array([usual(*both) for both in zip(np.concatenate(values).T, np.concatenate(moves).T, strict=True)])
    which = np.flatnonzero(np.isfinite(smooth))
    rates = which[_rates([rows[:, which] for rows in values], smooth[which])]
    if len(rates) < len(which):
        smooth[rates] = np.nan
    return smooth


def _rates(values: list[Float[np.ndarray, "_ c"]], usual: Float[np.ndarray, " c"]) -> Bool[np.ndarray, " c"]:
    """Which channels are the velocity of another, before or after its step, where their own steps are usual."""
    every = max(1, sum(map(len, values)) // ROWS)
    before, after = (np.concatenate([rows[side][::every] for rows in values]) for side in (slice(None, -1), slice(1, None)))
    moves = after - before
    calm = (np.abs(moves) <= RATIO * usual).all(1)
    found = np.zeros(len(usual), bool)
    for c in range(len(usual)):
        known = calm & (np.abs(moves[:, c]) <= usual[c])
        steps = _standardised(moves[known])
        alike = np.maximum(*(_standardised(rows[known, c]) @ steps for rows in (before, after)))
        found[c] = (np.delete(alike, c) > RATE).any()
    return found


def _standardised(rows: Float[np.ndarray, "t ..."]) -> Float[np.ndarray, "t ..."]:
    """Without mean, and of length 1; zeros where nothing varies."""
    rows = rows - rows.mean(0) if len(rows) else rows
    length = np.linalg.norm(rows, axis=0)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def find_jumps(steps: Float[np.ndarray, "t c"], usual: Float[np.ndarray, " c"], ratio: float = RATIO) -> Int[np.ndarray, " n"]:
    """Which of an episode's steps are jumps; step t leads from row t to row t + 1.

    Args:
        steps: how far each channel moves, 0 or more.
        usual: from `smooth_channels`.
        ratio: of a jump to the usual step and to those near it.
    """
    smooth = np.isfinite(usual) & np.isfinite(steps).all(0)
    if not len(steps) or not smooth.any():
        return np.empty(0, int)
    steps = steps[:, smooth]
    around = np.pad(steps, ((NEAR, NEAR), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * NEAR + 1, axis=0)
    others = np.delete(windows, NEAR, axis=-1).max(-1)
    if len(steps) > 2:
        for end, next_, after in ((0, 1, 2), (-1, -2, -3)):
            goes_on = np.divide(steps[next_] ** 2, steps[after], out=np.zeros_like(steps[0]), where=steps[after] > 0)
            others[end] = np.maximum(others[end], goes_on)
    jumps = steps > ratio * np.maximum(others, usual[smooth])
    return np.flatnonzero(2 * jumps.sum(1) >= smooth.sum())


def change(images: UInt8[np.ndarray, "t h w c"]) -> Float[np.ndarray, "t-1 2"]:
    """How much each image differs from the one before: how far brightness moved across it, and by how much pixels changed."""
    gray = images.mean(-1) / 255
    difference = np.diff(gray, axis=0)
    y, x = (np.linspace(-1, 1, size) for size in gray.shape[1:])
    moved = np.hypot((difference.mean(2) * y).mean(1), (difference.mean(1) * x).mean(1))
    return np.stack([moved, np.abs(difference).mean((1, 2))], 1)
