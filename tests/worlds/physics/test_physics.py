"""The physics world: replay, altered states, varieties, streams, options."""

import colorsys

import numpy as np
import pytest
from physics_scenes import of, scene_of
from world_checks import assert_same, digest

from armillary.episodes.record import record
from armillary.errors import ArmillaryError
from armillary.worlds.physics.passages import NEVER
from armillary.worlds.physics.sampling import VARIETIES
from armillary.worlds.physics.shapes import SHAPES
from armillary.worlds.physics.state import COLUMNS, FLOOR, LAYOUT, part
from armillary.worlds.physics.world import FACTORS, Physics
from armillary.worlds.world import Judged, Recorded


def test_it_is_recorded_and_not_judged():
    world = Physics()
    assert isinstance(world, Recorded)
    assert not isinstance(world, Judged)


@pytest.mark.parametrize("hand", [True, False])
def test_any_state_can_be_replayed_from_any_step(hand):
    world = Physics(8, factors=tuple(FACTORS), hand=hand)
    observation, _ = world.reset(seed=3)
    states, actions, played, play = [world.state], [], [], world.play()
    play.start(range(8))
    for _ in range(15):
        actions.append(play.act(observation).values)
        observation = world.step(actions[-1])[0]
        played.append(observation)
        states.append(world.state)
    other = Physics(8, autoreset_mode="Disabled", hand=hand)  # the layout comes with the state, not with the options
    for t in (0, 9):
        other.reset(options={"state": states[t]})
        for action, seen in zip(actions[t:], played[t:], strict=True):
            assert_same(other.step(action)[0], seen)
        given = np.stack(actions[t:], axis=1) if hand else None
        np.testing.assert_array_equal(world.simulate(states[t], 15 - t, given), np.stack(states[t:], axis=1))
    assert_same(other.render_states(states[-1]), played[-1])


def test_a_state_can_be_altered_midway():
    world = Physics(hand=False)
    made = scene_of({"velocity": (1.0, 0.0)}, {"velocity": (-1.0, 0.0), "position": (2.6, FLOOR + 0.25)})
    state = world.simulate(made.state[None], 4)[:, -1]
    removed, recoloured, stopped = state.copy(), state.copy(), state.copy()
    part(removed, "present")[:, 1] = 0
    part(recoloured, "colour")[:, 1] = (250, 250, 0)
    part(stopped, "velocity")[:, 1] = part(stopped, "spin")[:, 1] = 0
    after = world.simulate(np.concatenate([state, removed, recoloured, stopped]), 20)
    np.testing.assert_array_equal(of(after[2], "position"), of(after[0], "position"))
    assert of(after[1], "position")[-1, 0, 0] > of(after[0], "position")[-1, 0, 0] + 0.1  # nothing was in its way
    assert np.ptp(of(after[3], "position")[:4, 1, 0]) < 1e-3
    seen = world.render_states(after[:, 0])
    assert seen["mass"][:, 1].tolist() == [1, 0, 1, 1]
    assert seen["visible"][:, 1].tolist() == [1, 0, 1, 1]
    assert (seen["image"][1] != seen["image"][0]).any()
    assert (seen["image"][2] != seen["image"][0]).any()
    assert (seen["image"][3] == seen["image"][0]).all()


def test_what_is_held_out_never_occurs_in_what_is_seen():
    drawn = {}
    for variety in VARIETIES:
        world = Physics(300, variety=variety, hand=False)
        world.reset(seed=0)
        across, up = np.moveaxis(of(world.state, "velocity"), -1, 0)
        launched = abs(across)[(across != 0) & (up == 0)].round(6)
        ranges = VARIETIES[variety].speeds
        assert len(launched) > 50
        assert all(any(low <= one <= high for low, high in ranges) for one in launched)
        there, screens = of(world.state, "present") > 0, of(world.state, "screen_present") > 0
        stays = (of(world.state, "screen_fall") - of(world.state, "screen_rise"))[screens].round(6)

        def hues(colours: np.ndarray) -> set[float]:
            return {round(colorsys.rgb_to_hsv(*colour)[0], 3) for colour in colours.tolist()}

        drawn[variety] = {
            "shape": set(of(world.state, "shape")[there].tolist()),
            "hue": hues(of(world.state, "colour")[there]) | hues(of(world.state, "screen_colour")[screens]),
            "width": set(of(world.state, "screen_width")[screens].tolist()),
            "time": set(stays[stays < NEVER / 2].tolist()),
        }
        assert screens.any(axis=1).mean() > 0.3
        assert there.any(axis=1).mean() > 0.9  # there is nothing behind some screens
        assert there.all(axis=1).any()
    for name, seen in drawn["seen"].items():
        other = drawn["held_out"][name]
        assert seen
        assert other
        assert max(seen) < min(other) or name == "shape"
        assert not seen & other
    assert set().union(*(one["shape"] for one in drawn.values())) == set(range(len(SHAPES)))


