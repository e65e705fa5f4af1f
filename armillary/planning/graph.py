"""Graph search: imagine everywhere that can be got to, and take the way to the cheapest place.

Sampling planners search sequences, whose number grows with the power of the horizon; in a maze their way to the goal is lost
among those that go nowhere. Here single steps are searched. From every place that is known, a few actions are imagined; what
comes out is a new place unless it is near one that is known already. Places in a maze are few, so this reaches to the end of
ways that are many horizons long, in one breadth-first wave (a lattice over the latent space, as PRM and RRT are over others).

Near the goal, where the way is no longer than the horizon, another planner makes of it a plan that arrives and stays.

It costs one imagined step for each place and action, and needs a model without hidden velocity (context 1).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.model import Context, WorldModel
from armillary.planning.cem import CEM
from armillary.planning.planner import Draw, Plan, Planner, RandomStreams, Score


@dataclass
class GraphSearch(Planner):
    """Breadth-first search among imagined places, then `finish`.

    Raises:
        ArmillaryError: settings that make no search.
    """

    actions: int = 24
    """actions tried at each place"""
    reach: float = 1.5
    """spread of those actions, where the recorded ones have 1; beyond the bounds they are clipped"""
    spacing: float = 0.5
    """places are at least this far apart, as a share of the longest first step"""
    depth: int = 40
    """steps of the longest way"""
    places: int = 600
    """no more than these are kept"""
    finish: Planner = field(default_factory=CEM)
    """plans once the goal is within the horizon; its horizon is set to this one's"""

    def __post_init__(self) -> None:
        if min(self.horizon, self.actions, self.depth, self.places) < 1 or min(self.reach, self.spacing) <= 0:
            raise ArmillaryError(f"a graph search needs a horizon, actions, depth and places of 1 or more: {self}")
        self.finish = replace(self.finish, horizon=self.horizon)

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        return self.finish.search(mean, score, draw)

    def plan(
        self,
        model: WorldModel,
        context: Context,
        cost: Callable[[Tensor, Tensor], Tensor],
        *,
        start: Tensor | None = None,
        streams: RandomStreams | None = None,
    ) -> Plan:
        if model.config.context != 1:
            raise ArmillaryError(f"graph search needs a model of context 1, and this one looks back on {model.config.context}")
        began, batch, sizes = time.perf_counter(), len(context.z), (self.horizon, model.blocks.dim)
        streams = RandomStreams(0, range(batch)) if streams is None else streams
        with torch.inference_mode():
            tried = self.reach * streams.normal(self.actions, sizes[1]).to(context.z)
            graphs = [self._explore(model, z, actions) for z, actions in zip(context.z[:, -1], tried, strict=True)]
            goals = _cheapest(graphs, cost, model.blocks.size)
            first, track = context.z.new_zeros(batch, *sizes), context.z[:, -1:].repeat(1, self.horizon, 1)
            far = torch.zeros(batch, 1, dtype=torch.bool, device=context.z.device)
            for i, (graph, goal) in enumerate(zip(graphs, goals, strict=True)):
                way = graph.way(goal)
                far[i], way = len(way) > self.horizon, way[: self.horizon]
                first[i, : len(way)] = tried[i, graph.action[way]]
                track[i, : len(way)] = graph.z[way]

        def along(z: Tensor, actions: Tensor) -> Tensor:
            return torch.where(far, (z - track.unsqueeze(1)).square().mean(-1).sum(-1), cost(z, actions))

        plan = self.finish.plan(model, context, along, start=first, streams=streams)
        calls = plan.model_calls + self.actions * max(len(graph.z) for graph in graphs)
        return replace(plan, seconds=time.perf_counter() - began, model_calls=calls)

    def _explore(self, model: WorldModel, z: Float[Tensor, " d"], tried: Float[Tensor, "m k"]) -> "Graph":
        """Everywhere that can be got to from one place, by these actions."""
        blocks = model.blocks.decode(tried)[None, :, None]
        known, before, action = z[None], [-1], [-1]
        wave = torch.tensor([0])
        spacing = None
        for _ in range(self.depth):
            context = Context(known[wave].unsqueeze(1), blocks.new_zeros(len(wave), 0, blocks.shape[-1]))
            after = model.rollout(context, blocks.expand(len(wave), -1, -1, -1)).flatten(0, 2)
            if spacing is None:
                spacing = self.spacing * (after - z).norm(dim=-1).max()
            new = _apart(after, known, spacing)[: self.places - len(known)]
            if not len(new):
                break
            before += wave[new // len(tried)].tolist()
            action += (new % len(tried)).tolist()
            wave = torch.arange(len(known), len(known) + len(new))
            known = torch.cat([known, after[new]])
        return Graph(known, before, torch.tensor(action))


@dataclass
class Graph:
    """Places, and how each was got to: from which place, by which of the tried actions. Place 0 is where it began."""

    z: Tensor
    before: list[int]
    action: Tensor

    def way(self, goal: int) -> list[int]:
        """The places from the first after the beginning to this one."""
        way: list[int] = []
        while goal > 0:
            way.append(goal)
            goal = self.before[goal]
        return way[::-1]


def _apart(candidates: Float[Tensor, "n d"], known: Float[Tensor, "m d"], spacing: Float[Tensor, ""]) -> Tensor:
    """Which candidates, taken in order, are more than `spacing` away from all that is known and taken before."""
    free = (torch.cdist(candidates, known).amin(1) > spacing).nonzero().flatten()
    between = (torch.cdist(candidates[free], candidates[free]) > spacing).cpu().numpy()
    alive, taken = np.ones(len(free), bool), []
    while alive.any():
        taken.append(int(alive.argmax()))
        alive &= between[taken[-1]]
    return free[taken]


def _cheapest(graphs: list[Graph], cost: Callable[[Tensor, Tensor], Tensor], action_size: int) -> list[int]:
    """The place of each graph that costs least."""
    most = max(len(graph.z) for graph in graphs)
    # Those with fewer places repeat their first one.
    z = torch.stack([torch.cat([graph.z, graph.z[:1].expand(most - len(graph.z), -1)]) for graph in graphs]).unsqueeze(2)
    return cost(z, z.new_zeros(*z.shape[:3], action_size)).argmin(1).tolist()
