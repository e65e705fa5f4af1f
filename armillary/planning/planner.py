"""What all planners share: the problem, its random numbers, and the Plan that comes out.

- A planner searches in whitened principal coordinates of the recorded action blocks (`model.actions`), so that unit noise
  looks like the data, held or smooth actions included. Off the data the model's imagination is worth nothing.
- Every candidate is decoded to raw actions and clipped to their bounds before it is imagined and judged: the plan that is
  judged is the plan that is returned.
- Each problem has its own random stream, so that it has the same plan whether it is planned alone or among others.
- A future whose cost is not finite is one that must not happen; if nothing else is left, `plan` says so.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.arguments import seed_of
from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.model import WorldModel

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


class RandomStreams:
    """One independent random generator for each problem, which goes on from decision to decision.

    Numbers are drawn on the CPU, so that a plan does not depend on the device.

    Args:
        seed: of the whole experiment.
        problems: a whole number that names each problem; (seed, problem) fixes its stream.
    """

    def __init__(self, seed: int, problems: Iterable[int]) -> None:
        self.seed = seed_of(seed)
        self.streams = [_Stream(seed, problem) for problem in problems]

    def __len__(self) -> int:
        return len(self.streams)

    def take(self, indices: Sequence[int] | np.ndarray) -> "RandomStreams":
        """The streams of these problems, not copied: drawing from them moves them on."""
        some = RandomStreams(self.seed, ())
        some.streams = [self.streams[i] for i in indices]
        return some

    def restart(self, index: int, problem: int) -> None:
        """Give place `index` to another problem, or to the same one from its beginning."""
        self.streams[index] = _Stream(self.seed, problem)

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Standard normal numbers (B, *shape), float32."""
        numbers = np.empty((len(self), *shape), np.float32)
        for stream, row in zip(self.streams, numbers, strict=True):
            stream.normal(row)
        return torch.from_numpy(numbers)

    def draw_ahead(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """Get ready for calls of `normal` with these shapes, while there is time. What they give does not change by it."""
        shapes = list(shapes)
        for stream in self.streams:
            stream.draw_ahead(shapes)


class _Stream:
    """The random numbers of one problem, some of which may be drawn before they are asked for."""

    def __init__(self, seed: int, problem: int) -> None:
        self._generator = np.random.default_rng((seed, problem))
        self._ahead: deque[tuple[Any, np.ndarray]] = deque()  # with the generator's state before each

    def normal(self, out: np.ndarray) -> None:
        if self._ahead:
            state, numbers = self._ahead.popleft()
            if numbers.shape == out.shape:
                out[:] = numbers
                return
            self._generator.bit_generator.state = state
            self._ahead.clear()
        self._generator.standard_normal(out=out, dtype=np.float32)

    def draw_ahead(self, shapes: Sequence[tuple[int, ...]]) -> None:
        if not self._ahead:
            for shape in shapes:
                state = self._generator.bit_generator.state
                self._ahead.append((state, self._generator.standard_normal(shape, np.float32)))


@dataclass
class Planner(ABC):
    """Base class: a planner is a `search` in whitened coordinates."""

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

    def plan(
        self,
        model: WorldModel,
        context: Context,
        cost: Callable[[Tensor, Tensor], Tensor],
        *,
        start: Tensor | None = None,
        streams: RandomStreams | None = None,
    ) -> Plan:
        """Find actions for B problems at once.

        Args:
            model: imagines.
            context: the last latents and the blocks between them.
            cost: a Cost, or any function of z (B, S, H, D) and raw actions (B, S, H, A) that gives (B, S).
            start: (B, h, K) coordinates of the first h <= H blocks to search around, such as the rest of the last plan or
                `model.actions.encode` of a proposal; beyond them, and without it, the recording's mean action.
            streams: random numbers, one stream a problem; the first streams of seed 0 without it.

        Raises:
            ArmillaryError: shapes that do not fit together, or a problem for which no candidate has a finite cost.
        """
        began = time.perf_counter()
        batch, size = context.z.shape[0], (self.horizon, model.actions.dim)
        streams = RandomStreams(0, range(batch)) if streams is None else streams
        if len(streams) != batch:
            raise ArmillaryError(f"{len(streams)} random streams for {batch} problems; give one a problem")
        if start is not None and (start.shape[::2] != (batch, size[1]) or start.shape[1] > size[0]):
            raise ArmillaryError(
                f"start has shape {tuple(start.shape)}; expected (problems, blocks, coordinates) "
                f"= ({batch}, <= {size[0]}, {size[1]})"
            )
        found = self.find(model, context, cost, start, lambda *sizes: streams.normal(*sizes, *size).to(context.z))
        return self.finish(model, found, began)

    def find(
        self,
        model: WorldModel,
        context: Context,
        cost: Callable[[Tensor, Tensor], Tensor],
        start: Tensor | None,
        draw: Draw,
    ) -> Found:
        """The work of `plan`, on tensors alone: nothing in it waits for the device, so that it can be captured.

        Args:
            draw: `draw(i, j)` gives standard normal numbers (B, i, j, H, K).
        """
        batch, imagined = len(context.z), 0

        def imagine(coordinates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            nonlocal imagined
            imagined += coordinates.shape[1] * self.horizon
            blocks = model.actions.decode(coordinates)
            z = model.rollout(context, blocks).z
            costs = cost(z, blocks)
            if costs.shape != coordinates.shape[:2]:
                raise ArmillaryError(f"the cost has shape {tuple(costs.shape)}; expected {tuple(coordinates.shape[:2])}")
            return blocks, z, costs.nan_to_num(torch.inf, torch.inf, torch.inf)

        with torch.inference_mode(not self.differentiates):
            mean = context.z.new_zeros(batch, self.horizon, model.actions.dim)
            if start is not None:
                mean[:, : start.shape[1]] = start
            few = self.search(mean, lambda x: imagine(x)[2], draw)
        with torch.inference_mode():
            found = imagine(few)
            best = torch.arange(batch, device=mean.device), found[2].argmin(1)
        # Copies made outside inference mode are ordinary tensors, which may be trained on.
        return Found(*(x[best] for x in found), imagined)

    def finish(self, model: WorldModel, found: Found, began: float) -> Plan:
        """The Plan of what was found by a search that began at this time (of `perf_counter`).

        Raises:
            ArmillaryError: a problem for which no candidate has a finite cost.
        """
        blocks, z, costs, imagined = found
        if torch.inf in costs:
            lost = (costs == torch.inf).nonzero().flatten().tolist()
            raise ArmillaryError(f"no future with a finite cost was found for problems {lost}; look for NaN in model and cost")
        return Plan(model.actions.split(blocks), blocks, z, costs, time.perf_counter() - began, imagined)
