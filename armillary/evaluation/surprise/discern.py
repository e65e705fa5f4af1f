"""How well a scorer tells impossible clips from possible ones: the two measures, and their intervals.

- relative accuracy: the share of matched pairs (a possible clip and the impossible one that begins like it) in which the
  impossible clip has the greater mean surprise. Ties count half, and half is chance;
- AUROC of single clips, on their greatest surprise, as the Mann-Whitney statistic (Hanley and McNeil, 1982).

Intervals are by bootstrap over scenes. After Riochet et al., IntPhys (arXiv 1803.07616), and Garrido et al. (arXiv 2502.11831).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.evaluation.statistics import Estimate, bootstrap

RESAMPLES = 500


@dataclass(frozen=True)
class Discernment:
    """How well one scorer tells one property's impossible clips; 0.5 is chance in both."""

    relative: Estimate
    auroc: Estimate


def discern(surprise: Float[np.ndarray, "k n 4 t"]) -> Discernment:
    """Both measures from the surprise of k networks in n scenes, averaged over networks."""
    mean, peak = surprise.mean(axis=-1, dtype=np.float64), surprise.max(axis=-1)
    gap = mean[:, :, 2:] - mean[:, :, :2]
    right = (gap > 0) + 0.5 * (gap == 0)
    possible, impossible = peak[:, :, None, :2, None], peak[:, None, :, None, 2:]
    # Of scenes i and j, how often an impossible clip of j has more than a possible one of i; AUROC is its mean over scenes.
    above = ((impossible > possible) + 0.5 * (impossible == possible)).mean(axis=(0, 3, 4))
    return Discernment(
        relative=bootstrap(right.mean(axis=(0, 2)), samples=RESAMPLES),
        auroc=bootstrap(
            np.arange(len(above)), statistic=lambda some: float(above[np.ix_(some, some)].mean()), samples=RESAMPLES
        ),
    )
