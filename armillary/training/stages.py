"""What a step of training does, stage by stage. The loop (`loop.py`) runs one stage after another.

- `Joint`: perception and dynamics together, end to end, on raw clips.
- `Dynamics`: the encoder frozen and every frame encoded once, so that a step costs the predictor alone. What of it has a closed
  form is solved for at the start. Half the clips are drawn in proportion to their last known one-step error: walls are rare,
  and most of the error.
- `Critic`: the temporal-distance head on the same latents, encoded and imagined.

A stage draws everything from the generator that it is given, made anew from (seed, stage, step) at each step. So nothing of
a generator has to be saved, and a resumed run goes on exactly as an unbroken one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary import distributed
from armillary.device import takes_pinned, works_aside
from armillary.episodes.clips import Batch, Clips
from armillary.errors import ArmillaryError
from armillary.latents import Tracks
from armillary.model.world_model import WorldModel
from armillary.objectives.prediction import foreseen, offset, rollout, with_map
from armillary.objectives.term import View
from armillary.training.augmentation import Augmentation

TOGETHER = 4096
"""Windows in the host's memory at a time, where all of them are gone through."""


@dataclass(frozen=True)
class StageConfig:
    """One stage of training. Give `steps`, or `seconds`, or both (whichever ends first)."""

    kind: Literal["joint", "dynamics", "critic"] = "joint"
    """joint: everything; dynamics: the predictor on frozen latents; critic: the temporal-distance head."""
    steps: int | None = None
    """Optimiser steps."""
    seconds: float | None = None
    """Wall time. Runs with it are not repeatable to the digit, since machines differ."""
    batch: int = 64
    """Clips a step, over all processes."""
    learning_rate: float = 1e-3
    """Peak of the schedule: linear warm-up, then a cosine to 2%."""
    warmup: float = 0.05
    """Share of the stage that warms up."""
    weight_decay: float = 1e-4
    """AdamW's, on matrices alone."""
    clip: float = 1.0
    """Gradients are scaled down to this norm."""
    length: int | None = None
    """Frames of a joint stage's clips, if more than the objective needs; those of a window of frozen latents, where None takes
    as many as the objective needs."""
    offset: float = 0.0
    """In a dynamics stage: standard deviation of a random constant that is added to the latents of a clip, and of one that is
    added to its actions. The predictor, its linear path included, then learns changes, and errs less where a camera or a
    joint's zero has moved."""
    open_loop: bool = True
    """In a dynamics stage: imagine from the context to the window's end. False predicts each latent from the true ones before
    it (teacher forcing), which suits a recurrent predictor that is to carry what is hidden through long windows."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How a joint stage changes the look of images."""

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise ArmillaryError(f"stage {self.kind}: give it steps or seconds")
        for name in ("steps", "seconds", "batch"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ArmillaryError(f"stage {self.kind}: {name} must be above 0, not {getattr(self, name)}")

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "StageConfig":
        """From what `asdict` gave, of this version or an earlier one."""
        fields: dict[str, Any] = {**plain, "augmentation": Augmentation(**plain.get("augmentation", {}))}
        return cls(**fields)


class Stage:
    """Base class. `modules` are trained; the rest of the model is in eval mode and stays as it is.

    `state` names the tensors beyond the weights that a resumed run needs, `ahead` says whether it helps to `prepare` a step in
    the background, during the one before, and `low_precision` whether to use bfloat16 where the device is fast in it.
    """

    modules: Sequence[nn.Module]
    state: dict[str, Tensor]
    ahead = False
    low_precision = False

    def prepare(self, rng: np.random.Generator) -> Any:
        """What `losses` needs and weights have no part in. Every process has an equal generator and takes its own shard."""
        return rng

    def losses(self, prepared: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """The named terms of one batch, `loss` among them. Every process has an equal generator."""
        raise NotImplementedError


class Joint(Stage):
    """All of the model on raw clips."""

    low_precision = True

    def __init__(self, model: WorldModel, clips: Clips, config: StageConfig) -> None:
        needed, per_episode = model.config.frames, model.config.clips_per_episode
        if clips.length < needed:
            raise ArmillaryError(f"clips of {clips.length} frames are too short for this objective, which takes {needed}")
        if config.batch % (per_episode * distributed.world_size()):
            raise ArmillaryError(
                f"a batch of {config.batch} does not divide into {distributed.world_size()} processes "
                f"and {per_episode} clips of each episode; change one of them"
            )
        self.model, self.clips, self.batch, self.state = model, clips, config.batch, {}
        self.augmentation = config.augmentation
        self.ahead = works_aside(model.device) or set(clips.tiers.values()) != {"resident"}
        predicts = any(term.trains_predictor for term in model.config.objective.values())
        terms = [term for term in model.terms.values() if term.stage == "joint"]
        self.modules = [model.perception, *([model.predictor] if predicts else []), *terms]

    def prepare(self, rng: np.random.Generator) -> tuple[Batch, np.random.Generator]:
        """A batch in the host's memory, and what to draw its looks with."""
        per_episode = self.model.config.clips_per_episode
        drawn = self.clips.draw(self.batch, rng, per_episode if per_episode > 1 else None)
        batch = self.clips[distributed.shard(torch.from_numpy(drawn)).numpy()]
        return batch.pin() if takes_pinned(self.model.device) else batch, rng

    def losses(self, prepared: tuple[Batch, np.random.Generator], generator: torch.Generator) -> dict[str, Tensor]:
        batch, rng = prepared
        batch = batch.to(self.model.device)
        if self.augmentation:
            looks = np.random.default_rng((int(rng.integers(2**32)), distributed.rank()))
            for stream in self.model.spec.observed:
                if stream.is_picture:
                    images = batch.observations[stream.name]
                    seen = self.augmentation(images.flatten(0, 1), looks)
                    batch.observations[stream.name] = seen.unflatten(0, images.shape[:2])
        return self.model.losses(batch, generator)


class Latents:
    """Every episode of a recording encoded once, for stages that leave the encoder as it is.

    Args:
        model: in eval mode.
        length: frames of a window; as many as the clips of the objective by default, and never fewer. Longer windows are cut to
            the length of the median episode, so that half of the episodes have one.

    Raises:
        ArmillaryError: windows no longer than the context, or longer than any episode.

    Attributes:
        z: (N, D) latents of all kept frames, episode after episode.
        actions: (N, A) the standardised block after each; zeros after the last of an episode, which no window reads.
        starts: (W,) first row of each window of `length` frames.
        last: (N,) last row of each row's episode.
        known: (N, D) which numbers of latents are there to be predicted.
    """

    def __init__(self, model: WorldModel, clips: Clips, length: int | None) -> None:
        context = model.config.context
        least = model.config.frames
        length = least if length is None else length
        if length <= context:
            raise ArmillaryError(f"length ({length}) must exceed context ({context})")
        tracks = Tracks.read(model, clips, model.actions.standardise)
        self.z, self.actions, self.last, self.known = tracks.z, tracks.blocks, tracks.last, tracks.known
        rows = torch.arange(len(self.z))
        lengths = (tracks.last - tracks.first + 1)[rows == tracks.first]
        self.length = length = min(length, max(least, int(np.median(lengths))))
        self.starts = rows[rows + length - 1 <= self.last]
        if not len(self.starts):
            raise ArmillaryError(f"no episode has a window of {length} frames; shorten the stage's length")

    def windows(self, chosen: Int[Tensor, " b"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t-1 a"]]:
        """Latents and standardised action blocks of these windows."""
        rows = self.starts[chosen][:, None] + torch.arange(self.length)
        return self.z[rows], self.actions[rows[:, :-1]]

    def later(self, chosen: Int[Tensor, " b"], share: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """The latent of a later moment of the same episode: after this share of what is left of it."""
        first = self.starts[chosen]
        return self.z[first + (share * (self.last[first] - first + 1)).long()]


class Dynamics(Stage):
    """The predictor alone, on frozen latents: by open-loop rollouts, or step by step (`StageConfig.open_loop`).

    `state["error"]` is each window's last known error, of the step after the context or, step by step, the greatest; half of
    the batch is drawn in proportion to it.
    """

    def __init__(self, model: WorldModel, latents: Latents, config: StageConfig) -> None:
        self.model, self.latents, self.batch, self.modules = model, latents, config.batch, [model.predictor.learned]
        self.offset, self.open_loop = config.offset, config.open_loop
        # Short rollouts of a small predictor gain nothing from bfloat16, and lose precision that holding a goal needs.
        self.low_precision = not config.open_loop
        whole = latents.known.all(1)[latents.starts].nonzero()[:, 0]
        if not len(whole):
            raise ArmillaryError(
                f"no {latents.length} rows in a row have all streams, so that nothing shows how they go together; "
                "import with another --missing, or --ignore what is hardly ever there"
            )
        self.complete = len(whole) == len(latents.starts)
        parts = whole.split(TOGETHER)
        model.predictor.fit(self._offset(*latents.windows(part)) for part in parts)
        self.state = {"error": torch.ones(len(self.latents.starts))}

    def losses(self, prepared: np.random.Generator, generator: torch.Generator) -> dict[str, Tensor]:
        rng, error = prepared, self.state["error"]
        cumulative = error.cumsum(0, dtype=torch.float64)
        half = self.batch // 2
        hard = torch.searchsorted(cumulative, torch.from_numpy(rng.random(half)) * cumulative[-1]).clamp(max=len(error) - 1)
        plain = torch.from_numpy(rng.integers(len(error), size=self.batch - half))
        chosen = torch.cat([hard, plain])
        shard = distributed.shard(chosen)
        z, actions = self.latents.windows(shard)
        if self.model.config.map_channels:
            later = distributed.shard(torch.from_numpy(rng.random(self.batch)))
            z = with_map(z, self.latents.later(shard, later).unsqueeze(1).expand_as(z), self.model.config.latent)
        error_of = rollout if self.open_loop else foreseen
        squared = error_of(self.model.predictor.learned, *self._offset(z, actions, generator)).float()
        if not self.complete:  # what is absent counts for nothing
            known = self.latents.known[self.latents.starts[shard], : squared.shape[-1]].to(squared)[:, None]
            squared = squared * known * (known.shape[-1] / known.sum(-1, keepdim=True))
        by_step = squared.detach().mean(-1)
        error[chosen] = distributed.gather(by_step[:, 0] if self.open_loop else by_step.amax(1)).to(error)
        return {"loss": squared.mean()}

    def _offset(self, z: Tensor, actions: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Windows as they are learned; without a generator, PyTorch's own draws, which the loop seeds for each stage."""
        return offset(z, actions, self.model.actions, self.offset, generator) if self.offset else (z, actions)


class Critic(Stage):
    """The temporal-distance head on frozen latents, encoded and imagined."""

    def __init__(self, model: WorldModel, latents: Latents, config: StageConfig) -> None:
        self.model, self.latents, self.batch, self.state = model, latents, config.batch, {}
        self.critic = model.critic or model.add_term("critic")
        self.modules = [self.critic]

    def losses(self, prepared: np.random.Generator, generator: torch.Generator) -> dict[str, Tensor]:
        rng, latents, context = prepared, self.latents, self.model.config.context
        chosen = torch.from_numpy(rng.integers(len(latents.starts), size=self.batch))
        later = torch.from_numpy(rng.random(self.batch))
        chosen, later = distributed.shard(chosen), distributed.shard(later)
        z, actions = latents.windows(chosen)
        with torch.no_grad():
            imagined = self.model.predictor.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
        # Another moment of the same episode, encoded; the goals of planning are encoded too.
        goal = latents.later(chosen, later)
        lived = torch.cat([z, torch.cat([z[:, :context], imagined], 1)])
        losses = self.critic.loss(View(lived, goal=torch.cat([goal, goal])))
        weighted = [self.critic.weight * loss for loss in losses.values()]
        return {"loss": sum(weighted[1:], weighted[0]), **losses}


def build_stage(model: WorldModel, clips: Clips, config: StageConfig, before: Stage | None = None) -> Stage:
    """The stage that `config.kind` names; latents of the stage before it are used again, if it left the encoder alone."""
    if config.kind == "joint":
        return Joint(model, clips, config)
    latents = getattr(before, "latents", None)
    if latents is None or config.length not in (None, latents.length):
        latents = Latents(model, clips, config.length)
    return {"dynamics": Dynamics, "critic": Critic}[config.kind](model, latents, config)
