"""For a roboticist: which sensor does the model need? Train one model with stream dropout, and take sensors away afterwards.

A model that was trained with `drop_streams` predicts from any of its sensors, so one training is enough. The robot is the drawn
arm of predict_robot.py, with a camera and joint encoders. Run it so:

    python examples/sense_ablation.py --out runs/senses
"""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import tyro
from predict_robot import SPEC, drive

import armillary as arm
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.training.recipes import RECIPES


def main(out: Path = Path("runs/senses"), episodes: int = 100, steps: int | None = None) -> None:
    """Record, train, and predict from every set of sensors.

    Args:
        out: new folder of the recording and the run.
        episodes: number of episodes to record.
        steps: optimiser steps of each training stage. Default: as in the recipe.
    """
    rng, recipe = np.random.default_rng(0), RECIPES["robot"]
    stages = tuple(replace(stage, steps=steps or stage.steps) for stage in recipe.stages)
    recipe = replace(recipe, model=replace(recipe.model, drop_streams=0.4), stages=stages)
    with arm.Episodes.create(out / "recording", SPEC) as store:
        for _ in range(episodes):
            store.append(drive(rng))
    recording = arm.Episodes.open(out / "recording")
    model = arm.fit(recording, out / "run", recipe)

    names = [stream.name for stream in SPEC.observed]
    for count in range(len(names), 0, -1):
        for streams in combinations(names, count):
            held_out = model.provenance["held_out"]
            result = evaluate_prediction(model, recording, held_out, [1.0], streams=streams, untrained=False)
            error = result.rows["model"][0].error
            print(f"from {' and '.join(streams)}, 1 s ahead: {error.percent()} of the error of predicting no change")


if __name__ == "__main__":
    tyro.cli(main)
