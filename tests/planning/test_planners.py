"""Planners on dynamics that are known: do they reach, stay within bounds and the data's shape, and plan alike in any batch?"""

from dataclasses import replace

import pytest
import torch
from linear_model import LinearModel

from armillary.costs import Cost, LatentGoal
from armillary.errors import ArmillaryError
from armillary.goals import Goal
from armillary.imagination import Context, Rollout
from armillary.planning import CEM, ICEM, MPPI, GradientPlanner, Problem, RandomShooting, RandomStreams

PLANNERS = [
    CEM(horizon=5),
    ICEM(horizon=5),
    MPPI(horizon=5),
    GradientPlanner(horizon=5),
    RandomShooting(horizon=5, samples=500),
]
NAMES = ["cem", "icem", "mppi", "gradient", "shooting"]
BOX_OR_DISCRETE = [
    pytest.param(planner, discrete, id=f"{name}-{'discrete' if discrete else 'box'}")
    for planner, name in zip(PLANNERS, NAMES, strict=True)
    for discrete in (False, True)
    if not (discrete and planner.differentiates)
]


def problems(batch: int, model: LinearModel, seed: int = 0) -> Problem:
    """Points within the unit square, and goals that five blocks can reach."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.rand(batch, 1, 2, generator=generator)
    goal = z[:, 0] + 4 * torch.rand(batch, 2, generator=generator) - 2
    return Problem(Context(z, torch.zeros(batch, 0, model.actions.size)), Goal(goal))


class Everywhere(Cost):
    """A cost that is `value` where a sequence's first action goes east, and the distance to the goal elsewhere."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, rollout: Rollout, goal: Goal) -> torch.Tensor:
        return torch.where(rollout.actions[:, :, 0, 0] > 0, self.value, LatentGoal()(rollout, goal))


@pytest.mark.parametrize(("planner", "discrete"), BOX_OR_DISCRETE)
def test_a_plan_leads_to_the_goal(planner, discrete):
    model = LinearModel(discrete=discrete)
    problem = problems(20, model)
    plan = planner.plan(model, problem, LatentGoal())
    stay = (problem.context.z[:, 0] - problem.goal.z).norm(dim=-1)
    reached = (plan.latents[:, -1] - problem.goal.z).norm(dim=-1)
    assert reached.mean() < 0.5 * stay.mean()


def test_cem_beats_random_shooting_of_as_many_candidates():
    model = LinearModel(held=False)
    problem = problems(20, model)
    shot = RandomShooting(horizon=8, samples=500).plan(model, problem, LatentGoal())
    assert CEM(horizon=8).plan(model, problem, LatentGoal()).cost.mean() < 0.8 * shot.cost.mean()
    assert MPPI(horizon=8).plan(model, problem, LatentGoal()).cost.mean() < 0.8 * shot.cost.mean()


@pytest.mark.parametrize(("planner", "discrete"), BOX_OR_DISCRETE)
def test_the_plan_that_is_returned_is_the_plan_that_was_judged(planner, discrete):
    model = LinearModel(discrete=discrete, skip=3)
    problem = problems(4, model)
    plan = planner.plan(model, problem, LatentGoal())
    rollout = model.rollout(problem.context, plan.blocks[:, None])
    torch.testing.assert_close(rollout.z[:, 0], plan.latents)
    torch.testing.assert_close(LatentGoal()(rollout, problem.goal)[:, 0], plan.cost)
    if discrete:
        assert plan.actions.dtype == torch.int64
        assert plan.actions.shape == (4, 15)
        torch.testing.assert_close(torch.nn.functional.one_hot(plan.actions, 4).float().view(4, 5, 12), plan.blocks)
    else:
        assert plan.actions.shape == (4, 15, 2)
        assert plan.actions.abs().max() <= 1
        torch.testing.assert_close(plan.actions.reshape(4, 5, 6), plan.blocks)


