"""The linear path: it finds linear dynamics, alone and beside a network, which learns apart from it."""

import torch

from armillary.model.dynamics.gru import GRUPredictor
from armillary.model.dynamics.linear import CombinedPredictor, LinearPredictor


def plant(clips: int, frames: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two latents that answer to two moments before and to the action, around a level."""
    random = torch.Generator().manual_seed(seed)
    z, actions = torch.randn(clips, frames, 2, generator=random), torch.randn(clips, frames - 1, 1, generator=random)
    for t in range(2, frames):
        z[:, t, 0] = 0.5 * z[:, t - 1, 0] - 0.3 * z[:, t - 2, 1] + actions[:, t - 1, 0] + 0.1
        z[:, t, 1] = 0.9 * z[:, t - 1, 1] + 0.2 * actions[:, t - 2, 0]
    return z, actions


def test_before_it_is_fitted_nothing_changes():
    z, actions = plant(3, 6)
    predictor = LinearPredictor(2, 1, context=3)
    torch.testing.assert_close(predictor(z[:, :-1], actions), z[:, :-1])


def test_it_finds_linear_dynamics_from_windows_in_any_number_of_parts():
    z, actions = plant(4000, 4)
    whole, parts = LinearPredictor(2, 1, context=2), LinearPredictor(2, 1, context=2)
    whole.fit([(z, actions)])
    parts.fit(zip(z.split(700), actions.split(700), strict=True))
    torch.testing.assert_close(parts.weight, whole.weight)
    new, done = plant(5, 20, seed=1)
    torch.testing.assert_close(whole(new[:, :-1], done)[:, 1:], new[:, 2:], atol=0.01, rtol=0.01)
    imagined = whole.rollout(new[:, :2], done[:, :1], done[:, 1:])
    torch.testing.assert_close(imagined, new[:, 2:], atol=0.02, rtol=0.02)


def test_where_it_knows_little_nothing_changes():
    z, actions = plant(1, 4)
    predictor = LinearPredictor(2, 1, context=2)
    predictor.fit([(0.01 * z, 0.01 * actions)])
    new, done = plant(5, 3, seed=1)
    torch.testing.assert_close(predictor(new[:, :-1], done), new[:, :-1], atol=0.01, rtol=0)


def test_a_network_beside_it_learns_alone_and_is_averaged_with_it():
    z, actions = plant(50, 5)
    torch.manual_seed(0)
    combined = CombinedPredictor(GRUPredictor(2, 1, 8, context=3), LinearPredictor(2, 1, context=3), 0.75)
    combined.fit([(z, actions)])
    z = z[:, :-1]
    wanted = 0.75 * combined.linear(z, actions) + 0.25 * combined.learned(z, actions)
    torch.testing.assert_close(combined(z, actions), wanted)
    assert {name.split(".")[0] for name, _ in combined.named_parameters()} == {"network"}
    assert {name for name in combined.state_dict() if name.startswith("linear")} == {"linear.weight", "linear.constant"}


def test_in_imagination_a_network_and_the_linear_path_go_on_from_their_own_predictions():
    z, actions = plant(50, 9)
    torch.manual_seed(0)
    combined = CombinedPredictor(GRUPredictor(2, 1, 8, context=3), LinearPredictor(2, 1, context=3), 0.75)
    combined.fit([(z, actions)])
    seen = z[:, :3], actions[:, :2], actions[:, 2:]
    wanted = 0.75 * combined.linear.rollout(*seen) + 0.25 * combined.network.rollout(*seen)
    torch.testing.assert_close(combined.rollout(*seen), wanted)
