"""Probes: what can be read off the latent, by a straight line (ridge regression) and by a small network?

The answer is the share of variance (R2) of each stream of ground truth on held-out episodes. It means something only beside
what can be read off an untrained encoder and off the raw pixels, which are in the table. Whatever is chosen (the strength of
the ridge, when the network stops) is chosen on a part of the training episodes, never on the held-out ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.angles import sine_cosine
from armillary.evaluation.statistics import Estimate, bootstrap, r2
from armillary.latents import encode_rows
from armillary.model.world_model import WorldModel
from armillary.optimise import Optimiser
from armillary.ridge import ridge_path

PIXELS = 16
"""Raw images are reduced to so many pixels a side."""
STRENGTHS = np.logspace(-6, 2, 9)
"""Of the ridge, relative to the mean variance of the inputs."""
RESAMPLES = 300


@dataclass(frozen=True)
class ProbeResult:
    """R2 on held-out episodes with an interval by bootstrap over them: `r2[row][probe][stream]`.

    Rows are model, untrained and pixels (where there are images); probes are ridge and mlp. `constant` names the streams
    that never change, of which nothing can be asked.
    """

    r2: dict[str, dict[str, dict[str, Estimate]]]
    train_frames: int
    held_out_frames: int
    constant: list[str]

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return asdict(self)


def probe(
    model: WorldModel,
    episodes: Episodes,
    train: Sequence[int] | np.ndarray,
    held_out: Sequence[int] | np.ndarray,
    *,
    streams: Sequence[str] | None = None,
    untrained: bool = True,
    frames: int = 4000,
    seed: int = 0,
) -> ProbeResult:
    """Fit probes on frames of the training episodes and score them on held-out ones.

    Args:
        streams: what to read off. Default: all streams of ground truth. Angles are read as sine and cosine.
        untrained: add that row.
        frames: at most so many for fitting, and half as many for scoring, drawn at random.
        seed: of that draw, the untrained weights and the network.

    Raises:
        ArmillaryError: nothing to read off, or fewer than two training episodes.
    """
    names = [s.name for s in episodes.spec.truth] if streams is None else list(streams)
    if not names or len(train) < 2:
        raise ArmillaryError(
            f"probes need a stream to read off and two training episodes; got {names or 'no truth stream'} and {len(train)}"
        )
    rng = np.random.default_rng(seed)
    fit, validation = np.split(rng.permutation(train), [-max(1, len(train) // 5)])
    parts = [
        _draw(episodes, np.asarray(part), count, rng)
        for part, count in ((fit, frames), (validation, frames // 4), (held_out, frames // 2))
    ]
    targets = [{n: _target(episodes, n, rows) for n in names} for rows, _ in parts]
    constant = [n for n in names if any(np.ptp(t[n], axis=0).max() < 1e-9 for t in targets)]
    names = [n for n in names if n not in constant]
    if not names:
        return ProbeResult({}, len(parts[0][0]), len(parts[2][0]), constant)
    # All streams are read off together, and each column of them is scored with its own stream.
    y = _standardised([np.concatenate([t[n] for n in names], axis=1) for t in targets])
    ends = np.cumsum([targets[0][n].shape[1] for n in names])
    columns = {n: slice(end - targets[0][n].shape[1], end) for n, end in zip(names, ends, strict=True)}
    features = {"model": lambda rows: encode_rows(model, episodes, rows)}
    if untrained:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            fresh = model.untrained()
        features["untrained"] = lambda rows: encode_rows(fresh, episodes, rows)
    if images := [s.name for s in model.spec.observed if s.is_picture]:
        features["pixels"] = lambda rows: _pixels(episodes, images, rows)
    table: dict[str, dict[str, dict[str, Estimate]]] = {}
    for row, of in features.items():
        inputs = _standardised([of(rows).astype(np.float64) for rows, _ in parts])
        answers = {"ridge": ridge(*inputs[:2], *y[:2], inputs[2]), "mlp": mlp(*inputs[:2], *y[:2], inputs[2], seed=seed)}
        table[row] = {
            kind: {
                name: bootstrap(y[2][:, c], answer[:, c], groups=parts[2][1], statistic=r2, samples=RESAMPLES)
                for name, c in columns.items()
            }
            for kind, answer in answers.items()
        }
    return ProbeResult(table, len(parts[0][0]), len(parts[2][0]), constant)


def ridge(x: np.ndarray, x_validation: np.ndarray, y: np.ndarray, y_validation: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Predictions (n, c) for inputs `x_test` (n, d), by ridge regression in closed form on x (m, d) and y (m, c).

    Inputs and targets have zero mean. The strength is, for each column of y, the one that is best on the validation part.
    """
    weights = ridge_path(x, y, STRENGTHS)
    best = np.square(x_validation @ weights - y_validation).mean(axis=1).argmin(axis=0)
    return x_test @ weights[best, :, np.arange(y.shape[1])].T


def mlp(
    x: np.ndarray,
    x_validation: np.ndarray,
    y: np.ndarray,
    y_validation: np.ndarray,
    x_test: np.ndarray,
    *,
    width: int = 128,
    steps: int = 400,
    seed: int = 0,
) -> np.ndarray:
    """As `ridge`, by a network of two hidden layers; the weights are those that were best on the validation part."""
    inputs, known, test, target, target_validation = (
        torch.from_numpy(a.astype(np.float32)) for a in (x, x_validation, x_test, y, y_validation)
    )
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        hidden = nn.Linear(x.shape[1], width), nn.GELU(), nn.Linear(width, width), nn.GELU()
        net = nn.Sequential(*hidden, nn.Linear(width, y.shape[1]))
        optimiser = Optimiser(net.parameters(), 1e-3)
        best, answer = np.inf, np.full((len(x_test), y.shape[1]), np.nan)
        for step in range(steps + 1):
            if step % 50 == 0:
                with torch.no_grad():
                    loss = F.mse_loss(net(known), target_validation).item()
                    if loss < best:
                        best, answer = loss, net(test).numpy()
            rows = torch.randint(len(inputs), (256,))
            optimiser.step(F.mse_loss(net(inputs[rows]), target[rows]), 3e-3)
    return answer


def _draw(episodes: Episodes, which: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` rows of the store from these episodes, sorted, and the episode of each."""
    which = np.asarray(which, np.int64)
    rows = np.concatenate([episodes.starts[e] + np.arange(episodes.lengths[e]) for e in which])
    episode = np.repeat(which, episodes.lengths[which])
    chosen = rng.permutation(len(rows))[:count]
    chosen = chosen[np.argsort(rows[chosen])]
    return rows[chosen], episode[chosen]


def _target(episodes: Episodes, name: str, rows: np.ndarray) -> np.ndarray:
    stream = episodes.spec[name]
    observed, truth = ([], [name]) if stream.truth else ([name], [])
    return sine_cosine(stream, episodes.read_rows(rows, observed, truth=truth)[name]).astype(np.float64)


def _pixels(episodes: Episodes, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    frames = episodes.read_rows(rows, names, image_size=PIXELS)
    return np.concatenate([frames[n].reshape(len(rows), -1) for n in names], axis=1)


def _standardised(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Every part with the mean and standard deviation of the first one taken out."""
    mean, std = parts[0].mean(axis=0), parts[0].std(axis=0)
    return [(x - mean) / np.where(std > 1e-9, std, 1.0) for x in parts]
