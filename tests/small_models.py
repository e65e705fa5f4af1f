"""A small spec, models and batches of it, for the tests of models and of training."""

import torch
from torch import nn

from armillary.distributed import BatchNorm
from armillary.episodes.clips import Batch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream

CAMERA, STATE, PLACE = "camera.image", "state", "place"
SPEC = Spec(
    (
        Stream(CAMERA, "image", (32, 32, 3)),
        Stream(PLACE, "vector", (2,), truth=True),
        Stream(STATE, "vector", (3,), unit=("m", "m", "rad")),
    ),
    ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)),
)
PREDICTORS = ("mlp", "gru", "transformer", "map")


def small_config(predictor: str = "mlp", **changes) -> ModelConfig:
    """Two actions a block; three frames of context where the predictor can use them; images of 16 px."""
    small = {"image_size": 16, "width": 4, "projector": 16, "latent": 8, "predictor_width": 16, "predictor_heads": 2, "skip": 2}
    kind = {
        "predictor": predictor,
        "context": 1 if predictor in ("mlp", "map") else 3,
        "map_channels": 3 * (predictor == "map"),
    }
    return ModelConfig(**{**small, **kind, **changes})


def small_model(predictor: str = "mlp", seed: int = 0, spec: Spec = SPEC, **changes) -> WorldModel:
    """An untrained model in eval mode, with no weight at zero and BatchNorm statistics of its own."""
    torch.manual_seed(seed)
    model = WorldModel(spec, small_config(predictor, **changes))
    shake(model)
    return model.eval()


def shake(module: nn.Module) -> None:
    """Move every weight and every running statistic, so that nothing is the identity by its initialisation."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for part in module.modules():
            if isinstance(part, BatchNorm):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)


def random_batch(clips: int = 4, frames: int = 4, seed: int = 0, spec: Spec = SPEC, skip: int = 2) -> Batch:
    random = torch.Generator().manual_seed(seed)

    def values(stream: Stream) -> torch.Tensor:
        shape = (clips, frames, *stream.shape)
        if stream.kind == "image":
            return torch.randint(256, shape, generator=random, dtype=torch.uint8)
        return torch.randn(shape, generator=random)

    observations, truth = ({s.name: values(s) for s in streams} for streams in (spec.observed, spec.truth))
    actions = 2 * torch.rand(clips, frames - 1, skip * spec.action.n, generator=random) - 1
    return Batch(observations, actions, truth, torch.arange(clips), torch.zeros(clips, dtype=torch.int64))
