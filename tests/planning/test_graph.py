"""Graph search on dynamics that are known: the way round a wall that no sampled sequence finds."""

from dataclasses import replace

import pytest
import torch
from linear_model import Displacement, LinearModel

from armillary.costs import CriticGoal, Effort, LatentGoal
from armillary.errors import ArmillaryError
from armillary.goals import Goal
from armillary.imagination import Context
from armillary.planning import CEM, Problem, RandomStreams
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


def problem(*places: tuple[float, float], goal: tuple[float, float], model: LinearModel) -> Problem:
    context = Context(torch.tensor(places)[:, None], torch.zeros(len(places), 0, model.actions.size))
    return Problem(context, Goal(torch.tensor([goal])))


def arrives(planner, model: LinearModel, start: tuple[float, float], goal: tuple[float, float], steps: int) -> bool:
    now = problem(start, goal=goal, model=model)
    for _ in range(steps):
        plan = planner.plan(model, now, LatentGoal())
        now = replace(now, context=Context(plan.latents[:, :1], now.context.actions))
    return bool((now.context.z[0, 0] - torch.tensor(goal)).norm() < 0.7)


def test_it_goes_away_from_the_goal_to_get_there():
    model = trapped()
    assert arrives(PLANNER, model, (-2.0, -6.0), (2.0, -6.0), steps=30)
    assert not arrives(CEM(horizon=4), model, (-2.0, -6.0), (2.0, -6.0), steps=30)


def test_near_goals_are_left_to_the_other_planner():
    model = trapped()
    plan = PLANNER.plan(model, problem((2.0, 2.0), goal=(3.0, 3.0), model=model), LatentGoal())
    assert plan.cost < 0.5
    assert plan.actions.shape == (1, PLANNER.horizon * model.config.skip, 2)
    assert plan.model_calls > PLANNER.refine.samples * PLANNER.horizon


def test_a_problem_has_its_plan_whatever_else_is_planned():
    model, goals = trapped(), Goal(torch.tensor([[2.0, -6.0], [-3.0, -5.0]]))
    pair = replace(problem((-2.0, -6.0), (-2.0, -6.0), goal=(0.0, 0.0), model=model), goal=goals)
    both = PLANNER.plan(model, replace(pair, streams=RandomStreams(0, [5, 6])), LatentGoal())
    alone = PLANNER.plan(model, replace(pair.take([1]), streams=RandomStreams(0, [6])), LatentGoal())
    torch.testing.assert_close(both.blocks[1:], alone.blocks)
    assert both.cost.shape == (2,)


def test_where_nothing_moves_there_is_one_place():
    model = trapped()
    model.predictor.forward = lambda z, actions: z.clone()
    plan = PLANNER.plan(model, problem((1.0, 1.0), goal=(5.0, 5.0), model=model), LatentGoal())
    torch.testing.assert_close(plan.latents, torch.ones(1, 4, 2))


def test_it_searches_no_further_than_to_a_place_that_is_cheap_enough():
    model, now = trapped(), problem((-2.0, -6.0), goal=(2.0, -6.0), model=trapped())
    planners = [replace(PLANNER, goal_radius=radius) for radius in (0.0, 1.0, 100.0)]
    calls = [planner.plan(model, now, LatentGoal()).model_calls for planner in planners]
    assert calls[0] > calls[1] > calls[2]
    assert calls[2] < PLANNER.actions + 2000
    assert planners[1].plan(model, now, LatentGoal()).latents[0, -1, 1] > -6 + 4  # up, towards the opening


def test_the_cost_says_how_far_apart_places_are():
    """A critic that does not see y takes all places above each other for one, so that the opening is not found."""
    model, now = trapped(), problem((-2.0, -6.0), goal=(-2.0, 8.0), model=trapped())
    critic = model.add_term("critic")
    critic.embed = lambda z: z[..., :1]
    calls = [PLANNER.plan(model, now, cost).model_calls for cost in (LatentGoal(), CriticGoal(critic))]
    assert calls[1] < calls[0] / 2
    with pytest.raises(ArmillaryError, match="Effort does not say how far apart"):
        PLANNER.plan(model, now, Effort(model.actions))


def test_settings_and_models_that_do_not_fit():
    with pytest.raises(ArmillaryError, match="a graph search needs"):
        replace(PLANNER, places=0)
    model = LinearModel(context=2)
    past = Problem(Context(torch.zeros(1, 2, 2), torch.zeros(1, 1, model.actions.size)), Goal(torch.zeros(1, 2)))
    with pytest.raises(ArmillaryError, match="context 1, and this one looks back on 2"):
        PLANNER.plan(model, past, LatentGoal())
