"""Graph search on dynamics that are known: the way round a wall that no sampled sequence finds."""

from dataclasses import replace

import pytest
import torch
from linear_model import Displacement, LinearModel

from armillary.costs import LatentGoal
from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.planning import CEM, RandomStreams
from armillary.planning.graph import GraphSearch

PLANNER = GraphSearch(horizon=4, actions=12, depth=40, spacing=0.8)


class Trapped(Displacement):
    """An arena of 20 x 20 with a wall at x = 0, that has an opening beyond y = 7 alone."""

    def forward(self, z: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        moved = super().forward(z, actions).clamp(-10, 10)
        crosses = ((z[..., 0] < 0) != (moved[..., 0] < 0)) & (torch.minimum(z[..., 1], moved[..., 1]) < 7)
        return torch.where(crosses[..., None], z, moved)


def trapped() -> LinearModel:
    model = LinearModel()
    model.predictor = Trapped(model, 1)
    return model


def context(*places: tuple[float, float], model: LinearModel) -> Context:
    return Context(torch.tensor(places)[:, None], torch.zeros(len(places), 0, model.actions.size))


def arrives(planner, model: LinearModel, start: tuple[float, float], goal: tuple[float, float], steps: int) -> bool:
    now = context(start, model=model)
    for _ in range(steps):
        plan = planner.plan(model, now, LatentGoal(torch.tensor([goal])))
        now = Context(plan.latents[:, :1], now.actions)
    return bool((now.z[0, 0] - torch.tensor(goal)).norm() < 0.7)


def test_it_goes_away_from_the_goal_to_get_there():
    model = trapped()
    assert arrives(PLANNER, model, (-2.0, -6.0), (2.0, -6.0), steps=30)
    assert not arrives(CEM(horizon=4), model, (-2.0, -6.0), (2.0, -6.0), steps=30)


def test_near_goals_are_left_to_the_other_planner():
    model = trapped()
    goal = LatentGoal(torch.tensor([[3.0, 3.0]]))
    plan = PLANNER.plan(model, context((2.0, 2.0), model=model), goal)
    assert plan.cost < 0.5
    assert plan.actions.shape == (1, PLANNER.horizon * model.config.skip, 2)
    assert plan.model_calls > PLANNER.refine.samples * PLANNER.horizon


def test_a_problem_has_its_plan_whatever_else_is_planned():
    model, goals = trapped(), torch.tensor([[2.0, -6.0], [-3.0, -5.0]])
    both = PLANNER.plan(
        model, context((-2.0, -6.0), (-2.0, -6.0), model=model), LatentGoal(goals), streams=RandomStreams(0, [5, 6])
    )
    alone = PLANNER.plan(model, context((-2.0, -6.0), model=model), LatentGoal(goals[1:]), streams=RandomStreams(0, [6]))
    torch.testing.assert_close(both.blocks[1:], alone.blocks)
    assert both.cost.shape == (2,)


def test_where_nothing_moves_there_is_one_place():
    model = trapped()
    model.predictor.forward = lambda z, actions: z.clone()
    plan = PLANNER.plan(model, context((1.0, 1.0), model=model), LatentGoal(torch.tensor([[5.0, 5.0]])))
    torch.testing.assert_close(plan.latents, torch.ones(1, 4, 2))


def test_it_searches_no_further_than_to_a_place_that_is_cheap_enough():
    model, now = trapped(), context((-2.0, -6.0), model=trapped())
    goal = LatentGoal(torch.tensor([[2.0, -6.0]]))
    calls = [replace(PLANNER, enough=enough).plan(model, now, goal).model_calls for enough in (0.0, 1.0, 100.0)]
    assert calls[0] > calls[1] > calls[2]
    assert calls[2] < PLANNER.actions + 2000
    assert replace(PLANNER, enough=1.0).plan(model, now, goal).latents[0, -1, 1] > -6 + 4  # up, towards the opening


def test_where_there_is_a_critic_it_says_how_far_apart_places_are():
    """A critic that does not see y takes all places above each other for one, so that the opening is not found."""
    model, now = trapped(), context((-2.0, -6.0), model=trapped())
    goal = LatentGoal(torch.tensor([[-2.0, 8.0]]))
    calls = [PLANNER.plan(model, now, goal).model_calls]
    model.add_critic().embed = lambda z: z[..., :1]
    calls.append(PLANNER.plan(model, now, goal).model_calls)
    assert calls[1] < calls[0] / 2


def test_settings_and_models_that_do_not_fit():
    with pytest.raises(ArmillaryError, match="a graph search needs"):
        replace(PLANNER, places=0)
    model = LinearModel(context=2)
    past = Context(torch.zeros(1, 2, 2), torch.zeros(1, 1, model.actions.size))
    with pytest.raises(ArmillaryError, match="context 1, and this one looks back on 2"):
        PLANNER.plan(model, past, LatentGoal(torch.zeros(1, 2)))
