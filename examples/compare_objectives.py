"""For a researcher: train the same model under two objectives on one recording, and compare them with intervals.

Shows how a recipe is changed (it is a dataclass), and how predictions are judged: open loop, on the episodes that training held
out, as a share of persistence's error, beside an untrained model. Run it so:

    python examples/compare_objectives.py --out runs/objectives
"""

from dataclasses import replace
from pathlib import Path

import tyro

import armillary as arm
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.objectives.vicreg import VICReg
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

OBJECTIVES = {
    "sigreg": {"prediction": Prediction(), "sigreg": SIGReg()},
    "vicreg": {"prediction": Prediction(), "vicreg": VICReg()},
}


def main(out: Path = Path("runs/objectives"), episodes: int = 200, steps: int = 500, seeds: int = 3) -> None:
    """Record once, train each objective with each seed, and print what was measured.

    Args:
        out: new folder of the recording and the runs.
        episodes: how many to record.
        steps: optimiser steps of each training stage.
        seeds: training seeds 0, 1, ... of each objective.
    """
    world = arm.make("two_room", num_envs=20, max_steps=40)
    recording = arm.record(world, world.play(), out / "recording", episodes=episodes)
    recipe = RECIPES["two_room"]
    stages = tuple(replace(stage, steps=steps) for stage in recipe.stages)
    for name, objective in OBJECTIVES.items():
        for seed in range(seeds):
            changed = replace(recipe, model=replace(recipe.model, objective=objective), stages=stages)
            model = arm.fit(recording, out / f"{name}_{seed}", changed, TrainConfig(seed=seed))
            held_out = model.provenance["held_out"]
            judged = evaluate_prediction(model, recording, held_out, horizons=[1, 5, 10])
            for row in ("model", "untrained"):
                at = judged.rows[row][-1]
                error = f"{at.error.value:.0%} [{at.error.low:.0%}, {at.error.high:.0%}] of persistence's error"
                print(f"{name}, seed {seed}, {row}: {at.horizon:g} steps ahead {error}, {len(held_out)} episodes")


if __name__ == "__main__":
    tyro.cli(main)
