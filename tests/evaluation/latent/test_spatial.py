"""Spatial questions have their answers where latents hold them, and the rows beside them are what they say."""

import numpy as np
import pytest
import spatial
from spatial import (
    Walk,
    localise,
    locate_by_mean,
    locate_by_odometry,
    locate_motion,
    predict_scans,
    walks,
)

from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.latents import Encoded
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.worlds.house.world import SCAN_RANGE, TURN, House

BEAMS = 18  # of 20 degrees: a full turn of the robot is three of them


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Episodes:
    """Six walks, and two in which the robot turns on the spot, by a beam each step."""
    path = tmp_path_factory.mktemp("house") / "recording"
    world = House(6, size=32, beams=BEAMS, streams=("scan", "odometry"), max_steps=14)
    store = record(world, world.play(), path, episodes=6, seed=1)

    def turning(observations, rng):
        return np.tile(np.float32([2 * np.pi / BEAMS / TURN, 0]), (2, 1))

    return record(
        House(2, size=32, beams=BEAMS, streams=("scan", "odometry"), max_steps=14), turning, store, episodes=2, seed=2
    )


@pytest.fixture(scope="module")
def model(recording) -> WorldModel:
    return WorldModel(recording.spec.select(("scan",)), ModelConfig(width=8, projector=16, latent=8, predictor_width=16)).eval()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(spatial, "SAMPLES", 20)
    monkeypatch.setattr(spatial, "STEPS", 100)
    monkeypatch.setattr(spatial, "WIDTH", 32)


def knowing(some: list[Walk]) -> list[Walk]:
    """The same walks, with latents that hold the pose."""
    return [Walk(Encoded(w.encoded.number, w.pose.astype(np.float32), w.encoded.actions), w.truth) for w in some]


def test_a_pose_is_read_off_a_latent_that_holds_it(recording, model):
    blind = walks(model, recording, range(6))
    told, mean = localise(knowing(blind[:5]), knowing(blind[5:])), locate_by_mean(blind[:5], blind[5:])
    assert told["metres"].value < 0.5 * mean["metres"].value
    assert told["degrees"].low <= told["degrees"].value <= told["degrees"].high
    moved = locate_motion(knowing(blind[:5]), knowing(blind[5:]), 1)
    assert moved["metres"].value < 0.5


def test_odometry_sums_up_to_the_motion(recording, model):
    for walk in walks(model, recording, range(6)):
        np.testing.assert_allclose(walk.odometry(1)[:, :2], walk.motion(1)[:, :2], atol=0.12)
        far = walk.motion(10)
        np.testing.assert_allclose(np.hypot(*walk.odometry(10)[:, :2].T), np.hypot(*far[:, :2].T), atol=0.5)
        np.testing.assert_allclose(np.hypot(far[:, 2], far[:, 3]), 1)
    one, ten = (locate_by_odometry(walks(model, recording, range(6)), apart)["metres"].value for apart in (1, 10))
    assert 0 < one < ten < 0.5  # it drifts


def test_a_scan_that_turns_is_told_by_turning_it(recording, model):
    found = predict_scans(model, walks(model, recording, range(6)), walks(model, recording, (6, 7)), (1, 3), SCAN_RANGE)
    assert set(found) == {"imagined", "seen", "persistence", "turned"}
    for h in (1, 3):
        assert found["turned"][h].value < 1e-4 < 0.05 < found["persistence"][h].value
        assert found["imagined"][h].value > 0.05
