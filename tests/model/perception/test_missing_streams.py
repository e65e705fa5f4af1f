"""A camera and a position sensor tell the same story: a model that was trained to, goes on with either when the other dies."""

import numpy as np
import pytest
import torch

from armillary.acting.agent import Agent
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.planning import CEM
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.loop import TrainConfig, train
from armillary.training.stages import StageConfig

SPEC = Spec(
    (Stream("camera", "image", (32, 32, 3)), Stream("position", "vector", (2,), unit=("m", "m"))),
    ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)),
)
STEP = 0.15  # m, of a square of 2 m


def sensed(position: np.ndarray) -> dict[str, np.ndarray]:
    """A blob of light at positions (n, 2), seen from above."""
    pixels = np.linspace(-1.2, 1.2, 32)
    x, y = (np.exp(-(((pixels - position[:, [axis]]) / 0.2) ** 2)) for axis in (0, 1))
    light = (255 * y[:, :, None] * x[:, None, :]).astype(np.uint8)
    return {"camera": np.repeat(light[..., None], 3, -1), "position": position.astype(np.float32)}


def episode(seed: int, rows: int = 20) -> Episode:
    rng = np.random.default_rng(seed)
    actions = rng.uniform(-1, 1, (rows - 1, 2)).astype(np.float32)
    position = [rng.uniform(-1, 1, 2)]
    for action in actions:
        position.append(np.clip(position[-1] + STEP * action, -1, 1))
    return Episode(sensed(np.array(position)), actions)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("missing")
    with Episodes.create(folder / "store", SPEC) as store:
        store.append(*map(episode, range(200)))
    objective = {"prediction": Prediction(rollout=2), "sigreg": SIGReg(2.0), "inverse": Inverse()}
    config = ModelConfig(image_size=32, width=16, latent=4, predictor_width=64, drop_streams=0.4, objective=objective)
    torch.manual_seed(0)
    model = WorldModel(SPEC, config)
    stages = (StageConfig("joint", steps=800, learning_rate=3e-3), StageConfig("dynamics", steps=400, learning_rate=3e-3))
    return train(model, Clips(Episodes.open(folder / "store"), 3), stages, folder / "run", TrainConfig(progress=False))


def test_it_plans_with_what_is_left(model):
    rng = np.random.default_rng(1)
    start, goal = rng.uniform(-0.9, 0.9, (2, 20, 2))
    for alive in (("camera", "position"), ("camera",), ("position",)):
        agent, position = Agent(model, CEM(samples=48, iterations=3), exact=False), start
        agent.start(range(20), {name: sensed(goal)[name] for name in alive})
        for step in range(18):
            left = alive if step >= 3 else ("camera", "position")  # it dies on the way
            seen = sensed(position)
            position = np.clip(position + STEP * agent.act({name: seen[name] for name in left}).values, -1, 1)
        near = np.linalg.norm(position - goal, axis=1) < 0.25
        assert near.mean() >= 0.75, (alive, near.mean())


def test_surprise_says_that_something_is_missing(model):
    one = episode(1000, 200)
    actions, z = torch.from_numpy(one.actions)[None], {}
    for alive in (("camera", "position"), ("position",)):
        z[alive] = model.encode({name: torch.from_numpy(one.observations[name])[None] for name in alive})
    both, left = z.values()
    usual = model.surprise(both, actions)[0].median()
    dies = model.surprise(torch.cat([both[:, :100], left[:, 100:]], 1), actions)[0, 99]
    assert dies > 3 * usual


def test_latents_of_either_sense_agree(model):
    seen = {name: torch.from_numpy(x)[None] for name, x in sensed(np.random.default_rng(2).uniform(-1, 1, (300, 2))).items()}
    z, camera, position = (model.encode({n: seen[n] for n in names})[0] for names in (seen, ["camera"], ["position"]))
    for other in (camera, position):
        assert ((z - other).square().mean(0) / z.var(0)).mean() < 0.3


def test_frames_lose_streams_and_never_all():
    torch.manual_seed(0)
    perception = WorldModel(SPEC, ModelConfig(image_size=32, width=8, drop_streams=0.6)).perception
    dropped = perception._dropped(2000, {})
    assert dropped.shape == (2, 2000, 1)
    assert not dropped.all(0).any()
    torch.testing.assert_close(dropped.float().mean((1, 2)), torch.full((2,), 0.6 * 0.4), atol=0.04, rtol=0)
    assert perception.eval()._dropped(5, {}) is None


def test_what_is_wrong_is_said():
    seen = {"position": torch.zeros(1, 1, 2)}
    with pytest.raises(SpecMismatch, match="no stream 'camera'"):
        WorldModel(SPEC, ModelConfig(image_size=32)).eval().encode(seen)
    tolerant = WorldModel(SPEC, ModelConfig(image_size=32, drop_streams=0.1)).eval()
    tolerant.encode(seen)
    with pytest.raises(SpecMismatch, match="no stream 'camera'"):
        tolerant.encode({"other": torch.zeros(1, 1, 2)})
    for bad in ({"drop_streams": 1.0}, {"drop_streams": 0.1, "map_channels": 2, "predictor": "map"}):
        with pytest.raises(ArmillaryError, match="dropped with a chance"):
            WorldModel(SPEC, ModelConfig(image_size=32, **bad))
