"""Temporal contrast keeps what lasts, however little of the variance it is."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from armillary.objectives.contrast import TemporalContrast
from armillary.objectives.term import View


def loss(contrast: TemporalContrast, z: torch.Tensor) -> torch.Tensor:
    return contrast.loss(View(z))["contrast"]


def test_chance_is_the_log_of_the_batch_and_a_match_is_free():
    contrast = TemporalContrast(4, embedding=4, gap=1)
    with torch.no_grad():
        contrast.head.weight.copy_(torch.eye(4))
        contrast.log_sharpness.fill_(3.0)
    same = torch.randn(16, 1, 4).expand(16, 2, 4)
    assert loss(contrast, same) < 0.05
    assert abs(loss(contrast, torch.zeros(16, 2, 4)).item() - math.log(16)) < 1e-5


def test_only_the_first_moment_and_its_match_count():
    contrast, z = TemporalContrast(4, gap=2), torch.randn(8, 4, 4)
    changed = z.clone()
    changed[:, [1, 3]] += 1
    assert loss(contrast, z) == loss(contrast, changed)


def test_dense_matches_every_moment_among_all():
    contrast, z = TemporalContrast(4, gap=2, dense=True), torch.randn(8, 5, 4)
    now, later = z[:, :3].flatten(0, 1), z[:, 2:].flatten(0, 1)
    pairs = TemporalContrast(4, gap=1)
    pairs.load_state_dict(contrast.state_dict())
    torch.testing.assert_close(loss(contrast, z), loss(pairs, torch.stack([now, later], 1)))


def test_its_distance_is_what_the_loss_compares():
    contrast, z = TemporalContrast(4, gap=1), torch.randn(8, 2, 4)
    logits = -contrast(z[:, None, 0], z[None, :, 1])
    matches = torch.arange(8)
    both = F.cross_entropy(logits, matches) + F.cross_entropy(logits.T, matches)
    torch.testing.assert_close(loss(contrast, z), both / 2, rtol=1e-4, atol=1e-4)
    assert contrast(z, z).abs().max() == 0


def test_an_encoder_learns_what_lasts_and_not_what_moves():
    """Ten numbers of which one lasts, at a tenth of the scale of the others."""
    torch.manual_seed(0)
    encoder, contrast = nn.Linear(10, 1), TemporalContrast(1, embedding=1, gap=1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *contrast.parameters()], 3e-2)
    for _ in range(200):
        seen = torch.randn(64, 2, 10)
        seen[:, 1, 0] = seen[:, 0, 0]
        seen[:, :, 0] *= 0.1
        optimizer.zero_grad()
        loss(contrast, encoder(seen)).backward()
        optimizer.step()
    effect = encoder.weight.abs()[0] * torch.tensor([0.1] + [1.0] * 9)
    assert effect[0] > 3 * effect[1:].max()
