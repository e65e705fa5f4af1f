"""The agent in a plane of points that move as they are told: timing of plans, memory, single and batched, bad input."""

import numpy as np
import pytest
import torch
from linear_model import CHOICES, LinearModel
from small_models import SPEC, small_model

from armillary.acting.agent import Agent
from armillary.acting.decisions import KEPT, Decisions
from armillary.costs import Effort, LatentGoal
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, ICEM, MPPI
from armillary.spec import ActionSpace, Spec, Stream

STARTS = np.random.default_rng(0).uniform(-1, 1, (16, 2)).astype(np.float32)
GOALS = (STARTS + np.random.default_rng(1).uniform(-6, 6, (16, 2))).astype(np.float32)


def live(agent: Agent, starts: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (steps + 1, N, 2) and actions (steps, N, ...) of agents that really move by what they do."""
    positions, actions = [starts], []
    for _ in range(steps):
        actions.append(agent.act({"position": positions[-1]}).values)
        moves = CHOICES.numpy()[actions[-1]] if actions[-1].dtype == np.int64 else actions[-1]
        positions.append((positions[-1] + moves).astype(np.float32))
    return np.stack(positions), np.stack(actions)


@pytest.mark.parametrize("execute", [1, 3])
@pytest.mark.parametrize("discrete", [False, True], ids=["box", "discrete"])
def test_it_reaches_goals_beyond_the_horizon_of_one_plan(discrete, execute):
    agent = Agent(LinearModel(discrete), CEM(horizon=5), execute=execute)
    agent.start(range(16), {"position": GOALS})
    positions, actions = live(agent, STARTS, 24)
    assert actions.dtype == (np.int64 if discrete else np.float32)
    assert actions.shape == ((24, 16) if discrete else (24, 16, 2))
    reached = np.abs(positions[-1] - GOALS).max(-1)
    assert np.median(reached) < (1.2 if discrete else 0.5)
    assert reached.max() < 2
    assert np.abs(STARTS - GOALS).max(-1).mean() > 3


@pytest.mark.parametrize("context", [1, 3])
def test_one_environment_or_sixteen_act_alike(context):
    model = LinearModel(context=context, held=False)
    batch = Agent(model, CEM(horizon=4, samples=50))
    batch.start(range(16), {"position": GOALS})
    together = live(batch, STARTS, 12)[1]
    alone = Agent(model, CEM(horizon=4, samples=50))
    for i in range(16):
        alone.reset()
        alone.start([i], {"position": GOALS[i : i + 1]})
        np.testing.assert_allclose(live(alone, STARTS[i : i + 1], 12)[1][:, 0], together[:, i], atol=1e-4)


def test_random_numbers_follow_from_the_seed_the_environment_and_its_episode():
    def first(agent: Agent, seed: int | None = None) -> np.ndarray:
        agent.reset(seed)
        agent.start([3, 8], {"position": GOALS[:1]})
        return live(agent, STARTS[:2], 4)[1]

    agent = Agent(LinearModel(), CEM(horizon=3, samples=20))
    one = first(agent)
    agent.start([3, 8])
    next_episode = live(agent, STARTS[:2], 4)[1]
    assert not np.array_equal(next_episode, one)
    assert np.array_equal(first(agent), one)
    live(agent, STARTS[:2], 3)  # however long the first episode is
    agent.start([3, 8])
    assert np.array_equal(live(agent, STARTS[:2], 4)[1], next_episode)
    seeded = first(Agent(LinearModel(), CEM(horizon=3, samples=20), seed=1))
    assert not np.array_equal(seeded, one)
    assert np.array_equal(first(agent, 1), seeded)


def test_it_plans_once_in_execute_blocks_and_looks_once_a_block():
    model = LinearModel(skip=3)
    agent = Agent(model, CEM(horizon=4, samples=20, iterations=3), execute=2)
    agent.start(range(2), {"position": GOALS[:2]})
    model.seen.clear()
    plans = []
    positions, actions = [STARTS[:2]], []
    for step in range(12):
        action = agent.act({"position": positions[-1]})
        assert (action.mode, action.plan) == ("plan", agent.last_plan)
        assert action.decided.tolist() == [step % 6 == 0] * 2
        actions.append(action.values)
        positions.append(positions[-1] + actions[-1])
        plans.append(agent.last_plan)
    assert model.seen == [1] * 8  # on a CPU each by itself
    assert agent.decisions.problems == [2, 2]
    assert agent.decisions.model_calls == [2 * (3 * 20 + 2) * 4] * 2
    assert len(agent.decisions.encode_seconds) == len(agent.decisions.plan_seconds) == 2
    for step in range(12):
        assert plans[step] is plans[step // 6 * 6]
        np.testing.assert_array_equal(actions[step], plans[step].actions[:, step % 6].numpy())
    np.testing.assert_allclose(plans[0].latents[:, 1], positions[6], atol=1e-5)  # the plan came true


def test_what_the_planner_is_given_is_what_was_seen_and_done():
    class Spy(CEM):
        def plan(self, imagination, problem, cost):
            contexts.append(problem.context)
            return super().plan(imagination, problem, cost)

    contexts = []
    agent = Agent(LinearModel(skip=2, context=3), Spy(horizon=4, samples=20), execute=2)
    agent.start(0, {"position": GOALS[:1]})
    positions, actions = live(agent, STARTS[:1], 10)
    assert [context.z.shape[1] for context in contexts] == [1, 3, 3]
    for context, now in zip(contexts[1:], (4, 8), strict=True):
        np.testing.assert_allclose(context.z[0], positions[now - 4 : now + 1 : 2, 0])
        np.testing.assert_allclose(context.actions[0], actions[now - 4 : now, 0].reshape(2, 4))


def test_environments_start_and_act_one_by_one():
    model = LinearModel(skip=2, context=2)
    agent, fresh = (Agent(model, CEM(horizon=4, samples=20)) for _ in range(2))
    agent.start([4, 7], {"position": GOALS[:2]})
    middle = live(agent, STARTS[:2], 3)[0][-1]  # in the middle of a block
    alone = agent.act({"position": middle[:1]}, [4])
    assert (agent._steps.tolist(), alone.values.shape, alone.plan.blocks.shape[0]) == ([4, 3], (1, 2), 1)
    agent.start([9], {"position": GOALS[5:6]})
    fresh.start([9], {"position": GOALS[5:6]})
    start = np.stack([middle[0] + alone.values[0], middle[1], STARTS[5]]).astype(np.float32)
    again = live(agent, start, 6)[1]
    np.testing.assert_allclose(again[:, 2], live(fresh, STARTS[5:6], 6)[1][:, 0], atol=1e-4)
    assert agent.decisions.problems == [2, 2, 2, 1, 2, 1, 2, 1]


def test_an_agent_with_parts_replaced_keeps_the_others_and_knows_no_environment():
    agent = Agent(LinearModel(), CEM(horizon=3), "latent", execute=2, seed=5)
    agent.start([0], {"position": GOALS[:1]})
    other = agent.changed(model=LinearModel(held=False), seed=6)
    assert (other.planner, other.execute, other.seed, other.num_envs) == (CEM(horizon=3), 2, 6, 0)
    assert other.imagination is other.model is not agent.model
    assert isinstance(other.cost, LatentGoal)
    assert str(other) == str(agent) == f"{CEM(horizon=3)}, {agent.cost}"


def test_one_cost_serves_the_goals_of_each_group():
    model, given = LinearModel(), []

    class Watched(LatentGoal):
        def __call__(self, rollout, goal):
            given.append(goal.z)
            return super().__call__(rollout, goal)

    for exact in (False, True):
        agent = Agent(model, MPPI(3, 20, 1), Watched() + 0.01 * Effort(model.actions), exact=exact)
        agent.start(range(3), {"position": GOALS[:3]})
        live(agent, STARTS[:3], 2)
    assert [len(z) for z in given] == 2 * [3] + 3 * 2 * [1]
    for z in (given[0], torch.cat(given[2::2])):
        np.testing.assert_array_equal(z, GOALS[:3])


def test_bad_settings_and_missing_goals_are_errors():
    model = LinearModel()
    for execute in (0, 9):
        with pytest.raises(ArmillaryError, match=r"execute is a whole number from 1 to 8"):
            Agent(model, CEM(horizon=8), execute=execute)
    agent = Agent(model, CEM())
    with pytest.raises(ArmillaryError, match="no environment was started"):
        agent.act({"position": STARTS[:1]})
    agent.start([5, 6, 7])
    agent.set_goal({"position": GOALS[:1]}, [6])
    with pytest.raises(ArmillaryError, match=r"environments \[5, 7\] have no goal"):
        agent.act({"position": STARTS[:3]})
    with pytest.raises(SpecMismatch, match="2 goals for 3 environments"):
        agent.set_goal({"position": GOALS[:2]})
    with pytest.raises(SpecMismatch, match="2 goals for 3 environments"):
        agent.start([6, 7, 8], {"position": GOALS[:2]})
    assert agent.num_envs == 3


def test_observations_that_do_not_fit_name_the_stream():
    spec = Spec((Stream("camera", "image", (16, 16, 3)),), ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)))
    agent = Agent(WorldModel(spec, ModelConfig(image_size=16, latent=4, skip=2)), CEM(samples=10))
    good = np.zeros((2, 16, 16, 3), np.uint8)
    agent.start(range(2), {"camera": good[:1]})
    for bad in (good[:1], good[:, :8], good.astype(np.float32), good[..., 0]):
        with pytest.raises(SpecMismatch, match="'camera'"):
            agent.act({"camera": bad})
    with pytest.raises(SpecMismatch, match="'camera'"):
        agent.act({"image": good})
    assert agent.act({"camera": good, "unread": None}).values.shape == (2, 2)  # after errors, all is as before
    assert agent.memory.lengths.tolist() == [1, 1]


def test_what_deciding_cost_is_kept_for_the_last_decisions_alone():
    decisions = Decisions()
    for i in range(KEPT + 5):
        decisions.add(i, 0.1, 0.2, 3)
    assert decisions.count == KEPT + 5
    assert decisions.problems == list(range(5, KEPT + 5))
    assert len(decisions.plan_seconds) == len(decisions.encode_seconds) == len(decisions.model_calls) == KEPT


@pytest.mark.parametrize("predictor", ["mlp", "gru", "transformer"])
def test_to_the_last_bit_an_environment_is_the_same_in_any_batch(predictor):
    spec = Spec((Stream("image", "image", (32, 32, 3)), Stream("state", "vector", (3,))), SPEC.action)
    model = small_model(predictor, spec=spec, image_size=32, width=32, projector=96, latent=24, predictor_width=96)
    random = np.random.default_rng(0)
    seen = [
        {
            "image": random.integers(256, size=(50, 32, 32, 3), dtype=np.uint8),
            "state": random.normal(size=(50, 3)).astype(np.float32),
        }
        for _ in range(4)
    ]

    def lived(count: int) -> list[torch.Tensor]:
        agent = Agent(model, ICEM(horizon=3, samples=16, iterations=2, elites=4))
        agent.start(range(count), {name: frames[:count] for name, frames in seen[0].items()})
        for observation in seen:
            agent.act({name: frames[:count] for name, frames in observation.items()})
        plan = agent.last_plan
        return [agent.memory.z[0], plan.actions[0], plan.latents[0], plan.cost[0]]

    alone = lived(1)
    for count in (7, 50):
        assert all(map(torch.equal, alone, lived(count)))
