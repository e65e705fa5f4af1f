"""The model's surprise at clips that a world offers (`worlds/scenes.py`) or of movies, beside shortcuts and untrained networks.

Rows: the model; untrained networks (the mean over them); each shortcut (`shortcuts.py`) on pixels, on the model's latents, and
on those of the first untrained network; and the ceiling, which knows how the world works, where it is asked for. A model of
another kind is judged the same way, as a `Scorer`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.evaluation.surprise.discern import Discernment, discern
from armillary.evaluation.surprise.shortcuts import FRAMES, LATENTS
from armillary.model.world_model import WorldModel
from armillary.worlds.scenes import Scenes

FEW = 50
"""Scenes of a property, at most, that untrained networks are asked."""
UNTRAINED = "untrained"
"""Row of untrained networks, and the end of the names of other rows of one."""
CEILING = "ceiling"
"""Row of a scorer that knows how the world works."""

Scorer = Callable[[Scenes], dict[str, Float[np.ndarray, "n 4 _"]]]
"""Scores of scenes by row: the surprise of a model at each frame but the first is the row `model`; more is less plausible."""


@dataclass(frozen=True)
class SurpriseResult:
    """`rows[scorer][property]`; the row `untrained` is the mean over `networks` of them, in at most FEW scenes of each."""

    rows: dict[str, dict[str, Discernment]]
    scenes: dict[str, int]
    networks: int

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return asdict(self)


def evaluate_surprise(
    model: WorldModel,
    scenes: Iterable[Scenes],
    *,
    untrained: int = 20,
    seed: int = 0,
    ceiling: Callable[[Scenes], np.ndarray] | None = None,
) -> SurpriseResult:
    """Score matched clips by the model's surprise and by the baselines.

    Args:
        scenes: one part at a time is held. Those of a label may come in several parts, with clips of different lengths.
        untrained: networks of the untrained row; without one, there is none, nor shortcuts on its latents.
        seed: of their weights.
        ceiling: gives the surprise (n, 4, T - 1) of a scorer that knows the world, where there is one.
    """
    networks = []
    with torch.random.fork_rng():
        for number in range(untrained):
            torch.manual_seed(seed + number)
            networks.append(partial(_surprise_and_shortcuts if number == 0 else _surprise_alone, model.untrained()))
    scorer = partial(_surprise_and_shortcuts, model)
    return evaluate_scorer((lambda some: scorer(some) | {CEILING: ceiling(some)}) if ceiling else scorer, scenes, networks)


def evaluate_scorer(scorer: Scorer, scenes: Iterable[Scenes], untrained: Sequence[Scorer] = ()) -> SurpriseResult:
    """Score matched clips by any scorer, and by untrained ones of its kind; `scenes` are as for `evaluate_surprise`.

    Of the untrained ones, the first alone is asked for rows other than `model`.
    """
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    counts: dict[str, int] = {}
    for some in scenes:
        known = counts.get(some.label, 0)
        for name, score in _scores(scorer, untrained, some, some.first(max(FEW - known, 0))).items():
            scores.setdefault(name, {}).setdefault(some.label, []).append(score)
        counts[some.label] = known + len(some)
    rows = {name: {label: discern(_joined(parts)) for label, parts in row.items()} for name, row in scores.items()}
    return SurpriseResult(rows, counts, len(untrained))


def _joined(parts: Sequence[Float[np.ndarray, "k _ 4 _"]]) -> Float[np.ndarray, "k n 4 s"]:
    """Scores of all parts; of a clip that is shorter than others, filled up with its mean: mean and greatest stay."""
    longest = max(part.shape[-1] for part in parts)
    means = [part.mean(axis=-1, keepdims=True, dtype=np.float64) for part in parts]
    return np.concatenate(
        [np.concatenate([p, m.repeat(longest - p.shape[-1], -1)], -1) for p, m in zip(parts, means, strict=True)], axis=1
    )


def _scores(scorer: Scorer, untrained: Sequence[Scorer], scenes: Scenes, few: Scenes) -> dict[str, np.ndarray]:
    """Each row's scores, (k, n, 4, s) of k networks; those of untrained ones are of `few` scenes."""
    scores = {name: score[None] for name, score in scorer(scenes).items()}
    scores |= {name: shortcut(scenes.observations)[None] for name, shortcut in FRAMES.items()}
    if not (untrained and len(few)):
        return scores
    first, *others = (network(few) for network in untrained)
    scores[UNTRAINED] = np.stack([rows["model"] for rows in (first, *others)])
    return scores | {f"{name}, {UNTRAINED}": score[None] for name, score in first.items() if name != "model"}


def _surprise_and_shortcuts(model: WorldModel, scenes: Scenes) -> dict[str, np.ndarray]:
    z = _latents(model, scenes)
    latents = z.cpu().numpy()
    return {"model": _surprise(model, z, scenes.actions)} | {name: shortcut(latents) for name, shortcut in LATENTS.items()}


def _surprise_alone(model: WorldModel, scenes: Scenes) -> dict[str, np.ndarray]:
    return {"model": _surprise(model, _latents(model, scenes), scenes.actions)}


def _distinct(observations: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each different frame once, by stream, and which of them each frame (n, 4, T) is: clips of a scene share most."""
    shape = next(iter(observations.values())).shape[:3]
    flat = [np.ascontiguousarray(x.reshape(-1, *x.shape[3:])) for x in observations.values()]
    raw = np.concatenate([x.reshape(len(x), -1).view(np.uint8) for x in flat], axis=1)
    _, first, index = np.unique(raw.view(f"V{raw.shape[1]}").ravel(), return_index=True, return_inverse=True)
    return {name: x[first] for name, x in zip(observations, flat, strict=True)}, index.reshape(shape)


@torch.inference_mode()
def _latents(model: WorldModel, scenes: Scenes) -> Float[Tensor, "n 4 t d"]:
    frames, index = _distinct(scenes.observations)
    count, z = len(next(iter(frames.values()))), []
    for i in range(0, count, 256):
        z.append(model.encode({n: torch.from_numpy(x[i : i + 256])[None].to(model.device) for n, x in frames.items()})[0])
    return torch.cat(z).float()[torch.from_numpy(index).to(model.device)]


@torch.inference_mode()
def _surprise(model: WorldModel, z: Float[Tensor, "n 4 t d"], actions: np.ndarray) -> np.ndarray:
    blocks = torch.from_numpy(actions).flatten(0, 1).to(model.device)
    return model.surprise(z.flatten(0, 1), blocks).float().cpu().numpy().reshape(*actions.shape[:3])
