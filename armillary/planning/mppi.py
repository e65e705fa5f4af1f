"""Model predictive path integral control: move the mean towards every sample, in proportion to exp(-cost / temperature).

Williams et al., arXiv 1509.01149. The temperature is relative to the mean excess of the costs over the best one, so that one
setting serves any cost; a future that must not happen has weight 0. The spread halves from round to round: wide rounds find a
way, narrow ones refine it, which holding a goal needs. In the two-room world (one model, 200 cross-room pairs) the defaults
reach 99.5% of the goals and hold 94.5%; without the decay they reach 86.5% and hold 50.5%, and at a temperature of 0.03 or 0.1
they hold 89%.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planning.planner import Draw, Planner, Score


@dataclass
class MPPI(Planner):
    """Path integral control in a few rounds with falling spread."""

    samples: int = 64
    """candidates in an iteration"""
    iterations: int = 4
    """rounds of sampling and averaging"""
    temperature: float = 0.05
    """relative to the mean excess cost; low follows the best sample, high averages them all"""
    sigma: float = 1.2
    """initial spread, where the recorded actions have 1"""
    decay: float = 0.5
    """factor on the spread after each iteration"""

    def __post_init__(self) -> None:
        if min(self.horizon, self.iterations, self.samples) < 1:
            raise ArmillaryError(f"MPPI needs a horizon, iterations and samples of 1 or more: {self}")
        if min(self.temperature, self.sigma) <= 0 or not 0 < self.decay <= 1:
            raise ArmillaryError(f"MPPI needs temperature > 0, sigma > 0 and 0 < decay <= 1: {self}")

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        noise = draw(self.iterations, self.samples)
        noise[:, :, 0] = 0  # sample 0 is the mean
        for i, step in enumerate(noise.unbind(1)):
            samples = torch.add(mean.unsqueeze(1), step, alpha=self.sigma * self.decay**i)
            costs = score(samples)
            excess = costs - costs.amin(1, keepdim=True)
            finite = excess.isfinite()
            scale = torch.where(finite, excess, 0).sum(1, keepdim=True) / finite.sum(1, keepdim=True)
            weights = torch.softmax(-excess / (self.temperature * scale + 1e-12), dim=1)
            mean = torch.einsum("bs,bshk->bhk", weights, samples)
        best = costs.argmin(1)[:, None, None, None]
        return torch.cat([mean.unsqueeze(1), samples.take_along_dim(best, 1)], 1)
