"""The clips of the exam: what is possible, what is spliced, and that nothing but the past tells them apart."""

from dataclasses import replace

import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise.discern import discern
from armillary.evaluation.surprise.shortcuts import LATENTS, frame_difference
from armillary.worlds import make
from armillary.worlds.physics.passages import LEAD
from armillary.worlds.physics.properties import PROPERTIES
from armillary.worlds.physics.sampling import VARIETIES, Scene
from armillary.worlds.physics.scenes import ASKED, DIFFICULTIES, FRAMES, alike, physics_scenes


@pytest.fixture(scope="module", params=["seen", "held_out"])
def world(request):
    return make("physics", variety=request.param, hand=False, autoreset_mode="Disabled")


@pytest.fixture(scope="module")
def scenes(world):
    return physics_scenes(world, 3, seed=0)


def event(clips):
    """The first frame at which the impossible clips have changed over, of one scene (4, T, ...)."""
    begin, end = alike(clips[:2])
    assert begin < end
    return end


def test_every_property_is_asked(world, scenes):
    asked = {(some.name, some.difficulty) for some in scenes}
    assert asked == {(name, level) for name in PROPERTIES for level in ASKED[world.variety]}
    for some in scenes:
        assert some.observations["image"].shape == (3, 4, FRAMES, 64, 64, 3)
        assert some.actions.shape == (3, 4, FRAMES - 1, 0)


def test_impossible_clips_end_as_possible_ones_and_change_where_both_look_the_same(scenes):
    for some in scenes:
        for clips in some.observations["image"]:
            a, b, a_then_b, b_then_a = clips
            at = event(clips)
            begin, end = alike(clips[:2])
            assert DIFFICULTIES[some.difficulty][0] <= end - begin <= DIFFICULTIES[some.difficulty][1]
            np.testing.assert_array_equal(a[at - 1], b[at - 1])
            np.testing.assert_array_equal(a_then_b, np.concatenate([a[:at], b[at:]]))
            np.testing.assert_array_equal(b_then_a, np.concatenate([b[:at], a[at:]]))
            assert (a[:at] != b[:at]).any()
            assert (a[at:] != b[at:]).any()


def test_changes_from_frame_to_frame_say_nothing(scenes):
    """Exactly half of the pairs, for the sum of any score of two frames that follow each other."""
    for some in scenes:
        pixels = some.observations["image"].reshape(len(some), 4, FRAMES, -1)[..., ::97].astype(float)
        for score in (frame_difference(some.observations), LATENTS["copy last"](pixels)):
            change = score.sum(axis=-1)
            np.testing.assert_allclose(change[:, 0] + change[:, 1], change[:, 2] + change[:, 3], rtol=1e-5)
            np.testing.assert_allclose(discern(score[None]).relative.value, 0.5, atol=1e-9)


def test_who_knows_the_mechanics_is_surprised_by_what_cannot_happen(world, scenes):
    some = next(some for some in scenes if some.label == "permanence, long").first(1)
    surprise = world.ceiling(some)
    assert surprise.shape == (1, 4, FRAMES - 1)
    np.testing.assert_array_equal(surprise[0, 2:, :LEAD], surprise[0, :2, :LEAD])
    assert discern(surprise[None]).pairs.value == 1
    with pytest.raises(ArmillaryError, match="in what states"):
        world.ceiling(replace(some, start=None))


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_scenes_of_a_pair_are_possible_states(world, name):
    rng = np.random.default_rng(1)
    drawn = [PROPERTIES[name](Scene(np.zeros(world.state.shape[1]), VARIETIES[world.variety], rng)) for _ in range(600)]
    pairs = np.concatenate([pair for pair in drawn if pair is not None])
    assert len(pairs) > 4
    assert world.simulate(pairs[:8], 2).shape[:2] == (8, 3)


def test_alike_is_the_time_between_two_differences():
    clips = np.zeros((2, 12, 4, 4, 3), np.uint8)
    assert alike(clips) == (0, 0)
    clips[1, :3] = 1
    assert alike(clips) == (0, 0)
    clips[1, 8:] = 1
    assert alike(clips) == (3, 8)
    clips[1, 6, 0, 0] = 1  # one pixel is a difference, too
    assert alike(clips) == (3, 6)


def test_a_model_that_leaves_frames_out_is_refused(world):
    with pytest.raises(ArmillaryError, match="skip=1"):
        physics_scenes(world, 1, 0, skip=2)
