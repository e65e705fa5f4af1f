"""Scenes of Push-T: what happens in them, read from the images."""

import numpy as np
import pytest

pytest.importorskip("pymunk", reason="Push-T needs pymunk")

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise.discern import discern
from armillary.evaluation.surprise.shortcuts import frame_difference
from armillary.worlds.push_t.scenes import EVENT, FRAMES
from armillary.worlds.push_t.world import AGENT_COLOUR, BLOCK_COLOUR, PushT


@pytest.fixture(scope="module")
def scenes():
    return {some.name: some for some in PushT(size=128).scenes(8, seed=0)}


def near(images, colour):
    return np.abs(images - np.array(colour, float)).max(axis=-1) < 40


def disc(images):
    """Where the disc is, (..., 2) px of the 512 px arena."""
    mask = near(images, AGENT_COLOUR)
    place = np.argwhere(mask)
    count = mask.sum(axis=(-2, -1))
    total = [np.bincount(np.ravel_multi_index(place[:, :-2].T, count.shape), place[:, i], count.size) for i in (-1, -2)]
    return 4 * (np.stack(total, axis=-1).reshape(*count.shape, 2) / count[..., None] + 0.5)


def test_impossible_clips_are_spliced_from_possible_ones(scenes):
    for name in ("push", "frozen"):
        a, b, a_then_b, b_then_a = scenes[name].observations["image"].swapaxes(0, 1)
        np.testing.assert_array_equal(a_then_b, np.concatenate([a[:, :EVENT], b[:, EVENT:]], 1))
        np.testing.assert_array_equal(b_then_a, np.concatenate([b[:, :EVENT], a[:, EVENT:]], 1))
    before = scenes["slide"].observations["image"][:, :, :EVENT]
    assert (before == before[:, :1]).all()


def test_the_t_moves_at_the_event_in_a_possible_and_in_an_impossible_clip(scenes):
    for name in ("push", "slide"):
        covered = near(scenes[name].observations["image"], BLOCK_COLOUR)
        changed = (covered[:, :, 1:] != covered[:, :, :-1]).sum(axis=(-2, -1))
        assert (changed[:, [0, 3], EVENT - 1] > 80).all()
        assert (changed[:, [1, 2], EVENT - 1] < 40).all()
        assert (changed[:, :, EVENT:] < 40).all()
        assert ((changed[:, :, EVENT - 2] > 80) == (name == "slide")).all()


def test_the_disc_goes_where_it_is_told_unless_that_is_the_violation(scenes):
    for name, some in scenes.items():
        assert some.actions.shape == (8, 4, FRAMES - 1, 2)
        place = disc(some.observations["image"])
        off = np.abs(np.diff(place, axis=2) - 75 * some.actions).max(axis=-1)
        assert (off[:, :2] < 6).all()
        assert (off[:, 2:, EVENT - 1] > 10).any() == (name == "frozen")


def test_the_change_of_the_pixels_says_nothing(scenes):
    for name in ("push", "slide"):
        assert 0.35 < discern(frame_difference(scenes[name].observations)[None]).relative.value < 0.65


def test_actions_are_held_between_frames_and_frames_are_far_apart():
    slow = PushT(size=16, action_repeat=1)
    actions = slow.scenes(2, seed=1, skip=5)[0].actions.reshape(2, 4, FRAMES - 1, 5, 2)
    assert (actions == actions[..., :1, :]).all()
    with pytest.raises(ArmillaryError, match=r"at least 62 px .* are 15 px apart; train with a greater skip"):
        slow.scenes(2, seed=1)
