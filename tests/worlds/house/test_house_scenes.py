"""Scenes of the apartment: what happens in them, as its own streams tell."""

import numpy as np
import pytest

from armillary.worlds.house.scenes import EVENT, FRAMES, TURNS, WALK
from armillary.worlds.house.world import House

STEP = 0.5  # m
TURNED = (len(TURNS) + 1) // 2
"""The first frame changed, in clips that turn away."""


@pytest.fixture(scope="module")
def scenes():
    return {some.name: some for some in House(size=32, streams=("image", "depth", "odometry")).scenes(6, seed=0)}


def test_actions_are_the_same_in_the_four_clips(scenes):
    assert list(scenes) == ["wall", "frozen", "vanished", "recoloured"]
    for name in ("wall", "vanished", "recoloured"):
        actions = scenes[name].actions
        assert (actions == actions[:, :1]).all()
        assert (actions != 0).any()


def test_a_wall_stops_and_a_door_does_not_unless_that_is_the_violation(scenes):
    ahead = scenes["wall"].observations["odometry"][..., 0]
    np.testing.assert_allclose(ahead[:, [1, 2], EVENT], STEP, atol=0.1)
    np.testing.assert_allclose(ahead[:, [0, 3], EVENT], 0, atol=0.05)
    depth = scenes["wall"].observations["depth"][:, :, EVENT - 1, 15:17, 15:17].mean(axis=(-2, -1))
    np.testing.assert_allclose(depth[:, [0, 2]], 0.2, atol=1e-3)  # the wall, a radius ahead
    assert not (depth[:, [1, 3]] < 0.4).any()
    for x in scenes["wall"].observations.values():
        np.testing.assert_array_equal(x[:, 2:, :EVENT], x[:, :2, :EVENT])


@pytest.mark.parametrize(("name", "event"), [("frozen", EVENT), ("vanished", TURNED), ("recoloured", TURNED)])
def test_clips_are_spliced_with_what_all_streams_say(scenes, name, event):
    for x in scenes[name].observations.values():
        a, b, a_then_b, b_then_a = x.swapaxes(0, 1)
        np.testing.assert_array_equal(a_then_b, np.concatenate([a[:, :event], b[:, event:]], axis=1))
        np.testing.assert_array_equal(b_then_a, np.concatenate([b[:, :event], a[:, event:]], axis=1))


def test_what_changes_is_out_of_view_then_and_in_view_before_and_after(scenes):
    for name in ("vanished", "recoloured"):
        a, b, *_ = scenes[name].observations["image"].swapaxes(0, 1)
        differ = (a != b).any(axis=(2, 3, 4))
        assert differ[:, [0, -1]].all()
        assert not differ[:, TURNED - 1 : TURNED + 1].any()
    a, b, *_ = scenes["recoloured"].observations["depth"].swapaxes(0, 1)
    np.testing.assert_array_equal(a, b)


def test_a_scan_is_walked_away_from():
    world = House(size=32, streams=("image", "scan"))
    some = {some.name: some for some in world.scenes(2, seed=0)}
    assert list(some) == ["wall", "frozen", "vanished"]
    a, b, a_then_b, _ = some["vanished"].observations["scan"].swapaxes(0, 1)
    differ = ((a != b) & ~(np.isnan(a) & np.isnan(b))).any(axis=-1)
    assert not differ[:, WALK - 1 : WALK + 1].any()
    np.testing.assert_array_equal(a_then_b, np.concatenate([a[:, :WALK], b[:, WALK:]], axis=1))
    assert (some["vanished"].actions[:, 0] == some["vanished"].actions[:, 3]).all()
    slow = world.scenes(2, seed=0, skip=2)
    assert [some.name for some in slow] == ["wall", "frozen"]
    actions = slow[0].actions.reshape(2, 4, FRAMES - 1, 2, 2)
    assert (actions == actions[..., :1, :]).all()
