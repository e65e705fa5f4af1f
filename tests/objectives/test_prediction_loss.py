import torch
from torch import nn

from armillary.dynamics.predictor import Predictor
from armillary.objectives.prediction import one_step, rollout


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


def test_gradients_reach_what_foretells_and_what_is_foretold():
    for objective in (one_step, rollout):
        z, actions = world(5)
        z.requires_grad_()
        predictor = Adder(0.9)
        objective(predictor, z, actions).sum().backward()
        assert predictor.gain.grad.abs() > 0
        assert (z.grad[:, -1].abs() > 0).all()
        assert (z.grad[:, 1].abs() > 0).all()
