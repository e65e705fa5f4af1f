"""The two-room world as a judge sees it, and frozen: what it computes may not change unnoticed."""

import numpy as np
import pytest
from world_checks import assert_same, digest

from armillary.errors import ArmillaryError
from armillary.worlds.single import Single
from armillary.worlds.two_room.world import FACTORS, LAYOUT, POSITION, TwoRoom


def test_next_step_autoreset_begins_an_episode_and_disabled_does_not():
    options = {"max_steps": 3, "door": "random"}
    for mode, restarts in (("NextStep", True), ("Disabled", False)):
        world = TwoRoom(2, autoreset_mode=mode, **options)
        world.reset(seed=0)
        doors = world.state[:, 2]
        for step in range(1, 5):
            *_, truncated, _ = world.step(np.zeros((2, 2), np.float32))
            assert (truncated == (step == 3 if restarts else step >= 3)).all()
        assert (world.state[:, 2] != doors).all() == restarts


def test_a_factor_changes_nothing_else():
    plain, coloured = TwoRoom(4, door="random"), TwoRoom(4, door="random", factors=("floor_colour",))
    plain.reset(seed=1), coloured.reset(seed=1)
    changed = np.flatnonzero((plain.state != coloured.state).any(axis=0))
    assert changed.tolist() == [11, 12, 13]


def test_random_doors_differ():
    world = TwoRoom(3, door="random", factors=tuple(FACTORS))
    world.reset(seed=7)
    assert len(np.unique(world.state[:, 2])) == 3


def test_unseen_doors_stay_unseen():
    world = TwoRoom(200, door=[15.0, 40.0])
    world.reset(seed=0)
    assert set(world.state[:, 2]) == {15, 40}


def test_spec_marks_ground_truth():
    world = TwoRoom(2, size=32)
    assert [s.name for s in world.stream_spec.observed] == ["image"]
    assert [s.name for s in world.stream_spec.truth] == ["position", "door"]
    assert world.stream_spec.action.unit == ("6.25 px", "6.25 px")


# Physics


def test_a_step_moves_by_the_action_and_huge_actions_are_clipped():
    world = TwoRoom(2, action_repeat=4)
    world.reset(seed=0)
    state = world.state
    state[:, POSITION] = 20, 32
    world.reset(options={"state": state})
    observation, *_ = world.step(np.array([[0.5, -1], [-1e30, 0.25]], np.float32))
    np.testing.assert_allclose(observation["position"], [[25, 22], [10, 34.5]], rtol=1e-6)


def test_any_state_can_be_replayed():
    world = TwoRoom(8, door="random", factors=tuple(FACTORS))
    world.reset(seed=3)
    start, rng = world.state, np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (10, 8, 2))
    played = [world.step(a)[0] for a in actions]
    other = TwoRoom(8, autoreset_mode="Disabled")  # the layout comes with the state, not with the options
    other.reset(options={"state": start})
    for action, observation in zip(actions, played, strict=True):
        assert_same(other.step(action)[0], observation)
    assert_same(other.render_states(other.state), played[-1])


def test_golden_trajectory_and_frames():
    """If this fails, physics or rendering changed: change VERSION, and these with it."""
    world = TwoRoom(3, autoreset_mode="Disabled")
    world.reset(seed=0)
    state = world.state
    state[:, :5] = [[10.25, 14.5, 20.75, 2.5, 4], [50, 32.125, 45.5, 3.25, 2.5], [31, 30.5, 32, 2, 5]]
    observation, _ = world.reset(options={"state": state})
    frames, states = [observation["image"]], []
    for t in range(40):
        actions = np.array([[(t * 37 + i * 59) % 41 - 20, (t * 23 + i * 31) % 41 - 20] for i in range(3)]) / 20
        frames.append(world.step(actions)[0]["image"])
        states.append(world.state[:, POSITION])
    assert world.version == "1/64px/repeat5/threshold3.2"
    assert digest(np.round(states, 6)) == "045392bbf485a662"
    assert digest(*frames) == "c5ca62a315e3140c"


# The judge's side


