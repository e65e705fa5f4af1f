"""A validation: BatchNorm is recalibrated, the latent is checked for collapse, and the caller's judge is asked.

BatchNorm's running statistics lag behind the weights and would falsify evaluation, so they are recalibrated on fresh batches
before each validation and at the end of a stage that changes the encoder. Collapse is what no loss shows.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from armillary import distributed
from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError
from armillary.model.world_model import WorldModel
from armillary.training.collapse import collapse, dead_share, effective_rank, spread


class CollapseWarning(UserWarning):
    """The latent uses few of its dimensions, or has shrunk."""


def check(
    model: WorldModel,
    clips: Clips,
    modules: Sequence[nn.Module],
    seed: int,
    validate: Callable[[WorldModel], dict[str, float]] | None,
    finish: Callable[[], None] | None,
) -> dict[str, float]:
    """Recalibrate, look for collapse, `finish`, and ask the caller's judge; leaves the stage's modules in training mode."""
    model.eval()
    recalibrate(model, clips, seed, modules)
    with torch.inference_mode():
        batch = clips.sample(min(256, len(clips)), np.random.default_rng([seed, 1])).to(model.device)
        z = model.encode(batch.observations, batch.present)[..., : model.config.latent].flatten(0, 1)
    numbers = {"effective_rank": effective_rank(z), "dead_share": dead_share(z), "spread": spread(z)}
    if finish is not None:
        finish()
    if distributed.rank() == 0:
        if model.config.projector and (signs := collapse(**numbers, latent=z.shape[1])):
            warnings.warn(signs, CollapseWarning, stacklevel=2)
        try:
            numbers |= validate(model) if validate else {}
        except ArmillaryError as error:
            warnings.warn(f"not validated: {error}", stacklevel=2)
    for module in modules:
        module.train()
    return numbers


@torch.no_grad()
def recalibrate(
    model: WorldModel,
    clips: Clips,
    seed: int = 0,
    modules: Sequence[nn.Module] | None = None,
    *,
    batches: int = 16,
    batch_size: int = 64,
) -> None:
    """Set BatchNorm's running statistics to their averages over fresh batches, at the present weights.

    Args:
        model: in eval mode.
        modules: parts of the model whose statistics are set; all of it by default.
    """
    parts = [model] if modules is None else modules
    norms = [m for part in parts for m in part.modules() if isinstance(m, distributed.BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    rng, share = np.random.default_rng([seed, 2]), max(1, batch_size // distributed.world_size())
    for _ in range(batches):
        drawn = clips.draw(share * distributed.world_size(), rng)
        batch = clips[distributed.shard(torch.from_numpy(drawn)).numpy()].to(model.device)
        z = model.encode(batch.observations, batch.present)
        model.predict(z[:, :-1], batch.actions)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
