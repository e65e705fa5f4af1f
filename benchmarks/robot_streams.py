"""What each sense of a real robot buys, and what is left when one dies.

    python benchmarks/robot_streams.py PATH/unitree_g1           # 8 CPU minutes

PATH is a LeRobot dataset with a camera and states. A model is trained on both, on each alone, and on both with streams left out
of training frames (`drop_streams`); the last one is judged with either sense dead. All on the same held-out episodes. Each
judges in its own latents, so that what compares is the time error of the retrieved frame. At the moment when a sense dies, is
surprise a sign of it? AUROC of the one-step surprise there, against the same moments with both. The split is random: it
compares senses, and flatters all of them (robot.py goes forward in time).
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.episodes.clips import Clips
from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.store import Episodes
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.evaluation.run import default_horizons
from armillary.evaluation.statistics import bootstrap
from armillary.files import as_json, write_whole
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

DROP = 0.4


def main(
    path: tyro.conf.Positional[Path], held_out: int = 4, seed: int = 0, steps: int | None = None, out: Path | None = None
) -> None:
    """Train four models, judge six.

    Args:
        path: of the LeRobot dataset.
        held_out: episodes that no model sees.
        seed: of split, weights and training.
        steps: of each stage, in place of the recipe's, to try it out.
        out: file for the results; they are printed in any case.
    """
    robot = RECIPES["robot"]
    if steps:
        robot = replace(robot, stages=tuple(replace(stage, steps=steps) for stage in robot.stages))
    tolerant = replace(robot, model=replace(robot.model, drop_streams=DROP))
    result: dict = {
        "recording": path.name,
        "commit": commit(),
        "machine": machine(),
        "seed": seed,
        "drop_streams": DROP,
        "cpu_seconds": {},
        "prediction": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        episodes = Episodes.open(import_lerobot(path, f"{folder}/recording", image_size=64, progress=False).out)
        senses = {"camera" if stream.kind == "image" else "state": stream.name for stream in episodes.spec.observed}
        asked = {"camera + state": (robot, tuple(senses))} | {name: (robot, (name,)) for name in senses}
        asked[f"camera + state, drop {DROP}"] = tolerant, tuple(senses)
        for name, (recipe, used) in asked.items():
            began, config = time.process_time(), TrainConfig(seed=seed, progress=False)
            chosen = tuple(senses[sense] for sense in used)
            model = fit(episodes, f"{folder}/{name}", recipe, config, streams=chosen, held_out=held_out, device="cpu")
            result["cpu_seconds"][name] = time.process_time() - began
            for row, alive in _lives(name, used, recipe is tolerant):
                held, horizons = model.provenance["held_out"], default_horizons(episodes.spec.rate, model.config.skip)
                streams = [senses[sense] for sense in alive]
                judged = evaluate_prediction(model, episodes, held, horizons, streams=streams, seed=seed)
                result["prediction"][row] = judged.to_json()
                print(row, json.dumps(judged.summary()), flush=True)
        result["surprise"] = {sense: _surprise(model, episodes, name) for sense, name in senses.items()}
        result |= {name: model.provenance[name] for name in ("recording_hash", "held_out", "versions")}
    if out:
        write_whole(out, as_json(result, indent=1) + "\n")
    print(json.dumps({"surprise": result["surprise"], "cpu_seconds": result["cpu_seconds"]}, indent=1))


def _lives(name: str, used: tuple[str, ...], tolerant: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows that one model is judged for: with all that it was trained on, and with each sense dead."""
    yield name, used
    if tolerant:
        yield from ((f"{name}; {dead} dead", tuple(sense for sense in used if sense != dead)) for dead in used)


def auroc(negative: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores higher than a negative; ties count half. 0.5 is chance, and 1 is perfect."""
    negative = np.sort(negative)
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


@torch.no_grad()
def _surprise(model: WorldModel, episodes: Episodes, dead: str) -> dict:
    """One-step surprise as it usually is, at the moment when a stream dies, and after that; medians, and AUROC of the death."""
    clips = Clips(episodes, model.config.context + 1, skip=model.config.skip, which=model.provenance["held_out"], image_size=64)
    scores: dict[str, list[torch.Tensor]] = {"usual": [], "at death": [], "after": []}
    group = []
    for batch in clips.sequential(256):
        z = model.encode(batch.observations)
        left = model.encode({name: x for name, x in batch.observations.items() if name != dead})
        for moment, latents in zip(scores, (z, torch.cat([z[:, :-1], left[:, -1:]], 1), left), strict=True):
            scores[moment].append(model.surprise(latents, batch.actions)[:, -1])
        group.append(batch.episode)
    values, groups = {moment: torch.cat(some).numpy() for moment, some in scores.items()}, torch.cat(group).numpy()
    sign = bootstrap(values["usual"], values["at death"], groups=groups, statistic=auroc, samples=300)
    return {"median": {moment: float(np.median(some)) for moment, some in values.items()}, "auroc": asdict(sign)}


if __name__ == "__main__":
    tyro.cli(main)
