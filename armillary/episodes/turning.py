"""Channels that wrap, such as a heading that goes from 359 to 0 degrees: no jump, and no change of sign.

A channel wraps if its unit is "rad", or if its numbers stay within one turn (in radians or degrees), fill nearly all of it, and
some step goes nearly all the way round.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

TURNS = 2 * np.pi, 360.0
NEARLY = 0.9  # of a turn


def periods(runs: Sequence[Float[np.ndarray, "_ c"]], angles: Sequence[int] = ()) -> Float[np.ndarray, " c"]:
    """After how much each channel is the same again; infinity where it does not wrap.

    Args:
        runs: rows of the recording, (T, C) each.
        angles: channels that are in radians.
    """
    rows = np.concatenate(runs)
    steps = np.concatenate([np.abs(np.diff(run, axis=0)) for run in runs])
    span, step = np.ptp(rows, axis=0), steps.max(0, initial=0)
    period = np.full(rows.shape[1], np.inf)
    for turn in TURNS:
        period[(span <= 1.001 * turn) & (step > NEARLY * turn)] = turn
    period[list(angles)] = 2 * np.pi
    return period


def unwrap(run: Float[np.ndarray, "t c"], period: Float[np.ndarray, " c"]) -> Float[np.ndarray, "t c"]:
    """The same rows, with channels that wrap going on instead."""
    return np.column_stack([np.unwrap(x, period=p) if np.isfinite(p) else x for x, p in zip(run.T, period, strict=True)])


def features(run: Float[np.ndarray, "t c"], period: Float[np.ndarray, " c"]) -> Float[np.ndarray, "t f"]:
    """The same rows, with channels that wrap as their sine and cosine."""
    wraps = np.isfinite(period)
    turned = 2 * np.pi * run[:, wraps] / period[wraps]
    return np.hstack([run[:, ~wraps], np.sin(turned), np.cos(turned)])
