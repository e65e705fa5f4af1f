import json

import numpy as np
import pytest
import torch
from judging_fakes import Known

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise.discern import discern
from armillary.evaluation.surprise.evaluate import evaluate_scorer, evaluate_surprise
from armillary.evaluation.surprise.shortcuts import LATENTS
from armillary.worlds.scenes import splice
from armillary.worlds.two_room.scenes import EVENT, FRAMES, two_room_scenes
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=4, door="random", autoreset_mode="Disabled")


@pytest.fixture(scope="module")
def scenes(world):
    return {some.name: some for some in two_room_scenes(world, 12, seed=0)}


def places(world, scene):
    """Where the agent is in the frames of the four clips, (4, n, T, 2) px, read from the images."""
    image = torch.from_numpy(scene.observations["image"])
    z = Known(world.stream_spec).encode({"image": image.flatten(0, 1)})
    return 64 * z.unflatten(0, image.shape[:2]).numpy().swapaxes(0, 1)


@pytest.mark.parametrize("name", ["teleport 5 px", "frozen", "colour"])
def test_spliced_clips_have_the_frames_of_the_possible_ones(scenes, name):
    frames, actions = scenes[name].observations["image"], scenes[name].actions
    assert frames.shape == (12, 4, FRAMES, 64, 64, 3)
    assert actions.shape == (12, 4, FRAMES - 1, 2)
    a, b, a_then_b, b_then_a = frames.swapaxes(0, 1)
    np.testing.assert_array_equal(a_then_b, np.concatenate([a[:, :EVENT], b[:, EVENT:]], 1))
    np.testing.assert_array_equal(b_then_a, np.concatenate([b[:, :EVENT], a[:, EVENT:]], 1))
    np.testing.assert_array_equal(actions[:, :2], actions[:, 2:])


def test_matched_clips_share_every_frame_up_to_the_event(scenes):
    for scene in scenes.values():
        frames = scene.observations["image"]
        np.testing.assert_array_equal(frames[:, :2, :EVENT], frames[:, 2:, :EVENT])
        assert (frames[:, :2, EVENT] != frames[:, 2:, EVENT]).any(axis=(2, 3, 4)).all()


def test_a_teleport_jumps_by_its_distance(world, scenes):
    for distance in (3, 5, 8):
        a, b, *_ = places(world, scenes[f"teleport {distance} px"])
        np.testing.assert_allclose(np.hypot(*(a - b)[:, EVENT].T), distance, rtol=0.1)


def test_the_wall_blocks_and_the_door_does_not(world, scenes):
    stays, passes, passes_wall, stays_in_door = places(world, scenes["wall"])[..., EVENT - 1 : EVENT + 1, 0]
    side = np.sign(stays[:, 0] - 32)
    for x in (stays, stays_in_door):
        np.testing.assert_allclose(x[:, 1], 32 + 4.5 * side, atol=0.2)
    for x in (passes, passes_wall):
        np.testing.assert_allclose(x[:, 1] - x[:, 0], -12.5 * side, atol=0.2)
    np.testing.assert_array_equal(scenes["wall"].actions[:, :, EVENT - 1, 0], -side[:, None].repeat(4, 1))


def test_a_frozen_agent_acts_in_vain(world, scenes):
    a, b, *_ = places(world, scenes["frozen"])
    np.testing.assert_array_equal(a[:, :EVENT], b[:, :EVENT])
    np.testing.assert_allclose(b[:, EVENT:], b[:, EVENT - 1 : EVENT].repeat(FRAMES - EVENT, 1))
    assert (np.hypot(*(a[:, EVENT] - a[:, EVENT - 1]).T) > 4).all()
    assert (scenes["frozen"].actions[:, 1, EVENT - 1 :] == 0).all()


