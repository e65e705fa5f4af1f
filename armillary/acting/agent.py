"""The agent: it sees, remembers, and plans what to do, in a batch of environments at once (Mode 2 of LeCun 2022, figure 4).

With a habit, Mode 1 proposes and Mode 2 refines: the search begins at what the habit would do, imagined to the horizon.

- Time is counted in each environment by itself: every `skip` steps a frame is kept, every `execute` kept frames a plan is
  made, and between them the plan is carried out. Environments may be reset one by one.
- Without a habit, the rest of the last plan is where the next search begins. The search's spread is full again.
- One problem's actions don't depend on which others are in the batch: each has its own random stream, and on a CPU its own
  computation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armillary.acting.config import AgentConfig, default_planner, load_habit
from armillary.acting.habit import Habit, propose
from armillary.acting.memory import Memory
from armillary.arguments import environments, observed, seed_of, whole, whole_numbers
from armillary.backends.captured import Decision
from armillary.costs.cost import Cost
from armillary.costs.registry import make_cost
from armillary.device import together
from armillary.errors import ArmillaryError, SpecMismatch, expect
from armillary.goals.goal import Goal
from armillary.imagination import Imagination
from armillary.latents import encode_frames
from armillary.model import WorldModel
from armillary.planning.planner import Plan, Planner
from armillary.planning.problem import Problem
from armillary.planning.streams import RandomStreams

KEPT = 1000  # decisions


@dataclass
class Decisions:
    """What deciding has cost: one entry for each of the last `KEPT` calls of `act` in which plans were made."""

    problems: list[int] = field(default_factory=list)
    """plans made in the call"""
    encode_seconds: list[float] = field(default_factory=list)
    """wall time to encode what was seen"""
    plan_seconds: list[float] = field(default_factory=list)
    """wall time to plan"""
    model_calls: list[int] = field(default_factory=list)
    """imagined steps, summed over the problems"""
    count: int = 0
    """calls of `act` in which plans were made, since the agent was made"""

    def add(self, problems: int, encode_seconds: float, plan_seconds: float, model_calls: int) -> None:
        """One more entry; the oldest goes, so that an agent that acts for ever needs no more memory for it."""
        self.problems.append(problems)
        self.encode_seconds.append(encode_seconds)
        self.plan_seconds.append(plan_seconds)
        self.model_calls.append(model_calls)
        for log in (self.problems, self.encode_seconds, self.plan_seconds, self.model_calls):
            del log[:-KEPT]
        self.count += 1


class Agent:
    """Acts in `num_envs` environments by planning towards goals.

    Args:
        model: the world as the agent knows it. It is put in eval mode.
        planner: finds actions. Default: `default_planner(model)`.
        cost: what planning minimises, or its name, made for the model by `make_cost`. Default: auto, the best measure of
            distance to the goal that the model has.
        imagination: what plans are searched in, such as the model with actions shuffled; the model itself by default.
        habit: of the same model; proposes where the search for a plan begins.
        num_envs: N.
        execute: blocks of a plan that are carried out before the next plan is made.
        seed: of the random streams. The agent is deterministic given seed, observations and calls.
        exact: what is done in one environment does not depend, to the last bit, on which others there are (on a CPU; see
            `device.together`). Without it, they are computed in one go.
        captured: from what is seen to the plan, a GPU has one recorded graph to do (`backends/captured.py`).

    Raises:
        ArmillaryError: `num_envs` or `execute` is below 1, or the plan is shorter than what is to be executed of it; a model
            without actions; a planner or a habit that cannot be captured.
        SpecMismatch: the habit is of another model.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner | None = None,
        cost: Cost | str = "auto",
        *,
        imagination: Imagination | None = None,
        habit: Habit | None = None,
        num_envs: int = 1,
        execute: int = 1,
        seed: int = 0,
        exact: bool = True,
        captured: bool = False,
    ) -> None:
        if not model.actions.size:
            raise ArmillaryError(
                "the model was trained without actions and cannot plan; it can predict and detect what is unusual"
            )
        if habit is not None:
            habit.check(model)
        if captured and habit is not None:
            raise ArmillaryError("what a habit proposes is not captured; leave out the habit, or captured")
        planner = default_planner(model) if planner is None else planner
        num_envs, execute, seed = whole(num_envs, "num_envs", 1), whole(execute, "execute", 1, planner.horizon), seed_of(seed)
        self.model, self.planner, self.habit = model.eval(), planner, habit
        self.cost = make_cost(model, cost) if isinstance(cost, str) else cost
        self.imagination = model if imagination is None else imagination
        self.num_envs, self.execute, self.exact = num_envs, execute, exact
        self.memory = Memory(num_envs, model.config.context, model.width, model.actions.size, model.device)
        self.decisions = Decisions()
        self.last_plan: Plan | None = None
        """the latest plan of each environment, N rows; replaced, never changed in place"""
        self.goal = Goal(torch.zeros(num_envs, model.width, device=model.device))
        """where each environment goes, N rows; `set_goal` writes them"""
        self._has_goal = np.zeros(num_envs, bool)
        self._streams = RandomStreams(seed, range(num_envs))
        self._steps = np.zeros(num_envs, np.int64)
        self._next_problem = 0
        self._decision = Decision(model, self.imagination, planner, self.cost) if captured else None
        self.reset()

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", config: AgentConfig | None = None, **more: Any) -> "Agent":
        """The agent of a trained run: its model, planner, cost and habit, as it is judged.

        Args:
            run: the run's folder, or a checkpoint.
            device: auto, cpu, cuda or mps.
            config: how to act in place of what the checkpoint says.
            more: `num_envs`, `seed` and further arguments of an Agent.

        Raises:
            ArmillaryError: there is no finished run there, or not its habit.
            CorruptFile: a file that is damaged, or something else.
        """
        model = WorldModel.load(run, device)
        config = AgentConfig.of(model) if config is None else config
        habit = load_habit(run, model, config)
        return cls(model, config.planner, config.cost, habit=habit, execute=config.execute, **more)

    def reset(self, indices: Sequence[int] | np.ndarray | None = None, problems: Sequence[int] | None = None) -> None:
        """A new episode begins in these environments. Goals stay until `set_goal`.

        Args:
            indices: environments by number, or a mask (N,) bool, as Gymnasium has it; all, and everything as it was at the
                start, when left out.
            problems: a whole number for each, which with the seed fixes its random numbers, so that an episode can be
                repeated in another batch; the next unused ones when left out.

        Raises:
            ArmillaryError: environments that are not there, or named twice; another number of problems than of them.
        """
        anew, indices = indices is None, environments(indices, self.num_envs)
        first = 0 if anew else self._next_problem
        problems = range(first, first + len(indices)) if problems is None else whole_numbers(problems, "problems").tolist()
        if len(problems) != len(indices) or min(problems, default=0) < 0:
            raise ArmillaryError(f"problems are {len(indices)} whole numbers from 0, one an environment; got {list(problems)}")
        if anew:
            self._next_problem, self.last_plan = 0, None
        for index, problem in zip(indices.tolist(), problems, strict=True):
            self._streams.restart(index, problem)
            self._next_problem = max(self._next_problem, problem + 1)
        self._steps[indices] = 0
        self.memory.reset(indices)

    def set_goal(self, observations: Mapping[str, Any], indices: Sequence[int] | np.ndarray | None = None) -> None:
        """What the sensors give at the goal; from the next plan on the agent goes there.

        Args:
            observations: arrays or tensors (n, *shape) by stream, or (1, *shape) for one goal for all.
            indices: the n environments by number, or a mask (N,) bool; all when left out.

        Raises:
            SpecMismatch: a stream is missing, of another shape or dtype, or not finite.
            ArmillaryError: environments that are not there, or named twice.
        """
        indices = environments(indices, self.num_envs)
        goal = self.encode(observations)
        if len(goal) not in (1, len(indices)):
            raise SpecMismatch(f"{len(goal)} goals for {len(indices)} environments; give one each, or one for all")
        self.goal.z[indices] = goal
        self._has_goal[indices] = True

    def encode(self, observations: Mapping[str, Any]) -> Tensor:
        """Latents (n, D) of what n environments show, (n, *shape) by stream, each encoded by itself if the agent is `exact`."""
        return encode_frames(self.model, observations, exact=self.exact)

    @torch.no_grad()
    def act(self, observations: Mapping[str, Any]) -> np.ndarray:
        """What to do next in every environment: (N, n) float32 actions in raw units, or (N,) int64 choices.

        Only frames at the start of a block are looked at.

        Args:
            observations: arrays or tensors (N, *shape) by stream, as a VectorEnv gives them.

        Raises:
            SpecMismatch: a stream is missing, of another shape, dtype or number of environments, or not finite where it has
                to be measured.
            ArmillaryError: an environment has no goal.
        """
        skip = self.model.config.skip
        kept = np.flatnonzero(self._steps % skip == 0)
        due = kept[self._steps[kept] % (skip * self.execute) == 0]
        if not self._has_goal[due].all():
            raise ArmillaryError(f"environments {due[~self._has_goal[due]].tolist()} have no goal; call set_goal before act")
        if len(kept):
            seen = self._seen(observations)
            at_once = self._decision if len(due) == len(kept) else None
            encode_seconds = self._see(seen, kept, at_once is None)
            if len(due):
                self._decide(due, encode_seconds, seen, at_once)
        now = self._steps % (skip * self.execute)
        self._steps += 1
        return expect(self.last_plan, "a plan").actions.cpu().numpy()[np.arange(self.num_envs), now]

    def _seen(self, observations: Mapping[str, Any]) -> dict[str, Any]:
        """The model's streams of all environments."""
        seen = observed(self.model.spec, observations)
        for name, frames in seen.items():
            if frames.shape[:1] != (self.num_envs,):
                raise SpecMismatch(f"stream {name!r}: {tuple(frames.shape)} for {self.num_envs} environments")
        return seen

    def _some(self, seen: dict[str, Any], indices: np.ndarray) -> dict[str, Any]:
        return seen if len(indices) == self.num_envs else {name: frames[indices] for name, frames in seen.items()}

    def _see(self, seen: dict[str, Any], kept: np.ndarray, encodes: bool) -> float:
        """Encode and remember what these environments show; the seconds it took to encode.

        Where encoding is a part of deciding, it isn't done, and the latents are still to come.
        """
        began = perf_counter()
        z = self.encode(self._some(seen, kept)) if encodes else self.memory.z[kept, -1]
        seconds = perf_counter() - began
        done = z.new_zeros(len(kept), self.model.actions.size)
        if self.last_plan is not None:
            block = (self._steps[kept] // self.model.config.skip - 1) % self.execute
            done = self.last_plan.blocks[kept, block]
        self.memory.add(kept, z, done)
        return seconds

    def _decide(self, due: np.ndarray, encode_seconds: float, seen: dict[str, Any], at_once: Decision | None) -> None:
        """Plan in these environments, and look there first if it is all done at once."""
        began, calls = perf_counter(), 0
        plans, order = [], []
        parts = [due[some] for some in together(self.model.device, len(due))] if self.exact else [due]
        for group, context in chain.from_iterable(map(self.memory.groups, parts)):
            goal, start, proposal = self.goal.take(group), None, None
            if self.habit is not None:
                proposal = propose(self.imagination, self.habit, context, goal.z, self.planner.horizon)
            elif self.last_plan is not None and self.execute < self.planner.horizon:
                start = self.model.actions.encode(self.last_plan.blocks[group, self.execute :])
                if (first := self._steps[group] == 0).any():
                    start[first] = 0
            problem = Problem(context, goal, start, proposal, self._streams.take(group))
            if at_once:
                self.memory.z[group, -1], plan = at_once(self._some(seen, group), problem)
            else:
                plan = self.planner.plan(self.imagination, problem, self.cost)
            if proposal is not None:
                plan = replace(plan, model_calls=plan.model_calls + self.planner.horizon)
            calls += plan.model_calls * len(group)
            plans.append(plan)
            order.append(group)
        self.last_plan = _merge(self.last_plan, plans, np.concatenate(order), self.num_envs)
        self.decisions.add(len(due), encode_seconds, perf_counter() - began, calls)


def _merge(old: Plan | None, new: list[Plan], indices: np.ndarray, count: int) -> Plan:
    """`old` with rows `indices` from `new`; without an old one, the other rows are zeros until they are planned."""
    if len(new) == 1 and len(indices) == count:
        return new[0]
    rows = torch.as_tensor(indices, device=new[0].cost.device)
    merged = {}
    for name in ("actions", "blocks", "latents", "cost"):
        tensor = torch.cat([getattr(plan, name) for plan in new])
        base = tensor.new_zeros(count, *tensor.shape[1:]) if old is None else getattr(old, name)
        merged[name] = base.index_copy(0, rows, tensor)
    return replace(new[0], **merged, seconds=sum(plan.seconds for plan in new))
