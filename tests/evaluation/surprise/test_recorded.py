"""Scenes made from a recording: what is done to which windows, and of which episodes they are."""

import numpy as np
import pytest

from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.surprise.discern import discern
from armillary.evaluation.surprise.recorded import DELAYS, EVENT, FRAMES, recorded_scenes
from armillary.evaluation.surprise.shortcuts import frame_difference
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

SKIP = 2
JOINTS = Stream("joints", "vector", (3,), channels=("kLeftElbow", "kRightElbow", "kRightWrist"))
CAMERA = Stream("camera", "image", (16, 16, 1))
HELD_OUT = [1, 3]


def scenes_of(folder, streams=(JOINTS, CAMERA), n=6, rows=60, which=HELD_OUT, action=None):
    """Scenes by label, of episodes that tell where they are from: the camera shows the episode and the row."""
    action = action or ActionSpace("box", 2)
    rng, store = np.random.default_rng(0), Episodes.create(folder / "recording", Spec(tuple(streams), action, 10.0))
    for number in range(4):
        time = np.arange(rows)
        seen = np.zeros((rows, 16, 16, 1), np.uint8)
        seen[:, :8], seen[:, 8:] = 50 * number, 4 * time[:, None, None, None]
        joints = np.stack([0.1 * np.sin(time / 5), np.where(time > 30, np.sin(time / 5), 0), 0 * time], 1) + number
        known = {"joints": joints.astype(np.float32), "camera": seen}
        store.append(
            Episode({s.name: known[s.name] for s in streams}, rng.normal(size=(rows - 1, action.n)).astype(np.float32))
        )
    config = ModelConfig(latent=4, projector=8, predictor_width=8, width=4, skip=SKIP, image_size=None)
    model = WorldModel(store.spec, config)
    return {some.label: some for some in recorded_scenes(model, store, which, n, seed=0)}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return scenes_of(tmp_path_factory.mktemp("recorded"))


def when(some):
    """Number of the episode, and row, of each frame, as the camera shows them, (n, 4, T)."""
    camera = some.observations["camera"][..., 0]
    return camera[..., 0, 0] // 50, camera[..., 8, 0] // 4


def test_windows_are_of_held_out_episodes(scenes):
    labels = ["time reversed", "frames swapped", "actions exchanged", "camera delayed, 1 frame", "camera delayed, 4 frames"]
    assert list(scenes) == [*labels, "right arm frozen"]
    for some in scenes.values():
        assert some.actions.shape == (6, 4, FRAMES - 1, SKIP * 2)
        episode, row = when(some)
        assert set(np.unique(episode)) <= set(HELD_OUT)
        assert (np.diff(row[:, :2].astype(int)) == SKIP).all()


def test_what_is_done_to_frames_and_actions(scenes):
    some = scenes["time reversed"]
    for x in some.observations.values():
        np.testing.assert_array_equal(x[:, 2:], x[:, :2, ::-1])
    steps = some.actions.reshape(6, 4, -1, 2)
    np.testing.assert_array_equal(steps[:, 2:], steps[:, :2, ::-1])
    some = scenes["frames swapped"]
    assert (np.diff(when(some)[1].astype(int))[:, 2:] == SKIP * np.array([1, 1, 1, 2, -1, 2, 1])).all()
    np.testing.assert_array_equal(some.actions[:, 2:], some.actions[:, :2])
    some = scenes["actions exchanged"]
    np.testing.assert_array_equal(some.actions[:, 2:], some.actions[:, 1::-1])
    np.testing.assert_array_equal(some.observations["camera"][:, 2:], some.observations["camera"][:, :2])


@pytest.mark.parametrize("delay", DELAYS)
def test_the_camera_is_late_or_early(scenes, delay):
    some = scenes[f"camera delayed, {delay} frame{'s' if delay > 1 else ''}"]
    row = when(some)[1][:, :, 0].astype(int)
    assert (row - row[:, :1] == SKIP * np.array([0, delay, delay, 0])).all()
    joints = some.observations["joints"]
    np.testing.assert_array_equal(joints[:, 2:], joints[:, :2])
    assert (joints[:, 0] != joints[:, 1]).any(axis=(1, 2)).all()


def test_an_arm_rests_that_moved_and_moves_that_rested(scenes):
    some = scenes["right arm frozen"]
    joints = some.observations["joints"]
    change = np.abs(np.diff(joints, axis=2))[..., EVENT - 1 :, 1].max(axis=-1)
    assert (change[:, [0, 3]] > 0.2).all()
    assert (change[:, [1, 2]] < 0.02).all()
    np.testing.assert_array_equal(joints[:, 2:, :EVENT], joints[:, :2, :EVENT])
    np.testing.assert_array_equal(joints[:, 2:, :, 0], joints[:, :2, :, 0])


def test_the_change_of_frames_tells_swapped_ones_alone(scenes):
    share = {label: discern(frame_difference(some.observations)[None]).relative.value for label, some in scenes.items()}
    assert share.pop("frames swapped") == 1
    assert list(share.values()) == pytest.approx([0.5] * len(share), abs=0.1)


def test_scenes_are_those_that_the_streams_allow(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    assert list(scenes_of(tmp_path / "a", (CAMERA,), action=NO_ACTION)) == ["time reversed", "frames swapped"]
    plain = Stream("joints", "vector", (3,))
    assert "all vectors frozen" in scenes_of(tmp_path / "b", (plain,))


def test_there_are_as_many_scenes_as_there_are_windows(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    assert len(scenes_of(tmp_path / "a", rows=30, which=[1])["time reversed"]) == 1
    with pytest.raises(ArmillaryError, match=r"need 4 windows of 12 frames, got 1 of held-out episodes \[3\]"):
        scenes_of(tmp_path / "b", rows=24, which=[3])
