"""The maze as a judge sees it, and frozen: what it computes may not change unnoticed."""

import numpy as np
import pytest
from world_checks import assert_oracle_holds_along_the_shortest_path, assert_same, digest

from armillary.errors import ArmillaryError
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import make_eval_set
from armillary.worlds.maze.layouts import draw_walls, unseen
from armillary.worlds.maze.world import AGENT_RGB, FACTORS, LAYOUT, POSITION, WALLS, Maze

WALL, FLOOR, AGENT = (50, 55, 70), (230, 230, 225), (220, 40, 40)


def test_every_episode_has_a_layout_of_its_own():
    world = Maze(8, max_steps=2)
    world.reset(seed=0)
    layouts = [world.state[:, WALLS]]
    for _ in range(3):
        world.step(np.zeros((8, 2)))
    layouts.append(world.state[:, WALLS])
    assert len(np.unique(np.concatenate(layouts), axis=0)) == 16


def test_spec_marks_ground_truth():
    world = Maze(size=32)
    assert [s.name for s in world.stream_spec.observed] == ["image"]
    assert [s.name for s in world.stream_spec.truth] == ["position", "walls"]
    assert world.stream_spec["walls"].channels[::39] == ("right_0_0", "below_3_4")
    assert world.stream_spec.action.unit == ("3.75 px", "3.75 px")


# Layouts and factors


def test_seen_and_unseen_layouts():
    for layouts, share in (("seen", 0), ("unseen", 1), (12, 0), ([40, 41], 0)):
        world = Maze(64, layouts=layouts)
        world.reset(seed=0)
        walls = world.state[:, WALLS] > 0
        assert np.mean([unseen(row) for row in walls]) == share
        if not isinstance(layouts, str):
            assert len(np.unique(walls, axis=0)) == (12 if layouts == 12 else 2)
    other = draw_walls(5, np.random.default_rng(41), "seen")
    assert (walls == other).all(axis=1).any()


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_shows_and_changes_nothing_else(factor):
    plain, drawn = Maze(6), Maze(6, factors=(factor,))
    for world in (plain, drawn):
        world.reset(seed=1)
    changed = np.zeros(plain.state.shape[1], bool)
    changed[FACTORS[factor][0]] = True
    if factor in ("radius", "thickness"):
        changed[POSITION] = True  # uniform over a free space that is another one
    np.testing.assert_array_equal((plain.state != drawn.state).any(axis=0), changed)
    assert (plain.render_states(plain.state)["image"] != drawn.render_states(drawn.state)["image"]).any()


# Images


def test_walls_floor_and_disc_are_where_they_are():
    world = Maze(1, cells=4)
    world.reset(seed=0)
    state = world.state
    state[0, WALLS], state[0, POSITION] = 1, (8, 24)
    state[0, WALLS.start] = 0  # right of (0, 0)
    image = world.render_states(state)["image"][0]
    for row, column, colour in (
        (24, 8, AGENT),
        (0, 30, WALL),
        (8, 5, FLOOR),
        (8, 15, FLOOR),  # the opening
        (3, 16, FLOOR),
        (1, 16, WALL),
        (14, 16, WALL),  # the post below it
        (24, 15, WALL),
        (24, 17, WALL),
        (24, 18, FLOOR),
        (62, 40, WALL),
        (61, 40, FLOOR),
    ):
        assert image[row, column].tolist() == list(colour), (row, column)
    assert (world.render_states(state)["walls"] == state[:, WALLS]).all()


def test_frames_do_not_depend_on_what_is_drawn_with_them():
    world = Maze(factors=tuple(FACTORS))
    states = np.tile(world.sample_pairs(20, np.random.default_rng(0))[0], (15, 1))
    together = world.render_states(states)
    for i in (0, 19, 20, 299):
        for name, value in world.render_states(states[i : i + 1]).items():
            np.testing.assert_array_equal(value[0], together[name][i])
    assert world.render_states(states[:0])["image"].shape == (0, 64, 64, 3)


