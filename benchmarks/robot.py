"""Prediction on a real robot's recording: import, train, judge on four episodes that the model never saw.

    python benchmarks/robot.py PATH/unitree_g1           # 3 minutes on 2 cores

PATH is a LeRobot dataset. Writes results/NAME.json: error as a share of persistence's, and retrieval, by horizon, with the rows
chance, persistence and untrained.
"""

import json
import tempfile
import time
from pathlib import Path

import tyro

from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.store import Episodes
from armillary.evaluation.run import evaluate_run
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES


def main(path: tyro.conf.Positional[Path], held_out: int = 4, seed: int = 0) -> None:
    """Import, train, judge.

    Args:
        path: of the LeRobot dataset.
        held_out: episodes that the model never sees.
        seed: of split, weights and training.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        summary = import_lerobot(path, f"{folder}/recording", image_size=64)
        imported = time.process_time()
        fit(Episodes.open(summary.out), f"{folder}/run", RECIPES["robot"], TrainConfig(seed=seed), held_out=held_out)
        trained = time.process_time()
        judgement = evaluate_run(f"{folder}/run", seed=seed)
    facts = {name: value for name, value in judgement.facts.items() if name != "recording"}
    cpu = {"import": imported - began, "train": trained - imported, "eval": time.process_time() - trained}
    result = {"recording": path.name, "episodes": summary.episodes, "cpu_seconds": cpu, "facts": facts}
    result |= judgement.summary() | {"prediction": judgement.prediction.to_json()}
    out = Path(__file__).parents[1] / "results" / f"{path.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({**cpu, **judgement.summary()}, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
