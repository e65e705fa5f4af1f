"""For a student: stop training and go on with it, save and load a model, and fine-tune it on another recording.

Shows `resume` (an interrupted run continues, and gives the same model as without the interruption), `WorldModel.load`, and
`start`, which trains a loaded model further. Run it so:

    python examples/resume_and_finetune.py --out runs/finetuned
"""

from dataclasses import replace
from pathlib import Path

import tyro

import armillary as arm
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES


def stop(model: arm.WorldModel) -> dict[str, float]:
    """Stands for Ctrl-C, or the end of your time on a cluster."""
    raise KeyboardInterrupt


def main(out: Path = Path("runs/finetuned"), episodes: int = 200, steps: int = 500) -> None:
    """Train in one room layout, with an interruption, and fine-tune in others.

    Args:
        out: new folder of the recordings and the runs.
        episodes: number of episodes to record in each.
        steps: optimiser steps of each training stage.
    """
    recordings = {}
    for door in ("fixed", "random"):
        world = arm.make("two_room", num_envs=20, max_steps=40, door=door)
        recordings[door] = arm.record(world, world.play(), out / f"{door} door", episodes=episodes)
    stages = tuple(replace(stage, steps=steps) for stage in RECIPES["two_room"].stages)
    recipe = replace(RECIPES["two_room"], stages=stages)

    config = TrainConfig(save_every=0)  # seconds between saves; here at every logged step
    try:
        arm.fit(recordings["fixed"], out / "first", recipe, config, validate=lambda held_out: stop)
    except KeyboardInterrupt:
        print("interrupted")
    first = arm.fit(recordings["fixed"], out / "first", recipe, config, resume=True)

    second = arm.fit(recordings["random"], out / "second", recipe, start=arm.WorldModel.load(out / "first"))
    held_out = second.provenance["held_out"]
    for name, model in {"before": first, "after": second}.items():
        error = evaluate_prediction(model, recordings["random"], held_out, [5], untrained=False).rows["model"][0].error
        print(f"{name} fine-tuning, random door, 5 steps ahead: {error.percent()} of the error of predicting no change")


if __name__ == "__main__":
    tyro.cli(main)