@pytest.mark.parametrize("planner", PLANNERS, ids=NAMES)
def test_plans_from_held_actions_are_held(planner):
    model = LinearModel(skip=4, held=True)
    assert model.actions.dim == 2
    problem = problems(5, model)
    actions = planner.plan(model, problem, LatentGoal()).actions.unflatten(1, (5, 4))
    torch.testing.assert_close(actions, actions[:, :, :1].expand_as(actions))


@pytest.mark.parametrize(("planner", "discrete"), BOX_OR_DISCRETE)
def test_one_problem_or_sixteen_are_planned_alike(planner, discrete):
    model = LinearModel(discrete=discrete)
    problem = problems(16, model)
    together, alone = RandomStreams(3, range(16)), [RandomStreams(3, [i]) for i in range(16)]
    start = torch.randn(16, 4, model.actions.dim)
    for start in (None, start):  # noqa: B020  two decisions, so that streams must advance alike
        problem = replace(problem, start=start, streams=together)
        plan = planner.plan(model, problem, LatentGoal())
        for i in range(16):
            single = planner.plan(model, replace(problem.take([i]), streams=alone[i]), LatentGoal())
            torch.testing.assert_close(single.actions, plan.actions[i : i + 1], rtol=0, atol=1e-5)
            torch.testing.assert_close(single.latents, plan.latents[i : i + 1], rtol=0, atol=1e-5)


def test_streams_differ_by_problem_and_seed_and_advance():
    streams = RandomStreams(0, [7, 8])
    first, second = streams.normal(3, 2), streams.normal(3, 2)
    assert first.shape == (2, 3, 2)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert torch.equal(RandomStreams(0, [8]).normal(3, 2)[0], first[1])
    assert not torch.equal(RandomStreams(1, [7]).normal(3, 2)[0], first[0])
    again = RandomStreams(0, [7, 8])
    again.take([1]).normal(3, 2)
    assert torch.equal(again.normal(3, 2), torch.stack([first[0], second[1]]))
    again.restart(0, 7)
    assert torch.equal(again.normal(3, 2)[0], first[0])


def test_plans_repeat_without_streams_and_are_ordinary_tensors():
    model = LinearModel()
    problem = problems(2, model)
    one, two = (CEM().plan(model, problem, LatentGoal()) for _ in range(2))
    assert torch.equal(one.actions, two.actions)
    weight = torch.ones(2, requires_grad=True)
    (one.latents * weight).sum().backward()  # an inference tensor would refuse
    assert weight.grad is not None


def test_a_warm_start_is_searched_around():
    model = LinearModel()
    problem = problems(10, model)
    good = CEM(horizon=8).plan(model, problem, LatentGoal())
    start = model.actions.encode(good.blocks)
    narrow = CEM(iterations=1, samples=20, elites=5, sigma=0.05, horizon=8)
    warm, cold = (narrow.plan(model, replace(problem, start=s), LatentGoal()) for s in (start, None))
    assert (warm.cost <= good.cost + 1e-4).all()  # sample 0 is the start
    assert warm.cost.mean() < 0.5 * cold.cost.mean()
    part = narrow.plan(model, replace(problem, start=start[:, :3]), LatentGoal())
    torch.testing.assert_close(part.blocks[:, :3], good.blocks[:, :3], rtol=0, atol=0.2)
    assert part.blocks[:, 3:].abs().max() < 0.3  # beyond the start: the mean action, which is near zero


