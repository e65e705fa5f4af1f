"""The field's rule beside ours, in a world that has both: what do random actions get by either?

A world with a lax rule says how the field draws its pairs (`lax_pairs`), for how many env steps they are run (`lax_budget`),
and what counts (`success_lax`). The same rollouts are judged strictly, too: held at the end, of the pairs that are not solved
at the start. These pairs are not those of the control table.
"""

from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

import numpy as np

from armillary.acting.agent import Agent
from armillary.acting.baselines import DoNothing, Oracle, RandomBaseline
from armillary.actor import Actor
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.statistics import wilson
from armillary.worlds.world import HasOracle, Judged

HOLD = 3  # env steps, as `make_eval_set` has it


@runtime_checkable
class HasFieldProtocol(Judged, HasOracle, Protocol):
    """A world with a lax rule."""

    lax_budget: int

    def lax_pairs(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, S) each."""
        ...

    def success_lax(self, states: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether goals (n, S) were touched in states (T, n, S), (n,) bool."""
        ...


def evaluate_field_protocol(world: HasFieldProtocol, agent: Agent, n: int, seed: int) -> dict[str, Any]:
    """Rows by name, `{"lax": share, "strict": share}` with Wilson's interval, JSON-able; and how many pairs each share is of.

    Args:
        world: with a lax rule, and autoreset disabled.
        n: pairs.
        seed: of the pairs, which no recording used.
    """
    start, goal = world.lax_pairs(n, np.random.default_rng(seed))
    space, budget, unsolved = world.stream_spec.action, np.full(n, world.lax_budget), ~world.success(start, goal)
    random = RandomBaseline(space, agent.model.config.skip, agent.seed)
    actors: dict[str, Actor] = {
        "do_nothing": DoNothing(space),
        "random": random,
        "oracle": Oracle(world.oracle),
        "model": agent,
    }
    rows = {}
    for name, actor in actors.items():
        rollouts = run(world, actor, start, goal, budget)
        touched, held = world.success_lax(rollouts.states, goal), rollouts.held(HOLD) & unsolved
        shares = {"lax": wilson(int(touched.sum()), n), "strict": wilson(int(held.sum()), int(unsolved.sum()))}
        rows[name] = {rule: asdict(share) for rule, share in shares.items()}
    return {"pairs": n, "unsolved": int(unsolved.sum()), "seed": seed, "rows": rows}
