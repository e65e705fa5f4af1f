"""Imagining with a transformer: the short ways lead where the long one does, and `fast` does what it says."""

import pytest
import torch
from small_models import shake

from armillary.dynamics.predictor import Predictor
from armillary.dynamics.transformer import TransformerPredictor

LATENT, ACTION, CONTEXT, SAMPLES = 6, 4, 3, 5
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def predictor(context: int = CONTEXT, head: int = 16) -> TransformerPredictor:
    torch.manual_seed(0)
    made = TransformerPredictor(LATENT, ACTION, depth=3, heads=2, hidden=16, context=context, head=head)
    shake(made)
    return made.eval()


def problem(length: int, horizon: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two contexts of `length` latents, and SAMPLES sequences of actions from each."""
    random = torch.Generator().manual_seed(1)
    shapes = (2, length, LATENT), (2, length - 1, ACTION), (2, SAMPLES, horizon, ACTION)
    return tuple(torch.randn(shape, generator=random) for shape in shapes)


@pytest.mark.parametrize("head", [0, 16])
@pytest.mark.parametrize("context", [1, 2, 3, 4])
def test_nothing_that_is_left_out_is_missed(context, head):
    model = predictor(context, head)
    for length in (1, 2, 3, 4, 6):  # the last ones are longer than some windows
        for horizon in (1, 5):
            given = problem(length, horizon)
            torch.testing.assert_close(model.imagine(*given), Predictor.imagine(model, *given), **CLOSE)


def test_gradients_flow_back_to_actions():
    model, (z, past, actions) = predictor(), problem(2, 4)
    by = []
    for imagine in (model.imagine, lambda *given: Predictor.imagine(model, *given)):
        free = actions.clone().requires_grad_()
        by.append(torch.autograd.grad(imagine(z, past, free).square().sum(), free)[0])
    assert by[1].abs().amin((0, 1, 3)).min() > 0
    torch.testing.assert_close(*by, **CLOSE)


def test_while_training_the_window_slides_and_dropout_is_on():
    model, given = predictor().train(), problem(2, 3)
    by = []
    for imagine in (model.imagine, lambda *given: Predictor.imagine(model, *given)):
        torch.manual_seed(3)
        by.append(imagine(*given))
    assert torch.equal(*by)


ROUNDED = {"rtol": 0.05, "atol": 0.05}


def test_fast_windows_keep_two_latents_and_grow_again():
    """Each imagined latent is about the prediction from the window that `fast` describes."""
    model, (z, past, actions) = predictor(), problem(1, 7)
    imagined, alone = model.imagine(z, past, actions, fast=True)[:, 0], actions[:, 0]
    assert imagined.dtype == torch.float32
    states = torch.cat([z, imagined], 1)
    for step, first in enumerate((0, 0, 0, 2, 2, 4, 4)):
        expected = model(states[:, first : step + 1], alone[:, first : step + 1])[:, -1]
        torch.testing.assert_close(imagined[:, step], expected, **ROUNDED)
    exact = model.imagine(z, past, actions)[:, 0]
    torch.testing.assert_close(exact[:, :3], imagined[:, :3], **ROUNDED)  # nothing slides yet
    assert (exact[:, 3] - imagined[:, 3]).abs().max() > 0.1


def test_fast_goes_with_the_weights():
    model, given = predictor(), problem(2, 2)  # nothing slides
    before = model.imagine(*given, fast=True)
    assert torch.equal(model.imagine(*given, fast=True), before)
    for change in (lambda: model.head[3].bias.add_(1), lambda: model.head[1].running_mean.add_(1)):
        with torch.no_grad():
            change()
        after = model.imagine(*given, fast=True)
        torch.testing.assert_close(after, model.imagine(*given), **ROUNDED)
        assert (after - before).abs().amin() > 1e-3
        before = after
    assert not any("halved" in name for name in model.state_dict())
    free = given[2].clone().requires_grad_()
    with torch.inference_mode():
        model.imagine(*given, fast=True)
    assert torch.autograd.grad(model.imagine(*given[:2], free, fast=True).sum(), free)[0].abs().max() > 0
