"""Low precision does what it says, and agrees with the plain version where nothing slides."""

import pytest
import torch
from small_models import small_model

from armillary.backends.low_precision import LowPrecision, SharedContext
from armillary.errors import ArmillaryError
from armillary.imagination import Context
from armillary.model.world_model import WorldModel

SAMPLES = 5
ROUNDED = {"rtol": 0.05, "atol": 0.05}


def problem(model: WorldModel, length: int, horizon: int) -> tuple[Context, torch.Tensor]:
    """Two contexts of `length` latents, and SAMPLES sequences of actions from each."""
    random, size = torch.Generator().manual_seed(1), model.actions.size
    context = Context(torch.randn(2, length, model.width, generator=random), torch.randn(2, length - 1, size, generator=random))
    return context, torch.randn(2, SAMPLES, horizon, size, generator=random)


@pytest.mark.parametrize("make", [SharedContext, LowPrecision])
@pytest.mark.parametrize("length", [1, 3])
def test_what_is_shared_changes_nothing(make, length):
    model = small_model("transformer")
    imagination, (context, blocks) = make(model), problem(model, length, 5)
    alone = imagination.rollout(context, blocks)
    assert torch.equal(imagination.rollout(context, blocks, imagination.share(context)).z, alone.z)
    if make is SharedContext:
        assert torch.equal(alone.z, model.rollout(context, blocks).z)


def test_windows_keep_two_latents_and_grow_again():
    """Each imagined latent is about the prediction from the window that was described."""
    model = small_model("transformer")
    context, blocks = problem(model, 1, 7)
    imagined, alone = LowPrecision(model).rollout(context, blocks).z[:, 0], blocks[:, 0]
    assert imagined.dtype == torch.float32
    states = torch.cat([context.z, imagined], 1)
    for step, first in enumerate((0, 0, 0, 2, 2, 4, 4)):
        expected = model.predict(states[:, first : step + 1], alone[:, first : step + 1])[:, -1]
        torch.testing.assert_close(imagined[:, step], expected, **ROUNDED)
    exact = model.rollout(context, blocks).z[:, 0]
    torch.testing.assert_close(exact[:, :3], imagined[:, :3], **ROUNDED)  # nothing slides yet
    assert (exact[:, 3] - imagined[:, 3]).abs().max() > 0.1


def test_it_goes_with_the_weights():
    model = small_model("transformer", predictor_head=16)
    fast, (context, blocks) = LowPrecision(model), problem(model, 2, 2)  # nothing slides
    before, head = fast.rollout(context, blocks).z, model.predictor.head
    assert torch.equal(fast.rollout(context, blocks).z, before)
    for change in (lambda: head[3].bias.add_(1), lambda: head[1].running_mean.add_(1)):
        with torch.no_grad():
            change()
        after = fast.rollout(context, blocks).z
        torch.testing.assert_close(after, model.rollout(context, blocks).z, **ROUNDED)
        assert (after - before).abs().mean() > 1e-3
        before = after
    free = blocks.clone().requires_grad_()
    with torch.inference_mode():
        fast.rollout(context, blocks)
    assert torch.autograd.grad(fast.rollout(context, free).z.sum(), free)[0].abs().max() > 0


def test_other_predictors_have_none():
    with pytest.raises(ArmillaryError, match="a transformer predictor, got GRUPredictor"):
        LowPrecision(small_model("gru"))
