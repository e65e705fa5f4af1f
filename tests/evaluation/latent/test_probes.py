import json

import numpy as np
import pytest
import torch
from recording_fakes import Point, record

from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.latent import probes
from armillary.evaluation.latent.probes import mlp, probe, ridge
from armillary.evaluation.statistics import r2
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return record(tmp_path_factory.mktemp("probes") / "store", episodes=30)


@pytest.fixture(scope="module")
def result(store):
    return probe(Point(), store, range(20), range(20, 30), frames=800)


def test_what_the_latent_holds_is_found_by_the_ridge(result):
    place = result.r2["model"]["ridge"]["place"]
    assert place.value > 0.999
    assert place.low <= place.value <= place.high


def test_an_angle_is_judged_as_sine_and_cosine(result):
    """On circles of different radii the angle is not linear in the place, and is easy for the network all the same."""
    heading = {kind: result.r2["model"][kind]["heading"].value for kind in ("ridge", "mlp")}
    assert heading["mlp"] > 0.95 > heading["ridge"] > 0.5


def test_a_stream_that_never_changes_is_named_and_not_scored(result):
    assert result.constant == ["fixed"]
    assert set(result.r2["model"]["ridge"]) == {"place", "heading"}
    json.dumps(result.to_json(), allow_nan=False)


def test_a_latent_that_holds_nothing_scores_nothing(store):
    class Noise(Point):
        def encode(self, observations, present=None):
            noise = torch.Generator().manual_seed(int(observations["state"].shape[1]))
            return torch.randn(*observations["state"].shape[:2], 2, generator=noise)

    result = probe(Noise(), store, range(20), range(20, 30), frames=400, untrained=False)
    for scores in result.r2["model"].values():
        assert all(-0.3 < estimate.value < 0.1 for estimate in scores.values())


def test_raw_pixels_are_a_row_where_there_are_images(tmp_path):
    image, truth = Stream("image", "image", (32, 32, 1)), Stream("light", "vector", (1,), truth=True)
    spec = Spec((image, truth), ActionSpace("box", 1))
    store, rng = Episodes.create(tmp_path / "store", spec), np.random.default_rng(0)
    for _ in range(8):
        light = rng.integers(0, 255, (12, 1))
        frames = np.broadcast_to(light[:, :, None, None], (12, 32, 32, 1)).astype(np.uint8)
        store.append(Episode({"image": frames}, np.zeros((11, 1), np.float32), {"light": light.astype(np.float32)}))
    torch.manual_seed(0)
    model = WorldModel(spec, ModelConfig(latent=4, image_size=16, width=4, projector=8, predictor_width=8)).eval()
    result = probe(model, store, range(6), [6, 7])
    assert set(result.r2) == {"model", "untrained", "pixels"}
    assert result.r2["pixels"]["ridge"]["light"].value > 0.99
    assert result.train_frames == 12 * 5  # one of six episodes validates
    assert result.held_out_frames == 24


def test_ridge_picks_its_strength_on_the_validation_part():
    """50 noisy inputs and 60 examples: plain least squares fits the noise."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(50, 1)) * 0.2
    x, validation, test = (rng.normal(size=(n, 50)) for n in (60, 200, 500))
    y, y_validation, y_test = (a @ weights + rng.normal(size=(len(a), 1)) for a in (x, validation, test))
    least_squares = test @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert r2(y_test, ridge(x, validation, y, y_validation, test)) > 0.3 > 0 > r2(y_test, least_squares)


def test_the_network_bends():
    x = np.linspace(-2, 2, 400)[:, None]
    y = np.abs(x) - 1
    assert r2(y, mlp(x, x, y, y, x)) > 0.98
    assert r2(y, ridge(x, x, y, y, x)) < 0.1


def test_nothing_to_read_off_is_an_error(store):
    with pytest.raises(ArmillaryError, match="no truth stream"):
        probe(Point(), store, range(5), [6], streams=[])
    with pytest.raises(ArmillaryError, match="and 1"):
        probe(Point(), store, [0], [6])


def test_inputs_are_scaled_by_the_training_part_alone():
    rng = np.random.default_rng(0)
    training, others = rng.normal(3, 2, (50, 2)), rng.normal(90, 5, (50, 2))
    scaled = probes._standardised([training, others])
    np.testing.assert_allclose(scaled[0].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled[0].std(0), 1)
    np.testing.assert_allclose(scaled[1], (others - training.mean(0)) / training.std(0))