@pytest.mark.parametrize("planner", PLANNERS, ids=NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_futures_without_a_finite_cost_are_not_chosen(planner, value):
    model = LinearModel()
    context = problems(8, model).context
    east = Goal(context.z[:, 0] + torch.tensor([2.0, 0.0]))
    plan = planner.plan(model, Problem(context, east), Everywhere(value))
    assert (plan.blocks[:, 0, 0] <= 0).all()
    assert plan.cost.isfinite().all()


@pytest.mark.parametrize("planner", PLANNERS, ids=NAMES)
def test_no_finite_future_at_all_is_an_error_that_names_the_problem(planner):
    model = LinearModel()
    problem = problems(3, model)
    problem.goal.z[1] = torch.nan
    with pytest.raises(ArmillaryError, match=r"problems \[1\]"):
        planner.plan(model, problem, LatentGoal())


def test_shapes_that_do_not_fit_are_errors():
    model = LinearModel()
    problem = problems(3, model)
    with pytest.raises(ArmillaryError, match="2 random streams for 3 problems"):
        CEM().plan(model, replace(problem, streams=RandomStreams(0, range(2))), LatentGoal())
    for shape in ((3, 9, 2), (2, 8, 2), (3, 8, 4)):
        with pytest.raises(ArmillaryError, match=r"\(3, <= 8, 2\)"):
            CEM(horizon=8).plan(model, replace(problem, start=torch.zeros(shape)), LatentGoal())
    for shape in ((3, 9, 2), (3, 7, 2)):
        with pytest.raises(ArmillaryError, match=r"proposal .* \(3, 8, 2\)"):
            CEM(horizon=8).plan(model, replace(problem, proposal=torch.zeros(shape)), LatentGoal())
    with pytest.raises(ArmillaryError, match=r"shape \(3, 50, 8\); expected \(3, 50\)"):
        CEM(horizon=8, samples=50).plan(model, problem, lambda rollout, goal: rollout.z.sum(-1))


@pytest.mark.parametrize(
    ("planner", "settings"),
    [
        (CEM, {"elites": 101}),
        (CEM, {"elites": 0}),
        (CEM, {"horizon": 0}),
        (CEM, {"floor": 2.0}),
        (CEM, {"momentum": 1.0}),
        (ICEM, {"elites": 0}),
        (ICEM, {"beta": -1.0}),
        (ICEM, {"keep": 7}),
        (ICEM, {"decay": 0.9}),
        (GradientPlanner, {"rate": 0.0}),
        (GradientPlanner, {"iterations": 0}),
        (MPPI, {"temperature": 0.0}),
        (MPPI, {"samples": 0}),
        (RandomShooting, {"samples": 0}),
    ],
)
def test_settings_that_make_no_search_are_refused(planner, settings):
    with pytest.raises(ArmillaryError, match=f"{next(iter(settings))}={next(iter(settings.values()))}"):
        planner(**settings)


def test_a_plan_counts_what_it_imagined():
    model = LinearModel()
    problem = problems(2, model)
    assert CEM(samples=30, iterations=4, horizon=6).plan(model, problem, LatentGoal()).model_calls == (4 * 30 + 2) * 6
    assert RandomShooting(samples=50, horizon=8).plan(model, problem, LatentGoal()).model_calls == 51 * 8
    icem = ICEM(samples=60, iterations=4, elites=10, decay=2, horizon=6)  # never below twice the elites
    assert icem.plan(model, problem, LatentGoal()).model_calls == (60 + 30 + 20 + 20 + 2) * 6
    gradient = GradientPlanner(samples=5, iterations=3, horizon=6)
    assert gradient.plan(model, problem, LatentGoal()).model_calls == (3 * 5 + 6) * 6


@pytest.mark.parametrize("asked", [[(3, 4), (2,)], [(3, 4), (5,)], [(4, 3)]])
def test_drawing_ahead_changes_nothing(asked):
    plain, ready = RandomStreams(0, [7, 8]), RandomStreams(0, [7, 8])
    ready.draw_ahead([(3, 4), (2,)])
    ready.draw_ahead([(3, 4), (2,)])
    for shape in [*asked, (6,)]:
        assert torch.equal(plain.normal(*shape), ready.normal(*shape))
    ready.draw_ahead([(2,)])
    for streams in (plain, ready):
        streams.restart(0, 9)
    assert torch.equal(plain.normal(2), ready.normal(2))
