"""Actions for episodes that have none, from a few that have.

A model that was trained on the few with actions encodes all of them, and inverse dynamics on its frozen latents learn from the
few which action block leads from one frame to the next. Then they say what was done in the rest, and a model can be trained on
everything (as video pretraining does it: Baker et al., arXiv 2206.11795). Several networks, each taught on another draw of the
episodes, answer with their mean; where they differ, none of them knows.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from armillary.device import one_thread
from armillary.episodes.clips import Clips
from armillary.episodes.filling import Filling
from armillary.episodes.formats.importing import groups
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.latents import clips_for, encode_tracks
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import InverseDynamics
from armillary.optimise import Optimiser
from armillary.spec import Spec


@dataclass(frozen=True)
class InverseConfig:
    """How inverse dynamics are learned on frozen latents."""

    members: int = 5
    """Number of networks; actions are the mean of what they infer."""
    width: int = 256
    """Width of their hidden layers."""
    steps: int = 1500
    """Optimiser steps of each network."""
    batch: int = 256
    """Pairs of consecutive frames in each step."""
    learning_rate: float = 3e-3
    """Peak learning rate; it falls linearly to 0."""


class InverseEnsemble(nn.Module):
    """Networks that tell the action block between two latents of one model.

    They see the first latent and the way to the second, each on the scale of `tracks`: steps are small beside places.
    """

    def __init__(self, model: WorldModel, config: InverseConfig, tracks: list[Float[Tensor, "_ d"]]) -> None:
        super().__init__()
        self.model = model
        places, steps = torch.cat([z[:-1] for z in tracks]), torch.cat([z.diff(dim=0) for z in tracks])
        self.mean, self.std, self.step = places.mean(0), places.std(0) + 1e-6, steps.std(0) + 1e-6
        sizes = model.config.latent, model.actions.size, config.width
        self.members = nn.ModuleList(InverseDynamics(*sizes) for _ in range(config.members)).to(model.device)

    def pairs(self, z: Float[Tensor, "t d"]) -> Float[Tensor, "t-1 2 d"]:
        """What the networks see of consecutive latents."""
        return torch.stack([(z[:-1] - self.mean) / self.std, z.diff(dim=0) / self.step], 1)

    @torch.no_grad()
    def forward(self, z: Float[Tensor, "t d"]) -> tuple[Float[Tensor, "t-1 a"], Float[Tensor, "t-1 a"]]:
        """The raw action blocks between consecutive latents, and by how much the networks differ (standard deviation)."""
        said = torch.stack([member(*self.pairs(z).unbind(1)) for member in self.members])
        said = said * self.model.actions.std + self.model.actions.mean
        return said.mean(0), said.std(0)


def fit_inverse(
    model: WorldModel, labelled: Episodes, which: np.ndarray, config: InverseConfig | None = None, *, seed: int = 0
) -> InverseEnsemble:
    """Learn which action block leads from one frame to the next.

    Args:
        model: trained, best with inverse dynamics in its objective, on these episodes.
        labelled: a recording with actions.
        which: numbers of its episodes to learn from.
        seed: of weights, draws and batches.

    Raises:
        ArmillaryError: a model without actions, or fewer than two episodes.
        SpecMismatch: the recording is not what the model was made for.
    """
    config = config or InverseConfig()
    if not model.actions.size or len(which) < 2 or config.members < 2:
        raise ArmillaryError(
            f"inverse dynamics take a model with actions, two episodes and two networks; got {model.actions.size} numbers in a "
            f"block, {len(which)} episodes and {config.members} networks"
        )
    labelled = labelled.relative_to(model.spec)
    model.spec.check(labelled.spec)
    model.eval()
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(), one_thread():
        torch.manual_seed(seed)
        with torch.no_grad():
            clips = clips_for(model, labelled, 2, which)
            tracks = [(z[:, : model.config.latent], model.actions.standardise(a)) for z, a in encode_tracks(model, clips)]
        ensemble = InverseEnsemble(model, config, [z for z, _ in tracks])
        for member in ensemble.members:
            drawn = [tracks[i] for i in rng.integers(len(tracks), size=len(tracks))]
            pairs = torch.cat([ensemble.pairs(z) for z, _ in drawn])
            done = torch.cat([actions for _, actions in drawn])
            optimiser = Optimiser(member.parameters(), 1e-3)
            for step in range(config.steps):
                rows = torch.from_numpy(rng.integers(len(done), size=config.batch))
                loss = F.mse_loss(member(*pairs[rows].unbind(1)), done[rows])
                optimiser.step(loss, config.learning_rate * (1 - step / config.steps))
    return ensemble.eval()


def infer_actions(
    ensemble: InverseEnsemble,
    unlabelled: Episodes,
    out: str | os.PathLike,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Episodes:
    """A new store of the same episodes with the actions that the ensemble infers.

    An episode's info says so (`actions: inferred`) and by how much the networks differ (`deviation`, a share of the labelled
    actions' standard deviation, in the mean over the episode). Rows after the last whole action block are cut.

    Args:
        unlabelled: any recording of the model's streams; what it says of actions is not read.
        out: the store to create.
        resume: go on with a store that was interrupted; what is stored has to come out the same.
        overwrite: replace the store that is there.

    Raises:
        SpecMismatch: the recording lacks a stream of the model.
        ArmillaryError: no episode is as long as an action block; a store is there, and is not to be resumed or overwritten; it
            cannot be written. What was committed stays, marked as unfinished.
    """
    model = ensemble.model
    unlabelled = unlabelled.relative_to(model.spec)
    labelled = Spec(unlabelled.spec.streams, model.spec.action, unlabelled.spec.rate)
    model.spec.check(labelled)
    clips = clips_for(model, unlabelled, 2, stride=model.config.skip)
    job = {"command": "label", "recording": unlabelled.content_hash()}
    about = {**unlabelled.info, "actions": "inferred"}
    into = Filling(out, labelled, job=job, info=about, resume=resume, overwrite=overwrite)
    if into.done:
        return into.begun()
    with into, torch.no_grad(), one_thread():
        for group in groups(into.remaining(_told(ensemble, unlabelled, clips))):
            into.append(*group)
    return into.finish()


def _told(ensemble: InverseEnsemble, unlabelled: Episodes, clips: Clips) -> Iterator[Episode]:
    """The episodes with their inferred actions; of clips of a stride of `skip`, of which there is one track an episode."""
    model, skip, action = ensemble.model, clips.skip, ensemble.model.spec.action
    for number, (z, _) in zip(np.flatnonzero(unlabelled.lengths > skip), encode_tracks(model, clips), strict=True):
        blocks, deviation = ensemble(z[:, : model.config.latent])
        rows = (len(z) - 1) * skip + 1
        seen = unlabelled.episode(int(number), truth=True)
        observations, truth = ({name: x[:rows] for name, x in kept.items()} for kept in (seen.observations, seen.truth))
        about = {**seen.info, "actions": "inferred", "deviation": (deviation / model.actions.std).mean().item()}
        each = blocks.cpu().numpy().reshape(-1, action.n)
        done = each.argmax(-1) if action.kind == "discrete" else each.clip(action.low, action.high).astype(np.float32)
        yield Episode(observations, done, truth, about)
