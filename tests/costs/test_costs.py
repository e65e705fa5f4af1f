"""Costs: values by hand, sums with weights, shapes that do not fit."""

import pytest
import torch
from linear_model import LinearModel

from armillary.costs import Cost, CriticGoal, Effort, LatentGoal, goal_cost
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.goals import Goal, goal_of
from armillary.imagination import Context, Rollout
from armillary.objectives.contrast import TemporalContrast
from armillary.objectives.critic import TemporalDistance


class Constant(Cost):
    """The same number for every future."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, rollout: Rollout, goal: Goal) -> torch.Tensor:
        return torch.full(rollout.z.shape[:2], self.value)


def imagined(z: torch.Tensor, actions: torch.Tensor) -> Rollout:
    """A rollout from nowhere."""
    return Rollout(Context(z[:, 0, :1], actions[:, 0, :0]), actions, z)


@pytest.fixture
def rollout() -> Rollout:
    generator = torch.Generator().manual_seed(0)
    return imagined(torch.randn(3, 5, 4, 2, generator=generator), torch.randn(3, 5, 4, 6, generator=generator))


def test_latent_goal_averages_over_dimensions_and_sums_over_steps(rollout):
    z, goal = rollout.z, torch.randn(3, 2)
    by_hand = sum(((z[1, 2, step] - goal[1]) ** 2).mean() for step in range(4))
    assert LatentGoal()(rollout, Goal(goal))[1, 2] == pytest.approx(by_hand.item(), rel=1e-5)
    last = ((z[1, 2, 3] - goal[1]) ** 2).mean()
    assert LatentGoal(reduce="last")(rollout, Goal(goal))[1, 2] == pytest.approx(last.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["latent", "critic"])
@pytest.mark.parametrize("reduce", ["sum", "last"])
def test_one_goal_serves_all_problems(rollout, kind, reduce):
    goal = Goal(torch.randn(1, 2))
    cost = LatentGoal(reduce) if kind == "latent" else CriticGoal(TemporalDistance(2), reduce)
    torch.testing.assert_close(cost(rollout, goal), cost(rollout, Goal(goal.z.expand(3, 2))))
    torch.testing.assert_close(cost(rollout.take([2, 0]), goal.take([2, 0])), cost(rollout, goal)[[2, 0]])


def test_critic_goal_sums_the_steps_that_the_critic_tells(rollout):
    z, critic, goal = rollout.z, TemporalDistance(2), torch.randn(3, 2)
    by_hand = sum(critic(z[1, 2, step], goal[1]) for step in range(4))
    assert CriticGoal(critic)(rollout, Goal(goal))[1, 2].item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert CriticGoal(critic, "last")(rollout, Goal(goal))[1, 2].item() == pytest.approx(critic(z[1, 2, 3], goal[1]).item())


def test_effort_is_one_on_actions_like_the_recorded_ones():
    blocks = LinearModel(held=False).actions
    actions = blocks.mean + blocks.std * torch.randn(1, 2000, 3, blocks.size)
    goal = Goal(torch.zeros(1, 2))
    effort = Effort(blocks)(imagined(torch.zeros(1, 2000, 3, 2), actions), goal)
    assert effort.mean().item() == pytest.approx(1.0, abs=0.05)
    assert Effort(blocks)(imagined(torch.zeros(1, 1, 3, 2), blocks.mean.expand(1, 1, 3, -1)), goal).item() == 0


def test_costs_add_up_with_weights(rollout):
    a, b = Constant(2.0), Constant(3.0)
    for cost, value in (
        (2.0 * a + b, 7.0),
        (a * 2 + b * 0.5, 5.5),
        (2 * (a + 3 * b), 22.0),
        (sum([a, b, b]), 8.0),
        (sum([a]), 2.0),
    ):
        assert isinstance(cost, Cost)
        assert (cost(rollout, Goal(torch.zeros(1, 2))) == value).all()
    assert len((2 * (a + 3 * b) + a).terms) == 3


def test_what_is_no_cost_is_refused(rollout):
    with pytest.raises(TypeError):
        Constant(1.0) + 1.0
    with pytest.raises(TypeError):
        Constant(1.0) * "two"
    with pytest.raises(ArmillaryError, match="finite number, not nan"):
        Constant(1.0) * float("nan")


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2,), (3, 1, 2)])
def test_goals_that_do_not_fit_name_both_shapes(rollout, shape):
    for cost in (LatentGoal(), CriticGoal(TemporalDistance(2))):
        with pytest.raises(ArmillaryError, match=r"\(3, 5, 4, 2\)") as error:
            cost(rollout, Goal(torch.zeros(shape)))
        assert str(shape) in str(error.value)


def test_unknown_reduction_is_refused(rollout):
    with pytest.raises((ArmillaryError, TypeError), match="'mean'"):  # TypeError where types are checked at run time
        LatentGoal(reduce="mean")(rollout, Goal(torch.zeros(1, 2)))


def test_a_goal_is_what_is_seen_there_encoded():
    model, seen = LinearModel(), torch.randn(3, 2, dtype=torch.float64).numpy()
    assert torch.equal(goal_of(model, {"position": seen, "unread": seen}).z, torch.as_tensor(seen).float())
    with pytest.raises(SpecMismatch, match="'position'"):
        goal_of(model, {"position": seen[:, :1]})
    with pytest.raises(SpecMismatch, match="'position'"):
        goal_of(model, {"image": seen})


def test_distances_add_up_as_costs_do():
    critic, (a, b) = TemporalDistance(2), torch.randn(2, 3, 2)
    assert torch.equal(LatentGoal().distance(a, b), (a - b).square().mean(-1))
    assert torch.equal(CriticGoal(critic).distance(a, b), critic(a, b))
    both = 2 * LatentGoal() + CriticGoal(critic) + 0.1 * Effort(LinearModel().actions)
    torch.testing.assert_close(both.distance(a, b), 2 * LatentGoal().distance(a, b) + critic(a, b))
    assert torch.equal(both.embed(a), torch.cat([a, critic.embed(a)], -1))
    for cost in (Constant(1.0), Constant(1.0) + Constant(2.0)):
        for measure in (lambda cost: cost.distance(a, b), lambda cost: cost.embed(a)):
            with pytest.raises(ArmillaryError, match="does not say how far apart"):
                measure(cost)


def test_a_model_has_the_cost_that_it_learned():
    model = LinearModel()
    assert isinstance(goal_cost(model), LatentGoal)
    with pytest.raises(ArmillaryError, match="costs auto, latent; got 'critic'; train a model with it"):
        goal_cost(model, "critic")
    contrast = model.terms["contrast"] = TemporalContrast(2)
    assert goal_cost(model).critic is contrast
    critic = model.add_term("critic")
    assert goal_cost(model).critic is goal_cost(model, "critic").critic is critic
    assert goal_cost(model, "contrast").critic is contrast
    assert isinstance(goal_cost(model, "latent"), LatentGoal)
    with pytest.raises((ArmillaryError, TypeError), match="'value'"):  # TypeError where types are checked at run time
        goal_cost(model, "value")
