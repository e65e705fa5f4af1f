"""The statistics that LeRobot keeps of every feature: of each episode, and of the dataset.

Minimum, maximum, mean, standard deviation, count and five quantiles of each number; of a picture, of each of its channels, in
[0, 1], from a sample of frames and pixels. A dataset's are put together from those of its episodes: exactly, but for quantiles,
which are their mean by count.

Source: datasets/compute_stats.py of https://github.com/huggingface/lerobot (v3.0).
"""

import numpy as np
from jaxtyping import Num, UInt8

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
FRAMES, PIXELS = 100, 150  # of an episode, and on the longer side of a frame
Statistics = dict[str, np.ndarray]


def statistics_of(values: Num[np.ndarray, "t n"]) -> Statistics:
    """Statistics over time, each (n,), and the count (1,)."""
    quantiles = dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=0), strict=True))
    moments = {"mean": values.mean(0, dtype=np.float64), "std": values.std(0, dtype=np.float64)}
    return {"min": values.min(0), "max": values.max(0), **moments, "count": np.array([len(values)]), **quantiles}


def sampled_rows(length: int) -> np.ndarray:
    """The rows whose frames stand for an episode."""
    return np.unique(np.linspace(0, length - 1, min(length, FRAMES)).astype(int))


def picture_statistics_of(frames: UInt8[np.ndarray, "t h w c"]) -> Statistics:
    """Statistics of each channel in [0, 1], each (c, 1, 1), and the count of frames (1,)."""
    every = max(1, max(frames.shape[1:3]) // PIXELS)
    found = statistics_of(frames[:, ::every, ::every].reshape(-1, frames.shape[-1]))
    return {name: found[name].reshape(-1, 1, 1) / 255 for name in found if name != "count"} | {"count": np.array([len(frames)])}


def together(parts: list[Statistics]) -> Statistics:
    """Statistics of all episodes from those of each."""
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    count = stacked["count"].reshape(-1, *[1] * (stacked["mean"].ndim - 1))
    weight = count / count.sum()
    mean = (weight * stacked["mean"]).sum(0)
    spread = (weight * (stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2)).sum(0)
    found = {"min": stacked["min"].min(0), "max": stacked["max"].max(0), "mean": mean, "std": np.sqrt(spread)}
    return found | {"count": stacked["count"].sum(0)} | {name: (weight * stacked[name]).sum(0) for name in QUANTILES}
