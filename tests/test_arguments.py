"""What callers pass in: masks are masks, what does not fit is refused in one line, and what does is taken in any form."""

import numpy as np
import pytest
import torch
from small_models import CAMERA, SPEC, STATE, small_model

from armillary.acting.agent import Agent
from armillary.arguments import observed, seed_of, whole_numbers
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, OutOfRange, SpecMismatch
from armillary.planning import CEM
from armillary.worlds import make

N = 3


def seen(rows=N, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (rows, 32, 32, 3), np.uint8)
    return {CAMERA: image, STATE: rng.standard_normal((rows, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def agent(model):
    agent = Agent(model, CEM(horizon=2, samples=4, elites=2, iterations=1))
    agent.start(range(N), seen(seed=1))
    return agent


def test_masks_are_masks(agent):
    agent.act(seen())
    agent.start(np.array([True, False, False]))
    np.testing.assert_array_equal(agent._steps, [0, 1, 1])
    goal = agent.goal.z.clone()
    agent.set_goal(seen(1, seed=2), torch.tensor([False, False, True]))
    assert torch.equal(agent.goal.z[:2], goal[:2])
    assert not torch.equal(agent.goal.z[2], goal[2])


@pytest.mark.parametrize("given", [[3], [-1], [0.5], [0, 0], [True], [[0]], "a", [None], {"a": 1}, [10**30], np.zeros(4, bool)])
def test_environments_that_are_not_there(given, agent):
    calls = [lambda: agent.set_goal(seen(1), given), lambda: agent.act(seen(1), given)]
    if not np.array_equal(given, [3]):  # it may be new
        calls += [lambda: agent.start(given), lambda: agent.start(given, seen(1))]
    for call in calls:
        with pytest.raises(ArmillaryError):
            call()
    np.testing.assert_array_equal(agent._steps, [0, 0, 0])


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None, 2**63, [1]])
def test_seeds_that_are_none(seed, model):
    for call in (
        lambda: seed_of(seed),
        lambda: Agent(model, CEM(), seed=seed),
        *([] if seed is None else [lambda: Agent(model).reset(seed)]),
    ):
        with pytest.raises(ArmillaryError, match="seed"):
            call()


@pytest.mark.parametrize(
    "change",
    [
        lambda o: {STATE: o[STATE].tolist()},
        lambda o: {STATE: o[STATE].astype(np.float64)},
        lambda o: {STATE: torch.from_numpy(o[STATE])},
        lambda o: {STATE: torch.from_numpy(o[STATE]).double()},
        lambda o: {STATE: o[STATE][::-1].copy()[::-1]},
        lambda o: {CAMERA: o[CAMERA][:, ::-1].copy()[:, ::-1]},
        lambda o: {CAMERA: o[CAMERA].astype(np.int64)},
        lambda o: {CAMERA: o[CAMERA].tolist()},
        lambda o: {CAMERA: np.asfortranarray(o[CAMERA])},
        lambda o: {CAMERA: torch.from_numpy(o[CAMERA])},
        lambda o: {"more": None},
    ],
)
def test_observations_in_any_form_are_the_same(change, model):
    plan = CEM(horizon=2, samples=4, elites=2, iterations=1)
    acts = []
    for given in (seen(), {**seen(), **change(seen())}):
        agent = Agent(model, plan)
        agent.start(range(N), given)
        acts.append(agent.act(given).values)
    np.testing.assert_array_equal(*acts)


def spoilt(name, value, dtype=None):
    def change(observation):
        array = observation[name].astype(dtype or observation[name].dtype)
        array[1, 0] = value
        return {**observation, name: array}

    return change


@pytest.mark.parametrize(
    "change",
    [
        spoilt(STATE, np.nan),
        spoilt(STATE, np.inf),
        spoilt(STATE, 1e300, np.float64),
        spoilt(STATE, 1j, complex),
        spoilt(CAMERA, 0.5, np.float32),
        spoilt(CAMERA, -1, np.int64),
        spoilt(CAMERA, 256, np.uint16),
        lambda o: {**o, STATE: [[1.0], [1.0, 2.0], []]},
        lambda o: {**o, STATE: "abc"},
        lambda o: {**o, STATE: None},
        lambda o: {**o, STATE: 1.0},
        lambda o: {**o, CAMERA: o[CAMERA][:, :5]},
        lambda o: {STATE: o[STATE]},
        lambda o: list(o.values()),
        lambda o: None,
    ],
)
def test_observations_that_are_none(change, agent):
    for call in (agent.act, agent.set_goal):
        with pytest.raises(ArmillaryError):
            call(change(seen()))


def test_what_is_not_finite_is_named(agent):
    with pytest.raises(SpecMismatch, match=r"stream 'state': number \[0\] of observation 1 is NaN or infinite"):
        agent.act(spoilt(STATE, np.nan)(seen()))


def test_streams_without_a_model_for_them_are_left_out():
    assert set(observed(SPEC, {**seen(), "other": object()})) == {CAMERA, STATE}


def test_whole_numbers_keep_their_values():
    np.testing.assert_array_equal(whole_numbers(np.uint8(3), "x"), [3])
    with pytest.raises(ArmillaryError, match="x: expected whole numbers"):
        whole_numbers([1.0], "x")


def test_rows_and_episodes_that_are_not_there(tmp_path):
    shown = {stream.name: np.zeros((5, *stream.shape), stream.dtype) for stream in SPEC.streams}
    truth = {stream.name: shown.pop(stream.name) for stream in SPEC.truth}
    with Episodes.create(tmp_path / "store", SPEC) as store:
        store.append(*[Episode(shown, np.zeros((4, 2), np.float32), truth)] * 2)
        for call in (
            *(lambda n=n: store.episode(n) for n in (2, -1, 0.5, True, "0", None)),
            *(lambda rows=rows: store.read(0, rows) for rows in (5, -6, [0, 9], 0.5, "a")),
            *(lambda rows=rows: store.read_rows(rows) for rows in ([10], [-1], [0.5], None)),
            *(lambda which=which: Clips(store, 2, which=which) for which in ([2], [-1], [0.5])),
            *(lambda length=length: Clips(store, length) for length in (0, 2.5, True, None)),
        ):
            with pytest.raises(ArmillaryError):
                call()
        clips = Clips(store, 2)
        with pytest.raises(OutOfRange):
            clips[len(clips)]
        assert len(list(clips)) == len(clips)


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True, [1], [1, -2], [0.5, 1]])
def test_seeds_of_worlds(seed):
    world = make("two_room", num_envs=2)
    with pytest.raises(ArmillaryError):
        world.reset(seed=seed)
    world.reset(seed=[3, None])
    with pytest.raises(ArmillaryError, match="expected numbers"):
        world.step(np.array([["a", "b"]] * 2))
