"""The agent: it sees, remembers, and plans what to do, in a batch of environments at once (Mode 2 of LeCun 2022, figure 4).

With a habit, Mode 1 proposes and Mode 2 refines: the search begins at what the habit would do, imagined to the horizon.

- Time is counted in each environment by itself: every `skip` steps a frame is kept, every `execute` kept frames a plan is
  made, and between them the plan is carried out. Episodes begin one by one.
- Without a habit, the rest of the last plan is where the next search begins. The search's spread is full again.
- One problem's actions don't depend on which others are in the batch: each has its own random stream, and on a CPU its own
  computation.
"""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from armillary.acting.config import AgentConfig, default_planner, load_habit
from armillary.acting.decisions import Decisions
from armillary.acting.habit import Habit, propose
from armillary.acting.memory import Memory, grown
from armillary.acting.plans import merge, take
from armillary.actor import Action, Actor, Observations, Started
from armillary.arguments import observed, seed_of, whole
from armillary.backends.captured import Decision
from armillary.costs.cost import Cost
from armillary.costs.registry import make_cost
from armillary.device import together
from armillary.errors import ArmillaryError, SpecMismatch, expect
from armillary.goals.goal import Goal
from armillary.imagination import Imagination
from armillary.latents import encode_goals, encode_seen
from armillary.model.world_model import WorldModel
from armillary.planning.planner import Plan, Planner
from armillary.planning.problem import Problem
from armillary.planning.streams import RandomStreams


