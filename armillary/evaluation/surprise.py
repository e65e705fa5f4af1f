"""Violation of expectation: is the model more surprised by what cannot happen than by what can?

A scene is two possible clips, A and B, and the two impossible ones that come from splicing them at the event: each has the
frames and actions of one clip up to the event, and the frames of the other from there on. So the four have the same frames
between them, and the appearance of single frames gives nothing away.

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
    """n scenes of one property, as the two possible clips of each and the frame at which they are spliced.

    Args:
        name: what is violated.
        observations: name -> (n, 2, T, *shape), the frames of clips A and B.
        actions: (n, 2, T - 1, A) raw action blocks.
        event: the first frame of the other clip; those before it belong to the clip itself.
    """

    name: str
    observations: dict[str, np.ndarray]
    actions: np.ndarray
    event: int

    def __len__(self) -> int:
        return len(self.actions)

    def clips(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """All four clips, (n, 4, T, *shape) by stream and actions (n, 4, T - 1, A): A, B, A then B, B then A."""
        before = np.arange(next(iter(self.observations.values())).shape[2]) < self.event
        frames = {}
        for name, x in self.observations.items():
            own = before.reshape(-1, *[1] * (x.ndim - 3))
            frames[name] = np.concatenate([x, np.where(own, x, x[:, ::-1])], axis=1)
        return frames, np.concatenate([self.actions, self.actions], axis=1)


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
        frames, actions = some.clips()
        for name, nets in models.items():
            if nets:
                rows[name][some.name] = discern(np.stack([_surprise(net, frames, actions) for net in nets]))
        rows["frame difference"][some.name] = discern(frame_difference(frames)[None])
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
def _surprise(model: WorldModel, frames: dict[str, np.ndarray], actions: np.ndarray) -> np.ndarray:
    result = []
    for i in range(0, len(actions), 16):
        some = {name: torch.from_numpy(x[i : i + 16]).flatten(0, 1).to(model.device) for name, x in frames.items()}
        blocks = torch.from_numpy(actions[i : i + 16]).float().flatten(0, 1).to(model.device)
        result.append(model.surprise(model.encode(some), blocks).float().cpu().numpy())
    return np.concatenate(result).reshape(*actions.shape[:2], -1)