def test_a_model_that_knows_motion_is_surprised_by_jumps_and_by_acting_in_vain(world, scenes):
    """This one knows nothing of walls, so that they are at chance; so is the change of the pixels, alike in both."""
    chosen = [scenes[name] for name in ("teleport 8 px", "frozen", "wall")]
    result = evaluate_surprise(Known(world.stream_spec), chosen, untrained=2)
    relative = {row: {name: score.relative.value for name, score in of.items()} for row, of in result.rows.items()}
    assert relative["model"]["teleport 8 px"] > 0.8
    assert relative["model"]["frozen"] > 0.9
    assert relative["model"]["wall"] < 0.7
    assert 0.3 < relative["frame difference"]["wall"] < 0.7
    assert relative["frame difference"]["frozen"] == relative["untrained"]["frozen"] == 0.5
    assert relative["constant velocity"]["teleport 8 px"] > 0.6
    assert relative["copy last"]["frozen"] == relative["copy last, untrained"]["frozen"] == 0.5
    assert result.scenes == {"teleport 8 px": 12, "frozen": 12, "wall": 12}
    json.dumps(result.to_json(), allow_nan=False)


def test_discernment_of_known_surprise():
    rng = np.random.default_rng(0)
    surprise = rng.uniform(0, 1, (3, 40, 4, 5))
    chance = discern(surprise)
    assert chance.relative.low < 0.5 < chance.relative.high
    assert chance.auroc.value == pytest.approx(0.5, abs=0.1)
    surprise[:, :, 2:, 2] += 10
    told = discern(surprise)
    assert told.relative.value == told.pairs.value == told.auroc.value == 1
    flat = discern(np.ones((1, 6, 4, 5)))
    assert flat.relative.value == flat.pairs.value == flat.auroc.value == 0.5
    ends = np.array([1.0, 9.0, 9.1, 1.1]).reshape(1, 1, 4, 1)  # one end is hard to predict, and what was seen counts for little
    assert discern(ends).relative.value == 1
    assert discern(ends).pairs.value == 0.5
    again = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1]).reshape(1, 1, 2, 3).repeat(2, axis=2)[:, :, [0, 1, 3, 2]]
    assert discern(again).relative.value == discern(again).pairs.value == 0.5  # the same numbers, in another order
    few = np.array([0.0, 1.0, 1.0, 2.0]).reshape(1, 1, 4, 1)  # 1 and 2 are above 0 and 1 in 3.5 of 4 comparisons
    assert discern(few).auroc.value == pytest.approx(3.5 / 4)
    two = np.array([[0.0, 0.0, 3.0, 3.0], [2.0, 2.0, 1.0, 1.0]]).reshape(1, 2, 4, 1)  # of two scenes, each against both
    assert discern(two).auroc.value == pytest.approx(3 / 4)


def test_scenes_of_blocks_hold_their_actions():
    slow = make("two_room", num_envs=4, action_repeat=1, autoreset_mode="Disabled")
    for some in two_room_scenes(slow, 4, seed=1, skip=5, teleports=(5.0,)):
        blocks = some.actions.reshape(4, 4, FRAMES - 1, 5, 2)
        assert (blocks == blocks[..., :1, :]).all()


def test_a_wall_too_thick_to_be_passed_is_an_error():
    slow = make("two_room", num_envs=4, action_repeat=1, autoreset_mode="Disabled")
    with pytest.raises(ArmillaryError, match=r"two_room: scenes of wall: only 0 of 1 found"):
        two_room_scenes(slow, 1, seed=0, teleports=())


def test_splice():
    clips = np.arange(6).reshape(1, 2, 3)
    assert splice(clips, 1).tolist() == [[[0, 1, 2], [3, 4, 5], [0, 4, 5], [3, 1, 2]]]


def test_without_untrained_networks_there_are_the_models_rows_alone(world, scenes):
    rows = evaluate_surprise(Known(world.stream_spec), [scenes["frozen"]], untrained=0).rows
    assert {"model", "frame difference", *LATENTS} == set(rows)


def test_anything_that_is_surprised_is_judged_as_a_model_is(scenes):
    def knows(some):
        found = np.arange(4.0).repeat(FRAMES - 1).reshape(4, -1)
        return {"model": np.tile(found, (len(some), 1, 1)), "opposite": np.tile(-found, (len(some), 1, 1))}

    def knows_nothing(some):
        return {name: np.zeros_like(score) for name, score in knows(some).items()}

    result = evaluate_scorer(knows, [scenes["frozen"]], [knows_nothing, knows_nothing])
    sets = {name: row["frozen"].relative.value for name, row in result.rows.items()}
    known = {"model": 1, "opposite": 0, "untrained": 0.5, "opposite, untrained": 0.5, "frame difference": 0.5}
    assert sets == known
    assert result.networks == 2
