"""Run a policy on pairs of start and goal, and keep everything that happened.

Design choices:
- each pair runs for its full budget, whatever happens in it; nothing is reset on the way, and a world that could is refused;
- a pair is known by its number in the evaluation set, and everything random about it follows from that number. So it makes no
  difference which pairs share a batch (rule 8), and pairs of similar budget are run together, which saves steps;
- a policy gets the observed streams. The true state is handed over apart from them, for baselines; `Planned`, the policy of
  a learned agent, never passes it on;
- nothing is drawn for a policy that does not look, where a world can leave that out: images may cost more than steps.
"""

import copy
import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.acting.habit import Habit
from armillary.costs.cost import Cost
from armillary.costs.registry import make_cost
from armillary.errors import ArmillaryError
from armillary.imagination import Imagination
from armillary.model import WorldModel
from armillary.planning.planner import Planner
from armillary.spec import ActionSpace
from armillary.worlds.world import World


@runtime_checkable
class Policy(Protocol):
    """What can be run on pairs; B of them at a time. One that does not look at observations may say so: `looks = False`.

    A learned one says in `decided` whether its last `act` chose anew: decisions are timed, and checked alone and in a batch.
    """

    def begin(self, problems: np.ndarray, goal: np.ndarray, goal_observation: dict[str, np.ndarray], steps: int) -> None:
        """A new batch: numbers of the pairs (B,), goal states (B, S), what is sensed in them, and the most steps to come."""
        ...

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        """Actions (B, n) for what is sensed (B, ...) and the true state (B, S)."""
        ...


@dataclass
class Decision:
    """One plan of a learned agent, for the B pairs of a batch."""

    step: int
    rows: np.ndarray
    """(B,) rows of the Rollouts that it was made for."""
    latents: np.ndarray
    """(B, H, D) imagined after each block."""


@dataclass
class Rollouts:
    """What n pairs went through in at most T steps; NaN and False beyond a pair's own budget."""

    states: np.ndarray
    """(T + 1, n, S)"""
    actions: np.ndarray
    """(T, n, *action shape)"""
    success: np.ndarray
    """(T + 1, n) whether the state is at the goal, as the world says."""
    budget: np.ndarray
    """(n,) env steps."""
    seconds: np.ndarray
    """Wall time of each call that decided, for the whole batch; empty for policies that are not learned."""
    model_calls: int = 0
    """Imagined steps of one decision for one pair."""
    decisions: list[Decision] = field(default_factory=list)
    angles: dict[str, np.ndarray] = field(default_factory=dict)
    """(T + 1, n, k) the k angles of each stream that has any, observed or truth."""

    def steps(self) -> np.ndarray:
        """(T + 1, n) which entries are within the pair's budget."""
        return np.arange(len(self.states))[:, None] <= self.budget

    def held(self, hold: int) -> np.ndarray:
        """(n,) success by rule 3: at the goal on each of the last `hold` steps of the budget."""
        last = np.arange(len(self.states))[:, None] > self.budget - hold
        return (self.success | ~(last & self.steps())).all(axis=0)

    def arrival(self, hold: int) -> np.ndarray:
        """(n,) the first step from which the goal was held for `hold` steps; infinite where it never was."""
        streak = np.lib.stride_tricks.sliding_window_view(self.success, hold, axis=0).all(axis=-1)
        return np.where(streak.any(axis=0), streak.argmax(axis=0), np.inf)


@dataclass
class DoNothing:
    """Zero actions; the first choice of a discrete space."""

    looks: ClassVar[bool] = False
    space: ActionSpace

    def begin(self, problems: np.ndarray, *_: Any) -> None:
        self.actions = np.zeros((len(problems), *self.space.shape), self.space.dtype)

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        return self.actions


