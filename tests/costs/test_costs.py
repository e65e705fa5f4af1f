"""Costs: values by hand, sums with weights, shapes that do not fit."""

import pytest
import torch
from linear_model import LinearModel

from armillary.costs import Cost, CriticGoal, Effort, LatentGoal, image_goal
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.objectives.temporal import TemporalDistance


class Constant(Cost):
    """The same number for every future."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, z: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.full(z.shape[:2], self.value)


@pytest.fixture
def rollout() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 4, 2, generator=generator), torch.randn(3, 5, 4, 6, generator=generator)


def test_latent_goal_averages_over_dimensions_and_sums_over_steps(rollout):
    z, actions = rollout
    goal = torch.randn(3, 2)
    by_hand = sum(((z[1, 2, step] - goal[1]) ** 2).mean() for step in range(4))
    assert LatentGoal(goal)(z, actions)[1, 2] == pytest.approx(by_hand.item(), rel=1e-5)
    last = ((z[1, 2, 3] - goal[1]) ** 2).mean()
    assert LatentGoal(goal, reduce="last")(z, actions)[1, 2] == pytest.approx(last.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["latent", "critic"])
@pytest.mark.parametrize("reduce", ["sum", "last"])
def test_one_goal_serves_all_problems(rollout, kind, reduce):
    z, actions = rollout
    goal = torch.randn(1, 2)
    make = LatentGoal if kind == "latent" else lambda g, r: CriticGoal(lambda a, b: (a - b).norm(dim=-1), g, r)
    torch.testing.assert_close(make(goal, reduce)(z, actions), make(goal.expand(3, 2), reduce)(z, actions))


def test_critic_goal_sums_the_steps_that_the_critic_tells(rollout):
    z, actions = rollout
    critic, goal = TemporalDistance(2), torch.randn(3, 2)
    by_hand = sum(critic(z[1, 2, step], goal[1]) for step in range(4))
    assert CriticGoal(critic, goal)(z, actions)[1, 2].item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert CriticGoal(critic, goal, "last")(z, actions)[1, 2].item() == pytest.approx(critic(z[1, 2, 3], goal[1]).item())


def test_effort_is_one_on_actions_like_the_recorded_ones():
    blocks = LinearModel(held=False).blocks
    actions = blocks.mean + blocks.std * torch.randn(1, 2000, 3, blocks.size)
    effort = Effort(blocks)(torch.zeros(1, 2000, 3, 2), actions)
    assert effort.mean().item() == pytest.approx(1.0, abs=0.05)
    assert Effort(blocks)(torch.zeros(1, 1, 3, 2), blocks.mean.expand(1, 1, 3, -1)).item() == 0


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
        assert (cost(*rollout) == value).all()
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
    for cost in (LatentGoal(torch.zeros(shape)), CriticGoal(TemporalDistance(2), torch.zeros(shape))):
        with pytest.raises(ArmillaryError, match=r"\(3, 5, 4, 2\)") as error:
            cost(*rollout)
        assert str(shape) in str(error.value)


def test_unknown_reduction_is_refused(rollout):
    with pytest.raises((ArmillaryError, TypeError), match="'mean'"):  # TypeError where types are checked at run time
        LatentGoal(torch.zeros(1, 2), reduce="mean")(*rollout)


def test_image_goal_encodes_what_is_seen_at_the_goal(rollout):
    model = LinearModel()
    seen = torch.randn(3, 2, dtype=torch.float64).numpy()
    cost = image_goal(model, {"position": seen, "unread": seen})
    torch.testing.assert_close(cost(*rollout), LatentGoal(torch.as_tensor(seen).float())(*rollout))
    with pytest.raises(SpecMismatch, match="'position'"):
        image_goal(model, {"position": seen[:, :1]})
    with pytest.raises(SpecMismatch, match="'position'"):
        image_goal(model, {"image": seen})
