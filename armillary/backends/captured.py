"""The whole decision as one function of tensors, from what is sensed to a plan, so that a GPU can do it in one go.

Encoding and search together are thousands of small operations, which a GPU does faster than a host can ask for them. Captured
(`device.Captured`), they are one; and what is imagined, which is most of them, is compiled into fewer (`Compiled`). It is the
same code that runs step by step: perception and `Planner.find`. Design choices:
- random numbers are drawn by the host, in the order in which the search asks for them, so that a plan depends on
  (seed, problem) alone, on every device. What it asks for is noted when it first runs, with these shapes, step by step; later
  on they are drawn while the device is busy with the decision before;
- what the search begins at, the goal and the rest of the context come in as tensors, and the latent goes out with the plan.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from armillary.backends.compiled import Compiled
from armillary.costs.cost import Cost
from armillary.device import Captured, compiles, works_aside
from armillary.errors import ArmillaryError, expect
from armillary.goals.goal import Goal
from armillary.imagination import Context, Imagination
from armillary.latents import encode_seen
from armillary.model.world_model import WorldModel
from armillary.planning.planner import Found, Plan, Planner
from armillary.planning.problem import Problem


class Decision:
    """Decides for B problems at once.

    Args:
        model, imagination, planner, cost: as an Agent has them, and as they stay: what is recorded does not know of later
            changes.

    Raises:
        ArmillaryError: the planner goes back through gradients, or does more than search, so that it can't be captured.
    """

    def __init__(self, model: WorldModel, imagination: Imagination, planner: Planner, cost: Cost) -> None:
        if planner.differentiates or type(planner).plan is not Planner.plan:
            raise ArmillaryError(f"{type(planner).__name__} cannot be captured; take CEM, ICEM, MPPI or RandomShooting")
        self.model, self.imagination, self.planner, self.cost = model, imagination, planner, cost
        self._compiled = Compiled(imagination)
        self._asked: dict[tuple, list[tuple[int, ...]]] = {}
        self._captured = Captured(self._decide, model.device)

    @torch.no_grad()
    def __call__(self, observations: Mapping[str, Any], problem: Problem) -> tuple[Tensor, Plan]:
        """Latents (B, D) of what is seen, and the plan.

        Args:
            observations: arrays or tensors (B, *shape) by stream.
            problem: with streams, a goal that is latents alone, and no proposal. The last latents of its context are left out,
                since they are those of `observations`.
        """
        began = perf_counter()
        names = [stream.name for stream in self.model.spec.observed if stream.name in observations]
        inputs = {f"see {name}": torch.as_tensor(observations[name]) for name in names}
        inputs |= {"z": problem.context.z, "actions": problem.context.actions, "goal": problem.goal.z}
        inputs |= {} if problem.start is None else {"start": problem.start}
        shapes = tuple((name, *tensor.shape) for name, tensor in inputs.items())
        size, streams = (self.planner.horizon, self.model.actions.dim), expect(problem.streams, "a problem with streams")
        if shapes in self._asked:
            drawn = {f"draw {i}": streams.normal(*asked, *size) for i, asked in enumerate(self._asked[shapes])}
            z, *found = self._captured(**inputs, **drawn)
            if works_aside(self.model.device):
                streams.draw_ahead((*asked, *size) for asked in self._asked[shapes])
        else:
            asked = self._asked[shapes] = []

            def draw(*sizes: int) -> Tensor:
                asked.append(sizes)
                return streams.normal(*sizes, *size).to(self.model.device)

            z, *found = self._run(inputs, draw)
        return z, self.planner.finish(self.imagination, Found(*found), began)

    def _decide(self, **inputs: Tensor) -> tuple:
        """As it is captured: what was drawn is handed out in order."""
        drawn = (inputs[name].to(self.model.device) for name in inputs if name.startswith("draw "))
        # An episode's few first decisions, with a shorter context, are not worth compiling for.
        full = inputs["z"].shape[1] == self.model.context_length
        return self._run(inputs, lambda *_: next(drawn), compiled=full and compiles(self.model.device))

    def _run(self, inputs: dict[str, Tensor], draw: Callable[..., Tensor], compiled: bool = False) -> tuple:
        seen = {name.removeprefix("see "): inputs[name] for name in inputs if name.startswith("see ")}
        z = encode_seen(self.model, seen)
        context = Context(torch.cat([inputs["z"][:, :-1], z.unsqueeze(1)], 1), inputs["actions"])
        problem = Problem(context, Goal(inputs["goal"]), inputs.get("start"))
        imagination = self._compiled.begin(context) if compiled else self.imagination
        return z, *self.planner.find(imagination, problem, self.cost, draw)
