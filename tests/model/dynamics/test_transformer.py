"""Imagining with a transformer: the short ways lead where the long one does."""

import pytest
import torch
from small_models import shake

from armillary.model.dynamics.predictor import Predictor
from armillary.model.dynamics.transformer import TransformerPredictor

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
