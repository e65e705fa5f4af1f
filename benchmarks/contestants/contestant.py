"""What a contestant is, how it is trained in a given CPU time, and its surprise.

Training has two parts. First, for a share of the time, single frames are reconstructed from what is seen of them. Then what is
seen of all clips is kept, and the predictor learns from whole clips. Like the latent model's, half of its clips are drawn in
proportion to their greatest error. Predictions cost much more than the GRU, so a step scores a few random ones of each clip.

The learning rate follows the share of the CPU time that is used: it rises over a tenth of a part and falls as a cosine does.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from armillary.worlds.scenes import Scenes

MEMORY = 512
AHEAD = 1, 3, 6, 12
AHEAD_WEIGHT = 0.3
"""Weight in the loss of each prediction that is further ahead than one frame."""
CHUNK = 16
"""Clips that are seen or scored at a time."""


class Contestant(nn.Module, ABC):
    """A model of clips whose GRU sees something of each frame.

    Attributes:
        end_to_end: whether what is seen of frames goes on learning with the predictor.
    """

    end_to_end = False

    @abstractmethod
    def reconstruction(self, frames: UInt8[Tensor, "n 64 64 3"]) -> Float[Tensor, ""]:
        """The loss of the first part of training."""

    @abstractmethod
    def see(self, frames: UInt8[Tensor, "n 64 64 3"]) -> Tensor:
        """What the predictor gets of each frame, (N, *seen)."""

    @abstractmethod
    def remember(self, seen: Tensor) -> Float[Tensor, "b t m"]:
        """State of the GRU after each frame of clips (B, T, *seen)."""

    @abstractmethod
    def errors(
        self, memory: Float[Tensor, "n m"], now: Tensor, later: Tensor, frames: UInt8[Tensor, "n 64 64 3"], ahead: int
    ) -> dict[str, Float[Tensor, " n"]]:
        """Errors of predictions, by measure; the first is the loss.

        Args:
            memory: state of the GRU.
            now: what is seen of its last frame, (N, *seen).
            later, frames: what is seen of the predicted frame, and that frame.
            ahead: which of `AHEAD` it is, from 0.
        """

    def seen_in(self, clips: UInt8[Tensor, "b t 64 64 3"]) -> Tensor:
        """`see`, of clips: (B, T, *seen)."""
        return self.see(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])


@dataclass(frozen=True)
class Training:
    """How a contestant is trained.

    Args:
        seconds: CPU time.
        first: share of it for the first part.
        frames: of a batch of the first part.
        clips: of a batch of the second part.
        moments: predictions of each clip that are scored in a step, for each of `AHEAD`.
        rate: the greatest learning rate.
    """

    seconds: float = 700
    first: float = 0.3
    frames: int = 256
    clips: int = 32
    moments: int = 2
    rate: float = 2e-3


def train(
    contestant: Contestant, clips: np.ndarray, training: Training, seed: int, report: Callable[[str], None] = print
) -> int:
    """Train on clips (E, T, 64, 64, 3) uint8 until the CPU time is over.

    Returns:
        Clips that the predictor learned from, each counted as often as it was drawn.
    """
    rng, began = np.random.default_rng(seed), time.process_time()
    count, length = clips.shape[:2]
    contestant.train()
    first = began, began + training.first * training.seconds
    for step in _steps(contestant, *first, training.rate, report):
        frames = clips[rng.integers(count, size=training.frames), rng.integers(length, size=training.frames)]
        step(contestant.reconstruction(torch.from_numpy(frames)))
    if not contestant.end_to_end:
        contestant.eval()
        known = _seen_in_all(contestant, clips)
        contestant.train()
    hardness, drawn = np.ones(count), 0
    for step in _steps(contestant, time.process_time(), began + training.seconds, training.rate, report):
        hard = rng.choice(count, training.clips // 2, p=hardness / hardness.sum())
        chosen = np.concatenate([hard, rng.integers(count, size=training.clips - len(hard))])
        frames = torch.from_numpy(clips[chosen])
        seen = contestant.seen_in(frames) if contestant.end_to_end else known[torch.from_numpy(chosen)]
        loss, greatest = _sampled_loss(contestant, frames, seen, training.moments, rng)
        step(loss)
        hardness[chosen], drawn = greatest, drawn + len(chosen)
    contestant.eval()
    return drawn


def _steps(
    contestant: Contestant, began: float, end: float, rate: float, report: Callable[[str], None]
) -> Iterator[Callable[[Tensor], None]]:
    """A function that takes a step down a loss, again and again until the process's CPU time is `end`."""
    optimiser = torch.optim.AdamW(contestant.parameters(), rate, weight_decay=1e-4)
    average, number, told = 0.0, 0, 0

    def step(loss: Tensor) -> None:
        nonlocal average
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(contestant.parameters(), 1.0)
        optimiser.step()
        kept = min(0.98, number / (number + 1))
        average = kept * average + (1 - kept) * loss.item()

    while (share := (time.process_time() - began) / (end - began) if end > began else 1) < 1:
        optimiser.param_groups[0]["lr"] = rate * min(10 * share + 0.01, math.cos(0.5 * math.pi * share) ** 2)
        yield step
        number += 1
        if int(10 * share) > told:
            told = int(10 * share)
            report(f"{told}0% of {end - began:.0f} CPU-s, step {number}: loss {average:.4f}")


