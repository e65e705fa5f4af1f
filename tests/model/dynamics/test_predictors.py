"""Predictors: causal, consistent between one step and imagination, and each candidate by itself."""

import pytest
import torch
from small_models import shake
from torch import nn

from armillary.model.attention import Block
from armillary.model.dynamics.gru import GRUPredictor
from armillary.model.dynamics.linear import CombinedPredictor, LinearPredictor
from armillary.model.dynamics.map import MapPredictor
from armillary.model.dynamics.mlp import FEW, MLPPredictor
from armillary.model.dynamics.transformer import TransformerPredictor

LATENT, ACTION, FRAMES = 6, 4, 7
KINDS = ("mlp", "gru", "transformer", "transformer with a head", "linear", "combined")
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def predictor(kind: str) -> nn.Module:
    torch.manual_seed(0)
    made = {
        "mlp": lambda: MLPPredictor(LATENT, ACTION, 16),
        "gru": lambda: GRUPredictor(LATENT, ACTION, 16, context=3),
        "transformer": lambda: TransformerPredictor(LATENT, ACTION, depth=2, heads=2, hidden=16, context=3, head=0),
        "transformer with a head": lambda: TransformerPredictor(
            LATENT, ACTION, depth=2, heads=2, hidden=16, context=3, head=16
        ),
        "linear": lambda: LinearPredictor(LATENT, ACTION, context=3),
        "combined": lambda: CombinedPredictor(
            GRUPredictor(LATENT, ACTION, 16, context=3), LinearPredictor(LATENT, ACTION, context=3), 0.75
        ),
    }[kind]()
    shake(made)
    for part in made.modules():
        if isinstance(part, LinearPredictor):
            part.weight += 0.2 * torch.randn_like(part.weight)
    return made.eval()


def clip(batch: int = 3, frames: int = FRAMES, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(batch, frames, LATENT, generator=random), torch.randn(batch, frames, ACTION, generator=random)


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_changes_nothing_before_it_and_the_present_does(kind):
    model, (z, actions) = predictor(kind), clip()
    predicted = model(z, actions)
    for step in range(FRAMES):
        for changed in (0, 1):
            moved = [z.clone(), actions.clone()]
            moved[changed][:, step, ::2] += 1  # a shift of all alike would be lost in LayerNorm
            after = model(*moved)
            torch.testing.assert_close(after[:, :step], predicted[:, :step], **CLOSE)
            assert (after[:, step] - predicted[:, step]).abs().max() > 1e-3


def test_a_state_foresees_by_a_head_for_each_horizon_the_first_of_which_is_the_prediction():
    model, (z, actions) = GRUPredictor(LATENT, ACTION, 16, ahead=(3, 6)), clip()
    shake(model)
    following, *later = model.foresee(z, actions)
    torch.testing.assert_close(following, model(z, actions))
    assert (model.horizons, len(later), predictor("mlp").horizons) == ((1, 3, 6), 2, (1,))
    assert (later[0] - later[1]).abs().min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_one_imagined_step_is_the_prediction_at_the_last_step_of_any_context(kind):
    model, (z, actions) = predictor(kind), clip()
    for length in range(1, model.context + 1):
        seen, done = z[:, :length], actions[:, :length]
        imagined = model.rollout(seen, done[:, :-1], done[:, -1:])
        torch.testing.assert_close(imagined[:, 0], model(seen, done)[:, -1], **CLOSE)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "combined"])  # whose paths imagine each by itself
