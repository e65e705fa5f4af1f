"""Violation of expectation: is the model more surprised by what cannot happen than by what can?

The clips are those that a world offers (`worlds/scenes.py`), in matched pairs.

- relative accuracy: the share of matched pairs (a possible clip and the impossible one that begins like it) in which the
  impossible clip has the greater mean surprise. Ties count half, and half is chance;
- AUROC of single clips, on their greatest surprise, as the Mann-Whitney statistic (Hanley and McNeil, 1982);
- the same clips are judged by the change of the pixels from frame to frame, and by untrained networks. Intervals are by
  bootstrap over scenes.

After Riochet et al., IntPhys (arXiv 1803.07616), and Garrido et al. (arXiv 2502.11831).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from armillary.evaluation.statistics import Estimate, bootstrap
from armillary.model.world_model import WorldModel
from armillary.worlds.scenes import Scenes

RESAMPLES = 500


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
        frames, index = _distinct(some.observations)
        for name, nets in models.items():
            if nets:
                rows[name][some.name] = discern(np.stack([_surprise(net, frames, index, some.actions) for net in nets]))
        rows["frame difference"][some.name] = discern(frame_difference(some.observations)[None])
    rows = {name: row for name, row in rows.items() if row}
    return SurpriseResult(rows, {some.name: len(some) for some in scenes}, untrained)


def discern(surprise: np.ndarray) -> Discernment:
    """Both measures from the surprise (k, n, 4, T - 1) of k networks, n scenes and their four clips, averaged over networks."""
    mean, peak = surprise.mean(axis=-1), surprise.max(axis=-1)
    gap = mean[:, :, 2:] - mean[:, :, :2]
    right = (gap > 0) + 0.5 * (gap == 0)
    possible, impossible = peak[:, :, None, :2, None], peak[:, None, :, None, 2:]
    # Of scenes i and j, how often an impossible clip of j has more than a possible one of i; AUROC is its mean over scenes.
    above = ((impossible > possible) + 0.5 * (impossible == possible)).mean(axis=(0, 3, 4))
    return Discernment(
        relative=bootstrap(right.mean(axis=(0, 2)), samples=RESAMPLES),
        auroc=bootstrap(
            np.arange(len(above)), statistic=lambda some: float(above[np.ix_(some, some)].mean()), samples=RESAMPLES
        ),
    )


def frame_difference(frames: dict[str, np.ndarray]) -> np.ndarray:
    """The mean squared change of all numbers from frame to frame: (n, 4, T - 1) of streams (n, 4, T, *shape)."""
    total = 0.0
    for x in frames.values():
        change = np.square(np.diff(x.astype(np.float32), axis=2))
        total = total + change.reshape(*change.shape[:3], -1).mean(axis=-1)
    return np.asarray(total)


def _distinct(observations: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each different frame once, by stream, and which of them each frame (n, 4, T) is: clips of a scene share most."""
    shape = next(iter(observations.values())).shape[:3]
    flat = [np.ascontiguousarray(x.reshape(-1, *x.shape[3:])) for x in observations.values()]
    raw = np.concatenate([x.reshape(len(x), -1).view(np.uint8) for x in flat], axis=1)
    _, first, index = np.unique(raw.view(f"V{raw.shape[1]}").ravel(), return_index=True, return_inverse=True)
    return {name: x[first] for name, x in zip(observations, flat, strict=True)}, index.reshape(shape)


@torch.inference_mode()
def _surprise(model: WorldModel, frames: dict[str, np.ndarray], index: np.ndarray, actions: np.ndarray) -> np.ndarray:
    count, z = len(next(iter(frames.values()))), []
    for i in range(0, count, 256):
        z.append(model.encode({n: torch.from_numpy(x[i : i + 256])[None].to(model.device) for n, x in frames.items()})[0])
    clips = torch.cat(z)[torch.from_numpy(index).flatten(0, 1).to(model.device)]
    blocks = torch.from_numpy(actions).flatten(0, 1).to(model.device)
    return model.surprise(clips, blocks).float().cpu().numpy().reshape(*actions.shape[:3])
