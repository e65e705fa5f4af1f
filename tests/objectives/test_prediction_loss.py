import pytest
import torch
from torch import nn

from armillary.model.actions import ActionBlocks
from armillary.model.dynamics.predictor import Predictor
from armillary.objectives.prediction import foreseen, offset, one_step, rollout
from armillary.spec import ActionSpace


class Adder(Predictor):
    """z + gain * (sum of the last two actions): a context of two, and an error that grows in open loop where gain is off."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.context, self.gain = 2, nn.Parameter(torch.tensor(gain))

    def forward(self, z: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        before = torch.cat([torch.zeros_like(actions[:, :1]), actions[:, :-1]], 1)
        return z + self.gain * (actions + before)


def world(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    actions = torch.rand(3, frames - 1, 1, generator=torch.Generator().manual_seed(0)) + 0.5
    z = [torch.zeros(3, 1)]
    for step in range(frames - 1):
        z.append(z[-1] + actions[:, step] + (actions[:, step - 1] if step else 0))
    return torch.stack(z, 1), actions


def test_the_truth_has_no_error():
    z, actions = world(6)
    assert one_step(Adder(1.0), z, actions).abs().max() < 1e-10
    imagined = rollout(Adder(1.0), z, actions)
    assert imagined.shape == (3, 4, 1)  # two frames are the context
    assert imagined.abs().max() < 1e-10


def test_errors_add_up_in_open_loop_alone():
    z, actions = world(8)
    moved = (z[:, 1:] - z[:, :-1])[..., 0]
    torch.testing.assert_close(one_step(Adder(0.9), z, actions)[..., 0], (0.1 * moved).square())
    torch.testing.assert_close(rollout(Adder(0.9), z, actions)[..., 0], (0.1 * moved[:, 1:].cumsum(1)).square())


class Seer(Predictor):
    """Foresees that nothing changes, one step and three steps ahead."""

    horizons = 1, 3

    def foresee(self, z: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return z, z


def test_what_was_foreseen_of_a_latent_counts_from_all_horizons():
    z, actions = torch.tensor([0.0, 1, 3, 6, 10]).view(1, 5, 1), torch.zeros(1, 4, 0)
    errors = foreseen(Seer(), z, actions)
    assert (2 * errors).flatten().tolist() == [1, 4, 9 + 36, 16 + 81]
    assert (2 * foreseen(Seer(), z[:, :3], actions[:, :2])).flatten().tolist() == [1, 4]  # too short for three steps
    steps = world(6)
    torch.testing.assert_close(foreseen(Adder(0.9), *steps), one_step(Adder(0.9), *steps))


def test_gradients_reach_what_predicts_and_what_is_predicted():
    for objective in (one_step, foreseen, rollout):
        z, actions = world(5)
        z.requires_grad_()
        predictor = Adder(0.9)
        objective(predictor, z, actions).sum().backward()
        assert predictor.gain.grad.abs() > 0
        assert (z.grad[:, -1].abs() > 0).all()
        assert (z.grad[:, 1].abs() > 0).all()


@pytest.mark.parametrize(("space", "moved"), [(ActionSpace("box", 2), True), (ActionSpace("discrete", 2), False)])
def test_an_offset_is_one_constant_for_a_clip_and_leaves_every_change_as_it_was(space, moved):
    random = torch.Generator().manual_seed(0)
    z = torch.randn(50, 5, 3, generator=random) * torch.tensor([1.0, 10.0, 0.1])
    actions = torch.randn(50, 4, 6, generator=random)
    other, others = offset(z, actions, ActionBlocks(space, 3), 0.5, random)
    torch.testing.assert_close(other.diff(dim=1), z.diff(dim=1))
    torch.testing.assert_close((other - z)[:, 0].std(0), 0.5 * z.std((0, 1)), rtol=0.3, atol=0)
    added = (others - actions).unflatten(-1, (3, 2))
    assert bool(added.abs().max() > 0) is moved
    torch.testing.assert_close(added, added[:, :1, :1].expand_as(added))