# Physics


def test_actions_are_clipped_shares_of_a_step():
    world = Maze(2, autoreset_mode="Disabled")
    world.reset(seed=0)
    state = world.state
    state[:, WALLS] = 0
    state[:, POSITION] = 6.4, 6.4
    world.reset(options={"state": state})
    observation, *_ = world.step(np.array([[1, 0.25], [-1e30, 0]], np.float32))
    np.testing.assert_allclose(observation["position"], [[13.9, 8.275], [3.6, 6.4]], rtol=1e-6)
    assert Maze(action_repeat=5).step_length == 12.5
    assert Maze(size=128).step_length == 15


def test_any_state_can_be_replayed():
    world = Maze(8, factors=tuple(FACTORS))
    world.reset(seed=3)
    rng = np.random.default_rng(0)
    start, actions = world.state, rng.uniform(-1, 1, (15, 8, 2))
    played = [world.step(a)[0] for a in actions]
    other = Maze(8, layouts="unseen", autoreset_mode="Disabled")  # the layout comes with the state, not with the options
    other.reset(options={"state": start})
    for action, observation in zip(actions, played, strict=True):
        assert_same(other.step(action)[0], observation)
        other.reset(options={"state": other.state})
    assert_same(other.render_states(other.state), played[-1])


def test_golden_trajectory_and_frames():
    """If this fails, layouts, physics or rendering changed: change VERSION, and these with it."""
    world = Maze(3, layouts=3, autoreset_mode="Disabled")
    world.reset(seed=0)
    state = world.state
    state[:, WALLS], state[:, POSITION], state[:, 2:4] = world.layouts, 6.5, [[2, 3.25], [1.75, 2.5], [2.25, 3]]
    observation, _ = world.reset(options={"state": state})
    frames, states = [observation["image"]], []
    for t in range(60):
        actions = np.array([[(t * 37 + i * 59) % 41 - 16, (t * 23 + i * 31) % 41 - 16] for i in range(3)]) / 20
        frames.append(world.step(actions)[0]["image"])
        states.append(world.state[:, POSITION])
    assert np.ptp(states, axis=0).min() > 10  # they get about
    assert world.version == "2/64px/5x5/repeat3/threshold3.2"
    assert digest(np.round(states, 6)) == "570a647c0f725e8a"
    assert digest(*frames) == "4dc0178804feb3b4"


# The judge's side


def test_pairs_obey_their_constraints():
    world, rng = Maze(factors=("radius", "thickness")), np.random.default_rng(0)
    for limits in ({}, {"max_distance": 4.0}, {"min_distance": 11.0}, {"min_distance": 5.0, "max_distance": 6.0}):
        start, goal = world.sample_pairs(30, rng, **limits)
        assert start.shape == goal.shape == (30, WALLS.start + 40)
        np.testing.assert_array_equal(start[:, LAYOUT], goal[:, LAYOUT])
        steps = world.shortest_path(start, goal)
        assert steps.min() >= limits.get("min_distance", 1)
        assert steps.max() <= limits.get("max_distance", 30)
        assert not world.success(start, goal).any()
        assert len(np.unique(start[:, WALLS], axis=0)) == 30
    np.testing.assert_array_equal(*(world.sample_pairs(3, np.random.default_rng(1)) for _ in range(2)))
    with pytest.raises(ArmillaryError, match="found 0 of 2 pairs with min_distance=50"):
        Maze(layouts=1, cells=4).sample_pairs(2, rng, min_distance=50.0)


def test_oracle_solves_an_evaluation_set_and_nothing_else_does():
    world = Maze(50, autoreset_mode="Disabled", layouts="unseen")
    pairs = make_eval_set(world, 50, 77, rollouts=4, min_distance=2.0)
    result = evaluate(world, pairs)
    assert result.ok, [check for check in result.checks if not check.ok]
    assert result.rows["oracle"].success.value == 1
    assert result.rows["oracle"].spl.value > 0.75
    assert max(result.rows[name].success.value for name in ("do_nothing", "random")) <= 0.02


