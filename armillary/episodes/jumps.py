"""Jumps inside episodes: a reset that no flag marks, rows that were lost, a cut in a film.

A world model learns that o[t], a[t] lead to o[t+1], and a reset inside an episode teaches it that they lead anywhere. A step
is a jump if it is several times as large as all steps near it and as the usual step of the recording, in at least half of the
channels that move smoothly: a gripper that closes, a set point that changes or a ball that bounces is none. A step is measured
against its neighbours because a machine that sets out takes many large steps in a row, and a jump is alone.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

RATIO = 3.0  # of a jump to any other step near it
IMAGE_RATIO = 4.0  # the same for images, whose steps vary more
NEAR = 5  # rows on either side that it is measured against
USUAL = 0.9  # quantile of the recording's steps that it is measured against too
SMOOTH = 0.2  # share of its range that a channel's usual step stays below; others are noise or switches and cannot jump
FEW = 20  # steps that tell what is usual


def smooth_channels(values: list[Float[np.ndarray, "_ c"]], moves: list[Float[np.ndarray, "_ c"]]) -> Float[np.ndarray, " c"]:
    """The usual step of each channel, from a sample of runs; NaN where it does not move smoothly.

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

    return np.array([usual(*both) for both in zip(np.concatenate(values).T, np.concatenate(moves).T, strict=True)])


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
    jumps = steps > ratio * np.maximum(others, usual[smooth])
    return np.flatnonzero(2 * jumps.sum(1) >= smooth.sum())


def change(images: UInt8[np.ndarray, "t h w c"]) -> Float[np.ndarray, "t-1 2"]:
    """How much each image differs from the one before: how far brightness moved across it, and by how much pixels changed."""
    gray = images.mean(-1) / 255
    difference = np.diff(gray, axis=0)
    y, x = (np.linspace(-1, 1, size) for size in gray.shape[1:])
    moved = np.hypot((difference.mean(2) * y).mean(1), (difference.mean(1) * x).mean(1))
    return np.stack([moved, np.abs(difference).mean((1, 2))], 1)
