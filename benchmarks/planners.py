"""Which planner? All of them on the same models, pairs and cost, at equal budgets of imagined steps.

    armillary demo --out runs/demo                       # 1 minute on 2 cores; any two-room run will do, several are better
    python benchmarks/planners.py runs/demo              # 1 minute a run

Goals are in the other room, on pairs that no planner was tuned on. Each planner has its default settings, and once more a third
of the budget. `calls` are imagined steps a decision, forward alone: the gradient planner goes back through each as well.
Decisions are timed for one pair at a time, encoding included, on one thread and in process time, so that what else the machine
does counts for little. Writes --out FILE, where given, and prints success with Wilson's interval for each run.
"""

import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from armillary.acting.agent import Agent
from armillary.actor import Action, Observations
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.evaluation.control.evaluate import ControlResult, evaluate, over_seeds
from armillary.evaluation.control.pairs import TEST_SEED, make_eval_set
from armillary.evaluation.judge import BATCH
from armillary.evaluation.statistics import spread
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, ICEM, MPPI, GradientPlanner, Planner, RandomShooting
from armillary.provenance import commit, machine
from armillary.worlds import make

PLANNERS: dict[str, Planner] = {
    "CEM": CEM(),
    "iCEM": ICEM(),
    "MPPI": MPPI(),
    "gradient": GradientPlanner(),
    "random shooting": RandomShooting(),
    "CEM, a third": CEM(samples=20),
    "iCEM, a third": ICEM(samples=27),
    "MPPI, a third": MPPI(samples=20),
    "gradient, a third": GradientPlanner(samples=5),
    "random shooting, a third": RandomShooting(samples=80),
}
UNSEEN = TEST_SEED + 2
"""Of the pairs. The planners of this table were tuned on those of 10,777."""


class Timed(Agent):
    """Also keeps the process time of each decision for a single pair."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.spent: list[float] = []

    def act(self, observations: Observations, ids: Any = None) -> Action:
        began = time.process_time()
        action = super().act(observations, ids)
        if action.decided.any() and len(action.values) == 1:
            self.spent.append(time.process_time() - began)
        return action


def judge_planners(run: Path, pairs: int, seed: int) -> tuple[ControlResult, dict[str, dict]]:
    """The table of one run: what `evaluate` says, and each row in short."""
    model = WorldModel.load(run, "cpu")
    info = Episodes.open(model.provenance["recording"]).info
    world = make(info["world"], num_envs=pairs, max_steps=None, autoreset_mode="Disabled", **info["options"])
    seeds = [model.provenance["recording_seed"]]
    chosen = make_eval_set(world, pairs, UNSEEN, forbidden_seeds=seeds, options=info["options"], cross=True)
    agents = {name: Timed(model, planner, "auto", seed=seed) for name, planner in PLANNERS.items()}
    with one_thread():
        result = evaluate(world, chosen, agents["CEM"], others=agents, batch=min(BATCH, pairs), singles=8, seed=seed)
    del result.rows["model"]  # the CEM once more
    rows = {}
    for name, row in result.rows.items():
        kept = ("success", "first_touch", "spl", "score", "model_calls")
        rows[name] = {key: value for key, value in asdict(row).items() if key in kept}
        if name in agents:
            median, p95 = (1e3 * np.quantile(agents[name].spent, [0.5, 0.95])).round(2).tolist()
            rows[name]["decision_ms"] = {"p50": median, "p95": p95}
    return result, rows


def main(runs: tyro.conf.Positional[tuple[Path, ...]], pairs: int = 200, seed: int = 0, out: Path | None = None) -> None:
    """Compare the planners.

    Args:
        runs: folders of trained two-room models.
        pairs: of start and goal, in different rooms.
        seed: of the planners and baselines.
        out: JSON file of the result; none is written by default.
    """
    results, tables = [], []
    for run in runs:
        result, rows = judge_planners(run, pairs, seed)
        results.append(result)
        tables.append({"run": run.name, "checks_ok": result.ok, "eval_set_hash": result.eval_set_hash, "rows": rows})
        print(f"{run.name}, {pairs} pairs; the judging's own checks: {'green' if result.ok else 'RED'}")
        for name, row in rows.items():
            line = f"{name:25} success {result.rows[name].success.percent():16} spl {row['spl']['value']:.2f}"
            timed = f"  {row['model_calls']:5} calls  {row['decision_ms']['p50']:6.1f} ms" if "decision_ms" in row else ""
            print(line + timed)
    over_runs = {
        name: over_seeds(results, name) | {"spl": asdict(spread([r.rows[name].spl.value for r in results]))}
        for name in results[0].rows
    }
    whole = {
        "what": "planners on trained two-room models, cross-room goals; decision_ms is process time, on one thread",
        "settings": {name: {"planner": type(p).__name__, **asdict(p)} for name, p in PLANNERS.items()},
        "pairs": pairs,
        "pairs_seed": UNSEEN,
        "seed": seed,
        "machine": machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "commit": commit(),
        "over_runs": over_runs,
        "runs": tables,
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
