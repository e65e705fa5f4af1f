"""How well a scorer tells impossible clips from possible ones: three measures, and their intervals.

- relative accuracy: the share of sets (the clips of a scene) whose impossible clips have the greater sum of mean surprises, as
  in IntPhys (Riochet et al., arXiv 1803.07616). How hard a clip's beginning and its end are to predict cancels, since each of
  them is in a possible clip and in an impossible one;
- by pairs: the share of matched pairs (a possible clip and the impossible one that begins like it) in which the impossible clip
  has the greater mean surprise (Garrido et al., arXiv 2502.11831). Harder: the ends of the two differ;
- AUROC of single clips, on their greatest surprise, as the Mann-Whitney statistic (Hanley and McNeil, 1982).

Ties count half, and half is chance. Intervals are by bootstrap over scenes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.evaluation.statistics import Estimate, bootstrap

RESAMPLES = 500
ROUNDING = 1e-6
"""Of a mean surprise: sums of the same numbers in another order differ by less, and tie."""


@dataclass(frozen=True)
class Discernment:
    """How well one scorer tells one property's impossible clips; 0.5 is chance in all."""

    relative: Estimate
    pairs: Estimate
    auroc: Estimate


def discern(surprise: Float[np.ndarray, "k n 4 t"]) -> Discernment:
    """The measures from the surprise of k networks in n scenes, averaged over networks."""
    mean, peak = surprise.mean(axis=-1, dtype=np.float64), surprise.max(axis=-1)
    gap = mean[:, :, 2:] - mean[:, :, :2]
    least = ROUNDING * mean.mean(axis=2)
    possible, impossible = peak[:, :, None, :2, None], peak[:, None, :, None, 2:]
    # Of scenes i and j, how often an impossible clip of j has more than a possible one of i; AUROC is its mean over scenes.
    above = ((impossible > possible) + 0.5 * (impossible == possible)).mean(axis=(0, 3, 4))
    return Discernment(
        relative=bootstrap(_greater(gap.sum(axis=2), least).mean(axis=0), samples=RESAMPLES),
        pairs=bootstrap(_greater(gap, least[:, :, None]).mean(axis=(0, 2)), samples=RESAMPLES),
        auroc=bootstrap(
            np.arange(len(above)), statistic=lambda some: float(above[np.ix_(some, some)].mean()), samples=RESAMPLES
        ),
    )


def _greater(gap: Float[np.ndarray, "k n *each"], least: np.ndarray) -> Float[np.ndarray, "k n *each"]:
    """1 where a gap is positive, 0 where negative, 1/2 where smaller than the least that counts."""
    return 0.5 * (1 + np.sign(np.where(abs(gap) > least, gap, 0)))
