"""Does the judging itself work? Checks that turn red when the world, the recording or the evaluation is at fault.

| check | what it catches |
| --- | --- |
| oracle | a success predicate that no expert can satisfy: an angle that wraps, a budget too small, goals out of reach |
| do nothing, random | pairs that are solved by accident |
| replay | actions shifted by a step, resets inside an action block, hidden state or noise: the next state does not follow |
| step | resets, and walls that are stepped through: two states in a row are farther apart than a step can carry |
| shortest path | the same over a whole run: a goal was reached in fewer steps than there are on the shortest path |
| angles | angles that wrap: from one step to the next they jump by more than half a turn |
| batch | outcomes that depend on what else is in the batch (rule 8) |

Those that a world cannot be asked for are left out: replay needs any state to be set, step and shortest path need the latter.

A red check makes every number beside it worthless, however good it looks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from armillary.evaluation.angles import angle_jump
from armillary.evaluation.control.rollouts import Rollouts, drawing
from armillary.worlds.world import HasShortestPath, Judged

# Rounding of states to float32 must not turn a check red.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Check:
    """One check: green (`ok`) or red, what was measured, and what was expected, in words."""

    name: str
    ok: bool
    value: float
    expected: str


def check_rows(success: Mapping[str, float]) -> list[Check]:
    """The sanity rows, from the share of success of each row: do nothing, random, and the oracle if there is one."""
    nothing, random, oracle = (float(success.get(name, np.nan)) for name in ("do_nothing", "random", "oracle"))
    expert = Check("oracle", oracle >= 0.99, oracle, "the world's expert reaches at least 99% of the goals")
    return [
        *[expert] * ("oracle" in success),
        Check("do nothing", nothing <= 0.05, nothing, "doing nothing reaches at most 5% of the goals"),
        Check("random", random <= 0.05, random, "random actions reach at most 5% of the goals"),
    ]


def check_rollouts(world: Judged, goal: np.ndarray, rollouts: Mapping[str, Rollouts]) -> list[Check]:
    """Replay, step length, shortest path and angles, over the rollouts of every row to goal states (n, S)."""
    every, checks = list(rollouts.values()), []
    if world.any_state:
        replay = max(replay_error(world, *transitions(r)) for r in every)
        checks.append(Check("replay", replay <= TOLERANCE, replay, "each state and action give the next state again, to 0.001"))
    if isinstance(world, HasShortestPath):
        step = max(float(world.shortest_path(*transitions(r)[::2]).max(initial=0.0)) for r in every)
        gain = max(_gain(world, goal, r) for r in every)
        short = "no goal is reached in fewer steps than the shortest path has"
        checks.append(Check("step", step <= 1 + TOLERANCE, step, "no step goes farther than one step of the shortest path"))
        checks.append(Check("shortest path", gain <= TOLERANCE, gain, short))
    jump = max((angle_jump(angles) for r in every for angles in r.angles.values()), default=0.0)
    return [*checks, Check("angles", jump <= np.pi, jump, "no angle jumps by more than half a turn (rad) in a step")]


def check_batch(hold: int, rollouts: Mapping[str, Rollouts], alone: Mapping[str, Rollouts]) -> list[Check]:
    """Rule 8: `alone` are the first pairs of `rollouts`, run one by one; empty when no row planned."""
    differ = [float((r.held(hold) != rollouts[name].held(hold)[: len(r.budget)]).mean()) for name, r in alone.items()]
    expected = "pairs have the same outcome alone as in a batch"
    return [Check("batch", max(differ) == 0, max(differ), expected)] if differ else []


def transitions(rollouts: Rollouts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State, action and next state of every step within the budgets: (m, S), (m, *action shape), (m, S)."""
    made = rollouts.steps()[1:]
    return rollouts.states[:-1][made], rollouts.actions[made], rollouts.states[1:][made]


def replay_error(world: Judged, states: np.ndarray, actions: np.ndarray, after: np.ndarray) -> float:
    """Step a world once from each state (m, S) with its action, and compare: the largest error of any number of any state.

    Works on states of a recording as well as on those of an evaluation. The world must be deterministic.
    """
    worst = 0.0
    with drawing(world, False):
        for begin in range(0, len(states), world.num_envs):
            chunk = np.arange(begin, begin + world.num_envs) % len(states)
            world.reset(options={"state": states[chunk]})
            world.step(actions[chunk])
            worst = max(worst, float(np.abs(world.state - after[chunk]).max()))
    return worst


def _gain(world: HasShortestPath, goal: np.ndarray, rollouts: Rollouts) -> float:
    """Steps that were saved against the shortest path, at the first touch of the goal, in the pair that saved the most."""
    touched = np.flatnonzero(rollouts.success.any(axis=0))
    if not len(touched):
        return 0.0
    step = rollouts.success[:, touched].argmax(axis=0)
    start, reached, goal = rollouts.states[0, touched], rollouts.states[step, touched], goal[touched]
    return float((world.shortest_path(start, goal) - world.shortest_path(reached, goal) - step).max())