@pytest.mark.parametrize("options", [{"factors": ("radius", "thickness")}, {"cells": 6, "action_repeat": 5, "size": 96}])
def test_oracle_reaches_every_goal_along_the_shortest_path_and_stays(options):
    world = Maze(60, autoreset_mode="Disabled", **options)
    start, goal = world.sample_pairs(60, np.random.default_rng(0))
    assert_oracle_holds_along_the_shortest_path(world, start, goal, slack=1e-6)
    assert np.abs(world.state - goal).max() < 1e-3


def test_random_actions_never_beat_the_shortest_path():
    world = Maze(100, autoreset_mode="Disabled")
    start, _ = world.sample_pairs(100, np.random.default_rng(0), min_distance=0.0)
    world.reset(options={"state": start})
    rng = np.random.default_rng(1)
    for step in range(1, 16):
        world.step(np.sign(rng.uniform(-1, 1, (100, 2))))
        assert (world.shortest_path(start, world.state) <= step + 1e-9).all()


def test_success_is_distance_below_the_threshold():
    world = Maze(3)
    world.reset(seed=0)
    goal = world.state
    goal[:, WALLS], goal[:, POSITION] = 0, (5, 6)
    state = goal.copy()
    state[:, 0] += (3.19, 3.21, 9)
    assert world.success(state, goal).tolist() == [True, False, False]
    assert Maze(threshold=10.0).success(state, goal).all()
    assert Maze(size=128).threshold == 6.4


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layouts": "some"}, "layouts is 'random', 'seen', 'unseen', how many, or seeds, not 'some'"),
        ({"layouts": 0}, "layouts is 'random'"),
        ({"layouts": []}, "layouts is 'random'"),
        ({"layouts": [0.5]}, "layouts is 'random'"),
        ({"layouts": [-1]}, "layouts is 'random'"),
        ({"cells": 3}, "cells is a whole number of at least 4, not 3"),
        ({"cells": 7}, "cells is at most 6"),
        ({"factors": ["door"]}, "no factor door; the factors are radius"),
        ({"size": 16}, "size is a whole number of at least 32"),
        ({"threshold": "near"}, "threshold is a number of px"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ArmillaryError, match=message):
        Maze(**options)


def test_states_that_cannot_be():
    world = Maze(2)
    world.reset(seed=0)
    before = world.state
    walled, half, other = before.copy(), before.copy(), before.copy()
    walled[1, POSITION] = 12.8, 12.8
    with pytest.raises(ArmillaryError, match=r"state 1 at \[12.8, 12.8\] px is not clear"):
        world.reset(options={"state": walled})
    wide = before.copy()
    wide[0, 2] = 5
    with pytest.raises(ArmillaryError, match=r"state 0 at .* is not clear"):
        world.reset(options={"state": wide})
    half[0, WALLS.start] = 0.5
    with pytest.raises(ArmillaryError, match="1 where it stands and 0 where it does not"):
        world.reset(options={"state": half})
    with pytest.raises(ArmillaryError, match=r"states are \(2, 57\), not \(2, 4\)"):
        world.reset(options={"state": before[:, :4]})
    other[:, AGENT_RGB] += 1
    with pytest.raises(ArmillaryError, match="share their layout"):
        world.success(before, other)
    np.testing.assert_array_equal(world.state, before)


def test_states_survive_float32():
    world = Maze(300, autoreset_mode="Disabled", factors=("radius", "thickness"))
    world.reset(seed=0)
    start = world.state
    for _ in range(4):
        world.step(np.sign(np.random.default_rng(0).uniform(-1, 1, (300, 2))))  # many end at walls
    state = world.state
    world.reset(options={"state": state.astype(np.float32)})
    there, here = (world.shortest_path(*(s.astype(kind) for s in (start, state))) for kind in (np.float32, float))
    np.testing.assert_allclose(there, here, atol=1e-4)
