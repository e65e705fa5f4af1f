"""The block: what is left out or done in another order changes nothing that is kept."""

import pytest
import torch
from small_models import shake

from armillary.model.attention import Block

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def block(**options) -> Block:
    torch.manual_seed(0)
    made = Block(12, 3, 4, 16, **options)
    shake(made)
    return made.eval()


def test_the_first_outcomes_alone_are_those_of_all():
    plain, x = block(), torch.randn(2, 7, 12)
    for outcomes in (1, 3, 7):
        torch.testing.assert_close(plain(x, outcomes=outcomes), plain(x)[:, :outcomes], **CLOSE)


def test_training_in_bfloat16_goes_the_way_of_float32():
    plain, x = block(), torch.randn(4, 9, 12)

    def gradients(dtype: torch.dtype) -> torch.Tensor:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = plain(x).square().mean()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(plain.parameters()))])

    exact, rounded = gradients(torch.float32), gradients(torch.bfloat16)
    assert 1e-4 < (exact - rounded).norm() / exact.norm() < 0.03


@pytest.mark.parametrize("parts", [(1, 1, 1, 1), (4,), (2, 2), (1, 3)])
def test_tokens_in_parts_are_the_tokens_at_once(parts):
    causal, x, condition = block(condition=5, causal=True), torch.randn(3, 4, 12), torch.randn(3, 4, 5)
    whole, modulation, seen, start = causal(x, condition), causal.modulation(condition), [], 0
    for length in parts:
        stop = start + length
        for wanted in (0, 1, length):
            part = causal.extend(x[:, None, start:stop], modulation[:, None, start:stop], (fed := seen.copy()), wanted)
            torch.testing.assert_close(part[:, 0], whole[:, stop - wanted : stop], **CLOSE)
        seen, start = fed, stop


def test_samples_go_on_from_tokens_that_they_share():
    causal, shared, own = block(condition=5, causal=True), torch.randn(2, 2, 12), torch.randn(2, 6, 1, 12)
    given, taken = torch.randn(2, 2, 5), torch.randn(2, 6, 1, 5)
    seen = []
    causal.extend(shared[:, None], causal.modulation(given)[:, None], seen, 0)
    together = causal.extend(own, causal.modulation(taken), seen, 1)
    for sample in range(6):
        x, condition = torch.cat([shared, own[:, sample]], 1), torch.cat([given, taken[:, sample]], 1)
        torch.testing.assert_close(together[:, sample], causal(x, condition)[:, -1:], **CLOSE)