def test_pairs_obey_their_constraints():
    world, rng = TwoRoom(door="random", factors=("radius", "thickness")), np.random.default_rng(0)
    for cross in (True, False, None):
        start, goal = world.sample_pairs(300, rng, cross=cross, min_distance=2.0)
        np.testing.assert_array_equal(start[:, LAYOUT], goal[:, LAYOUT])
        assert (world.shortest_path(start, goal) >= 2).all()
        assert not world.success(start, goal).any()
        sides = (start[:, 0] > 32) != (goal[:, 0] > 32)
        assert sides.all() if cross else (not sides.any() if cross is False else 0.1 < sides.mean() < 0.9)
    again = [world.sample_pairs(5, np.random.default_rng(1)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    with pytest.raises(ArmillaryError, match="min_distance=50"):
        world.sample_pairs(2, rng, min_distance=50.0)


def test_positions_are_uniform_over_free_space():
    start, goal = TwoRoom().sample_pairs(4000, np.random.default_rng(0), min_distance=0.0)
    for position in (start[:, POSITION], goal[:, POSITION]):
        assert abs((position[:, 0] < 32).mean() - 0.5) < 0.03
        assert abs((position[:, 1] < 32).mean() - 0.5) < 0.03
        in_door = np.abs(position[:, 0] - 32) < 4.5
        assert abs(in_door.mean() - 9 * 7 / (9 * 7 + 2 * 21 * 51)) < 0.01


@pytest.mark.parametrize(
    "options", [{}, {"door": "random"}, {"door": "random", "factors": ("radius", "thickness"), "size": 96}]
)
@pytest.mark.parametrize("cross", [True, None])
def test_oracle_reaches_every_goal_along_the_shortest_path(options, cross):
    world = TwoRoom(200, autoreset_mode="Disabled", **options)
    start, goal = world.sample_pairs(200, np.random.default_rng(0), cross=cross)
    world.reset(options={"state": start})
    shortest, arrived = world.shortest_path(start, goal), np.full(200, np.inf)
    for step in range(1, 20):
        actions = world.oracle(world.state, goal)
        assert actions in world.action_space
        before = world.shortest_path(world.state, goal)
        world.step(actions)
        assert (before - world.shortest_path(world.state, goal) <= 1 + 1e-6).all()  # no step gains more: the bound is one
        exact = np.abs(world.state - goal).max(axis=1) < 1e-3
        arrived = np.where(exact, np.minimum(arrived, step), arrived)
    assert world.success(world.state, goal).all()
    assert exact.all()  # it stays
    assert (arrived <= 1.3 * shortest + 2).all()
    assert (arrived >= shortest - 1e-4).all()


def test_random_actions_never_beat_the_shortest_path():
    world = TwoRoom(500, autoreset_mode="Disabled", door="random")
    start, _ = world.sample_pairs(500, np.random.default_rng(0), min_distance=0.0)
    world.reset(options={"state": start})
    rng = np.random.default_rng(1)
    for step in range(1, 30):
        world.step(np.sign(rng.uniform(-1, 1, (500, 2))))
        assert (world.shortest_path(start, world.state) <= step + 1e-9).all()


def test_success_is_distance_below_the_threshold():
    world = TwoRoom(3)
    world.reset(seed=0)
    goal = world.state
    goal[:, POSITION] = 15, 30
    state = goal.copy()
    state[:, 0] += (3.19, 3.21, 9)
    assert world.success(state, goal).tolist() == [True, False, False]
    assert TwoRoom(threshold=10.0).success(state, goal).all()
    assert TwoRoom(size=128).threshold == 6.4


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"door": "left"}, "places from 12 to 52 px, not 'left'"),
        ({"door": [5.0]}, "places from 12 to 52 px"),
        ({"door": []}, "places from 12 to 52 px"),
        ({"factors": ["colour"]}, "no factor colour; the factors are radius"),
        ({"num_envs": 0}, "num_envs is a whole number of at least 1, not 0"),
        ({"size": 8}, "size is a whole number of at least 16"),
        ({"action_repeat": 0}, "action_repeat"),
        ({"autoreset_mode": "SameStep"}, "'NextStep' or 'Disabled', not SameStep"),
        ({"render_mode": "human"}, "'rgb_array' or None"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ArmillaryError, match=message):
        TwoRoom(**options)


def test_bad_actions_states_and_masks():
    world = TwoRoom(2)
    with pytest.raises(ArmillaryError, match="call reset"):
        world.step(np.zeros((2, 2)))
    world.reset(seed=0)
    before = world.state
    for bad in (np.nan, np.inf):
        with pytest.raises(ArmillaryError, match=r"not a finite number at \(1, 0\)"):
            world.step(np.array([[0, 0], [bad, 0]]))
    with pytest.raises(ArmillaryError, match=r"actions are \(2, 2\), not \(3, 2\)"):
        world.step(np.zeros((3, 2)))
    walled = before.copy()
    walled[1, POSITION] = 32, 10
    with pytest.raises(ArmillaryError, match=r"state 1 at \[32.0, 10.0\] px is not clear"):
        world.reset(options={"state": walled})
    with pytest.raises(ArmillaryError, match=r"states are \(2, 18\), not \(2, 4\)"):
        world.reset(options={"state": before[:, :4]})
    with pytest.raises(ArmillaryError, match="reset_mask"):
        world.reset(options={"reset_mask": np.ones(3, bool)})
    with pytest.raises(ArmillaryError, match="3 seeds for 2"):
        world.reset(seed=[1, 2, 3])
    other = before.copy()
    other[:, 2] += 1
    with pytest.raises(ArmillaryError, match="share their layout"):
        world.success(before, other)
    np.testing.assert_array_equal(world.state, before)
    with pytest.raises(ArmillaryError, match="num_envs=1 and autoreset disabled"):
        Single(world)


def test_states_survive_float32():
    world = TwoRoom(500, autoreset_mode="Disabled", door="random", factors=("radius", "thickness"))
    world.reset(seed=0)
    for _ in range(5):
        world.step(np.sign(np.random.default_rng(0).uniform(-1, 1, (500, 2))))  # many end at walls
    state, rounded = world.state, world.state.astype(np.float32)
    goal = state.copy()
    goal[:, 1] = 32
    world.reset(options={"state": goal.astype(np.float32)})  # on walls still, and mended
    np.testing.assert_allclose(
        world.shortest_path(rounded, goal.astype(np.float32)), world.shortest_path(state, goal), atol=1e-5
    )
