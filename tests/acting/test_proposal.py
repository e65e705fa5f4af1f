"""What a habit proposes is what it would do step by step, and an agent's plan begins there."""

import numpy as np
import pytest
import torch
from linear_model import LinearModel

from armillary.acting.agent import Agent
from armillary.acting.habit import Habit, HabitConfig, propose
from armillary.errors import SpecMismatch
from armillary.imagination import Context
from armillary.planning import CEM

NARROW = CEM(horizon=4, samples=8, elites=2, iterations=1, sigma=0.0, floor=0.0)
"""Looks at nothing but what it is told to start from."""


class Straight(Habit):
    """Goes to the goal as fast as it may."""

    def act(self, z, z_goal, remaining=None):
        self.seen = z
        way = (z_goal - z[:, -1]).unsqueeze(1).expand(-1, self.blocks.skip, -1) / self.blocks.skip
        return way.clamp(-1, 1).flatten(1)


@pytest.mark.parametrize(("context", "looks"), [(1, 1), (3, 3), (3, 1)])
def test_each_block_is_proposed_on_what_the_one_before_leads_to(context, looks):
    model = LinearModel(context=context)
    habit = Straight(model, HabitConfig(width=8, context=looks))
    z = torch.zeros(3, 1, 2)
    goal = torch.tensor([[5.0, 0.0], [0.0, -3.0], [0.5, 0.5]])
    start = propose(model, habit, Context(z, torch.zeros(3, 0, 4)), goal, 4)
    blocks = model.actions.decode(start)
    after = model.rollout(Context(z, torch.zeros(3, 0, 4)), blocks.unsqueeze(1)).z[:, 0]
    torch.testing.assert_close(after[0, :, 0], torch.tensor([2.0, 4.0, 5.0, 5.0]))
    torch.testing.assert_close(after[:, -1], goal)
    assert habit.seen.shape == (3, looks, 2)


def test_an_agent_with_a_habit_searches_where_it_proposes():
    model = LinearModel()
    agents = [Agent(model, NARROW, habit=habit) for habit in (Straight(model), None)]
    where, goals = np.zeros((2, 2), np.float32), np.array([[6, 0], [0, 1]], np.float32)
    for agent in agents:
        agent.start(range(2), {"position": goals})
    with_habit, without = (agent.act({"position": where}).values for agent in agents)
    np.testing.assert_allclose(with_habit, [[1, 0], [0, 0.5]], atol=1e-5)
    np.testing.assert_allclose(without, np.broadcast_to(model.actions.mean[:2], (2, 2)), atol=1e-5)
    assert agents[0].decisions.model_calls[0] == agents[1].decisions.model_calls[0] + 2 * NARROW.horizon


def test_the_planner_refines_what_is_proposed():
    model = LinearModel()

    class Wrong(Straight):
        def act(self, z, z_goal, remaining=None):
            return super().act(z, -z_goal)

    agent = Agent(model, CEM(horizon=4), habit=Wrong(model))
    agent.start([0], {"position": np.array([[6, 0]], np.float32)})
    assert agent.act({"position": np.zeros((1, 2), np.float32)}).values[0, 0] > 0


def test_a_habit_of_another_model_is_refused():
    with pytest.raises(SpecMismatch, match="another model"):
        Agent(LinearModel(), NARROW, habit=Straight(LinearModel(skip=1)))
