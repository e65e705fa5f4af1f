"""What limits a model in its world: state, dynamics, distance or planner? Each is replaced by the truth in turn.

The question that users ask about every model that fails. All rows have the same pairs, budget and planner: that of the run's
agent, without its habit. Where that one searches a graph or stays at the goal, all rows have the planner that it ends with,
since true dynamics start from true states alone.

- model: as it is;
- true state: a model of the same recipe that senses the ground truth. What it gains, perception loses;
- true dynamics: the world itself imagines. What it gains, learned dynamics lose;
- true distance: steps along the shortest path, learned from labels. What it gains, the learned cost loses;
- true dynamics and distance: what is left to fail is the planner (and its horizon).

What a world cannot tell is left out: true dynamics where no state can be set, true distance without a shortest path, true state
without vectors of ground truth.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from armillary.acting.agent import Agent
from armillary.acting.baselines import RandomBaseline
from armillary.acting.config import AgentConfig
from armillary.actor import Actor
from armillary.console import plain_console
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.control.evaluate import ControlResult, Row, evaluate
from armillary.evaluation.control.sanity import Check
from armillary.evaluation.control.substitution import Simulated, labelled_distance, unveiled_episodes, unveiled_world
from armillary.evaluation.run import judged_world, open_run, why_not_judged, world_and_pairs
from armillary.evaluation.statistics import Estimate
from armillary.files import as_json, write_whole
from armillary.model.world_model import WorldModel
from armillary.planning import Planner
from armillary.provenance import machine
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig
from armillary.worlds.world import HasShortestPath, Judged, names

BATCH = 10
"""Pairs at a time: each of them has a world of its own for every candidate."""


@dataclass
class Diagnosis:
    """Rows by name, on the same pairs."""

    rows: dict[str, Row]
    eval_set_hash: str
    pairs: int
    checks: list[Check]
    """Of the judging itself: where one is red, no row can be trusted."""
    facts: dict[str, Any]
    """What is needed to repeat it: seeds, versions, hashes, planner."""

    def save(self, path: str | Path) -> None:
        """Write it as JSON, whole or not at all."""
        write_whole(path, as_json(asdict(self), indent=1) + "\n")

    def table(self) -> Table:
        """For a terminal."""
        red = [f"RED: {check.name} {check.value:.3g}, though {check.expected}" for check in self.checks if not check.ok]
        table = Table("replaced by the truth", f"success, % of {self.pairs}", "score", "SPL", "first touch, %")
        table.caption = "\n".join(red) or None
        for name, row in self.rows.items():
            percent = [f"{100 * e.value:.1f} [{100 * e.low:.0f}, {100 * e.high:.0f}]" for e in (row.success, row.first_touch)]
            score, spl = ("-" if e is None else f"{e.value:.2f}" for e in (row.score, row.spl))
            table.add_row(name, percent[0], score, spl, percent[1])
        return table


def diagnose(
    run: str | Path,
    *,
    recording: str | Path | None = None,
    world: str | Callable[..., Any] | None = None,
    pairs: int | str | Path = 40,
    constraints: Mapping[str, Any] | None = None,
    planner: Planner | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Diagnosis:
    """Judge the model in `run` with its parts replaced; see `evaluate_run` for the arguments.

    A model that was not made by training stages has no row "true state". With `progress`, each row is printed when it is known.

    Raises:
        ArmillaryError: the recording is of no world that a file may name, and no `world` is given; the world has neither
            `set_state` nor a shortest path; whatever `evaluate_run` raises.
    """
    if seed < 0:
        raise ArmillaryError(f"seed {seed}: take 0 or more")
    run = Path(run)
    model, episodes = open_run(run, recording, device)
    recorded = str(episodes.info.get("world", ""))
    if pairs == 0:
        raise ArmillaryError("expected one pair or more, got 0")
    if world is None and recorded not in names():
        why = why_not_judged(recorded) if recorded else "its recording names no world; add --world"
        raise ArmillaryError(f"{run} cannot be diagnosed: {why}")
    recorded_under = model.provenance.get("recording_seed")
    judged_in, chosen = world_and_pairs(episodes.info, pairs, constraints or {}, recorded_under, world=world)
    measures = isinstance(judged_in, HasShortestPath)
    if not (judged_in.any_state or measures):
        raise ArmillaryError(
            f"{judged_in.name} cannot be diagnosed: expected set_state, a shortest path or both, and it has neither"
        )
    model.spec.check(judged_in.stream_spec, "world")
    chosen.refuse([recorded_under])

    def make_world(count: int) -> Any:
        return judged_world(count, chosen.world, chosen.options, world)

    saved = AgentConfig.of(model)
    own = saved.planner_for(model)
    agent = Agent(model, planner or getattr(own, "refine", own), saved.cost, seed=seed, execute=saved.execute)
    shared: dict[str, Any] = {"planner": agent.planner, "execute": agent.execute, "seed": seed, "make_world": make_world}
    batch = min(BATCH, len(chosen))
    common = {"random": RandomBaseline(model.spec.action, model.config.skip, seed)}

    console, began = plain_console(quiet=not progress), time.perf_counter()

    def on_row(name: str, held: Estimate) -> None:
        console.print(f"{time.perf_counter() - began:5.0f} s  {name}: {held.percent()}")

    def judged(world: Judged, actors: Mapping[str, Actor]) -> ControlResult:
        return evaluate(world, chosen, others={**common, **actors}, batch=batch, singles=0, seed=seed, on_row=on_row)

    with one_thread(model.config.is_small):
        present, sighted, checks = make_world(batch), {}, []
        if "stages" in model.provenance and any(stream.is_tabular for stream in episodes.spec.truth):
            seeing = judged(unveiled_world(present), {"true state": agent.changed(model=_sighted(model, episodes, device))})
            sighted, checks = {"true state": seeing.rows["true state"]}, seeing.checks
        others: dict[str, Actor] = {}
        if measures:
            console.print(f"{time.perf_counter() - began:5.0f} s  learning the true distance from labels")
            others["true distance"] = agent.changed(cost=labelled_distance(model, make_world, seed=seed))
        if judged_in.any_state:
            others["true dynamics"] = Simulated(model, cost=saved.cost, **shared)
        if measures and judged_in.any_state:
            others["true dynamics and distance"] = Simulated(model, true_distance=True, **shared)
        result = judged(present, {"model": agent, **others})
    ends = [name for name in ("random", "oracle") if name in result.rows]
    rows = {name: result.rows[name] for name in ("model", *others, *ends)}
    rows = {"model": rows.pop("model"), **sighted, **rows}
    checks = [*result.checks, *(replace(check, name=f"{check.name}, true state") for check in checks)]
    facts = {"seed": seed, "planner": repr(agent.planner), "rule": chosen.rule, "machine": machine(), "model": model.provenance}
    return Diagnosis(rows, chosen.hash, len(chosen), checks, facts)


def _sighted(model: WorldModel, episodes: Episodes, device: str) -> WorldModel:
    """A model that is trained as this one was, on the ground truth."""
    made_from = model.provenance
    stages = tuple(StageConfig.from_json(stage) for stage in made_from["stages"])
    recipe = Recipe(replace(model.config, image_size=None), stages)
    with tempfile.TemporaryDirectory() as folder:
        seen = unveiled_episodes(episodes, Path(folder) / "recording")
        config = TrainConfig(seed=made_from["seed"], progress=False)
        return fit(seen, Path(folder) / "run", recipe, config, held_out=len(made_from["held_out"]), device=device).eval()
