"""What test_distributed.py runs: alone in its own process, or by torchrun in two. python two_processes.py STORE OUT

OUT gets the gradients of the whole objective on one global batch, BatchNorm's statistics after it, the metrics of a run through
all stages, and a line for each validation that a process was asked for.
"""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from training.training_fakes import SPEC, clips_of, new_model

from armillary import distributed, weights
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episodes
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.objectives.vicreg import VICReg
from armillary.training import loop
from armillary.training.loop import TrainConfig, train
from armillary.training.stages import StageConfig

EVERYTHING = {"sigreg": SIGReg(2.0, slices=16, episode_dims=2), "vicreg": VICReg(3.0, covariance=0.5 / 3)}
CONFIG = TrainConfig(log_every=1, save_every=0, validations=2, progress=False)
STAGES = tuple(StageConfig(kind, steps=3, batch=16) for kind in ("joint", "dynamics", "critic"))


def main(store: str, out: str) -> None:
    torch.set_num_threads(1)
    distributed.start(torch.device("cpu"))
    clips = clips_of(Episodes.open(store))
    gradients(clips, Path(out) / "gradients")
    stages(clips, Path(out) / "stages")
    a_large_recipe(clips, Path(out) / "large")


def gradients(clips: Clips, path: Path) -> None:
    model = new_model(**EVERYTHING)
    model.fit_scales(clips[:])
    batch = clips[distributed.shard(torch.arange(16)).numpy()]
    losses = model.train().losses(batch, torch.Generator().manual_seed(0))
    losses["loss"].backward()
    distributed.average_gradients(model.parameters())
    found = {f"gradient/{name}": parameter.grad for name, parameter in model.named_parameters()}
    found |= {f"statistics/{name}": value.float() for name, value in model.perception.projector[1].named_buffers()}
    found |= {f"loss/{name}": distributed.all_mean(value.detach()) for name, value in losses.items()}
    if distributed.rank() == 0:
        weights.write(path, found, {"processes": distributed.world_size()})


def stages(clips: Clips, out: Path) -> None:
    """Every process begins with other weights, and ends with those that the first one's lead to."""

    def judge(model: WorldModel) -> dict[str, float]:
        with (out / "judged").open("a") as file:
            file.write(f"{distributed.rank()}\n")
        return {"asked": 1.0}

    precise, loop.autocast = loop.autocast, lambda *_, **__: nullcontext()  # rounding to bfloat16 depends on the shard
    model = train(new_model(seed=distributed.rank(), **EVERYTHING), clips, STAGES, out, CONFIG, validate=judge)
    loop.autocast = precise
    assert (out / loop.MODEL).exists()
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    everyone = distributed.gather(flat).unflatten(0, (distributed.world_size(), -1))
    assert torch.equal(everyone[0], everyone[-1])


def a_large_recipe(clips: Clips, out: Path) -> None:
    """A transformer with BatchNorm in its head, dropout, and bfloat16 where the machine has it."""
    small = {"image_size": 16, "width": 4, "projector": 16, "latent": 4, "predictor_width": 16, "predictor_depth": 1}
    head = {"predictor": "transformer", "predictor_head": 8, "predictor_heads": 2, "dropout": 0.1, "context": 2}
    config = ModelConfig(**small, **head, objective={"prediction": Prediction(rollout=1), "sigreg": SIGReg(slices=16)})
    train(WorldModel(SPEC, config), clips, (replace(STAGES[0], seconds=60),), out, CONFIG)


if __name__ == "__main__":
    main(*sys.argv[1:])
