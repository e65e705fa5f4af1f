"""What a world model has to beat at monitoring: principal components, a linear forecaster, and "nothing changes".

Each is fitted on stretches of normal rows and then gives every row of a longer run an error, in numbers that `Monitor` takes:
all methods go through the same evidence, calibration and threshold.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

LAGS, STRENGTH = 10, 1.0
Rows = Float[np.ndarray, "_ c"]
Judge = Callable[[np.ndarray], np.ndarray]
"""Rows (n, c) to errors (m, d) of the last m of them; the first few have none."""
Fit = Callable[[Sequence[Rows]], Judge]


def principal_components(stretches: Sequence[Rows]) -> Judge:
    """Deviations from the mean along all principal components of the standardised channels.

    Whitened, they are the T2 statistic of the components that are kept together with the Q statistic of those that are not.
    """
    mean, std = _scale(stretches)
    return lambda rows: (rows - mean) / std


def linear_forecaster(stretches: Sequence[Rows]) -> Judge:
    """The next row by ridge regression on the ten rows before it, all channels on all."""
    mean, std = _scale(stretches)
    lagged = [_lags((rows - mean) / std) for rows in stretches if len(rows) > LAGS]
    x, y = (np.concatenate(parts) for parts in zip(*lagged, strict=True))
    weights = np.linalg.solve(x.T @ x + STRENGTH * np.eye(x.shape[1]), x.T @ y)

    def judge(rows: Rows) -> np.ndarray:
        x, y = _lags((rows - mean) / std)
        return y - x @ weights

    return judge


def persistence(stretches: Sequence[Rows]) -> Judge:
    """The next row is foretold to be like the one before."""
    _, std = _scale(stretches)
    return lambda rows: np.diff(rows, axis=0) / std


def _scale(stretches: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate(stretches)
    return rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-12)


def _lags(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The rows before each, side by side, with a constant; and the rows themselves."""
    count = len(rows) - LAGS
    before = [rows[i : i + count] for i in range(LAGS)]
    return np.column_stack([*before, np.ones(count)]), rows[LAGS:]
