import numpy as np
import pytest
from judging_fakes import STEP, Dial, Known

from armillary.acting.agent import Agent
from armillary.acting.baselines import DoNothing, Oracle, RandomBaseline
from armillary.actor import TRUE_STATE
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.rollouts import Rollouts, run
from armillary.evaluation.control.sanity import replay_error, transitions
from armillary.imagination import Context, ShuffledActions
from armillary.planning import CEM
from armillary.spec import ActionSpace
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=7, autoreset_mode="Disabled", max_steps=None)


@pytest.fixture(scope="module")
def pairs(world):
    return make_eval_set(world, 9, seed=3, rollouts=3, min_distance=1.5)


def recorded(success, budget):
    success = np.array(success, bool).T
    return Rollouts(np.zeros((*success.shape, 1)), np.zeros((len(success) - 1, 1)), success, np.array(budget), np.empty(0))


def test_success_is_held_at_the_end_and_not_latched_at_the_first_touch():
    rollouts = recorded([[0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [1, 1, 1, 1, 0]], [4, 4, 4, 3])
    assert rollouts.held(3).tolist() == [False, True, False, True]
    assert rollouts.success.any(axis=0).all()
    assert rollouts.arrival(3).tolist() == [1, 2, np.inf, 0]


def test_the_full_budget_is_run_and_nothing_beyond_it_counts(world, pairs):
    rollouts = run(world, RandomBaseline(world.stream_spec.action), pairs.start, pairs.goal, pairs.budget)
    assert (np.isfinite(rollouts.states).all(-1) == rollouts.steps()).all()
    assert rollouts.steps().sum(0).tolist() == (pairs.budget + 1).tolist()


@pytest.mark.parametrize("planner", [None, CEM(horizon=3, samples=32, iterations=2, elites=4)])
def test_a_pair_has_the_same_outcome_in_any_batch(world, pairs, planner):
    actor = Agent(Known(world.stream_spec), planner) if planner else RandomBaseline(world.stream_spec.action, hold=2, seed=1)
    together, alone = (run(world, actor, pairs.start, pairs.goal, pairs.budget, batch=b) for b in (7, 1))
    np.testing.assert_allclose(together.states, alone.states, atol=1e-3)
    assert (together.success == alone.success).all()


@pytest.mark.parametrize("needs_truth", [False, True])
def test_an_actor_sees_observed_streams_and_no_truth_that_it_does_not_ask_for(world, pairs, needs_truth):
    class Curious(DoNothing):
        needs_observations = True

        def start(self, ids, goals=None):
            super().start(ids)
            self.seen = [goals]

        def act(self, observations, ids=None):
            self.seen.append(observations)
            return super().act(observations, ids)

    curious = Curious(world.stream_spec.action)
    curious.needs_truth = needs_truth
    run(world, curious, pairs.start, pairs.goal, pairs.budget)
    assert len(curious.seen) > 2
    names = {"image", "position", "door", TRUE_STATE} if needs_truth else {"image"}
    assert all(set(seen) == names for seen in curious.seen)


def test_an_expert_without_a_goal_is_an_error(world):
    oracle = Oracle(world.oracle)
    oracle.start([3])
    with pytest.raises(ArmillaryError, match=r"environments \[3\] have no goal"):
        oracle.act({TRUE_STATE: world.state})


@pytest.mark.parametrize("space", [ActionSpace("box", 2, (-1.0, 0.0), (1.0, 3.0)), ActionSpace("discrete", 5)])
def test_random_actions_depend_on_the_seed_and_the_environment_alone(space):
    together, alone, other = RandomBaseline(space, 2), RandomBaseline(space, 2), RandomBaseline(space, 2, seed=1)
    for actor, ids in ((together, [8, 3]), (alone, [3]), (other, [3])):
        actor.start(ids)
    many = [[actor.act({}).values for _ in range(300)] for actor in (together, alone, other)]
    wanted = np.array([both[1] for both in many[0]])
    np.testing.assert_array_equal(wanted, np.concatenate(many[1]))
    assert (wanted[::2] == wanted[1::2]).all()
    assert (wanted[::2] != np.concatenate(many[2])[::2]).mean() > 0.5
    drawn = np.random.default_rng((0, 3))
    straight = drawn.uniform(space.low, space.high, (150, 2)) if space.kind == "box" else drawn.integers(5, size=150)
    np.testing.assert_array_equal(wanted[::2], straight.astype(space.dtype))


@pytest.mark.parametrize("needed", [False, True])
def test_what_nobody_sees_is_not_drawn(world, pairs, needed, monkeypatch):
    drawn, observe = [], world._observe
    monkeypatch.setattr(world, "needs_observations", True, raising=False)
    monkeypatch.setattr(world, "_observe", lambda: drawn.append(world.needs_observations) or observe())
    actor = Agent(Known(world.stream_spec), CEM(horizon=1, samples=4, iterations=1, elites=2))
    rollouts = run(world, actor if needed else DoNothing(world.stream_spec.action), pairs.start, pairs.goal, pairs.budget)
    assert set(drawn) == {needed}
    drawn.clear()
    assert replay_error(world, *transitions(rollouts)) < 1e-3
    assert set(drawn) == {False}
    assert world.needs_observations


def test_what_was_imagined_is_kept_with_the_pair_it_belongs_to(world, pairs):
    """The first decision starts at the start state: one step of the imagined path is at most one step away."""
    actor = Agent(Known(world.stream_spec), CEM(horizon=3, samples=32, iterations=2, elites=4))
    rollouts = run(world, actor, pairs.start, pairs.goal, pairs.budget)
    first = [decision for decision in rollouts.decisions if decision.step == 0]
    assert sorted(np.concatenate([d.rows for d in first])) == list(range(len(pairs)))
    for decision in first:
        moved = decision.latents[:, 0] - pairs.start[decision.rows, :2] / 64
        assert np.abs(moved).max() < STEP + 0.01
    assert rollouts.model_calls >= 3 * 32 * 2
    assert len(rollouts.seconds) == len(rollouts.decisions)


def test_a_shuffled_model_judges_each_candidate_by_what_others_do(world):
    import torch

    model = Known(world.stream_spec)
    context, actions = Context(torch.zeros(2, 1, 2), torch.zeros(2, 0, 2)), torch.randn(2, 5, 3, 2)
    shuffled = ShuffledActions(model)
    right, wrong = (imagination.rollout(context, actions).z for imagination in (model, shuffled))
    assert not torch.isclose(right[:, :, -1], wrong[:, :, -1]).all(-1).any()
    # The same actions, only elsewhere; and the same order for every problem.
    total = actions.sum((1, 2))
    steps = torch.diff(wrong, dim=2, prepend=context.z[:, None, -1:].expand(2, 5, 1, 2)) / STEP
    torch.testing.assert_close(steps.sum((1, 2)), total)
    torch.testing.assert_close(shuffled.rollout(context, actions.flip(0)).z, wrong.flip(0))


def test_a_world_that_resets_itself_is_refused(pairs):
    world = make("two_room", num_envs=2)
    with pytest.raises(ArmillaryError, match="must not reset itself"):
        run(world, DoNothing(world.stream_spec.action), pairs.start, pairs.goal, pairs.budget)


def test_more_pairs_at_a_time_than_environments_are_refused():
    world = Dial(num_envs=2)
    start = np.zeros((3, 1))
    with pytest.raises(ArmillaryError, match="3 pairs at a time on a world of 2"):
        run(world, DoNothing(world.stream_spec.action), start, start, np.ones(3, int), batch=3)
