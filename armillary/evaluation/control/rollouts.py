"""Run an actor on pairs of start and goal, and keep everything that happened.

Design choices:
- each pair runs for its full budget, whatever happens in it; nothing is reset on the way, and a world that could is refused;
- a pair is known by its number in the evaluation set, which is the id that the actor is given, and everything random about it
  follows from that number. So it makes no difference which pairs share a batch (rule 8), and pairs of similar budget are run
  together, which saves steps;
- nothing is drawn for an actor that does not need observations, where a world can leave that out: images may cost more than
  steps.
"""

import copy
import math
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from armillary.actor import TRUE_STATE, Actor
from armillary.errors import ArmillaryError
from armillary.model.world_model import WorldModel
from armillary.worlds.world import DrawsOnDemand, Judged


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
    """Wall time of each call that decided, for the whole batch; empty for actors that are not learned."""
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


def untrained_dynamics(model: WorldModel) -> WorldModel:
    """The same perception and critic, with a predictor that was never trained."""
    twin = copy.deepcopy(model)
    twin.predictor = model.untrained().predictor
    return twin


def run(
    world: Judged,
    actor: Actor,
    start: np.ndarray,
    goal: np.ndarray,
    budget: np.ndarray,
    *,
    batch: int | None = None,
) -> Rollouts:
    """Run `actor`, which is reset first, from `start` to `goal` states (n, S) for `budget` (n,) env steps each.

    Args:
        actor: the pairs' numbers, counted from 0, are its ids.
        batch: pairs that are run at a time. Default: as many as the world has environments.

    Raises:
        ArmillaryError: the world resets itself, or has fewer environments than `batch`.
    """
    mode = (getattr(world, "metadata", None) or {}).get("autoreset_mode")
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
    with drawing(world, actor.needs_observations):
        for chunk in np.array_split(order, math.ceil(len(order) / batch)):
            _run_chunk(world, actor, start, goal, chunk, result, seconds)
    result.seconds = np.array(seconds)
    for values in (result.states, *result.angles.values()):
        values[~result.steps()] = np.nan
    result.success &= result.steps()
    return result


@contextmanager
def drawing(world: Judged, needed: bool) -> Generator[None]:
    """Within, a world that can leave drawing out does so unless it is needed."""
    if not isinstance(world, DrawsOnDemand):
        yield
        return
    before, world.needs_observations = world.needs_observations, needed
    try:
        yield
    finally:
        world.needs_observations = before


def _run_chunk(
    world: Judged,
    actor: Actor,
    start: np.ndarray,
    goal: np.ndarray,
    chunk: np.ndarray,
    result: Rollouts,
    seconds: list[float],
) -> None:
    size, steps = len(chunk), int(result.budget[chunk].max())
    # Environments that are left over repeat the first pair; nobody looks at them.
    padded = np.concatenate([chunk, np.repeat(chunk[:1], world.num_envs - size)])
    spec = world.stream_spec
    streams = (*spec.observed * actor.needs_observations, *spec.truth * actor.needs_truth)

    def shown(observation: Mapping[str, np.ndarray], state: np.ndarray) -> dict[str, np.ndarray]:
        seen = {stream.name: observation[stream.name][:size] for stream in streams if stream.name in observation}
        return {**seen, TRUE_STATE: state} if actor.needs_truth else seen

    actor.reset()
    actor.start(chunk, shown(world.render_states(goal[chunk]) if actor.needs_observations else {}, goal[chunk]))
    observation, _ = world.reset(options={"state": start[padded]})
    for step in range(steps + 1):
        state = np.array(world.state[:size])
        result.states[step, chunk] = state
        result.success[step, chunk] = world.success(state, goal[chunk])
        for name, values in result.angles.items():
            values[step, chunk] = observation[name][:size, spec[name].angles]
        if step == steps:
            return
        began = time.perf_counter()
        action = actor.act(shown(observation, state))
        if action.decided is not None and action.decided.any():
            seconds.append(time.perf_counter() - began)
            if action.plan is not None:
                result.model_calls = action.plan.model_calls
                result.decisions.append(Decision(step, chunk, action.plan.latents.cpu().numpy()))
        actions = result.actions[step, chunk] = action.values
        observation, *_ = world.step(np.concatenate([actions, np.repeat(actions[:1], world.num_envs - size, axis=0)]))
