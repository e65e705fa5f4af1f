"""What a world model has to beat at monitoring: principal components, a linear forecaster, and "nothing changes".

Each is fitted on stretches of normal rows and then gives every row of a longer run an error, in numbers that `Monitor` takes:
all methods go through the same evidence, calibration and threshold.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from armillary.errors import require
from armillary.ridge import ridge
from armillary.scales import spread

LAGS, STRENGTH = 10, 1.0
TREES = 100
MOVING_WINDOW = 100
"""Rows before the one that `moving_z` judges."""
MOVING_FLOOR = 0.1
"""Least standard deviation of a window, as a share of that of all normal rows."""
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
    weights = ridge(x, y, STRENGTH)

    def judge(rows: Rows) -> np.ndarray:
        x, y = _lags((rows - mean) / std)
        return y - x @ weights

    return judge


def persistence(stretches: Sequence[Rows]) -> Judge:
    """The next row is predicted to be like the one before."""
    _, std = _scale(stretches)
    return lambda rows: np.diff(rows, axis=0) / std


def moving_z(stretches: Sequence[Rows]) -> Judge:
    """Deviations of each channel from its mean over the rows before, in standard deviations of those rows."""
    _, std = _scale(stretches)

    def judge(rows: Rows) -> np.ndarray:
        if len(rows) <= MOVING_WINDOW:
            return rows[:0]
        windows = sliding_window_view(rows, MOVING_WINDOW, axis=0)[:-1]
        deviation = np.maximum(windows.std(axis=-1), MOVING_FLOOR * std)
        return (rows[MOVING_WINDOW:] - windows.mean(axis=-1)) / deviation

    return judge


def isolation_forest(stretches: Sequence[Rows], seed: int = 0) -> Judge:
    """Score of each row by an isolation forest (Liu, Ting and Zhou, 2008), scikit-learn's with its defaults."""
    forest = require("sklearn.ensemble", "bench").IsolationForest(n_estimators=TREES, random_state=seed)
    forest.fit(np.concatenate(stretches))
    return lambda rows: -forest.score_samples(rows)[:, None]


def ecod(stretches: Sequence[Rows]) -> Judge:
    """Score of each row by the tails of the channels' empirical distributions (ECOD, Li et al., TKDE 2022).

    For each channel, minus the logarithm of the share of normal rows below and of those above. The score is the largest of
    three sums over channels: of the lower tails, of the upper ones, and of the tail to which each channel is skewed.
    """
    rows = np.concatenate(stretches)
    ordered, count = np.sort(rows, axis=0), len(rows)
    skewed_left = ((rows - rows.mean(axis=0)) ** 3).mean(axis=0) < 0

    def judge(rows: Rows) -> np.ndarray:
        channels = list(zip(ordered.T, rows.T, strict=True))
        below = np.stack([np.searchsorted(normal, of, "right") for normal, of in channels], axis=1)
        above = np.stack([count - np.searchsorted(normal, of, "left") for normal, of in channels], axis=1)
        lower, upper = (-np.log((share + 1) / (count + 1)) for share in (below, above))
        sums = [part.sum(axis=1) for part in (lower, upper, np.where(skewed_left, lower, upper))]
        return np.max(sums, axis=0)[:, None]

    return judge


def _scale(stretches: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate(stretches)
    return rows.mean(axis=0), spread(rows)


def _lags(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The rows before each, side by side, with a constant; and the rows themselves."""
    count = len(rows) - LAGS
    before = [rows[i : i + count] for i in range(LAGS)]
    return np.column_stack([*before, np.ones(count)]), rows[LAGS:]
