"""Scores of clips that need no understanding: scenes that one of them tells apart say nothing of a model.

`FRAMES` looks at pixels and `LATENTS` at the latents of an encoder, trained or not. A score is a number a frame, or one a clip
where it is of the whole trajectory; more is less plausible.

The five scores of a trajectory are those that GeoPhys names (arXiv 2606.20707), whose code is not public; the definitions are
ours. z[t] is a latent and v[t] = z[t + 1] - z[t]:

- speed variation: standard deviation of |v| as a share of its mean;
- angle: mean angle between v[t] and v[t + 1], rad;
- curvature: mean of that angle by the mean length of the two steps;
- acceleration: mean of |v[t + 1] - v[t]|;
- linear residual: share of the variance of z that a straight line in time leaves.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Latents = Float[np.ndarray, "n 4 t d"]
Scores = Float[np.ndarray, "n 4 s"]
EPSILON = 1e-8
"""Least length, and variance, that counts: what does not move has no direction."""


def frame_difference(frames: dict[str, np.ndarray]) -> Scores:
    """Mean squared change of all numbers from frame to frame: (n, 4, T - 1) of streams (n, 4, T, *shape).

    What one of the two frames lacks (NaN) has not changed.
    """
    total = 0.0
    for x in frames.values():
        change = np.nan_to_num(np.square(np.diff(x.astype(np.float32), axis=2)))
        total = total + change.reshape(*change.shape[:3], -1).mean(axis=-1)
    return np.asarray(total)


def copy_last(z: Latents) -> Scores:
    """Error of predicting that nothing changes."""
    return np.square(np.diff(z, axis=2)).mean(axis=-1)


def constant_velocity(z: Latents) -> Scores:
    """Error of predicting the same change again."""
    return np.square(np.diff(z, n=2, axis=2)).mean(axis=-1)


def speed_variation(z: Latents) -> Scores:
    """Standard deviation of the lengths of the steps by their mean."""
    speed = _lengths(np.diff(z, axis=2))
    return (speed.std(axis=-1) / np.maximum(speed.mean(axis=-1), EPSILON))[..., None]


def angle(z: Latents) -> Scores:
    """Mean angle from step to step, rad."""
    return _angles(z).mean(axis=-1, keepdims=True)


def curvature(z: Latents) -> Scores:
    """Mean angle from step to step by the length of the way on which it turns, rad per unit of the latent."""
    speed = _lengths(np.diff(z, axis=2))
    way = (speed[..., 1:] + speed[..., :-1]) / 2
    return np.where(way > EPSILON, _angles(z) / np.maximum(way, EPSILON), 0).mean(axis=-1, keepdims=True)


def acceleration(z: Latents) -> Scores:
    """Mean length of the change of the step."""
    return _lengths(np.diff(z, n=2, axis=2)).mean(axis=-1, keepdims=True)


def linear_residual(z: Latents) -> Scores:
    """Share of a clip's variance that the best straight line in time leaves; 0 where nothing moves."""
    time = np.arange(z.shape[2]) - (z.shape[2] - 1) / 2
    centred = z - z.mean(axis=2, keepdims=True)
    slope = np.einsum("t,nctd->ncd", time, centred) / np.square(time).sum()
    left = np.square(centred - time[:, None] * slope[:, :, None]).sum(axis=(2, 3))
    total = np.square(centred).sum(axis=(2, 3))
    return np.where(total > EPSILON, left / np.maximum(total, EPSILON), 0)[..., None]


def _lengths(steps: Latents) -> Scores:
    return np.sqrt(np.square(steps).sum(axis=-1))


def _angles(z: Latents) -> Scores:
    """Angle between each step and the next, (n, 4, T - 2) rad; 0 where one of them has no length."""
    steps = np.diff(z, axis=2)
    lengths = _lengths(steps)
    product = lengths[..., 1:] * lengths[..., :-1]
    cosine = (steps[:, :, 1:] * steps[:, :, :-1]).sum(axis=-1) / np.maximum(product, EPSILON)
    return np.where(product > EPSILON, np.arccos(np.clip(cosine, -1, 1)), 0)


FRAMES: dict[str, Callable[[dict[str, np.ndarray]], Scores]] = {"frame difference": frame_difference}
LATENTS: dict[str, Callable[[Latents], Scores]] = {
    "copy last": copy_last,
    "constant velocity": constant_velocity,
    "speed variation": speed_variation,
    "curvature": curvature,
    "angle": angle,
    "acceleration": acceleration,
    "linear residual": linear_residual,
}
