"""What limits a model in its world: state, dynamics, distance or planner? Each is replaced by the truth in turn.

The question that users ask about every model that fails. The same pairs, planner and budget for all rows:

- model: as it is;
- true state: a model of the same recipe that senses the ground truth. What it gains, perception loses;
- true dynamics: the world itself imagines. What it gains, learned dynamics lose;
- true distance: steps along the shortest path, learned from labels. What it gains, the learned cost loses;
- true dynamics and distance: what is left to fail is the planner (and its horizon).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from armillary.device import one_thread
from armillary.errors import ArmillaryError
from armillary.evaluation.control import Row, evaluate
from armillary.evaluation.judge import configurator, default_planner
from armillary.evaluation.pairs import EvalSet
from armillary.evaluation.rollouts import Planned
from armillary.evaluation.run import open_run, world_and_pairs
from armillary.evaluation.substitution import Simulated, labelled_distance, unveiled_episodes, unveiled_world
from armillary.planning import Planner
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig
from armillary.worlds import World, make

BATCH = 10
"""Pairs at a time: each of them has a world of its own for every candidate."""


@dataclass
class Diagnosis:
    """Rows by name, on the same pairs."""

    rows: dict[str, Row]
    eval_set_hash: str
    pairs: int

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return asdict(self)

    def table(self) -> Table:
        """For a terminal."""
        table = Table("replaced by the truth", f"success, % of {self.pairs}", "score", "SPL", "first touch, %")
        for name, row in self.rows.items():
            percent = [f"{100 * e.value:.1f} [{100 * e.low:.0f}, {100 * e.high:.0f}]" for e in (row.success, row.first_touch)]
            table.add_row(name, percent[0], f"{row.score.value:.2f}", f"{row.spl.value:.2f}", percent[1])
        return table


def diagnose(
    run: str | Path,
    *,
    recording: str | Path | None = None,
    pairs: int | str | Path = 40,
    constraints: Mapping[str, Any] | None = None,
    planner: Planner | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Diagnosis:
    """Judge the model in `run` with its parts replaced; see `evaluate_run` for the arguments.

    Raises:
        ArmillaryError: the recording is not of a simulated world; whatever `evaluate_run` raises.
    """
    run = Path(run)
    model, episodes = open_run(run, recording, device)
    if "world" not in episodes.info or pairs == 0:
        raise ArmillaryError(f"{run}: only a model of a simulated world can be diagnosed, on one pair or more")
    world, chosen = world_and_pairs(episodes.info, pairs, constraints or {}, model.provenance.get("recording_seed"))

    def make_world(count: int) -> World:
        return make(world.name, num_envs=count, max_steps=None, autoreset_mode="Disabled", **chosen.options)

    agent = Planned(model, planner or default_planner(model), configurator, seed=seed)
    shared = {"planner": agent.planner, "seed": seed, "make_world": make_world}
    with one_thread(model.config.is_small):
        measured = labelled_distance(model, make_world, seed=seed)
        others = {
            "true distance": replace(agent, configure=lambda model: measured),
            "true dynamics": Simulated(model, configure=configurator, **shared),
            "true dynamics and distance": Simulated(model, true_distance=True, **shared),
        }
        result = evaluate(world, chosen, agent, others=others, batch=min(BATCH, len(chosen)), singles=0, seed=seed)
        sighted = _true_state(world, chosen, agent, episodes, device) if "stages" in model.provenance else {}
    rows = {"model": result.rows["model"], **sighted, **{name: result.rows[name] for name in others}}
    rows |= {name: result.rows[name] for name in ("random", "oracle")}
    return Diagnosis(rows, chosen.hash, len(chosen))


def _true_state(world: World, pairs: EvalSet, agent: Planned, episodes: Any, device: str) -> dict[str, Row]:
    """The row of a model that is trained as the agent's was, on the ground truth."""
    model = agent.model
    stages = tuple(StageConfig(**stage) for stage in model.provenance["stages"])
    recipe = Recipe(replace(model.config, image_size=None), stages)
    with tempfile.TemporaryDirectory() as folder:
        seen = unveiled_episodes(episodes, Path(folder) / "recording")
        config = TrainConfig(seed=model.provenance["seed"], progress=False)
        twin = fit(seen, Path(folder) / "run", recipe, config, held_out=len(model.provenance["held_out"]), device=device)
    control = evaluate(unveiled_world(world), pairs, replace(agent, model=twin), batch=min(BATCH, len(pairs)), singles=0)
    return {"true state": control.rows["model"]}
