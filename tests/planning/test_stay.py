"""An agent that has arrived stays; until then the other planner has its way."""

from dataclasses import replace

import pytest
import torch
from linear_model import LinearModel

from armillary.costs import LatentGoal
from armillary.errors import ArmillaryError
from armillary.goals import Goal
from armillary.imagination import Context
from armillary.planning import CEM, Problem, RandomStreams, StayAtGoal

CLOSE = CEM(horizon=3, samples=16, iterations=2, elites=3)


def problems(*places: tuple[float, float], model: LinearModel) -> Problem:
    context = Context(torch.tensor(places)[:, None], torch.zeros(len(places), 0, model.actions.size))
    return Problem(context, Goal(torch.tensor([[3.0, 3.0]])))


def test_it_stays_where_the_goal_is_near_and_else_does_as_the_other():
    model, places = LinearModel(), ((3.1, 3.0), (-2.0, 0.0))
    problem = problems(*places, model=model)
    plan = StayAtGoal(refine=CLOSE, goal_radius=0.05).plan(model, problem, LatentGoal())
    assert (plan.actions[0] == 0).all()
    assert (plan.blocks[0] == 0).all()
    torch.testing.assert_close(plan.latents[0], torch.tensor(places[:1]).expand(3, -1))  # where nothing is done, it stays
    torch.testing.assert_close(plan.cost[0], torch.tensor(3 * 0.005))
    other = CLOSE.plan(model, problem, LatentGoal())
    for name in ("actions", "blocks", "latents", "cost"):
        torch.testing.assert_close(getattr(plan, name)[1], getattr(other, name)[1])
    assert StayAtGoal(refine=CLOSE).horizon == 3


def test_far_from_the_goal_what_is_proposed_stands():
    model, places = LinearModel(), ((2.0, 3.0), (-2.0, 0.0))
    problem, proposal = problems(*places, model=model), torch.full((2, 3, model.actions.dim), 0.3)
    planner = StayAtGoal(refine=CLOSE, goal_radius=0.05, habit_beyond=2.0)
    plan = planner.plan(model, replace(problem, proposal=proposal), LatentGoal())
    torch.testing.assert_close(plan.blocks[1], model.actions.decode(proposal)[1])
    torch.testing.assert_close(plan.actions[1], plan.blocks[1].unflatten(-1, (-1, 2)).flatten(0, 1))
    assert (plan.blocks[0] != model.actions.decode(proposal)[0]).any()
    searched = planner.plan(model, replace(problem, start=proposal), LatentGoal())  # a plan of its own is not a proposal
    assert (searched.blocks[1] != plan.blocks[1]).any()


def test_a_problem_has_its_plan_whatever_else_is_planned():
    model, places = LinearModel(), ((3.1, 3.0), (-2.0, 0.0))
    problem, planner = problems(*places, model=model), StayAtGoal(refine=CLOSE, goal_radius=0.05)
    together = planner.plan(model, replace(problem, streams=RandomStreams(0, range(2))), LatentGoal())
    alone = planner.plan(model, replace(problem.take([1]), streams=RandomStreams(0, [1])), LatentGoal())
    torch.testing.assert_close(together.actions[1:], alone.actions)


def test_among_choices_there_is_no_staying():
    model = LinearModel(discrete=True)
    with pytest.raises(ArmillaryError, match="plan without StayAtGoal"):
        StayAtGoal(refine=CLOSE).plan(model, problems((0.0, 0.0), model=model), LatentGoal())
