"""Arriving: a habit far from the goal, a search near it, and at the goal to stay.

A search sees as far as its horizon, and beyond that a critic, whose numbers grow vague; what a habit proposes is better there.
And latents are noisy, so that an agent that always acts for the cheapest future walks away from its goal again. In an
apartment a habit passes many more goals than it holds.

To stay is to do nothing, an action of zeros, so that this is for worlds that then stand still.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.errors import ArmillaryError
from armillary.imagination import Imagination, Rollout
from armillary.planning.cem import CEM
from armillary.planning.planner import Draw, Plan, Planner, Score
from armillary.planning.problem import Problem


@dataclass
class StayAtGoal(Planner):
    """Zeros where the goal is near, the habit's proposal where it is far, and else `refine`, whose horizon it has."""

    refine: Planner = field(default_factory=CEM)
    """plans the way"""
    goal_radius: float = 1.0
    """the goal is reached where being here costs no more than this: steps, where the cost is the critic's"""
    habit_beyond: float = math.inf
    """where being here costs more than this, what the habit proposes is done, if there is one"""

    def __post_init__(self) -> None:
        self.horizon = self.refine.horizon

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        return self.refine.search(mean, score, draw)

    def plan(self, imagination: Imagination, problem: Problem, cost: Cost) -> Plan:
        space, context = imagination.actions, problem.context
        if space.space.kind != "box":
            raise ArmillaryError("staying takes an action of zeros, and these actions are choices; plan without StayAtGoal")
        plan = self.refine.plan(imagination, problem, cost)
        with torch.inference_mode():
            nothing = torch.zeros_like(plan.blocks)
            here = cost(Rollout(context, nothing[:, None, :1], context.z[:, -1:, None]), problem.goal)[:, 0]
            others = [(here <= self.goal_radius, nothing)]
            if problem.proposal is not None:
                others.append((here > self.habit_beyond, space.decode(problem.proposal)))
            for chosen, blocks in others:
                rollout = imagination.rollout(context, blocks[:, None])
                found = {
                    "actions": space.split(blocks),
                    "blocks": blocks,
                    "latents": rollout.z[:, 0],
                    "cost": cost(rollout, problem.goal)[:, 0],
                }
                rows = {name: chosen.view(-1, *[1] * (values.ndim - 1)) for name, values in found.items()}
                plan = replace(plan, **{name: torch.where(rows[name], found[name], getattr(plan, name)) for name in found})
        return plan
