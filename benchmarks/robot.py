"""Prediction on a real robot's recording, forward in time: learn from earlier sittings, judge on later ones.

    python benchmarks/robot.py PATH/unitree_g1 --out results/unitree_g1.json           # about half an hour on one core

PATH is the LeRobot dataset of a Unitree G1, episodes 10 to 59 in the order in which they were recorded. Between sittings the
camera and the idle arm move. Settings were chosen on episodes 40 to 49 of models that had learned from 10 to 39
(results/unitree_g1_choice.json); episodes 50 to 59 are for the report alone, which was made twice. Cells: from 10 to 39 and
from 10 to 49 by three seeds, each sense alone, and, for comparison, a random split, in which neighbours of every held-out
episode are learned from.

Each cell has error as a share of persistence's and retrieval by horizon, with 95% intervals over episodes, for model,
untrained, persistence and chance. With `--out` cells are written as they end, and those that are there are not run again.
"""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.store import Episodes
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.evaluation.run import default_horizons
from armillary.files import as_json, parse_json, write_whole
from armillary.provenance import commit, machine
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

TEST = range(50, 60)
RANDOM = 9  # episodes that the random split holds out, as many as there are for the report


@dataclass(frozen=True)
class Cell:
    """What is learned from (dataset episodes, or None for a random split), by which senses, under which seeds."""

    trained: range | None
    senses: tuple[str, ...] = ("camera", "state")
    seeds: tuple[int, ...] = (0,)


CELLS = {
    "10-39": Cell(range(10, 40), seeds=(0, 1, 2)),
    "10-49": Cell(range(10, 50), seeds=(0, 1, 2)),
    "10-39, state alone": Cell(range(10, 40), ("state",)),
    "10-39, camera alone": Cell(range(10, 40), ("camera",)),
    "random split": Cell(None),
}


def main(path: tyro.conf.Positional[Path], out: Path | None = None, store: Path | None = None, only: str | None = None) -> None:
    """Import, and train and judge each cell.

    Args:
        path: of the LeRobot dataset.
        out: file for the results; they are printed in any case.
        store: folder that keeps the imported recording for the next time.
        only: one cell alone.
    """
    done: dict[str, Any] = parse_json(out.read_text(), out) if out and out.exists() else {"recording": path.name, "cells": {}}
    with tempfile.TemporaryDirectory() as folder:
        store = store or Path(folder) / "recording"
        if not store.exists():
            import_lerobot(path, store, image_size=64)
        episodes = Episodes.open(store)
        for name, cell in CELLS.items():
            for seed in cell.seeds if only in (None, name) else ():
                if (key := f"{name}, seed {seed}") not in done["cells"]:
                    done["cells"][key] = run(episodes, cell, seed, Path(folder) / key)
                    if out:
                        write_whole(out, as_json(done, indent=1) + "\n")
                print(key, json.dumps(done["cells"][key]["summary"]), flush=True)


def run(episodes: Episodes, cell: Cell, seed: int, folder: Path) -> dict[str, Any]:
    """Train and judge one cell; JSON-able."""
    streams = {"camera" if stream.kind == "image" else "state": stream.name for stream in episodes.spec.observed}
    number = [info["episode"] for info in episodes.infos]
    hidden = RANDOM if cell.trained is None else [i for i, n in enumerate(number) if n not in cell.trained]
    began = time.process_time()
    model = fit(
        episodes,
        folder,
        RECIPES["robot"],
        TrainConfig(seed=seed, progress=False),
        streams=tuple(streams[sense] for sense in cell.senses),
        held_out=hidden,
        device="cpu",
    )
    trained = time.process_time()
    held = model.provenance["held_out"]
    test = held if cell.trained is None else [i for i in held if number[i] in TEST]
    horizons = default_horizons(episodes.spec.rate, model.config.skip)
    judged = evaluate_prediction(model, episodes, test, horizons, seed=seed)
    return {
        "senses": cell.senses,
        "seed": seed,
        "trained_on": [n for i, n in enumerate(number) if i not in held],
        "judged_on": [number[i] for i in test],
        "summary": judged.summary(),
        "prediction": judged.to_json(),
        "cpu_seconds": {"train": trained - began, "judge": time.process_time() - trained},
        "commit": commit(),
        "machine": machine(),
        "recording_hash": model.provenance["recording_hash"],
        "versions": model.provenance["versions"],
    }


if __name__ == "__main__":
    tyro.cli(main)