class Agent(Actor):
    """Plans towards goals, in any number of environments.

        agent = Agent.load("runs/maze")
        agent.start(range(16), goals=what_is_sensed_there)
        actions = agent.act(observations).values

    Args:
        model: the world as the agent knows it. It is put in eval mode.
        planner: finds actions. Default: `default_planner(model)`.
        cost: what planning minimises, or its name, made for the model by `make_cost`. Default: auto, the best measure of
            distance to the goal that the model has.
        imagination: what plans are searched in, such as the model with actions shuffled; the model itself by default.
        habit: of the same model; proposes where the search for a plan begins.
        execute: blocks of a plan that are carried out before the next plan is made.
        seed: of the random streams. The agent is deterministic given seed, observations and calls.
        exact: what is done in one environment does not depend, to the last bit, on which others there are (on a CPU; see
            `device.together`). Without it, they are computed in one go.
        captured: from what is seen to the plan, a GPU has one recorded graph to do (`backends/captured.py`).

    Raises:
        ArmillaryError: `execute` is below 1, or the plan is shorter than what is to be executed of it; a model without actions;
            a planner or a habit that cannot be captured.
        SpecMismatch: the habit is of another model.
    """

    needs_goals = True

    def __init__(
        self,
        model: WorldModel,
        planner: Planner | None = None,
        cost: Cost | str = "auto",
        *,
        imagination: Imagination | None = None,
        habit: Habit | None = None,
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
        execute, seed = whole(execute, "execute", 1, planner.horizon), seed_of(seed)
        self._parts: dict[str, Any] = {"model": model, "planner": planner, "cost": cost, "imagination": imagination}
        self._parts |= {"habit": habit, "execute": execute, "seed": seed, "exact": exact, "captured": captured}
        self.model, self.planner, self.habit = model.eval(), planner, habit
        self.cost = make_cost(model, cost) if isinstance(cost, str) else cost
        self.imagination: Imagination = model if imagination is None else imagination
        self.execute, self.seed, self.exact = execute, seed, exact
        self._decision = Decision(model, self.imagination, planner, self.cost) if captured else None
        self.reset()

    @classmethod
    def of(cls, model: WorldModel, config: AgentConfig, habit: Habit | None = None, **more: Any) -> Self:
        """The agent that a config and its habit make of a model; `more` is any other argument of an Agent."""
        return cls(model, config.planner, config.cost, habit=habit, execute=config.execute, **more)

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", config: AgentConfig | None = None, **more: Any) -> Self:
        """The agent of a trained run: its model, planner, cost and habit, as it is judged.

        Args:
            run: the run's folder, or a checkpoint.
            device: auto, cpu, cuda or mps.
            config: how to act in place of what the checkpoint says.
            more: `seed` and further arguments of an Agent.

        Raises:
            ArmillaryError: there is no finished run there, or not its habit.
            CorruptFile: a file that is damaged, or something else.
        """
        model = WorldModel.load(run, device)
        config = AgentConfig.of(model) if config is None else config
        return cls.of(model, config, load_habit(run, model, config), **more)

    def changed(self, **parts: Any) -> Self:
        """An agent with some of its arguments replaced, which knows no environment yet: for a comparison.

        A cost that was given by name is made for the model that the new agent has.
        """
        return type(self)(**{**self._parts, **parts})

    def __str__(self) -> str:
        proposed = f", from {self.habit.config}" if self.habit is not None else ""
        return f"{self.planner}, {self.cost}{proposed}"

    @property
    def num_envs(self) -> int:
        """N, the environments that were started."""
        return len(self._started)

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment. Random numbers begin again, under another seed if one is given."""
        self.seed = self.seed if seed is None else seed_of(seed)
        self._started, self._streams = Started(), RandomStreams(self.seed, ())
        self._steps, self._episodes, self._has_goal = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
        self.memory = Memory(0, self.model.config.context, self.model.width, self.model.actions.size, self.model.device)
        self.goal = Goal(torch.zeros(0, self.model.width, device=self.model.device))
        """where each environment goes, N rows; `set_goal` writes them"""
        self.last_plan: Plan | None = None
        """the latest plan of each environment, N rows; replaced, never changed in place"""
        self.decisions = Decisions()

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """An episode begins in these environments, of which some may be new.

        An environment's random numbers follow from the seed, its id, and how often it was started before.

        Args:
            ids: whole numbers from 0, or a mask (N,) bool of the N environments that were started before.
            goals: what the sensors give at the goals, as in `set_goal`. Default: environments keep the goal that they have.

        Raises:
            SpecMismatch, ArmillaryError: as `set_goal`; then nothing has changed.
        """
        named = self._started.named(ids)
        goal = None if goals is None else encode_goals(self.model, goals, len(named), exact=self.exact)
        rows = self._started.add(named)
        if new := self.num_envs - len(self._steps):
            self.memory.grow(new)
            self.goal = Goal(grown(self.goal.z, new))
            kept = self._steps, self._episodes, self._has_goal
            self._steps, self._episodes, self._has_goal = (grown(each, new) for each in kept)
            if self.last_plan is not None:
                self.last_plan = merge(self.last_plan, [], rows[:0], self.num_envs)
        for row, environment in zip(rows.tolist(), named.tolist(), strict=True):
            before = self._episodes[row]
            self._streams.restart(row, environment, *[before] * bool(before))
        self._steps[rows] = 0
        self._episodes[rows] += 1
        self.memory.reset(rows)
        if goal is not None:
            self._go(rows, goal)

    def set_goal(self, observations: Observations, ids: Any = None) -> None:
        """What the sensors give at the goal; from the next plan on the agent goes there.

        Args:
            observations: arrays or tensors (n, *shape) by stream, or (1, *shape) for one goal for all.
            ids: the n environments by number, or a mask (N,) bool; all when left out.

        Raises:
            SpecMismatch: a stream is missing, of another shape or dtype, or not finite.
            ArmillaryError: environments that were not started, or named twice.
        """
        rows = self._started.rows(ids)
        self._go(rows, encode_goals(self.model, observations, len(rows), exact=self.exact))

    def encode(self, observations: Observations) -> Tensor:
        """Latents (n, D) of what n environments show, (n, *shape) by stream, each encoded by itself if the agent is `exact`."""
        return self._encode(observed(self.model.spec, observations))

    def _encode(self, seen: dict[str, Any]) -> Tensor:
        return encode_seen(self.model, seen, exact=self.exact)

    @torch.no_grad()
    def act(self, observations: Observations, ids: Any = None) -> Action:
        """What to do next: (B, n) float32 actions in raw units, or (B,) int64 choices, and the plans that they are of.

        Only frames at the start of a block are looked at.

        Args:
            observations: arrays or tensors (B, *shape) by stream, as a VectorEnv gives them.
            ids: the B environments by number, or a mask (N,) bool; all when left out.

        Raises:
            SpecMismatch: a stream is missing, of another shape, dtype or number of environments, or not finite where it has
                to be measured.
            ArmillaryError: an environment has no goal, or was not started.
        """
        rows, skip = self._started.rows(ids), self.model.config.skip
        steps, decided = self._steps[rows], np.zeros(len(rows), bool)
        kept = np.flatnonzero(steps % skip == 0)
        due = kept[steps[kept] % (skip * self.execute) == 0]
        self._started.require_goals(rows[due], self._has_goal, "give start their goals, or call set_goal")
        if len(kept):
            seen = self._seen(observations, len(rows))
            at_once = self._decision if len(due) == len(kept) else None
            encode_seconds = self._see(_some(seen, kept, len(rows)), rows[kept], at_once is None)
            if len(due):
                self._decide(rows[due], encode_seconds, _some(seen, due, len(rows)), at_once)
                decided[due] = True
        self._steps[rows] += 1
        plan = take(expect(self.last_plan, "a plan"), rows)
        return Action(plan.actions.cpu().numpy()[np.arange(len(rows)), steps % (skip * self.execute)], "plan", decided, plan)

    def _go(self, rows: np.ndarray, goal: Tensor) -> None:
        self.goal.z[rows] = goal
        self._has_goal[rows] = True

    def _seen(self, observations: Observations, count: int) -> dict[str, Any]:
        """The model's streams of the environments that act."""
        seen = observed(self.model.spec, observations)
        for name, frames in seen.items():
            if frames.shape[:1] != (count,):
                raise SpecMismatch(f"stream {name!r}: {tuple(frames.shape)} for {count} environments")
        return seen

    def _see(self, seen: dict[str, Any], kept: np.ndarray, encodes: bool) -> float:
        """Encode and remember what the environments of these rows show; the seconds it took to encode.

        Where encoding is a part of deciding, it isn't done, and the latents are still to come.
        """
        began = perf_counter()
        z = self._encode(seen) if encodes else self.memory.z[kept, -1]
        seconds = perf_counter() - began
        done = z.new_zeros(len(kept), self.model.actions.size)
        if self.last_plan is not None:
            block = (self._steps[kept] // self.model.config.skip - 1) % self.execute
            done = self.last_plan.blocks[kept, block]
        self.memory.add(kept, z, done)
        return seconds

    def _decide(self, due: np.ndarray, encode_seconds: float, seen: dict[str, Any], at_once: Decision | None) -> None:
        """Plan in the environments of these rows, and look at what they show first if it is all done at once."""
        began, calls = perf_counter(), 0
        plans, order = [], []
        parts = [due[part] for part in together(self.model.device, len(due))] if self.exact else [due]
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
                shown = _some(seen, np.flatnonzero(np.isin(due, group)), len(due))
                self.memory.z[group, -1], plan = at_once(shown, problem)
            else:
                plan = self.planner.plan(self.imagination, problem, self.cost)
            if proposal is not None:
                plan = replace(plan, model_calls=plan.model_calls + self.planner.horizon)
            calls += plan.model_calls * len(group)
            plans.append(plan)
            order.append(group)
        self.last_plan = merge(self.last_plan, plans, np.concatenate(order), self.num_envs)
        self.decisions.add(len(due), encode_seconds, perf_counter() - began, calls)


def _some(seen: dict[str, Any], which: np.ndarray, count: int) -> dict[str, Any]:
    """Of the frames of `count` environments those of some."""
    return seen if len(which) == count else {name: frames[which] for name, frames in seen.items()}
