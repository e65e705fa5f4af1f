"""What all planners share: how a search is asked and answered, and the Plan that comes out.

- A planner searches in whitened principal coordinates of the recorded action blocks (`Imagination.actions`), so that unit noise
  looks like the data, held or smooth actions included. Off the data the model's imagination is worth nothing.
- Every candidate is decoded to raw actions and clipped to their bounds before it is imagined and judged: the plan that is
  judged is the plan that is returned.
- Each problem has its own random stream, so that it has the same plan whether it is planned alone or among others.
- A future whose cost is not finite is one that must not happen; if nothing else is left, `plan` says so.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.errors import ArmillaryError
from armillary.imagination import Imagination, Rollout
from armillary.planning.problem import Problem
from armillary.planning.streams import RandomStreams

Score = Callable[[Tensor], Tensor]
"""Coordinates (B, S, H, K) to costs (B, S), infinite where a cost is not finite."""
Draw = Callable[..., Tensor]
"""Sizes (...) to standard normal numbers (B, ..., H, K)."""


@dataclass
class Plan:
    """What to do in each of B problems, and what the model expects of it."""

    actions: Tensor
    """(B, H * skip, n) actions for the environment in raw units; choices (B, H * skip) int64"""
    blocks: Tensor
    """(B, H, A) the same actions as the model's blocks"""
    latents: Tensor
    """(B, H, D) the imagined latent after each block"""
    cost: Tensor
    """(B,)"""
    seconds: float
    """wall time of the search, for all B problems"""
    model_calls: int
    """imagined steps for each problem: candidates x horizon"""


class Found(NamedTuple):
    """What a search comes out with for B problems: as in Plan."""

    blocks: Tensor
    latents: Tensor
    cost: Tensor
    model_calls: int


@dataclass
class Planner(ABC):
    """Base class: a planner is a `search` in whitened coordinates.

    Raises:
        ArmillaryError: settings that make no search.
    """

    differentiates: ClassVar[bool] = False
    """whether `search` takes gradients of the score"""

    horizon: int = 5
    """blocks to look ahead; the two-room world needs 5"""

    @abstractmethod
    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        """A few sequences of coordinates, of which the cheapest becomes the plan.

        Args:
            mean: where to begin.
            score: coordinates (B, S, H, K) to costs (B, S).
            draw: `draw(i, j)` gives standard normal numbers (B, i, j, H, K).
        """

    def plan(self, imagination: Imagination, problem: Problem, cost: Cost) -> Plan:
        """Find actions for B problems at once.

        Args:
            imagination: what is searched in, such as a model.
            problem: the B problems; the search begins at their proposal if there is one, else at their start.
            cost: lower is better.

        Raises:
            ArmillaryError: shapes that do not fit together, or a problem for which no candidate has a finite cost.
        """
        began = time.perf_counter()
        batch, size = len(problem), (self.horizon, imagination.actions.dim)
        streams = RandomStreams(0, range(batch)) if problem.streams is None else problem.streams
        if len(streams) != batch:
            raise ArmillaryError(f"{len(streams)} random streams for {batch} problems; give one a problem")
        for name, given, least in (("start", problem.start, 0), ("proposal", problem.proposal, self.horizon)):
            if given is not None and (given.shape[::2] != (batch, size[1]) or not least <= given.shape[1] <= size[0]):
                raise ArmillaryError(
                    f"{name} has shape {tuple(given.shape)}; expected (problems, blocks, coordinates) "
                    f"= ({batch}, {'<= ' * (not least)}{size[0]}, {size[1]})"
                )
        draw = lambda *sizes: streams.normal(*sizes, *size).to(problem.context.z)  # noqa: E731
        return self.finish(imagination, self.find(imagination, problem, cost, draw), began)

    def find(self, imagination: Imagination, problem: Problem, cost: Cost, draw: Draw) -> Found:
        """The work of `plan`, on tensors alone: nothing in it waits for the device, so that it can be captured.

        Args:
            draw: `draw(i, j)` gives standard normal numbers (B, i, j, H, K); the problem's own streams are left alone.
        """
        imagined = 0

        def imagine(coordinates: Tensor) -> tuple[Rollout, Tensor]:
            nonlocal imagined
            imagined += coordinates.shape[1] * self.horizon
            rollout = imagination.rollout(problem.context, imagination.actions.decode(coordinates))
            costs = cost(rollout, problem.goal)
            if costs.shape != coordinates.shape[:2]:
                raise ArmillaryError(f"the cost has shape {tuple(costs.shape)}; expected {tuple(coordinates.shape[:2])}")
            return rollout, costs.nan_to_num(torch.inf, torch.inf, torch.inf)

        begin = problem.start if problem.proposal is None else problem.proposal
        with torch.inference_mode(not self.differentiates):
            mean = problem.context.z.new_zeros(len(problem), self.horizon, imagination.actions.dim)
            if begin is not None:
                mean[:, : begin.shape[1]] = begin
            few = self.search(mean, lambda x: imagine(x)[1], draw)
        with torch.inference_mode():
            rollout, costs = imagine(few)
            best = torch.arange(len(problem), device=mean.device), costs.argmin(1)
        # Copies made outside inference mode are ordinary tensors, which may be trained on.
        return Found(*(x[best] for x in (rollout.actions, rollout.z, costs)), imagined)

    def finish(self, imagination: Imagination, found: Found, began: float) -> Plan:
        """The Plan of what was found by a search that began at this time (of `perf_counter`).

        Raises:
            ArmillaryError: a problem for which no candidate has a finite cost.
        """
        blocks, z, costs, imagined = found
        if torch.inf in costs:
            lost = (costs == torch.inf).nonzero().flatten().tolist()
            raise ArmillaryError(f"no future with a finite cost was found for problems {lost}; look for NaN in model and cost")
        return Plan(imagination.actions.split(blocks), blocks, z, costs, time.perf_counter() - began, imagined)
