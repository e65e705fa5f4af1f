"""The truth in place of a part of the agent."""

import numpy as np
import pytest
import torch
from judging_fakes import Known

from armillary.acting.agent import Agent
from armillary.episodes.record import record
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.control.substitution import (
    Simulated,
    labelled_distance,
    unveiled_episodes,
    unveiled_spec,
    unveiled_world,
)
from armillary.goals import Goal
from armillary.imagination import Context, Rollout
from armillary.planning import CEM, GraphSearch, StayAtGoal
from armillary.spec import Spec
from armillary.worlds import make


def make_world(count: int):
    return make("two_room", num_envs=count, door=[14.0], max_steps=None, autoreset_mode="Disabled")


@pytest.fixture(scope="module")
def pairs():
    return make_eval_set(make_world(8), 6, 10_000, cross=True, min_distance=3.0, rollouts=2)


def share(actor, pairs) -> float:
    return run(make_world(6), actor, pairs.start, pairs.goal, pairs.budget).held(pairs.hold).mean()


def test_the_world_itself_goes_round_a_wall_that_the_model_walks_through(pairs):
    model = Known(make_world(1).stream_spec)
    planner = CEM(horizon=6, samples=48)
    assert share(Agent(model, planner), pairs) <= 0.5
    assert share(Simulated(model, planner, make_world=make_world, true_distance=True), pairs) > 0.8


def test_imagined_latents_are_those_of_what_the_world_shows(pairs):
    model = Known(make_world(1).stream_spec)
    actor = Simulated(model, CEM(horizon=3, samples=8, iterations=2, elites=2), make_world=make_world)
    one = slice(0, 1)
    result = run(make_world(1), actor, pairs.start[one], pairs.goal[one], pairs.budget[one])
    first = result.decisions[0].latents[0, 0]
    np.testing.assert_allclose(first * 64, result.states[1, 0, :2], atol=0.3)


@pytest.mark.parametrize("planner", [GraphSearch(), StayAtGoal()], ids=["graph", "stay"])
def test_planners_that_need_more_than_true_rollouts_are_refused(pairs, planner):
    model = Known(make_world(1).stream_spec)
    actor = Simulated(model, planner, make_world=make_world, true_distance=True)
    with pytest.raises(ArmillaryError, match=r"such as CEM|does not say how far apart"):
        run(make_world(1), actor, pairs.start[:1], pairs.goal[:1], pairs.budget[:1])


def test_distance_from_labels_knows_the_way():
    model = Known(make_world(1).stream_spec)
    cost = labelled_distance(model, make_world, episodes=30, steps=30, updates=500)
    places = torch.tensor([[[[0.2, 0.5]]], [[[0.4, 0.5]]]])
    near, far = cost(Rollout(Context(places[:, 0], places[:, 0, :0]), places, places), Goal(places[1, 0]))[:, 0]
    assert far < near
    assert far < 0.8
    assert abs(near - 0.2 * 64 / 12.5) < 0.8


def test_truth_is_seen_and_nothing_else(tmp_path):
    world = make("two_room", num_envs=3, max_steps=4)
    store = record(world, world.play(), tmp_path / "a", episodes=3)
    seen = unveiled_episodes(store, tmp_path / "b")
    assert [stream.name for stream in seen.spec.observed] == ["position", "door"]
    assert not seen.spec.truth
    np.testing.assert_array_equal(seen.read(1)["position"], store.read(1, truth=["position"])["position"])
    np.testing.assert_array_equal(seen.actions(1), store.actions(1))
    twin = unveiled_world(world)
    seen.spec.check(twin.stream_spec, "world")
    assert [stream.name for stream in world.stream_spec.observed] == ["image"]
    with pytest.raises(ArmillaryError, match="no vector of ground truth"):
        unveiled_spec(Spec(world.stream_spec.observed, world.stream_spec.action))
