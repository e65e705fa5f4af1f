"""Graph search: imagine everywhere that can be got to, and take the way to the cheapest place.

Sampling planners search sequences, whose number grows with the power of the horizon; in a maze their way to the goal is lost
among those that go nowhere. Here single steps are searched. From every place that is known, a few actions are imagined; what
comes out is a new place unless it is near one that is known already. Places in a maze are few, so this reaches to the end of
ways that are many horizons long, in one breadth-first wave (a lattice over the latent space, as PRM and RRT are over others).
How near two places are is for the cost to say (`Cost.embed`, `Cost.distance`). By a critic, a step is as long everywhere. In
the latent space it is not, and a spacing that is right in one corner of a maze ends the search in another.

Another planner makes a plan of the way: what it imagines is to be at each place of the way in its turn, and from the last one
on to be cheap, so as to arrive and to stay. (Where it was left to the cost alone as soon as the goal was within the horizon, it
stuck at walls that the way leads round.)

It costs one imagined step for each place and action, and needs a model without hidden velocity (context 1).
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.errors import ArmillaryError
from armillary.goals.goal import Goal
from armillary.imagination import Batched, Context, Imagination, Rollout, Rows
from armillary.planning.cem import CEM
from armillary.planning.planner import Draw, Plan, Planner, Score
from armillary.planning.problem import Problem
from armillary.planning.streams import RandomStreams


@dataclass
class GraphSearch(Planner):
    """Breadth-first search among imagined places, then `refine`."""

    actions: int = 24
    """actions tried at each place"""
    reach: float = 1.5
    """spread of those actions, where the recorded ones have 1; beyond the bounds they are clipped"""
    spacing: float = 0.5
    """places are at least this far apart, as a share of the longest first step; a step into a corner is a short one"""
    depth: int = 40
    """steps of the longest way"""
    goal_radius: float = 0.0
    """the search ends at a place that costs no more than this"""
    places: int = 600
    """no more than these are kept"""
    refine: Planner = field(default_factory=CEM)
    """plans along the way; its horizon is set to this one's"""

    def __post_init__(self) -> None:
        if min(self.horizon, self.actions, self.depth, self.places) < 1 or min(self.reach, self.spacing) <= 0:
            raise ArmillaryError(f"a graph search needs a horizon, actions, depth and places of 1 or more: {self}")
        self.refine = replace(self.refine, horizon=self.horizon)

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        return self.refine.search(mean, score, draw)

    def plan(self, imagination: Imagination, problem: Problem, cost: Cost) -> Plan:
        if imagination.context_length != 1:
            raise ArmillaryError(
                f"graph search needs a model of context 1, and this one looks back on {imagination.context_length}"
            )
        began, now, sizes = time.perf_counter(), problem.context.z[:, -1:], (self.horizon, imagination.actions.dim)
        streams = RandomStreams(0, range(len(problem))) if problem.streams is None else problem.streams
        with torch.inference_mode():
            tried = self.reach * streams.normal(self.actions, sizes[1]).to(now)
            graphs = [self._explore(imagination, problem.take([i]), cost, some) for i, some in enumerate(tried)]
            first, places = now.new_zeros(len(problem), *sizes), now.repeat(1, self.horizon, 1)
            underway = torch.zeros(len(problem), self.horizon, dtype=torch.bool, device=now.device)
            for i, graph in enumerate(graphs):
                way = graph.way()
                underway[i, : max(len(way) - 1, 0)], way = True, way[: self.horizon]
                first[i, : len(way)] = tried[i, graph.action[way]]
                places[i, : len(way)] = graph.z[way]
            way = Way(problem.goal.z, goal=problem.goal, places=places, underway=underway)
        along = Problem(problem.context, way, start=first, streams=streams)
        plan = self.refine.plan(imagination, along, AlongWay(cost))
        calls = plan.model_calls + self.actions * max(len(graph.z) for graph in graphs)
        return replace(plan, seconds=time.perf_counter() - began, model_calls=calls)

    def _explore(self, imagination: Imagination, problem: Problem, cost: Cost, tried: Float[Tensor, "m k"]) -> "Graph":
        """Everywhere that can be got to in one problem, by these actions, until a place is within `goal_radius`."""
        blocks = imagination.actions.decode(tried)[None, :, None]
        known, before, action = problem.context.z[:, -1], [-1], [-1]
        points = cost.embed(known)

        def price(z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
            """What places cost, as rollouts of one step."""
            places = z[None, :, None]
            return cost(Rollout(problem.context, blocks.new_zeros(1, len(z), 1, blocks.shape[-1]), places), problem.goal)[0]

        wave, spacing, costs = torch.tensor([0]), None, price(known)
        for _ in range(self.depth):
            if costs.min() <= self.goal_radius:
                break
            context = Context(known[wave].unsqueeze(1), blocks.new_zeros(len(wave), 0, blocks.shape[-1]))
            after = imagination.rollout(context, blocks.expand(len(wave), -1, -1, -1)).z.flatten(0, 2)
            ends = cost.embed(after)
            spacing = self.spacing * (ends - points).norm(dim=-1).max() if spacing is None else spacing
            new = _apart(ends, points, spacing)[: self.places - len(known)]
            if not len(new):
                break
            before += wave[new // len(tried)].tolist()
            action += (new % len(tried)).tolist()
            wave = torch.arange(len(known), len(known) + len(new))
            known, points = torch.cat([known, after[new]]), torch.cat([points, ends[new]])
            costs = torch.cat([costs, price(after[new])])
        return Graph(known, before, torch.tensor(action), int(costs.argmin()))


@dataclass(frozen=True, kw_only=True)
class Way(Goal):
    """To be at each place of a way in its turn, and then at the goal that it leads to."""

    goal: Goal
    """that it leads to"""
    places: Tensor
    """(B, H, D) where to be after each block"""
    underway: Tensor
    """(B, H) whether the way goes on from there"""

    def take(self, rows: Rows) -> "Way":
        return Batched.take(self, rows)


@dataclass(frozen=True, eq=False)
class AlongWay(Cost):
    """What a Way costs, where its goal costs `cost`: as long as it goes on, the places are cheap that it leads by."""

    cost: Cost

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        if not isinstance(goal, Way):
            raise ArmillaryError(f"expected a Way, got {type(goal).__name__}; plan with the cost of the goal itself")
        places, underway = goal.places.unsqueeze(1), goal.underway.unsqueeze(1)
        on_the_way = (self.cost.distance(rollout.z, places) * underway).sum(-1)
        return on_the_way + self.cost(replace(rollout, z=torch.where(underway[..., None], places, rollout.z)), goal.goal)


@dataclass
class Graph:
    """Places, and how each was got to: from which place, by which of the tried actions.

    Place 0 is where it began, and `goal` is the cheapest one.
    """

    z: Tensor
    before: list[int]
    action: Tensor
    goal: int

    def way(self) -> list[int]:
        """The places from the first after the beginning to the goal."""
        way, goal = [], self.goal
        while goal > 0:
            way.append(goal)
            goal = self.before[goal]
        return way[::-1]


def _apart(candidates: Float[Tensor, "n d"], known: Float[Tensor, "m d"], spacing: Float[Tensor, ""]) -> Tensor:
    """Candidates that are more than `spacing` away from all that is known and taken before, the farthest first."""
    distance, order = torch.cdist(candidates, known).amin(1).sort(descending=True)
    free = order[distance > spacing]
    between = (torch.cdist(candidates[free], candidates[free]) > spacing).cpu().numpy()
    alive, taken = np.ones(len(free), bool), []
    while alive.any():
        taken.append(int(alive.argmax()))
        alive &= between[taken[-1]]
    return free[taken]
