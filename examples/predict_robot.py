"""For a roboticist: store what your own robot sensed and did, learn from it, and predict what actions will lead to.

Shows `Spec` (streams with shapes and units), `Episodes` (append one after each drive) and a rollout of `WorldModel`. The robot
here is a drawn arm of two joints; replace `drive` and `SPEC` by yours: python examples/predict_robot.py --out runs/arm
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro

import armillary as arm
from armillary.episodes.episode import Episode
from armillary.imagination import Context
from armillary.spec import ActionSpace, Stream
from armillary.training.recipes import RECIPES

SPEC = arm.Spec(
    (Stream("camera", "image", (64, 64, 3)), Stream("joints", "vector", (2,), unit=("rad", "rad"))),
    ActionSpace("box", 2, low=(-1, -1), high=(1, 1), unit=("rad/s", "rad/s")),
    rate=10.0,
)


def drive(rng: np.random.Generator, steps: int = 100) -> Episode:
    """Random joint velocities. Row t holds what was sensed and the action taken on seeing it; the last row has no action."""
    actions = rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
    joints = np.concatenate([rng.uniform(-1, 1, (1, 2)), np.zeros((steps, 2))]).astype(np.float32)
    joints[1:] = joints[0] + actions.cumsum(0) / SPEC.rate
    angles = joints.cumsum(1)
    hand = np.stack([np.cos(angles).sum(1), np.sin(angles).sum(1)], 1)  # in arm lengths
    pixels = np.stack(np.meshgrid(*[np.linspace(-2, 2, 64)] * 2), -1)
    drawn = ((pixels - hand[:, None, None]) ** 2).sum(-1, keepdims=True) < 0.05
    return Episode({"camera": np.where(drawn, 255, 40).astype(np.uint8).repeat(3, -1), "joints": joints}, actions)


def main(out: Path = Path("runs/arm"), episodes: int = 100, steps: int | None = None) -> None:
    """Record, learn, and predict a new drive; `steps` replaces the recipe's optimiser steps of each stage."""
    rng = np.random.default_rng(0)
    with arm.Episodes.create(out / "recording", SPEC) as recording:
        for _ in range(episodes):
            recording.append(drive(rng))
        stages = tuple(replace(stage, steps=steps or stage.steps) for stage in RECIPES["robot"].stages)
        model = arm.fit(recording, out / "run", replace(RECIPES["robot"], stages=stages))

    skip, context, new = model.config.skip, model.config.context, drive(rng)  # one frame in `skip` is kept
    with torch.inference_mode():
        z = model.encode({name: torch.from_numpy(x[None, ::skip]).to(model.device) for name, x in new.observations.items()})
        blocks = torch.from_numpy(new.actions.reshape(1, -1, skip * SPEC.action.n)).to(model.device)
        past = Context(z[:, :context], blocks[:, : context - 1])
        predicted = model.rollout(past, blocks[:, None, context - 1 :]).z[0, 0]
    error, persistence = ((guess - z[0, context:]).square().mean(1) for guess in (predicted, z[0, context - 1]))
    for ahead in (1, 2, 4, 8):
        print(f"{ahead * skip / SPEC.rate:.1f} s ahead: {error[ahead - 1] / persistence[ahead - 1]:.0%} of persistence's error")


if __name__ == "__main__":
    tyro.cli(main)
