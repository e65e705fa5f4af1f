"""An agent that has arrived stays; until then the other planner has its way."""

import pytest
import torch
from linear_model import LinearModel

from armillary.costs import LatentGoal
from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.planning import CEM, Arrive, RandomStreams

CLOSE = CEM(horizon=3, samples=16, iterations=2, elites=3)


def context(*places: tuple[float, float], model: LinearModel) -> Context:
    return Context(torch.tensor(places)[:, None], torch.zeros(len(places), 0, model.actions.size))


def test_it_stays_where_the_goal_is_near_and_else_does_as_the_other():
    model, places = LinearModel(), ((3.1, 3.0), (-2.0, 0.0))
    goal = LatentGoal(torch.tensor([[3.0, 3.0]]))
    plan = Arrive(refine=CLOSE, within=0.05).plan(model, context(*places, model=model), goal)
    assert (plan.actions[0] == 0).all()
    assert (plan.blocks[0] == 0).all()
    torch.testing.assert_close(plan.latents[0], torch.tensor(places[:1]).expand(3, -1))  # where nothing is done, it stays
    torch.testing.assert_close(plan.cost[0], torch.tensor(3 * 0.005))
    other = CLOSE.plan(model, context(*places, model=model), goal)
    for name in ("actions", "blocks", "latents", "cost"):
        torch.testing.assert_close(getattr(plan, name)[1], getattr(other, name)[1])
    assert Arrive(refine=CLOSE).horizon == 3


def test_far_from_the_goal_what_is_proposed_stands():
    model, places = LinearModel(), ((2.0, 3.0), (-2.0, 0.0))
    goal, start = LatentGoal(torch.tensor([[3.0, 3.0]])), torch.full((2, 3, model.actions.dim), 0.3)
    plan = Arrive(refine=CLOSE, within=0.05, trust=2.0).plan(model, context(*places, model=model), goal, start=start)
    torch.testing.assert_close(plan.blocks[1], model.actions.decode(start)[1])
    torch.testing.assert_close(plan.actions[1], plan.blocks[1].unflatten(-1, (-1, 2)).flatten(0, 1))
    assert (plan.blocks[0] != model.actions.decode(start)[0]).any()


def test_a_problem_has_its_plan_whatever_else_is_planned():
    model, places = LinearModel(), ((3.1, 3.0), (-2.0, 0.0))
    goal, planner = LatentGoal(torch.tensor([[3.0, 3.0]])), Arrive(refine=CLOSE, within=0.05)
    together = planner.plan(model, context(*places, model=model), goal, streams=RandomStreams(0, range(2)))
    alone = planner.plan(model, context(places[1], model=model), goal, streams=RandomStreams(0, [1]))
    torch.testing.assert_close(together.actions[1:], alone.actions)


def test_among_choices_there_is_no_staying():
    model = LinearModel(discrete=True)
    with pytest.raises(ArmillaryError, match="plan without Arrive"):
        Arrive(refine=CLOSE).plan(model, context((0.0, 0.0), model=model), LatentGoal(torch.zeros(1, 2)))
