"""The gradient planner: does it descend, keep what is best, leave parameters alone, and refuse what has no gradient?"""

from dataclasses import replace

import pytest
import torch
from linear_model import LinearModel

from armillary.acting.agent import Agent
from armillary.costs import CriticGoal, LatentGoal
from armillary.errors import ArmillaryError
from armillary.goals import Goal
from armillary.imagination import Context, Rollout
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, GradientPlanner, Problem


def problems(batch: int, model: WorldModel, steps: int = 1) -> Problem:
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(batch, steps, 2, generator=generator)
    goal = z[:, -1] + 4 * torch.rand(batch, 2, generator=generator) - 2
    return Problem(Context(z, torch.zeros(batch, steps - 1, model.actions.size)), Goal(goal))


def test_it_comes_closer_to_the_optimum_than_sampling_does():
    model = LinearModel()
    problem = problems(20, model)
    cem = CEM(horizon=5).plan(model, problem, LatentGoal())
    fine = GradientPlanner(horizon=5, samples=4, iterations=60, rate=0.1).plan(model, problem, LatentGoal())
    assert (fine.cost < cem.cost + 1e-3).all()
    # Straight there at full speed (two actions of at most 1 a block), and then no motion.
    way = (problem.goal.z - problem.context.z[:, 0]).abs()
    best = sum(way.sub(2 * step).clamp(min=0).square().mean(-1) for step in range(1, 6))
    torch.testing.assert_close(fine.cost, best, rtol=0, atol=0.05)


def test_restarts_find_the_valley_that_the_start_does_not_lie_in():
    model = LinearModel()
    problem = Problem(Context(torch.zeros(8, 1, 2), torch.zeros(8, 0, model.actions.size)), Goal(torch.zeros(1, 2)))

    def valleys(rollout: Rollout, goal: Goal) -> torch.Tensor:
        """A deep one to the west and a shallow one to the east; the start is on the eastern slope."""
        x = rollout.z[:, :, -1, 0]
        return torch.minimum((x - 1).square(), (x + 2).square() - 1)

    one = GradientPlanner(samples=1, rate=0.02).plan(model, problem, valleys)
    many = GradientPlanner(samples=16, rate=0.02).plan(model, problem, valleys)
    torch.testing.assert_close(one.cost, torch.zeros(8), rtol=0, atol=0.05)
    torch.testing.assert_close(many.cost, -torch.ones(8), rtol=0, atol=0.05)


def test_the_best_that_was_seen_is_kept():
    model = LinearModel()
    problem = problems(10, model)
    good = CEM(horizon=5, iterations=10).plan(model, problem, LatentGoal())
    wild = GradientPlanner(horizon=5, rate=50.0).plan(
        model, replace(problem, start=model.actions.encode(good.blocks)), LatentGoal()
    )
    assert (wild.cost <= good.cost + 1e-5).all()


@pytest.mark.parametrize("predictor", ["mlp", "gru", "transformer"])
def test_parameters_collect_no_gradients(predictor):
    model = LinearModel()
    config = ModelConfig(latent=2, skip=2, predictor=predictor, context=1 if predictor == "mlp" else 3, predictor_depth=1)
    learned = WorldModel(model.spec, config).eval()
    learned.actions = model.actions
    critic = learned.add_term("critic")
    problem = problems(3, learned, config.context)
    with torch.no_grad():
        plan = GradientPlanner(samples=4, iterations=3).plan(learned, problem, CriticGoal(critic))
    assert all(p.grad is None and p.requires_grad for p in learned.parameters())
    assert not any(x.requires_grad or x.is_inference() for x in (plan.actions, plan.blocks, plan.latents, plan.cost))


def test_a_forbidden_region_does_not_poison_the_search():
    model = LinearModel()
    problem = problems(10, model)

    def fenced(rollout: Rollout, goal: Goal) -> torch.Tensor:
        """The square root's slope at 0 is infinite, and beyond there is no number at all."""
        return LatentGoal()(rollout, goal) + 0 * (rollout.z[:, :, 0, 0] - rollout.context.z[:, :, 0]).clamp(max=1).sqrt()

    plan = GradientPlanner().plan(model, problem, fenced)
    assert plan.cost.isfinite().all()
    assert (plan.latents[:, 0, 0] >= problem.context.z[:, 0, 0]).all()
    free = GradientPlanner().plan(model, problem, LatentGoal())
    east = problem.goal.z[:, 0] > problem.context.z[:, 0, 0] + 0.5
    assert plan.cost[east].mean() < 1.5 * free.cost[east].mean() + 0.1


def test_an_agent_acts_by_it():
    agent = Agent(LinearModel(), GradientPlanner(horizon=3))
    position, goal = torch.zeros(2, 2).numpy(), torch.tensor([[0.5, -0.5], [2.0, 3.0]])
    agent.start(range(2), {"position": goal.numpy()})
    for _ in range(6):
        position = position + agent.act({"position": position}).values
    torch.testing.assert_close(torch.as_tensor(position), goal, rtol=0, atol=0.1)


def test_what_has_no_gradient_is_refused():
    model, planner = LinearModel(), GradientPlanner()
    problem = problems(2, model)
    discrete = LinearModel(discrete=True)
    choices = problems(2, discrete)
    with pytest.raises(ArmillaryError, match="4 choices; plan with CEM"):
        planner.plan(discrete, choices, LatentGoal())
    weight = torch.ones(2, 16, requires_grad=True)
    for cost in (lambda rollout, goal: rollout.z.detach().sum((-2, -1)), lambda rollout, goal: 2 * weight):
        with pytest.raises(ArmillaryError, match="the cost has no gradient"):
            planner.plan(model, problem, cost)
    with torch.inference_mode():
        problem = replace(problem, context=Context(problem.context.z.clone(), problem.context.actions))
    with pytest.raises(ArmillaryError, match="made in torch"):
        planner.plan(model, problem, LatentGoal())