@pytest.mark.parametrize("variety", VARIETIES)
def test_scenes_begin_apart_and_things_move(variety):
    world = Physics(60, variety=variety, hand=False, max_steps=None)
    world.reset(seed=0)
    history = world.simulate(world.state, 24)
    first, there = of(history[:, 0], "position"), of(history[:, 0], "present") > 0
    moved = np.abs(of(history, "position") - first[:, None]).max(axis=(1, 3))
    assert (moved[there] > 0.2).mean() > 0.6
    jump = np.abs(np.diff(of(history, "position"), axis=1)).max(axis=(2, 3))[:, 0]  # nothing is pushed out of something
    assert np.quantile(jump, 0.99) < 0.4


def test_play_pushes_objects():
    world = Physics(30, max_steps=None)
    still = Physics(30, max_steps=None)
    observation, _ = world.reset(seed=0)
    still.reset(options={"state": world.state})
    play = world.play()
    play.start(range(30))
    for _ in range(30):
        actions = play.act(observation).values
        assert np.abs(actions).max() <= 1
        observation = world.step(actions)[0]
        still.step(0 * actions)
    moved = np.abs(of(world.state, "position") - of(still.state, "position")).max(axis=-1)
    assert (moved.max(axis=1) > 0.2).mean() > 0.4
    assert (of(world.state, "hand") > 0).mean() > 0.8
    assert str(play) == "Pushing(reach=0.2, wander=0.3)"


def test_a_recording_without_actions(tmp_path):
    world = Physics(3, size=16, hand=False, max_steps=5)
    store = record(world, world.play(), tmp_path / "store", episodes=6)
    assert store.spec.action.kind == "none"
    assert [stream.name for stream in store.spec.truth] == ["position", "velocity", "visible", "mass"]
    episodes = [store.episode(i) for i in range(6)]
    assert [episode.actions.shape for episode in episodes] == [(5, 0)] * 6
    assert episodes[0].observations["image"].shape == (6, 16, 16, 3)


def test_golden_trajectory_and_frames():
    """If this fails, physics or rendering changed: change VERSION, and these with it."""
    states = []
    for first in (0, 3):
        made = scene_of(*({"shape": first + i, "texture": i, "position": (0.8 + i, 2.1 + 0.3 * i)} for i in range(3)))
        made.fixture(1.9, 1.2, 2.0, 0.2, 0.3)
        made.screen(2.4, 0.2)
        for name, value in (("hand", 1 + first // 3), ("hand_size", 0.2), ("hand_position", (3.4, 1.0)), ("hand_angle", 0.4)):
            part(made.state, name)[...] = value
        for name in ("colour", "fixture_colour", "screen_colour"):
            part(made.state, name)[...] = np.linspace(20, 220, part(made.state, name).size).reshape(-1, 3)
        for name, value in (("x", 2.4), ("width", 1.1), ("height", 1.3), ("fall", 1.0), ("speed", 5.0)):
            part(made.state, f"screen_{name}")[0] = value
        states.append(made.state)
    world = Physics(2, autoreset_mode="Disabled")
    frames = [world.reset(options={"state": np.stack(states)})[0]["image"]]
    for t in range(20):
        actions = np.array([[(t * 37 + i * 59) % 41 - 20, (t * 23 + i * 31) % 41 - 20] for i in range(2)]) / 20
        frames.append(world.step(actions)[0]["image"])
    assert world.version == "2/64px"
    assert digest(np.round(world.state[:, : LAYOUT.start], 4)) == "7e9b1591c2648e33"
    assert digest(*frames) == "fa65435852558d06"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variety": "other"}, "variety is 'seen' or 'held_out', not 'other'"),
        ({"hand": "yes"}, "hand is true or false"),
        ({"factors": ["mass"]}, "no factor mass; the factors are gravity"),
        ({"size": 8}, "size is a whole number of at least 16"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ArmillaryError, match=message):
        Physics(**options)


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("position", np.nan, "position of state 1 is nan; expected a finite number from 0 to 4"),
        ("position", 5.0, "position of state 1 is 5; expected a finite number from 0 to 4"),
        ("mass", 0.0, "mass of state 1 is 0; expected a finite number from 0.01 to 20"),
        ("shape", 1.5, "shape of state 1 is 1.5; expected a whole number from 0 to 5"),
        ("present", 2.0, "present of state 1 is 2; expected a whole number from 0 to 1"),
        ("time", np.inf, "time of state 1 is inf"),
    ],
)
def test_bad_states(name, bad, message):
    world = Physics(2, hand=False)
    state = np.tile(scene_of({}).state, (2, 1))
    state[1, COLUMNS[name].start] = bad
    for use in (world.render_states, lambda s: world.simulate(s, 1), lambda s: world.reset(options={"state": s})):
        with pytest.raises(ArmillaryError, match=message):
            use(state)
    absent = np.tile(scene_of({}).state, (2, 1))
    absent[:, COLUMNS["mass"].stop - 1] = -1  # of an object that is not there
    world.reset(options={"state": absent})
    with pytest.raises(ArmillaryError, match=r"actions are \(2, 3, 2\), not \(3, 2\)"):
        world.simulate(absent, 3, np.zeros((3, 2)))
