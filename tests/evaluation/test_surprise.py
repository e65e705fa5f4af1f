import json

import numpy as np
import pytest
from judging_fakes import Known

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise import Scenes, discern, evaluate_surprise, frame_difference
from armillary.evaluation.two_room_scenes import EVENT, FRAMES, two_room_scenes
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=4, door="random", autoreset_mode="Disabled")


@pytest.fixture(scope="module")
def scenes(world):
    return {some.name: some for some in two_room_scenes(world, 12, seed=0)}


def places(world, scene):
    """Where the agent is in the frames of clips A and B, (n, 2, T, 2) px, read from the images."""
    import torch

    image = torch.from_numpy(scene.observations["image"])
    return 64 * Known(world.stream_spec).encode({"image": image.flatten(0, 1)}).unflatten(0, image.shape[:2]).numpy()


def test_impossible_clips_are_spliced_from_the_possible_ones(scenes):
    frames, actions = scenes["wall"].clips()
    a, b, a_then_b, b_then_a = frames["image"].swapaxes(0, 1)
    assert frames["image"].shape == (12, 4, FRAMES, 64, 64, 3)
    assert actions.shape == (12, 4, FRAMES - 1, 2)
    np.testing.assert_array_equal(a_then_b[:, :EVENT], a[:, :EVENT])
    np.testing.assert_array_equal(a_then_b[:, EVENT:], b[:, EVENT:])
    np.testing.assert_array_equal(b_then_a[:, EVENT:], a[:, EVENT:])
    np.testing.assert_array_equal(actions[:, 2], actions[:, 0])
    # The same frames between them: nothing can be told by appearance.
    assert (a.astype(int) + b).sum() == (a_then_b.astype(int) + b_then_a).sum()


def test_a_teleport_jumps_by_its_distance(world, scenes):
    for distance in (3, 5, 8):
        a, b = places(world, scenes[f"teleport {distance} px"]).swapaxes(0, 1)
        np.testing.assert_allclose(np.hypot(*(a - b)[:, EVENT].T), distance, rtol=0.1)


def test_the_wall_blocks_in_one_clip_and_is_passed_in_the_splice(world, scenes):
    a, b = places(world, scenes["wall"]).swapaxes(0, 1)
    side = np.sign(a[:, EVENT - 1, 0] - 32)
    assert (np.sign(a[:, EVENT, 0] - 32) == side).all()
    assert (np.sign(b[:, EVENT, 0] - 32) == -side).all()
    # The jump is what the action asks for: one full step towards the wall.
    np.testing.assert_allclose(b[:, EVENT, 0] - a[:, EVENT - 1, 0], -side * 12.5, atol=0.2)
    np.testing.assert_array_equal(scenes["wall"].actions[:, 0, EVENT - 1, 0], -side)


def test_a_frozen_agent_acts_in_vain(world, scenes):
    scene = scenes["frozen"]
    a, b = places(world, scene).swapaxes(0, 1)
    np.testing.assert_array_equal(a[:, :EVENT], b[:, :EVENT])
    np.testing.assert_allclose(b[:, EVENT:], b[:, EVENT - 1 : EVENT].repeat(FRAMES - EVENT, 1))
    assert (np.hypot(*(a[:, EVENT] - a[:, EVENT - 1]).T) > 4).all()
    assert (scene.actions[:, 1, EVENT - 1 :] == 0).all()


def test_a_model_that_knows_the_world_is_surprised_by_what_cannot_happen(world, scenes):
    """The known model ignores walls and colours, so it is surprised by jumps and by acting in vain alone."""
    chosen = [scenes[name] for name in ("teleport 8 px", "frozen", "colour")]
    result = evaluate_surprise(Known(world.stream_spec), chosen, untrained=2)
    assert set(result.rows) == {"model", "untrained", "frame difference"}
    for name in ("teleport 8 px", "frozen"):
        assert result.rows["model"][name].relative.value > 0.8
    assert result.rows["frame difference"]["colour"].relative.value > 0.8
    assert result.rows["frame difference"]["frozen"].relative.value < 0.9
    assert result.scenes == {"teleport 8 px": 12, "frozen": 12, "colour": 12}
    json.dumps(result.to_json(), allow_nan=False)


def test_discernment_of_known_surprise():
    rng = np.random.default_rng(0)
    surprise = rng.uniform(0, 1, (3, 40, 4, 5))
    chance = discern(surprise)
    assert chance.relative.low < 0.5 < chance.relative.high
    assert chance.auroc.value == pytest.approx(0.5, abs=0.1)
    surprise[:, :, 2:, 2] += 10
    assert discern(surprise).relative.value == discern(surprise).auroc.value == 1
    flat = discern(np.ones((1, 6, 4, 5)))
    assert flat.relative.value == flat.auroc.value == 0.5


def test_frame_difference_sees_change_alone():
    frames = np.zeros((1, 4, 3, 2, 2, 1), np.uint8)
    frames[:, :, 2] = 10
    assert frame_difference({"image": frames})[0, 0].tolist() == [0, 100]


def test_scenes_of_blocks_hold_their_actions(world):
    slow = make("two_room", num_envs=4, action_repeat=1, autoreset_mode="Disabled")
    for some in two_room_scenes(slow, 4, seed=1, skip=5, teleports=(5.0,)):
        blocks = some.actions.reshape(4, 2, FRAMES - 1, 5, 2)
        assert (blocks == blocks[..., :1, :]).all()


def test_a_wall_too_thick_to_be_passed_is_an_error():
    slow = make("two_room", num_envs=4, action_repeat=1, autoreset_mode="Disabled")
    with pytest.raises(ArmillaryError, match=r"only 0 of \d+ candidates for 'wall'"):
        two_room_scenes(slow, 1, seed=0, teleports=())


def test_a_scene_of_several_streams_splices_each():
    observations = {"a": np.arange(6.0).reshape(1, 2, 3, 1), "b": np.arange(12).reshape(1, 2, 3, 2, 1)}
    frames, _ = Scenes("x", observations, np.zeros((1, 2, 2, 1)), 1).clips()
    assert frames["a"][0, 2, :, 0].tolist() == [0, 4, 5]
    assert frames["b"][0, 3, :, 0, 0].tolist() == [6, 2, 4]
