"""Spec: JSON loses nothing, what does not match is named with both shapes, and bad input is refused in words."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.errors import ArmillaryError, SpecMismatch
from armillary.kinds import BUILT_IN
from armillary.spaces import spec_of
from armillary.spec import ActionSpace, Spec, Stream

names = st.text(min_size=1, max_size=12)
rates = st.none() | st.floats(1e-3, 1e6)
bounds = st.floats(-1e30, 1e30) | st.sampled_from([-np.inf, np.inf])


@st.composite
def streams(draw, name=None):
    kind = draw(st.sampled_from(sorted(BUILT_IN)))
    axes = len(BUILT_IN[kind].axes)
    shape = draw(st.lists(st.integers(1, 9), min_size=axes, max_size=axes))
    shape[-1] += 2 * (kind == "points")

    def each():
        return draw(st.just(()) | st.tuples(*[st.text(max_size=5)] * shape[-1]))

    return Stream(name or draw(names), kind, tuple(shape), each(), each(), draw(rates), draw(st.booleans()))


@st.composite
def action_spaces(draw):
    n = draw(st.integers(1, 5))
    if draw(st.booleans()):
        return ActionSpace("discrete", n)
    pairs = draw(st.lists(st.tuples(bounds, bounds).filter(lambda pair: pair[0] != pair[1]), min_size=n, max_size=n))
    low, high = zip(*map(sorted, pairs), strict=True)
    return ActionSpace("box", n, low, high, draw(st.just(()) | st.tuples(*[st.text(max_size=5)] * n)))


@st.composite
def specs(draw):
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    return Spec(tuple(draw(streams(name)) for name in chosen), draw(action_spaces()), draw(rates))


@settings(max_examples=60, deadline=None)
@given(specs())
def test_json_round_trip(spec):
    text = spec.to_json()
    assert "\n" not in text
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    again = Spec.from_json(text)
    assert again == spec
    assert again.to_json() == text
    assert [stream.dtype for stream in again.streams] == [stream.dtype for stream in spec.streams]


@settings(max_examples=30, deadline=None)
@given(specs())
def test_a_spec_matches_itself_and_what_offers_more(spec):
    spec.check(spec)
    extra = Stream("".join(stream.name for stream in spec.streams) + "+", "vector", (1,))
    spec.check(Spec((*spec.streams, extra), spec.action))
    assert set(spec.observed) | set(spec.truth) == set(spec.streams)
    assert spec.select([stream.name for stream in spec.streams]) == spec


@settings(max_examples=40, deadline=None)
@given(specs(), st.data())
def test_a_stream_of_another_shape_is_named_with_both_shapes(spec, data):
    stream = data.draw(st.sampled_from(spec.streams))
    offered = Stream(stream.name, stream.kind, tuple(n + 1 for n in stream.shape))
    other = Spec(tuple(offered if s.name == stream.name else s for s in spec.streams), spec.action)
    if stream.truth:
        return spec.check(other)  # nobody asks for truth
    with pytest.raises(SpecMismatch) as error:
        spec.check(other)
    for part in (repr(stream.name), str(stream.shape), str(offered.shape)):
        assert part in str(error.value)


BOX = ActionSpace("box", 2)
CAMERA = Stream("camera", "image", (4, 4, 3))


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (Spec((Stream("state", "vector", (3,)),), BOX), "has no stream 'camera' (4, 4, 3); it has state"),
        (Spec((Stream("camera", "depth", (4, 4)),), BOX), "expected image (4, 4, 3), the robot has depth (4, 4)"),
        (Spec((Stream("camera", "image", (4, 4, 3), truth=True),), BOX), "'camera' is ground truth"),
        (Spec((CAMERA,), ActionSpace("box", 3)), "expected box(2), the robot has box(3)"),
        (Spec((CAMERA,), ActionSpace("discrete", 2)), "expected box(2), the robot has discrete(2)"),
    ],
)
def test_mismatches(offered, message):
    with pytest.raises(SpecMismatch) as error:
        Spec((CAMERA,), BOX).check(offered, "robot")
    assert message in str(error.value)


def test_bounds_may_differ():
    Spec((CAMERA,), BOX).check(Spec((CAMERA,), ActionSpace("box", 2, (-1, -1), (1, 1))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stream("", "vector", (3,)), "needs a name"),
        (lambda: Stream("a", "sound", (3,)), "'sound' is none of image, depth"),
        (lambda: Stream("a", "image", (3, 4)), "(height, width, channels), not (3, 4)"),
        (lambda: Stream("a", "vector", (0,)), "not (0,)"),
        (lambda: Stream("a", "points", (9, 2)), "x, y and z"),
        (lambda: Stream("a", "vector", (3,), unit=("m",)), "1 entries in 'unit' for 3 channels"),
        (lambda: Stream("a", "vector", (1,), rate=0), "positive number of Hz"),
        (lambda: Stream("a", "vector", (1,), rate=np.inf), "positive number of Hz"),
        (lambda: ActionSpace("continuous", 2), "'box', 'discrete' or 'none'"),
        (lambda: ActionSpace("box", 0), "at least one"),
        (lambda: ActionSpace("box", 2, (0,), (1,)), "1 entries in 'low'"),
        (lambda: ActionSpace("box", 1, (1,), (1,)), "below its high"),
        (lambda: ActionSpace("box", 1, (np.nan,), (1,)), "below its high"),
        (lambda: ActionSpace("discrete", 2, (0, 0), (1, 1)), "entries in 'low'"),
        (lambda: Spec((), BOX), "at least one stream"),
        (lambda: Spec((CAMERA, CAMERA), BOX), "two streams of one name"),
        (lambda: Spec((CAMERA,), BOX, rate=-1.0), "positive number of Hz"),
        (lambda: Spec((CAMERA,), BOX)["state"], "no stream 'state'; the streams are camera"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ArmillaryError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"streams": [], "action": {}, "rate": null}', '{"streams": 3}', "\x00"])
def test_text_that_is_no_spec(text):
    with pytest.raises(ArmillaryError, match="Spec in JSON"):
        Spec.from_json(text)


@settings(max_examples=40, deadline=None)
@given(specs(), st.data())
def test_damaged_json_is_an_error_or_another_spec(spec, data):
    text = spec.to_json()
    at = data.draw(st.integers(0, len(text) - 1))
    try:
        other = Spec.from_json(text[:at] + text[at + 1 :])
    except ArmillaryError:
        return
    assert Spec.from_json(other.to_json()) == other


@settings(max_examples=50, deadline=None)
@given(action_spaces(), st.integers(0, 6), st.integers(0, 2**32))
def test_good_actions_pass_in_their_own_dtype(space, rows, seed):
    rng = np.random.default_rng(seed)
    discrete = space.kind == "discrete"
    actions = rng.integers(space.n, size=rows, dtype=np.int32) if discrete else rng.standard_normal((rows, space.n))
    checked = space.check(actions)
    assert checked.dtype == space.dtype
    assert checked.shape == (rows, *space.shape)
    np.testing.assert_allclose(checked, actions, rtol=1e-6)


@pytest.mark.parametrize(
    ("space", "actions", "message"),
    [
        (BOX, np.zeros((5, 3)), "expected 2 numbers an action, got shape (5, 3)"),
        (BOX, [[0, 1], [np.nan, 0]], "not a finite number at (1, 0)"),
        (BOX, [[0, np.inf]], "not a finite number at (0, 1)"),
        (ActionSpace("discrete", 3), [0, 3], "whole numbers from 0 to 2"),
        (ActionSpace("discrete", 3), [-1], "whole numbers from 0 to 2"),
        (ActionSpace("discrete", 3), [0.5], "whole numbers from 0 to 2"),
    ],
)
def test_bad_actions(space, actions, message):
    with pytest.raises(ArmillaryError) as error:
        space.check(actions, "policy")
    assert message in str(error.value)
    assert str(error.value).startswith("policy: ")


class Env(gymnasium.Env):
    metadata = {"render_fps": 20}  # noqa: RUF012

    def __init__(self, observation, action=None):
        self.observation_space = observation
        self.action_space = action or Box(np.float32([-2, -np.inf]), np.float32([2, np.inf]))


def test_from_cartpole_and_its_vector_environment():
    expected = Spec((Stream("state", "vector", (4,), unit=("",) * 4),), ActionSpace("discrete", 2), 50)
    assert spec_of(gymnasium.make("CartPole-v1")) == expected
    vector = spec_of(gymnasium.make_vec("CartPole-v1", num_envs=3))
    assert (vector.streams, vector.action) == (expected.streams, expected.action)


def test_from_spaces():
    image, state = Box(0, 255, (8, 9, 3), np.uint8), Box(-1, 1, (5,), np.float64)
    assert spec_of(Env(image)).streams == (Stream("image", "image", (8, 9, 3)),)
    spec = spec_of(Env(Dict({"eye": image, "arm": state})))
    assert set(spec.streams) == {Stream("eye", "image", (8, 9, 3)), Stream("arm", "vector", (5,), unit=("",) * 5)}
    assert spec.action == ActionSpace("box", 2, (-2, -np.inf), (2, np.inf))
    assert spec.rate == 20
    assert Spec.from_json(spec.to_json()) == spec


def test_every_part_of_a_space_is_a_stream_or_named():
    frame = Box(0, 255, (3, 64, 48), np.uint8)
    parts = {
        "eyes": Dict({"left": frame, "stack": Box(0, 255, (4, 84, 84), np.uint8)}),
        "robot": Tuple((Box(-1, 1, (3,), np.float32), MultiBinary(2), Box(-1, 1, (), np.float64))),
        "tactile_depth": Box(0, 1, (16, 12, 1), np.float32),
        "front_lidar": Box(0, 1, (90,), np.float32),
        "heat": Box(0, 1, (64, 64, 3), np.float32),
        "words": Text(4),
    }
    with pytest.warns(UserWarning, match=r"left out of the streams: heat: float32 .*; words: Text"):
        spec = spec_of(Env(Dict(parts)))
    assert {s.name: (s.kind, s.shape) for s in spec.streams} == {
        "eyes.left": ("image", (64, 48, 3)),
        "eyes.stack": ("image", (84, 84, 4)),
        "robot.0": ("vector", (3,)),
        "robot.1": ("vector", (2,)),
        "robot.2": ("vector", (1,)),
        "tactile_depth": ("depth", (16, 12)),
        "front_lidar": ("scan", (90,)),
    }


def test_a_box_of_integers_keeps_its_actions_whole():
    assert spec_of(Env(Box(0, 1, (4,)), Box(0, 4, (2,), np.int32))).action.whole


def test_a_world_carries_its_own():
    env = Env(Box(-1, 1, (5,)))
    env.stream_spec = Spec((CAMERA,), BOX)
    assert spec_of(env) is env.stream_spec
    assert spec_of(gymnasium.wrappers.TimeLimit(env, 5)) is env.stream_spec


@pytest.mark.parametrize(
    ("observation", "action", "message"),
    [
        (Text(4), None, "the observation: Text is not numbers"),
        (Box(0, 1, (64, 64, 3)), None, "the observation: float32 (64, 64, 3) is of no kind by itself: images are uint8"),
        (Box(0, 255, (64, 64, 64), np.uint8), None, "which axis has the channels is not clear"),
        (Box(0, 1, (4,)), MultiDiscrete([2, 3]), "only Box (n,) and Discrete(n)"),
        (Box(0, 1, (4,)), Discrete(3, start=1), "from 0"),
        (Box(0, 1, (4,)), Box(0, 1, (2, 2)), "only Box (n,)"),
    ],
)
def test_spaces_that_map_to_nothing(observation, action, message):
    with pytest.raises(ArmillaryError) as error:
        spec_of(Env(observation, action))
    assert message in str(error.value)


def test_whole_numbers_are_kept_whole_and_said_only_where_used() -> None:
    space = ActionSpace("box", 2, (0, 0), (4, 4), whole=True)
    np.testing.assert_array_equal(space.check(np.array([[0.4, 3.6]])), [[0, 4]])
    spec = Spec((Stream("q", "vector", (1,)),), space)
    assert Spec.from_json(spec.to_json()) == spec
    assert "whole" not in Spec(spec.streams, ActionSpace("box", 2)).to_json()
    with pytest.raises(ArmillaryError, match="whole is said of a box"):
        ActionSpace("discrete", 2, whole=True)
