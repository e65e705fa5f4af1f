"""Gradient descent on the actions themselves: backpropagation through the imagined rollout and its cost.

Adam (Kingma & Ba, arXiv 1412.6980) on the coordinates, from a few starting points for each problem; the best sequence that was
seen on the way is the plan. It needs a model and a cost that are smooth in the actions. Elsewhere it was found to stop at walls
(arXiv 2512.24497). In the two-room world with a fixed door (benchmarks/planners.py) it holds as many goals as the CEM (98%), by
shorter ways, and still does with a third of the imagined steps. But the steps of its search come one after the other, and each
is gone back too: on a CPU a decision takes five times as long.

A clipped action has no slope, so that a restart beyond the bounds stays there: restarts begin closer together than the recorded
actions lie. With that, projecting onto the bounds after each step, or passing the slope straight through, changed nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.errors import ArmillaryError
from armillary.imagination import Imagination
from armillary.planning.planner import Draw, Plan, Planner, Score
from armillary.planning.problem import Problem


@dataclass
class GradientPlanner(Planner):
    """Adam on action sequences. Parameters of model and cost are left alone, and collect no gradients."""

    differentiates: ClassVar[bool] = True

    samples: int = 16
    """restarts; the first is the start itself"""
    iterations: int = 15
    """gradient steps"""
    rate: float = 0.2
    """of Adam: about how far a step goes, where the recorded actions have spread 1"""
    sigma: float = 0.5
    """spread of the restarts, where the recorded actions have 1"""

    def __post_init__(self) -> None:
        if min(self.horizon, self.iterations, self.samples) < 1 or self.rate <= 0 or self.sigma < 0:
            raise ArmillaryError(
                f"gradient planning needs a horizon, iterations and samples of 1 or more, rate > 0 and sigma >= 0: {self}"
            )

    def plan(self, imagination: Imagination, problem: Problem, cost: Cost) -> Plan:
        """As `Planner.plan`; `model_calls` counts steps that were imagined, not those that were gone back.

        Raises:
            ArmillaryError: actions are choices, the latents were made in inference mode, or the cost has no gradient.
        """
        space = imagination.actions.space
        if space.kind == "discrete" or space.whole:
            what = "whole numbers" if space.whole else f"{space.n} choices"
            raise ArmillaryError(f"gradients need continuous actions, and these are {what}; plan with CEM, ICEM or MPPI")
        if problem.context.z.is_inference():
            raise ArmillaryError("latents made in torch.inference_mode have no gradients; make them under torch.no_grad")
        return super().plan(imagination, problem, cost)

    # A recurrent network in eval mode can be differentiated by PyTorch's own kernels, and not by cuDNN's.
    @torch.backends.cudnn.flags(enabled=False)
    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        noise = draw(self.samples)
        noise[:, 0] = 0  # restart 0 is the start itself
        x = torch.add(mean.unsqueeze(1), noise, alpha=self.sigma).requires_grad_()
        mean_slope, mean_square = torch.zeros_like(x), torch.zeros_like(x)
        best, lowest = x.detach().clone(), torch.full(x.shape[:2], torch.inf).to(x)
        for i in range(1, self.iterations + 1):
            costs = score(x)
            total = costs.where(costs.isfinite(), 0.0).sum()
            slope = torch.autograd.grad(total, x, allow_unused=True)[0] if total.requires_grad else None
            if slope is None:
                raise ArmillaryError("the cost has no gradient by the actions; plan with CEM, ICEM or MPPI")
            slope = slope.nan_to_num(0.0, 0.0, 0.0)  # what must not happen gives no direction
            with torch.no_grad():
                best = torch.where((costs < lowest)[..., None, None], x, best)
                lowest = torch.minimum(costs, lowest)
                # Adam by hand: the first use of torch.optim takes a second of imports, and this is within a decision.
                mean_slope, mean_square = mean_slope.lerp(slope, 0.1), mean_square.lerp(slope.square(), 0.001)
                scale = (mean_square / (1 - 0.999**i)).sqrt() + 1e-8
                x -= self.rate / (1 - 0.9**i) * mean_slope / scale
        best = best.take_along_dim(lowest.argmin(1)[:, None, None, None], 1)
        return torch.cat([best, x.detach()], 1)  # where the last step led is judged by `plan`
