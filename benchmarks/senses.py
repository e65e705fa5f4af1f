"""Each kind of stream by itself: does a model that is given nothing else come to know what it is about?

    python benchmarks/senses.py                    # all six kinds, 2 CPU minutes
    python benchmarks/senses.py --kinds scan       # one of them

A few numbers in [-1, 1] are moved by the actions, and seen through one sense alone: a light from above; a post before a wall,
by a depth camera that loses a tenth of its pixels; the walls of a room, by a range finder; a box, as 20 to 50 points of it; the
joints of an arm of two links, among ten channels of noise; the vibration of a motor, in noise. A nano model learns from 180
episodes of 20 rows, without labels. The figure is the share of variance (R2) of those numbers that a small network reads off
the latent on 20 held-out episodes, beside an untrained model of the same shape. Writes --out FILE, where given.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro

from armillary.episodes.store import Episode, Episodes
from armillary.evaluation.latent.probes import probe
from armillary.evaluation.statistics import Estimate
from armillary.model.config import ModelConfig
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig

EPISODES, ROWS, STEP = 200, 20, 0.2
RECIPE = Recipe(
    ModelConfig(
        image_size=32,
        width=32,
        latent=8,
        predictor_width=64,
        objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg(2.0), "inverse": Inverse()},
    ),
    (StageConfig("joint", steps=600, learning_rate=3e-3),),
)


@dataclass(frozen=True)
class Sense:
    """How `numbers` in [-1, 1] are seen: (n, numbers) to (n, *stream.shape), and what they stand for."""

    stream: Stream
    meaning: str
    numbers: int
    see: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    truth: Callable[[np.ndarray], np.ndarray] = lambda state: state


def light(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A spot of light, seen from above."""
    pixels = np.linspace(-1.2, 1.2, 32)
    x, y = (np.exp(-(((pixels - state[:, [axis]]) / 0.2) ** 2)) for axis in (0, 1))
    return np.repeat((255 * y[:, :, None] * x[:, None, :])[..., None], 3, -1)


def post(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A post, 1 to 4 m away, before a wall at 5 m; a tenth of the pixels are lost."""
    column, distance = 16 + 12 * state[:, [0]], 2.5 + 1.5 * state[:, [1]]
    row = np.where(np.abs(np.arange(32) - column) < 3, distance, 5.0)
    return lost(np.repeat(row[:, None], 32, 1), 0.1, rng)


def room(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The walls of a room of 6 x 4 m all round; one beam in twenty does not come back."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False) + 1e-4  # no beam runs along a wall
    way = np.stack([np.cos(angle), np.sin(angle)], -1)
    place = state * [2, 1]
    return lost(((np.sign(way) * [3, 2] - place[:, None]) / way).min(-1), 0.05, rng)


def box(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """20 to 50 points, in no order, of a box of 1 m, whose middle is within 2 m."""
    points = 2 * state[:, None] + rng.uniform(-0.5, 0.5, (len(state), 50, 3))
    points[np.arange(50) >= rng.integers(20, 51, (len(state), 1))] = np.nan
    return points


def arm(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two joint angles in rad, and ten channels that tell nothing."""
    return np.hstack([3 * state, rng.standard_normal((len(state), 10))])


def hand(state: np.ndarray) -> np.ndarray:
    """Where the arm's hand is, if its links are 1 m long."""
    first, second = 3 * state[:, 0], 3 * state.sum(1)
    return np.stack([np.cos(first) + np.cos(second), np.sin(first) + np.sin(second)], 1)


def motor(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """64 samples of a vibration at any phase, on one channel, and noise on both."""
    strength, speed = 1 + 0.5 * state[:, [0]], 0.6 + 0.4 * state[:, [1]]
    wave = strength * np.sin(speed * np.arange(64) + rng.uniform(0, 2 * np.pi, (len(state), 1)))
    return np.stack([wave, np.zeros_like(wave)], -1) + 0.05 * rng.standard_normal((len(state), 64, 2))


def lost(metres: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """With NaN at this share of the places."""
    return np.where(rng.random(metres.shape) < share, np.nan, metres)


SENSES: dict[str, Sense] = {
    "image": Sense(Stream("image", "image", (32, 32, 3)), "place of a light", 2, light),
    "depth": Sense(Stream("depth", "depth", (32, 32)), "side and distance of a post", 2, post),
    "scan": Sense(Stream("scan", "scan", (64,), full_turn=True), "own place in a room", 2, room),
    "points": Sense(Stream("points", "points", (50, 3)), "middle of a box", 3, box),
    "vector": Sense(Stream("joints", "vector", (12,), unit=("rad", "rad", *[""] * 10)), "place of an arm's hand", 2, arm, hand),
    "signal": Sense(Stream("vibration", "signal", (64, 2)), "strength and speed of a motor", 2, motor),
}


def main(kinds: tuple[str, ...] = tuple(SENSES), seed: int = 0, out: Path | None = None) -> None:
    """Record, learn and probe.

    Args:
        kinds: of streams; figures of the others stay as they are in the results.
        seed: of recording, split, weights, training and probes.
        out: JSON file of the result; none is written by default.
    """
    results = json.loads(out.read_text()) if out is not None and out.exists() else {}
    for kind in kinds:
        began, sense = time.process_time(), SENSES[kind]
        with tempfile.TemporaryDirectory() as folder:
            episodes = record(sense, f"{folder}/recording", seed)
            model = fit(episodes, f"{folder}/run", RECIPE, TrainConfig(seed=seed, progress=False), device="cpu")
            held = model.provenance["held_out"]
            r2 = probe(model, episodes, np.setdiff1d(np.arange(EPISODES), held), held, seed=seed).r2
        figures = {row: {name: probed[name]["quantity"] for name in probed} for row, probed in r2.items()}
        results[kind] = {"quantity": sense.meaning, "cpu_seconds": time.process_time() - began, "seed": seed}
        results[kind] |= {"versions": model.provenance["versions"], "r2": {row: jsonable(f) for row, f in figures.items()}}
        print(f"{kind}: {sense.meaning}: " + "; ".join(f"{row} {told['mlp'].value:.3f}" for row, told in figures.items()))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({kind: results[kind] for kind in SENSES if kind in results}, indent=1) + "\n")


def record(sense: Sense, path: str, seed: int) -> Episodes:
    """Episodes in which random actions move the numbers about."""
    rng, low = np.random.default_rng(seed), (-1.0,) * sense.numbers
    truth = Stream("quantity", "vector", sense.truth(np.zeros((1, sense.numbers))).shape[1:], truth=True)
    spec = Spec((sense.stream, truth), ActionSpace("box", sense.numbers, low, tuple(-x for x in low)))
    episodes = []
    for _ in range(EPISODES):
        actions = rng.uniform(-1, 1, (ROWS - 1, sense.numbers))
        state = [rng.uniform(-1, 1, sense.numbers)]
        for action in actions:
            state.append(np.clip(state[-1] + STEP * action, -1, 1))
        # What the walls of [-1, 1] let through is what was done.
        done = np.diff(state, axis=0) / STEP
        seen = sense.see(np.array(state), rng).astype(sense.stream.dtype)
        hidden = sense.truth(np.array(state)).astype(np.float32)
        episodes.append(Episode({sense.stream.name: seen}, done.astype(np.float32), {"quantity": hidden}))
    store = Episodes.create(path, spec)
    store.append(*episodes)
    return store


def jsonable(figures: dict[str, Estimate]) -> dict[str, dict[str, float]]:
    """Numbers with their intervals."""
    return {name: asdict(figure) for name, figure in figures.items()}


if __name__ == "__main__":
    tyro.cli(main)