@torch.no_grad()
def _seen_in_all(contestant: Contestant, clips: np.ndarray) -> Tensor:
    return torch.cat([contestant.seen_in(torch.tensor(clips[i : i + CHUNK])) for i in range(0, len(clips), CHUNK)])


def _sampled_loss(
    contestant: Contestant, frames: Tensor, seen: Tensor, moments: int, rng: np.random.Generator
) -> tuple[Float[Tensor, ""], Float[np.ndarray, " b"]]:
    """The loss at random moments of each clip, and each clip's greatest error of one step ahead."""
    memory, loss, greatest = contestant.remember(seen), torch.zeros(()), None
    clip = torch.arange(len(seen)).repeat_interleave(moments)
    for number, ahead in enumerate(AHEAD):
        now = torch.from_numpy(rng.integers(seen.shape[1] - ahead, size=len(clip)))
        then = now + ahead
        found = contestant.errors(memory[clip, now], seen[clip, now], seen[clip, then], frames[clip, then], number)
        error = next(iter(found.values()))
        loss = loss + (AHEAD_WEIGHT if number else 1) * error.mean()
        if greatest is None:
            greatest = error.detach().view(-1, moments).amax(1).double().numpy()
    return loss, greatest


@torch.no_grad()
def surprise(contestant: Contestant, clips: UInt8[Tensor, "b t 64 64 3"]) -> dict[str, Float[np.ndarray, "b t-1"]]:
    """At each frame but the first, the sum of the errors of all predictions that were made of it; and of one step ahead.

    The first measure's sum is the row `model`.
    """
    seen = contestant.seen_in(clips)
    memory, rows = contestant.remember(seen), {}
    for number, ahead in enumerate(AHEAD):
        parts = memory[:, :-ahead], seen[:, :-ahead], seen[:, ahead:], clips[:, ahead:]
        found = contestant.errors(*(part.flatten(0, 1) for part in parts), number)
        for place, (measure, error) in enumerate(found.items()):
            name, error = measure if place else "model", F.pad(error.unflatten(0, parts[0].shape[:2]), (ahead - 1, 0))
            rows[name] = rows.get(name, 0) + error
            rows.setdefault(f"{measure}, one step", error)
    return {name: row.float().numpy() for name, row in rows.items()}


def scorer(contestant: Contestant) -> Callable[[Scenes], dict[str, Float[np.ndarray, "n 4 t"]]]:
    """The contestant as the exam asks it, see `evaluate_scorer`."""
    contestant.eval()

    def score(scenes: Scenes) -> dict[str, np.ndarray]:
        clips = torch.from_numpy(scenes.observations["image"]).flatten(0, 1)
        parts = [surprise(contestant, some) for some in clips.split(CHUNK)]
        return {name: np.concatenate([part[name] for part in parts]).reshape(len(scenes), 4, -1) for name in parts[0]}

    return score