@dataclass
class Random:
    """Uniform actions within the bounds, each held for `hold` steps. A pair's actions depend on `seed` and its number alone."""

    looks: ClassVar[bool] = False
    space: ActionSpace
    hold: int = 1
    seed: int = 0

    def begin(self, problems: np.ndarray, goal: np.ndarray, goal_observation: dict, steps: int) -> None:
        space, self.step, rows = self.space, 0, math.ceil(steps / self.hold)
        if space.kind == "box" and not np.isfinite([space.low, space.high]).all():
            raise ArmillaryError(f"a random policy needs bounds on every action, not {space.low} to {space.high}")
        generators = [np.random.default_rng((self.seed, int(problem))) for problem in problems]
        if space.kind == "box":
            drawn = [rng.uniform(space.low, space.high, (rows, space.n)) for rng in generators]
        else:
            drawn = [rng.integers(space.n, size=rows) for rng in generators]
        self.actions = np.stack(drawn, axis=1).astype(space.dtype)

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        self.step += 1
        return self.actions[(self.step - 1) // self.hold]


@dataclass
class Oracle:
    """The world's own expert."""

    looks: ClassVar[bool] = False
    world: World

    def begin(self, problems: np.ndarray, goal: np.ndarray, *_: Any) -> None:
        self.goal = goal

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        return self.world.oracle(state, self.goal)


@dataclass
class Planned:
    """A learned agent: sees the observed streams, and plans with its model. See `Agent` for the arguments.

    A cost that is given by name is made for the model (`make_cost`), so that an untrained model is judged by its own critic.
    """

    model: WorldModel
    planner: Planner
    cost: Cost | str = "auto"
    seed: int = 0
    habit: Habit | None = None
    imagination: Imagination | None = None
    execute: int = 1
    decided: bool = field(init=False, default=False)
    """Whether the last `act` made plans."""

    @classmethod
    def of(cls, model: WorldModel, config: AgentConfig, habit: Habit | None, seed: int) -> "Planned":
        """The agent that a config and its habit make of a model."""
        return cls(model, config.planner_for(model), config.cost, seed, habit, execute=config.execute)

    @property
    def minimised(self) -> Cost:
        """The cost, made for the model."""
        return make_cost(self.model, self.cost) if isinstance(self.cost, str) else self.cost

    def begin(self, problems: np.ndarray, goal: np.ndarray, goal_observation: dict[str, np.ndarray], steps: int) -> None:
        how = {"habit": self.habit, "imagination": self.imagination, "execute": self.execute, "seed": self.seed}
        self.agent = Agent(self.model, self.planner, self.minimised, num_envs=len(problems), **how)
        self.agent.reset(problems=problems.tolist())
        self.agent.set_goal(goal_observation)

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        before = self.agent.decisions.count
        actions = self.agent.act(observation)
        self.decided = self.agent.decisions.count > before
        return actions


def untrained_dynamics(model: WorldModel) -> WorldModel:
    """The same perception and critic, with a predictor that was never trained."""
    twin = copy.deepcopy(model)
    twin.predictor = model.untrained().predictor
    return twin


def run(
    world: World,
    policy: Policy,
    start: np.ndarray,
    goal: np.ndarray,
    budget: np.ndarray,
    *,
    batch: int | None = None,
) -> Rollouts:
    """Run `policy` from `start` to `goal` states (n, S) for `budget` (n,) env steps each; the pairs are numbered from 0.

    Args:
        batch: pairs that are run at a time. Default: as many as the world has environments.

    Raises:
        ArmillaryError: the world resets itself, or has fewer environments than `batch`.
    """
    mode = (world.metadata or {}).get("autoreset_mode")
    if getattr(mode, "name", None) != "DISABLED":
        raise ArmillaryError(f"a world that is judged must not reset itself: autoreset is {mode}, build it with DISABLED")
    batch = world.num_envs if batch is None else batch
    if not 1 <= batch <= world.num_envs:
        raise ArmillaryError(f"{batch} pairs at a time on a world of {world.num_envs} environments; build one with more")
    order, longest = np.argsort(budget, kind="stable"), int(budget.max())
    space, angles = world.stream_spec.action, {s.name: s.angles for s in world.stream_spec.streams}
    result = Rollouts(
        states=np.full((longest + 1, *start.shape), np.nan),
        actions=np.zeros((longest, len(start), *space.shape), space.dtype),
        success=np.zeros((longest + 1, len(start)), bool),
        budget=np.asarray(budget),
        seconds=np.empty(0),
        angles={name: np.full((longest + 1, len(start), len(some)), np.nan) for name, some in angles.items() if some},
    )
    seconds: list[float] = []
    with drawing(world, getattr(policy, "looks", True)):
        for chunk in np.array_split(order, math.ceil(len(order) / batch)):
            _run_chunk(world, policy, start, goal, chunk, result, seconds)
    result.seconds = np.array(seconds)
    for values in (result.states, *result.angles.values()):
        values[~result.steps()] = np.nan
    result.success &= result.steps()
    return result


@contextmanager
def drawing(world: World, needed: bool) -> Generator[None]:
    """Within, a world that can leave drawing out (it has an attribute `looks`) does so unless it is needed."""
    before = getattr(world, "looks", None)
    if before is not None:
        world.looks = needed
    try:
        yield
    finally:
        if before is not None:
            world.looks = before


def _run_chunk(
    world: World,
    policy: Policy,
    start: np.ndarray,
    goal: np.ndarray,
    chunk: np.ndarray,
    result: Rollouts,
    seconds: list[float],
) -> None:
    size, steps = len(chunk), int(result.budget[chunk].max())
    # Environments that are left over repeat the first pair; nobody looks at them.
    padded = np.concatenate([chunk, np.repeat(chunk[:1], world.num_envs - size)])
    observed = [stream.name for stream in world.stream_spec.observed]
    seen = world.render_states(goal[chunk]) if getattr(policy, "looks", True) else {}
    policy.begin(chunk, goal[chunk], {name: seen[name] for name in observed if name in seen}, steps)
    observation, _ = world.reset(options={"state": start[padded]})
    for step in range(steps + 1):
        state = np.array(world.state[:size])
        result.states[step, chunk] = state
        result.success[step, chunk] = world.success(state, goal[chunk])
        for name, values in result.angles.items():
            values[step, chunk] = observation[name][:size, world.stream_spec[name].angles]
        if step == steps:
            return
        began = time.perf_counter()
        actions = policy.act({name: observation[name][:size] for name in observed}, state)
        if getattr(policy, "decided", False):
            seconds.append(time.perf_counter() - began)
        if isinstance(policy, Planned) and policy.decided:
            plan = policy.agent.last_plan
            result.model_calls = plan.model_calls
            result.decisions.append(Decision(step, chunk, plan.latents.cpu().numpy()))
        result.actions[step, chunk] = actions
        observation, *_ = world.step(np.concatenate([actions, np.repeat(actions[:1], world.num_envs - size, axis=0)]))
