"""The untrained row that means something: trained dynamics on a frozen random encoder, so that only perception is not learned.

An untrained model fails in every part at once. This one shows what learning the encoder adds: scales are fitted, BatchNorm's
statistics are recalibrated, and every stage of the recipe after the joint one is run as for the model beside it.
"""

from pathlib import Path

import numpy as np
import torch

from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.latents import clips_for
from armillary.model.world_model import MODEL, STATE, WorldModel
from armillary.training.loop import TrainConfig, train
from armillary.training.stages import StageConfig
from armillary.training.validation import recalibrate


def train_on_random_encoder(
    model: WorldModel, episodes: Episodes, which: np.ndarray, out: str | Path, config: TrainConfig
) -> WorldModel:
    """Train the dynamics (and critic) of `model`'s recipe on an encoder with random weights; goes on with what is in `out`.

    Args:
        model: trained; gives the shape, the scales and the stages.
        episodes: its recording.
        which: numbers of the episodes that the model learned from.
        out: folder of the run.
        config: seed and logging.

    Raises:
        ArmillaryError: the recipe trains dynamics together with the encoder alone.
    """
    stages = tuple(StageConfig.from_json(stage) for stage in model.provenance["stages"] if stage["kind"] != "joint")
    if not stages:
        raise ArmillaryError("the recipe has no stage after the joint one: there are no dynamics to train on a frozen encoder")
    clips = clips_for(model, episodes, model.config.frames, which)
    with one_thread(model.config.is_small), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        fresh = model.untrained()
        for name in [name for name, term in fresh.terms.items() if term.stage != "joint"]:
            del fresh.terms[name]  # a stage of the recipe adds it
        recalibrate(fresh, clips, config.seed)
        begun = any((Path(out) / part).exists() for part in (MODEL, STATE))
        return train(fresh, clips, stages, out, config, resume=begun)
