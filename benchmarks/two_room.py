"""Control in the two-room world: the bars of the demo, over training seeds.

    python benchmarks/two_room.py --door fixed           # 5 minutes on 2 cores
    python benchmarks/two_room.py --door random          # 12 minutes

Each seed is one `armillary demo`: recording, training and judging from nothing. The same model is then judged on goals from
anywhere. Writes --out FILE, where given, with every row's Wilson interval and the spread over seeds.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import tyro

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.demo import demo
from armillary.device import one_thread
from armillary.evaluation.control.evaluate import evaluate, over_seeds
from armillary.evaluation.control.pairs import TEST_SEED, make_eval_set
from armillary.evaluation.judge import BATCH
from armillary.model.world_model import WorldModel
from armillary.provenance import commit
from armillary.worlds import make


def main(
    door: Literal["fixed", "random"] = "fixed", seeds: tuple[int, ...] = (0, 1, 2), pairs: int = 200, out: Path | None = None
) -> None:
    """Run the demo under each seed.

    Args:
        door: always in the middle of the wall, or somewhere else in every episode.
        seeds: of recording, weights and training.
        pairs: of start and goal.
        out: JSON file of the result; none is written by default.
    """
    world = make("two_room", num_envs=pairs, door=door, max_steps=None, autoreset_mode="Disabled")
    anywhere = make_eval_set(world, pairs, TEST_SEED + 1, options={"door": door})
    runs, cross, any_goal = [], [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            judgement = demo(folder, door, pairs=pairs, seed=seed)
            model = WorldModel.load(folder)
        agent = Agent.of(model, AgentConfig.of(model), seed=seed)
        with one_thread():
            result = evaluate(world, anywhere, agent, batch=BATCH, seed=seed)
        facts = {name: judgement.facts[name] for name in ("seed", "machine", "train_seconds", "wall_seconds", "peak_memory_mb")}
        facts |= {name: judgement.facts[name] for name in ("recording_hash", "frames", "versions")}
        runs.append({**facts, **judgement.summary(), "cross_room": _rows(judgement.control), "any_goal": _rows(result)})
        cross.append(judgement.control)
        any_goal.append(result)
        print(json.dumps({name: runs[-1][name] for name in ("seed", "success", "train_seconds", "wall_seconds")}))
    whole = {"door": door, "commit": commit(), "cross_room": over_seeds(cross), "any_goal": over_seeds(any_goal), "runs": runs}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(whole, indent=1) + "\n")
    print(json.dumps({name: whole[name] for name in ("cross_room", "any_goal")}, indent=1))


def _rows(control) -> dict:
    """Every row without its lists of single pairs."""
    rows = {name: asdict(row) for name, row in control.rows.items()}
    return {name: {k: v for k, v in row.items() if k not in ("held", "arrival")} for name, row in rows.items()}


if __name__ == "__main__":
    tyro.cli(main)
