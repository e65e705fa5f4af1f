"""Control: how often does the agent reach its goals, beside what others do on the same pairs?

Success is the world's own judgement of the true state, on each of the last `hold` steps of the budget, which is always run to
its end. Every table has the rows of rule 6, of which some are there to turn red when the judging is at fault (`sanity.py`):
do nothing, random, oracle (the world's expert), untrained (same planner, fresh weights), shuffled (same model, actions
shuffled) and the model itself. Where a habit proposes, two more rows keep it and take the model's knowledge away: with actions
shuffled, and with untrained dynamics. SPL: Anderson et al., arXiv 1807.06757.

What a world cannot tell is left out, and named: SPL and the ladder without a shortest path; the oracle and the score without an
expert.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from armillary.acting.agent import Agent
from armillary.acting.baselines import DoNothing, Oracle, RandomBaseline
from armillary.actor import Actor
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.control.rollouts import Rollouts, run, untrained_dynamics
from armillary.evaluation.control.sanity import Check, check_batch, check_rollouts, check_rows
from armillary.evaluation.statistics import Estimate, bootstrap, spread, wilson
from armillary.imagination import ShuffledActions
from armillary.worlds.world import HasOracle, Judged

RUNGS = 4


@dataclass(frozen=True)
class Rung:
    """Success on the pairs whose shortest path is from `low` to `high` env steps."""

    low: float
    high: float
    n: int
    success: Estimate


@dataclass(frozen=True)
class Row:
    """One actor on all pairs.

    Args:
        success: share of pairs held at the end (rule 3), with Wilson's interval.
        first_touch: share of pairs that were at the goal at any step. Printed beside success, never instead.
        spl: success weighted by shortest path / steps to it; None without a shortest path.
        score: (this - random) / (oracle - random), of success; 1 is the oracle. None without one.
        ladder: success by distance; empty without a shortest path.
        decision_ms_median, decision_ms_p95: wall time of a decision for one pair, encoding included; None if not learned.
        model_calls: imagined steps a decision.
        held, arrival: of each pair: success, and the first step from which the goal was held (None: never).
    """

    success: Estimate
    first_touch: Estimate
    spl: Estimate | None
    score: Estimate | None
    ladder: list[Rung]
    decision_ms_median: float | None
    decision_ms_p95: float | None
    model_calls: int
    held: list[bool]
    arrival: list[int | None]


@dataclass
class ControlResult:
    """The table, the checks of the judging itself, and what happened."""

    world: str
    version: str
    eval_set_hash: str
    eval_set_seed: int
    pairs: int
    hold: int
    rule: str
    budget_mean: float
    rows: dict[str, Row]
    checks: list[Check]
    seconds: float
    rollouts: dict[str, Rollouts] = field(repr=False, default_factory=dict)
    """By row; for figures, not part of the JSON."""

    @property
    def ok(self) -> bool:
        """Whether every check is green: if not, no number of the table can be trusted."""
        return all(check.ok for check in self.checks)

    @property
    def left_out(self) -> list[str]:
        """What the world cannot tell, in sentences."""
        said = []
        if next(iter(self.rows.values())).spl is None:
            said.append("SPL and success by distance are left out: the world has no shortest path.")
        if "oracle" not in self.rows:
            said.append(
                "The oracle and the score are left out: the world has no expert, so that nothing shows that every goal "
                "can be reached."
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """Everything but the rollouts, ready for `json.dumps`."""
        return asdict(replace(self, rollouts={}))


def evaluate(
    world: Judged,
    pairs: EvalSet,
    agent: Agent | None = None,
    *,
    others: Mapping[str, Actor] | None = None,
    batch: int | None = None,
    singles: int = 4,
    seed: int = 0,
    on_row: Callable[[str, Estimate], None] = lambda name, held: None,
) -> ControlResult:
    """Judge an agent, or any actors, on an evaluation set.

    Args:
        world: the one that the pairs are of, with autoreset disabled.
        agent: adds the rows `untrained`, `shuffled` and `model`, and, if it has a habit, `habit_shuffled` and
            `habit_untrained`: the habit proposes in these two and in `model`.
        others: further rows by name, such as another planner.
        batch: pairs at a time, at most `world.num_envs`. It changes no outcome.
        singles: so many pairs are run again one by one: to time decisions, and to check that last claim.
        seed: of the random policy and the untrained weights.
        on_row: called with the name of each row and its share of success, as soon as it is known.

    Raises:
        SpecMismatch: the pairs are of another world.
        ArmillaryError: the world resets itself.
    """
    pairs.check(world)
    began, space = time.perf_counter(), world.stream_spec.action
    hold = agent.model.config.skip if agent else 1
    random = RandomBaseline(space, hold, seed)
    actors: dict[str, Actor] = {"do_nothing": DoNothing(space), "random": random}
    if isinstance(world, HasOracle):
        actors["oracle"] = Oracle(world.oracle)
    if agent is not None:
        shuffled = ShuffledActions(agent.model)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            actors["untrained"] = agent.changed(model=agent.model.untrained(), habit=None)
            if agent.habit is not None:
                actors["habit_untrained"] = agent.changed(model=untrained_dynamics(agent.model))
                actors["habit_shuffled"] = agent.changed(imagination=shuffled)
        actors |= {"shuffled": agent.changed(imagination=shuffled, habit=None), "model": agent}
    actors |= others or {}
    rollouts, alone = {}, {}
    few = min(singles, len(pairs))
    for name, actor in actors.items():
        rollouts[name] = run(world, actor, pairs.start, pairs.goal, pairs.budget, batch=batch)
        if few and len(rollouts[name].seconds):  # it is learned
            alone[name] = run(world, actor, pairs.start[:few], pairs.goal[:few], pairs.budget[:few], batch=1)
        on_row(name, wilson(int(rollouts[name].held(pairs.hold).sum()), len(pairs)))
    held = {name: r.held(pairs.hold) for name, r in rollouts.items()}
    ends = held["random"], held.get("oracle")
    rows = {name: _row(pairs, r, held[name], *ends, alone.get(name)) for name, r in rollouts.items()}
    checks = check_rows({name: row.success.value for name, row in rows.items()})
    checks += check_rollouts(world, pairs.goal, rollouts) + check_batch(pairs.hold, rollouts, alone)
    return ControlResult(
        world=world.name,
        version=world.version,
        eval_set_hash=pairs.hash,
        eval_set_seed=pairs.seed,
        pairs=len(pairs),
        hold=pairs.hold,
        rule=pairs.rule,
        budget_mean=float(pairs.budget.mean()),
        rows=rows,
        checks=checks,
        seconds=time.perf_counter() - began,
        rollouts=rollouts,
    )


def over_seeds(results: list[ControlResult], row: str = "model") -> dict[str, Any]:
    """One row's success over training seeds: the mean, lowest and highest, and each seed's own with its Wilson interval."""
    each = [result.rows[row].success for result in results]
    return {"success": asdict(spread([e.value for e in each])), "seeds": [asdict(e) for e in each]}


def _row(
    pairs: EvalSet, r: Rollouts, held: np.ndarray, random: np.ndarray, oracle: np.ndarray | None, alone: Rollouts | None
) -> Row:
    arrival, n, distance = r.arrival(pairs.hold), len(pairs), pairs.distance
    touched = int(r.success.any(axis=0).sum())
    timed = alone is not None and len(alone.seconds) > 0
    median, p95 = (1e3 * np.quantile(alone.seconds, [0.5, 0.95])).tolist() if timed else (None, None)
    return Row(
        success=wilson(int(held.sum()), n),
        first_touch=wilson(touched, n),
        spl=None if distance is None else bootstrap(np.where(held, distance / np.maximum(arrival, distance), 0.0)),
        score=None if oracle is None else bootstrap(held, random, oracle, statistic=_score),
        ladder=[] if distance is None else _ladder(distance, held),
        decision_ms_median=median,
        decision_ms_p95=p95,
        model_calls=r.model_calls,
        held=held.tolist(),
        arrival=[int(step) if np.isfinite(step) else None for step in arrival],
    )


def _score(held: np.ndarray, random: np.ndarray, oracle: np.ndarray) -> float:
    room = oracle.mean() - random.mean()
    return float((held.mean() - random.mean()) / room) if room else float("nan")


def _ladder(distance: np.ndarray, held: np.ndarray) -> list[Rung]:
    parts = np.array_split(np.argsort(distance, kind="stable"), min(RUNGS, len(distance)))
    return [Rung(float(distance[p[0]]), float(distance[p[-1]]), len(p), wilson(int(held[p].sum()), len(p))) for p in parts]
