"""Violation of expectation: is the model more surprised by what cannot happen than by what can?

A scene is four clips: two possible ones, and two impossible ones, each of which is the same as one of the possible clips up to
the event. Where it can be, the impossible clips are spliced from the possible ones, so that the four have the same frames
between them and the appearance of single frames gives nothing away.

- relative accuracy: the share of matched pairs (a possible clip and the impossible one that begins like it) in which the
  impossible clip has the greater mean surprise. Ties count half, and half is chance;
- AUROC of single clips, on their greatest surprise;
- the same clips are judged by the change of the pixels from frame to frame, and by untrained networks. Intervals are by
  bootstrap over scenes.

After Riochet et al., IntPhys (arXiv 1803.07616), and Garrido et al. (arXiv 2502.11831).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from armillary.evaluation.statistics import Estimate, auroc, bootstrap
from armillary.model import WorldModel

RESAMPLES = 500


@dataclass
class Scenes:
    """n scenes of one property.

    Args:
        name: what is violated.
        observations: name -> (n, 4, T, *shape): two possible clips, then the impossible one that begins like each.
        actions: (n, 4, T - 1, A) raw action blocks.
    """

    name: str
    observations: dict[str, np.ndarray]
    actions: np.ndarray

    def __len__(self) -> int:
        return len(self.actions)


def splice(clips: np.ndarray, event: int) -> np.ndarray:
    """Clips A and B (n, 2, T, ...) to four (n, 4, T, ...): A, B, A then B, B then A; `event` is the first frame changed."""
    return np.concatenate([clips, np.concatenate([clips[:, :, :event], clips[:, ::-1, event:]], axis=2)], axis=1)


@dataclass(frozen=True)
class Discernment:
    """How well one scorer tells one property's impossible clips; 0.5 is chance in both."""

    relative: Estimate
    auroc: Estimate


@dataclass(frozen=True)
class SurpriseResult:
    """`rows[scorer][property]`; scorers are model, untrained (the mean over `networks` of them) and frame difference."""

    rows: dict[str, dict[str, Discernment]]
    scenes: dict[str, int]
    networks: int

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return asdict(self)


def evaluate_surprise(model: WorldModel, scenes: Sequence[Scenes], *, untrained: int = 20, seed: int = 0) -> SurpriseResult:
    """Score matched clips by the model's surprise and by the baselines.

    Args:
        untrained: networks of the untrained row.
        seed: of their weights.
    """
    models = {"model": [model], "untrained": []}
    with torch.random.fork_rng():
        for number in range(untrained):
            torch.manual_seed(seed + number)
            models["untrained"].append(model.untrained())
    rows: dict[str, dict[str, Discernment]] = {name: {} for name in (*models, "frame difference")}
    for some in scenes:
        for name, nets in models.items():
            if nets:
                rows[name][some.name] = discern(np.stack([_surprise(net, some) for net in nets]))
        rows["frame difference"][some.name] = discern(frame_difference(some.observations)[None])
    rows = {name: row for name, row in rows.items() if row}
    return SurpriseResult(rows, {some.name: len(some) for some in scenes}, untrained)


def discern(surprise: np.ndarray) -> Discernment:
    """Both measures from the surprise (k, n, 4, T - 1) of k networks, n scenes and their four clips, averaged over networks."""
    mean, peak = surprise.mean(axis=-1), surprise.max(axis=-1)
    gap = mean[:, :, 2:] - mean[:, :, :2]
    right = (gap > 0) + 0.5 * (gap == 0)
    possible, impossible = peak[:, :, :2].swapaxes(0, 1), peak[:, :, 2:].swapaxes(0, 1)

    def single_clips(possible: np.ndarray, impossible: np.ndarray) -> float:
        pairs = zip(possible.swapaxes(0, 1), impossible.swapaxes(0, 1), strict=True)
        return float(np.mean([auroc(negative.ravel(), positive.ravel()) for negative, positive in pairs]))

    return Discernment(
        relative=bootstrap(right.mean(axis=(0, 2)), samples=RESAMPLES),
        auroc=bootstrap(possible, impossible, statistic=single_clips, samples=RESAMPLES),
    )


def frame_difference(frames: dict[str, np.ndarray]) -> np.ndarray:
    """The mean squared change of all numbers from frame to frame: (n, 4, T - 1) of streams (n, 4, T, *shape)."""
    total = 0.0
    for x in frames.values():
        change = np.square(np.diff(x.astype(np.float32), axis=2))
        total = total + change.reshape(*change.shape[:3], -1).mean(axis=-1)
    return np.asarray(total)


@torch.inference_mode()
def _surprise(model: WorldModel, scenes: Scenes) -> np.ndarray:
    result = []
    for i in range(0, len(scenes), 16):
        clips = {n: torch.from_numpy(x[i : i + 16]).flatten(0, 1).to(model.device) for n, x in scenes.observations.items()}
        blocks = torch.from_numpy(scenes.actions[i : i + 16]).flatten(0, 1).to(model.device)
        result.append(model.surprise(model.encode(clips), blocks).float().cpu().numpy())
    return np.concatenate(result).reshape(len(scenes), 4, -1)
