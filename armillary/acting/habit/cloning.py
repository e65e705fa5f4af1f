"""A habit: a policy learned from a recording on frozen latents, (latents, goal's latent) -> action block, without imagining.

Any latent that an episode came to later was, in hindsight, a goal of what was done before (goal-conditioned supervised
learning, Ghosh et al., arXiv 1912.06088). What that leaves to be solved is that such data dawdle: the mean of what random
behaviour did on its way to a far goal is next to nothing, and arrives too late.
- A habit is told how many blocks remain until the goal. Given that, the mean is right: a share of the way.
- Asked without that number, it takes the soonest arrival that the recording makes likely: a second head learned, as a
  distribution over blocks, how long the way took. Near the goal that is one block, and at it the mean action is to stay.

With `timed` off and goals a few blocks away it is goal-conditioned inverse dynamics: the mean action, whenever one arrives.

Where what was recorded has a purpose, and errs, as play does, that number is not needed. Then `median`, `embedding` and
`dropout` help: the median passes over the errors and opens a gripper or closes it, where the mean would half open it.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary import weights
from armillary.acting.habit.hindsight import Hindsight
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch, expect
from armillary.latents import clips_for
from armillary.model.actions import ActionBlocks
from armillary.model.header import check_config, check_provenance, unallocated
from armillary.model.world_model import WorldModel
from armillary.optimise import Optimiser
from armillary.scales import mean_and_scale

FORMAT = 1
WARMUP = 0.05  # share of the steps in which the learning rate rises; a cosine follows


@dataclass(frozen=True)
class HabitConfig:
    """What a habit is and how it is trained."""

    reach: int = 15
    """Goals are at most so many action blocks later in the same episode, all equally likely."""
    timed: bool = True
    """Whether the blocks that remain are an input, with a head that guesses them; without it, take a short reach."""
    arrival_quantile: float = 0.03
    """Quantile of the predicted time to the goal that the policy acts on. In two rooms 0.01 to 0.06 work, and 0.3 is slow."""
    context: int | None = None
    """Latents that it looks at, the newest of the model's context. Default: all of it. Long contexts invite
    copycat errors (causal confusion): the past shows what the recorded policy was about to do."""
    embedding: int = 0
    """One network first makes so many numbers of each latent, the goal's too, and what is compared is those; 0: the latents."""
    width: int = 256
    """Hidden width."""
    dropout: float = 0.0
    """Share of hidden numbers that training leaves out at random: for recordings that are small for what they teach."""
    median: bool = False
    """Learn the median of what was done, not its mean."""
    steps: int = 1500
    """Optimiser steps."""
    batch: int = 512
    """Pairs of now and goal a step."""
    learning_rate: float = 4e-3
    """Peak, after a short warm-up; a cosine leads to 0."""
    weight_decay: float = 1e-4
    """AdamW's."""

    def __post_init__(self) -> None:
        for name in ("reach", "width", "steps", "batch", "context"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ArmillaryError(f"a habit's {name} is at least 1, not {getattr(self, name)}")
        if self.embedding < 0:
            raise ArmillaryError(f"a habit's embedding is 0 or more numbers wide, not {self.embedding}")
        if not 0 <= self.arrival_quantile < 1:
            raise ArmillaryError(f"expected an arrival_quantile from 0 to below 1, got {self.arrival_quantile}")
        if not 0 <= self.dropout < 1:
            raise ArmillaryError(f"a habit's dropout is a share, from 0 to below 1, not {self.dropout}")


INVERSE_DYNAMICS = HabitConfig(reach=5, timed=False, width=512, steps=6000)
"""Goal-conditioned inverse dynamics over a few blocks, used with the goal itself."""


class Habit(nn.Module):
    """A policy on the latents of one model. It needs no model to act, and holds what it takes from it.

    Args:
        model: gives width D of the latents, the scales of action blocks and, unless the config does, context length C.
        config: the shape.

    Raises:
        ArmillaryError: a context longer than the model's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: WorldModel, config: HabitConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HabitConfig()
        self.context, latent, width = config.context or model.config.context, model.width, config.width
        if self.context > model.config.context:
            raise ArmillaryError(f"a habit's context is at most its model's, {model.config.context}, not {self.context}")
        self.blocks = ActionBlocks(model.spec.action, model.config.skip, model.actions.dim)
        self.blocks.load_state_dict(model.actions.state_dict())
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("std", torch.ones(latent))
        self.embed = nn.Sequential(*_layer(latent, width), nn.Linear(width, config.embedding)) if config.embedding else None
        looked_at, drop = (self.context + 1) * (config.embedding or latent), config.dropout
        self.trunk = nn.Sequential(*_layer(looked_at, width, drop), *_layer(width, width, drop))
        self.arrival = nn.Linear(width, config.reach) if config.timed else None
        self.action = nn.Sequential(*_layer(width + config.timed, width // 2, drop), nn.Linear(width // 2, self.blocks.dim))
        self.model_hash = _fingerprint(model)
        self.provenance: dict[str, Any] = {}
        if not self.mean.is_meta:  # as it is while `load` compares shapes
            self.to(model.device)

    @torch.no_grad()
    def act(
        self, z: Float[Tensor, "b c d"], z_goal: Float[Tensor, "#b d"], remaining: Float[Tensor, " #b"] | None = None
    ) -> Float[Tensor, "b a"]:
        """Raw action blocks towards the goals.

        Args:
            z: the last C latents of each problem, the newest last. Where fewer were seen, the first one is repeated.
            z_goal: each problem's goal, or one for all.
            remaining: blocks in which to arrive, taken as 1 to `reach`. Default: the soonest that is likely.

        Raises:
            ArmillaryError: shapes that do not fit, or `remaining` for a habit that was trained without.
        """
        batch, shape = len(z), (self.context, len(self.mean))
        if z.shape[1:] != shape or z_goal.shape not in ((batch, shape[1]), (1, shape[1])):
            raise ArmillaryError(
                f"latents {tuple(z.shape)} and goals {tuple(z_goal.shape)} do not fit this habit; "
                f"expected ({batch}, {shape[0]}, {shape[1]}) and ({batch} or 1, {shape[1]})"
            )
        features = self._features(z, z_goal.expand(batch, -1))
        if self.arrival is None:
            if remaining is not None:
                raise ArmillaryError("this habit was trained without the blocks that remain; leave `remaining` out")
        elif remaining is None:
            likely = self.arrival(features).softmax(-1).cumsum(-1) > self.config.arrival_quantile
            remaining = 1.0 + likely.int().argmax(-1)
        else:
            remaining = remaining.clamp(1, self.config.reach).expand(batch)
        return self.blocks.decode(self._coordinates(features, remaining))

    def losses(
        self, z: Float[Tensor, "b c d"], z_goal: Float[Tensor, "b d"], blocks: Float[Tensor, "b k"], apart: Int[Tensor, " b"]
    ) -> dict[str, Float[Tensor, ""]]:
        """Named terms and their sum `loss`, for what was done (in whitened coordinates) `apart` blocks before the goal.

        `action` is a mean squared error, of which 1 is no better than the mean action, or a mean absolute one for the median.
        """
        features, error = self._features(z, z_goal), F.l1_loss if self.config.median else F.mse_loss
        total = error(self._coordinates(features, apart.float()), blocks)
        losses = {"action": total}
        if self.arrival is not None:
            losses["arrival"] = F.cross_entropy(self.arrival(features), apart - 1)
            total = total + losses["arrival"]
        return {"loss": total, **losses}

    def _features(self, z: Tensor, z_goal: Tensor) -> Tensor:
        seen = (torch.cat([z, z_goal.unsqueeze(1)], 1) - self.mean) / self.std
        if self.embed is not None:
            seen = self.embed(seen)
            seen = torch.cat([seen[:, :-1] - seen[:, -1:], seen[:, -2:-1]], 1)  # ways to the goal, and where it is now
        return self.trunk(seen.flatten(1))

    def _coordinates(self, features: Tensor, remaining: Tensor | None) -> Tensor:
        if self.config.timed:
            features = torch.cat([features, expect(remaining, "blocks that remain").log().unsqueeze(1)], 1)
        return self.action(features)

    def check(self, model: WorldModel) -> None:
        """Require that this is the model whose latents the habit was learned on.

        Raises:
            SpecMismatch: it is another one.
        """
        _check_model(self.model_hash, model)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all; its header holds the config and which model it belongs to.

        Raises:
            ArmillaryError: the disk is full or the folder cannot be written to.
        """
        header = {"habit": FORMAT, "config": asdict(self.config), "model": self.model_hash, "provenance": self.provenance}
        weights.write(path, self.state_dict(), header)

    @classmethod
    def load(cls, path: str | Path, model: WorldModel) -> "Habit":
        """Read a habit of this model, in eval mode, on the model's device.

        Args:
            path: the file, or a run's folder that holds `habit.safetensors`.

        Raises:
            ArmillaryError: no such file.
            CorruptFile: truncated, or not a habit.
            SpecMismatch: it was learned on the latents of another model.
        """
        path = Path(path) / "habit.safetensors" if Path(path).is_dir() else Path(path)
        tensors, header = weights.read(path)
        if header.get("habit") != FORMAT:
            raise CorruptFile(f"{path}: holds no habit of format {FORMAT}")
        _check_model(header.get("model"), model, f"{path}: ")
        try:
            check_config(header["config"], tensors)
            check_provenance(header["provenance"])
            config = HabitConfig(**header["config"])
            with unallocated():
                cls(model, config).load_state_dict(tensors)
            habit = cls(model, config)
            habit.load_state_dict(tensors)
            habit.provenance = header["provenance"]
        except Exception as error:  # a header can ask for whatever a constructor refuses in its own way
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptFile(f"{path}: the weights do not fit the header ({reason})") from error
        return habit.eval()


def train_habit(
    model: WorldModel,
    episodes: Episodes,
    config: HabitConfig | None = None,
    *,
    which: np.ndarray | Sequence[int] | None = None,
    seed: int = 0,
) -> Habit:
    """Learn a habit from a recording.

    Args:
        model: put in eval mode, and left as it is.
        episodes: the recording; it need not be the one that the model was trained on.
        which: numbers of the episodes to learn from. Default: all.
        seed: of weights and draws.

    Returns:
        The habit in eval mode; `provenance` says the seed, the frames, and the mean losses of the last tenth of its steps.

    Raises:
        SpecMismatch: the recording is not what the model was made for.
        ArmillaryError: no episode is longer than an action block, or the seed is negative.
    """
    config, model = config or HabitConfig(), model.eval()
    if seed < 0:
        raise ArmillaryError(f"seed {seed}: take 0 or more")
    episodes = episodes.relative_to(model.spec)
    model.spec.check(episodes.spec)
    clips = clips_for(model, episodes, 2, which, budget_mb=0)  # each frame is read once, so that none is worth keeping
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        habit, rng = Habit(model, config), np.random.default_rng(seed)
        data = Hindsight(model, clips)
        for buffer, values in zip((habit.mean, habit.std), mean_and_scale(data.z), strict=True):
            buffer.copy_(values)
        optimiser = Optimiser(habit.parameters(), config.weight_decay)
        last: list[dict[str, Tensor]] = []
        for step in range(config.steps):
            done = (step + 1) / config.steps
            rate = config.learning_rate * min(1.0, done / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / config.steps))
            losses = habit.losses(*data.draw(rng, config.batch, config.reach, habit.context))
            optimiser.step(losses["loss"], rate)
            if done > 0.9:
                last.append({name: loss.detach() for name, loss in losses.items()})
    means = {name: torch.stack([losses[name] for losses in last]).mean().item() for name in last[0]}
    habit.provenance = {"seed": seed, "frames": len(data.z), **means}
    return habit.eval()


def _check_model(known: str | None, model: WorldModel, where: str = "") -> None:
    if known != _fingerprint(model):
        raise SpecMismatch(f"{where}this habit was learned on the latents of another model; train one on this model's")


def _fingerprint(model: WorldModel) -> str:
    """What tells the latents and action blocks of a model from another's: a hash of the weights behind them."""
    digest = hashlib.sha256()
    for part in (model.perception, model.actions):
        for name, tensor in part.state_dict().items():
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _layer(inputs: int, outputs: int, dropout: float = 0.0) -> list[nn.Module]:
    layer: list[nn.Module] = [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.GELU()]
    return [*layer, nn.Dropout(dropout)] if dropout else layer
