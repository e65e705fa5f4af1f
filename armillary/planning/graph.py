"""Graph search: imagine everywhere that can be got to, and take the way to the cheapest place.

Sampling planners search sequences, whose number grows with the power of the horizon; in a maze their way to the goal is lost
among those that go nowhere. Here single steps are searched. From every place that is known, a few actions are imagined; what
comes out is a new place unless it is near one that is known already. Places in a maze are few, so this reaches to the end of
ways that are many horizons long, in one breadth-first wave (a lattice over the latent space, as PRM and RRT are over others).
How near two places are is for the critic to say, if the model has one: a step is then as long everywhere. In the latent space
it is not, and a spacing that is right in one corner of a maze ends the search in another.

Another planner makes a plan of the way: what it imagines is to be at each place of the way in its turn, and from the last one
on to be cheap, so as to arrive and to stay. (Where it was left to the cost alone as soon as the goal was within the horizon, it
stuck at walls that the way leads round.)

It costs one imagined step for each place and action, and needs a model without hidden velocity (context 1).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.model import WorldModel
from armillary.planning.cem import CEM
from armillary.planning.planner import Draw, Plan, Planner, RandomStreams, Score


@dataclass
class GraphSearch(Planner):
    """Breadth-first search among imagined places, then `refine`.

    Raises:
        ArmillaryError: settings that make no search.
    """

    actions: int = 24
    """actions tried at each place"""
    reach: float = 1.5
    """spread of those actions, where the recorded ones have 1; beyond the bounds they are clipped"""
    spacing: float = 0.5
    """places are at least this far apart, as a share of the longest first step; a step into a corner is a short one"""
    depth: int = 40
    """steps of the longest way"""
    enough: float = 0.0
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

    def plan(
        self,
        model: WorldModel,
        context: Context,
        cost: Callable[[Tensor, Tensor], Tensor],
        *,
        start: Tensor | None = None,
        streams: RandomStreams | None = None,
    ) -> Plan:
        if model.context_length != 1:
            raise ArmillaryError(f"graph search needs a model of context 1, and this one looks back on {model.context_length}")
        began, batch, sizes = time.perf_counter(), len(context.z), (self.horizon, model.actions.dim)
        streams = RandomStreams(0, range(batch)) if streams is None else streams
        with torch.inference_mode():
            tried = self.reach * streams.normal(self.actions, sizes[1]).to(context.z)
            prices = [partial(_price, cost, row, batch, model.actions.size) for row in range(batch)]
            graphs = [self._explore(model, *each) for each in zip(context.z[:, -1], tried, prices, strict=True)]
            first, track = context.z.new_zeros(batch, *sizes), context.z[:, -1:].repeat(1, self.horizon, 1)
            before = torch.zeros(batch, 1, self.horizon, 1, dtype=torch.bool, device=context.z.device)
            for i, graph in enumerate(graphs):
                way = graph.way()
                before[i, :, : max(len(way) - 1, 0)], way = True, way[: self.horizon]
                first[i, : len(way)] = tried[i, graph.action[way]]
                track[i, : len(way)] = graph.z[way]

        def along(z: Tensor, actions: Tensor) -> Tensor:
            way = track.unsqueeze(1)
            return (_between(model, z, way) * before[..., 0]).sum(-1) + cost(torch.where(before, way, z), actions)

        plan = self.refine.plan(model, context, along, start=first, streams=streams)
        calls = plan.model_calls + self.actions * max(len(graph.z) for graph in graphs)
        return replace(plan, seconds=time.perf_counter() - began, model_calls=calls)

    def _explore(
        self, model: WorldModel, z: Float[Tensor, " d"], tried: Float[Tensor, "m k"], price: Callable[[Tensor], Tensor]
    ) -> "Graph":
        """Everywhere that can be got to from one place, by these actions, until `price` says that it is `enough`."""
        blocks = model.actions.decode(tried)[None, :, None]
        known, before, action = z[None], [-1], [-1]
        points = _points(model, known)
        wave, spacing, costs = torch.tensor([0]), None, price(known)
        for _ in range(self.depth):
            if costs.min() <= self.enough:
                break
            context = Context(known[wave].unsqueeze(1), blocks.new_zeros(len(wave), 0, blocks.shape[-1]))
            after = model.rollout(context, blocks.expand(len(wave), -1, -1, -1)).z.flatten(0, 2)
            ends = _points(model, after)
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


def _points(model: WorldModel, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
    """Where latents lie in the space in which places are told apart: the critic's, where a step is as long everywhere."""
    return z[..., : model.predictor.moving] if model.critic is None else model.critic.embed(z)


def _between(model: WorldModel, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
    """How far apart two latents are, in the unit of the cost that a goal has by default."""
    return (a - b).square().mean(-1) if model.critic is None else model.critic(a, b)


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


def _price(
    cost: Callable[[Tensor, Tensor], Tensor], row: int, batch: int, action: int, z: Float[Tensor, "n d"]
) -> Float[Tensor, " n"]:
    """What each of these places costs in one of the problems, as a rollout of one step: a cost is of all problems at once."""
    places = z[None, :, None].expand(batch, -1, -1, -1)
    return cost(places, z.new_zeros(*places.shape[:3], action))[row]
