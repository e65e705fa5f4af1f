"""Dead reckoning, and clips that say where odometry has each frame."""

import math
from dataclasses import replace

import numpy as np
import pytest

from armillary.episodes.clips import Clips
from armillary.episodes.odometry import poses, reckon
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.config import ModelConfig
from armillary.objectives.egomotion import Egomotion
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig

SPEC = Spec((Stream("range", "vector", (2,)), Stream("odometry", "vector", (3,))), ActionSpace("box", 1, (-1.0,), (1.0,)))
ROWS = 9, 5, 12


def record(path, spec: Spec = SPEC, rows: tuple[int, ...] = ROWS) -> Episodes:
    store, rng = Episodes.create(path, spec), np.random.default_rng(0)
    for count in rows:
        seen = {s.name: rng.normal(size=(count, *s.shape)).astype(np.float32) for s in spec.streams}
        store.append(Episode(seen, rng.uniform(-1, 1, (count - 1, 1)).astype(np.float32)))
    return store


def test_single_steps_sum_up_to_what_is_told():
    steps = np.array([[9.0, 9, 9], [1, 0, math.pi / 2], [2, 0, 0], [1, 0.5, -math.pi / 2]])
    np.testing.assert_allclose(reckon(steps), [[0, 0, 0], [0, 1, math.pi / 2], [0, 3, math.pi / 2], [1, 3.5, 0]], atol=1e-12)


@pytest.mark.parametrize("skip", [1, 2])
def test_clips_say_where_odometry_has_each_frame(tmp_path, skip):
    store = record(tmp_path / "store")
    clips = Clips(store, 3, skip=skip, streams=["range"], odometry="odometry", which=[0, 2])
    batch = clips[:]
    assert set(batch.observations) == {"range"}
    assert batch.pose.shape == (len(clips), 3, 3)
    for pose, episode, step in zip(batch.pose, batch.episode.tolist(), batch.step.tolist(), strict=True):
        rows = store.starts[episode] + np.arange(store.lengths[episode])
        expected = reckon(store.read_rows(rows, ["odometry"])["odometry"])
        np.testing.assert_allclose(pose, expected[step : step + 2 * skip + 1 : skip], atol=1e-5)
    assert batch.to("meta").pose.device.type == "meta"
    assert Clips(store, 3)[:2].pose is None


def test_poses_as_ros_tells_them(tmp_path):
    odom = Stream("odom", "vector", (6,), channels=("position.x", "position.y", *(f"orientation.{axis}" for axis in "xyzw")))
    store = Episodes.create(tmp_path / "store", Spec((odom,), SPEC.action))
    heading = np.array([0, 0.5, 3, -2])
    quaternion = np.stack([0 * heading, 0 * heading, np.sin(heading / 2), np.cos(heading / 2)], axis=1)
    place = np.array([[5, 1], [5, 2], [6, 2], [6, 3]])
    told = np.concatenate([place, quaternion], axis=1).astype(np.float32)
    store.append(Episode({"odom": told}, np.zeros((3, 1), np.float32)))
    np.testing.assert_allclose(poses(store, "odom"), np.column_stack([place, heading]), atol=1e-6)


def test_a_stream_that_is_no_odometry_is_refused(tmp_path):
    store = record(tmp_path / "store")
    with pytest.raises(ArmillaryError, match=r"'range' is vector \(2,\); odometry is a vector of 3 \(m ahead"):
        Clips(store, 3, odometry="range")
    with pytest.raises(SpecMismatch, match="no stream 'wheels'"):
        Clips(store, 3, odometry="wheels")
    gaps = Episodes.create(tmp_path / "gaps", Spec((SPEC["range"], replace(SPEC["odometry"], optional=True)), SPEC.action))
    gaps.append(Episode({"range": np.zeros((4, 2), np.float32)}, np.zeros((3, 1), np.float32)))
    with pytest.raises(ArmillaryError, match="'odometry' has gaps"):
        Clips(gaps, 3, odometry="odometry")


def test_a_model_learns_from_odometry_that_it_does_not_sense(tmp_path):
    aim = {"prediction": Prediction(rollout=1), "sigreg": SIGReg(), "egomotion": Egomotion()}
    config = ModelConfig(projector=8, latent=4, predictor_width=8, clips_per_episode=2, objective=aim)
    recipe = Recipe(config, (StageConfig("joint", steps=3, batch=8),))
    store = record(tmp_path / "store", rows=(9,) * 8)
    model = fit(store, tmp_path / "run", recipe, TrainConfig(progress=False), streams=("range",), device="cpu")
    assert [stream.name for stream in model.spec.streams] == ["range"]
    assert "egomotion" in (tmp_path / "run" / "metrics.jsonl").read_text()
    blind = record(tmp_path / "blind", Spec((SPEC["range"],), SPEC.action), (9,) * 8)
    with pytest.raises(SpecMismatch, match=r"no stream 'odometry'; name it by .*, or set objective\.egomotion\.weight to 0"):
        fit(blind, tmp_path / "other", recipe, TrainConfig(progress=False), device="cpu")
