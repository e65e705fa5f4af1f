"""Arriving: a habit far from the goal, a search near it, and at the goal to stay.

A search sees as far as its horizon, and beyond that a critic, whose numbers grow vague; what a habit proposes is better there.
And latents are noisy, so that an agent that always acts for the cheapest future walks away from its goal again. In an
apartment a habit passes many more goals than it holds.

To stay is to do nothing, an action of zeros, so that this is for worlds that then stand still.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.model import WorldModel
from armillary.planning.cem import CEM
from armillary.planning.planner import Draw, Plan, Planner, RandomStreams, Score


@dataclass
class Arrive(Planner):
    """Zeros where the goal is near, `start` where it is far, and else `refine`, whose horizon it has."""

    refine: Planner = field(default_factory=CEM)
    """plans the way"""
    within: float = 1.0
    """the goal is reached where being here costs no more than this: steps, where the cost is the critic's"""
    trust: float = math.inf
    """where being here costs more than this, what the search was to start from is done, such as what a habit proposes"""

    def __post_init__(self) -> None:
        self.horizon = self.refine.horizon

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        return self.refine.search(mean, score, draw)

    def plan(
        self,
        model: WorldModel,
        context: Context,
        cost: Callable[[Tensor, Tensor], Tensor],
        *,
        start: Tensor | None = None,
        streams: RandomStreams | None = None,
    ) -> Plan:
        if model.actions.space.kind != "box":
            raise ArmillaryError("to stay is an action of zeros, and this model chooses among actions; plan without Arrive")
        plan = self.refine.plan(model, context, cost, start=start, streams=streams)
        with torch.inference_mode():
            here = cost(context.z[:, -1:, None], torch.zeros_like(plan.blocks)[:, None, :1])[:, 0]
            others = [(here <= self.within, torch.zeros_like(plan.blocks))]
            if start is not None and start.shape[1] == self.horizon:
                others.append((here > self.trust, model.actions.decode(start)))
            for chosen, blocks in others:
                z = model.rollout(context, blocks[:, None]).z
                found = {
                    "actions": model.actions.split(blocks),
                    "blocks": blocks,
                    "latents": z[:, 0],
                    "cost": cost(z, blocks[:, None])[:, 0],
                }
                rows = {name: chosen.view(-1, *[1] * (values.ndim - 1)) for name, values in found.items()}
                plan = replace(plan, **{name: torch.where(rows[name], found[name], getattr(plan, name)) for name in found})
        return plan