def test_imagination_is_prediction_after_prediction(kind):
    """Each imagined latent takes the place of a seen one in the window that predicts the next."""
    model, (z, actions) = predictor(kind), clip()
    context = model.context
    imagined = model.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
    lived = list(z[:, :context].unbind(1))
    for step in range(context - 1, FRAMES):
        # A GRU carries its state on; the others see a window.
        first = 0 if kind == "gru" else step + 1 - context
        lived.append(model(torch.stack(lived[first:], 1), actions[:, first : step + 1])[:, -1])
    torch.testing.assert_close(imagined, torch.stack(lived[context:], 1), **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_batch_have_nothing_to_do_with_each_other(kind):
    model, (z, actions) = predictor(kind), clip()
    context = model.context
    together = model(z, actions), model.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
    for i in range(len(z)):
        one, done = z[i : i + 1], actions[i : i + 1]
        alone = model(one, done), model.rollout(one[:, :context], done[:, : context - 1], done[:, context - 1 :])
        for of_batch, single in zip(together, alone, strict=True):
            torch.testing.assert_close(of_batch[i : i + 1], single, **CLOSE)


@pytest.mark.parametrize("kind", ["transformer", "transformer with a head"])
def test_a_transformer_beyond_its_context_slides_a_window(kind):
    model, (z, actions) = predictor(kind), clip()
    predicted = model(z, actions)
    for step in range(FRAMES):
        first = max(0, step + 1 - model.context)
        window = model(z[:, first : step + 1], actions[:, first : step + 1])
        torch.testing.assert_close(predicted[:, step], window[:, -1], **CLOSE)


def test_dropout_is_for_training_alone():
    model, (z, actions) = predictor("transformer"), clip(frames=3)
    assert torch.equal(model(z, actions), model(z, actions))
    model.train()
    assert not torch.equal(model(z, actions), model(z, actions))


def test_a_new_conditioned_block_is_the_identity_and_learns_from_its_condition():
    torch.manual_seed(0)
    block, x, condition = Block(8, 2, 4, 16, condition=5), torch.randn(2, 3, 8), torch.randn(2, 3, 5)
    assert torch.equal(block(x, condition), x)
    block(x, condition).square().sum().backward()
    assert block.modulation[1].weight.grad.abs().max() > 0


def test_a_block_without_a_mask_sees_all_steps():
    torch.manual_seed(0)
    x = torch.randn(1, 4, 8)
    moved = x.clone()
    moved[:, -1, :4] += 1  # not a shift of all channels alike, which LayerNorm takes away
    for causal in (False, True):
        block = Block(8, 2, 4, 16, causal=causal)
        assert torch.equal(block(moved)[:, 0], block(x)[:, 0]) == causal


GRID = 4, 5, 2  # rows, columns, channels


def map_predictor() -> tuple[MapPredictor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    made = MapPredictor(LATENT, GRID, ACTION, 16)
    shake(made)
    z, actions = clip()
    return made.eval(), torch.cat([z, torch.randn(*z.shape[:2], 4 * 5 * 2)], -1), actions


def test_a_map_stays_and_what_moves_depends_on_it():
    model, z, actions = map_predictor()
    imagined = model.imagine(z[:, :1], actions[:, :0], actions[:, None].expand(-1, 2, -1, -1))
    assert torch.equal(imagined[..., LATENT:], z[:, None, :1, LATENT:].expand(-1, 2, FRAMES, -1))
    other = z.clone()
    other[..., LATENT:] += 1
    assert (model(other, actions) - model(z, actions))[..., :LATENT].abs().amax(-1).min() > 1e-3


def test_a_map_predictor_imagines_what_it_predicts_step_by_step_and_each_row_alone():
    model, z, actions = map_predictor()
    imagined, now = model.rollout(z[:, :1], actions[:, :0], actions), z[:, :1]
    for step in range(FRAMES):
        now = model(now, actions[:, step : step + 1])
        torch.testing.assert_close(imagined[:, step : step + 1], now, **CLOSE)
    torch.testing.assert_close(model.rollout(z[1:2, :1], actions[1:2, :0], actions[1:2]), imagined[1:2], **CLOSE)


def test_a_head_that_looks_sharply_at_a_place_reads_its_cell():
    model, z, actions = map_predictor()
    with torch.no_grad():
        model.look[2].weight.zero_()
        model.look[2].bias.zero_()
        model.look[2].bias[: len(model.log_width)] = -0.5  # the second row of four: their middle is between it and the third
        model.log_width.fill_(-3)
    changes = []
    for row in range(GRID[0]):
        other = z.clone()
        other[..., LATENT:].unflatten(-1, GRID)[:, :, row, 2] += 1
        changes.append((model(other, actions) - model(z, actions))[..., :LATENT].abs().max().item())
    assert changes[1] > 1e-3
    assert max(changes[0], *changes[2:]) < 1e-5


@pytest.mark.parametrize("rows", [3, 2 * FEW // 16])
def test_the_mlp_computes_what_its_modules_say(rows):
    model, (z, actions) = predictor("mlp"), clip(rows, 1)
    expected = z + model.net(torch.cat([z, actions], -1))
    torch.testing.assert_close(model(z, actions), expected, **CLOSE)
    torch.testing.assert_close(model.rollout(z, actions[:, 1:], actions), expected, **CLOSE)
