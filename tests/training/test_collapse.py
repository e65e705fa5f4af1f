import pytest
import torch

from armillary.training.collapse import collapse, dead_share, effective_rank, spread


def test_effective_rank_counts_directions_that_are_used_alike():
    random = torch.Generator().manual_seed(0)
    z = torch.randn(5000, 8, generator=random)
    assert effective_rank(z) == pytest.approx(8, rel=0.01)
    assert effective_rank(100 * z + 50) == pytest.approx(8, rel=0.01)
    assert effective_rank(z[:, :3] @ torch.randn(3, 8, generator=random)) < 3.01
    assert effective_rank(z[:, :1].expand(-1, 8)) == pytest.approx(1, abs=0.01)
    assert effective_rank(torch.ones(50, 8)) == pytest.approx(1, abs=0.01)
    assert effective_rank(z * torch.tensor([1.0] * 4 + [0.01] * 4)) == pytest.approx(4, rel=0.1)


def test_dead_dimensions_are_those_that_hardly_move():
    z = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    assert dead_share(z) == 0
    assert dead_share(z * torch.tensor([1.0, 1e-3, 0.0, 0.5])) == 0.5
    assert dead_share(torch.ones(50, 4)) == 1


def test_spread_is_one_for_what_the_regularisers_ask_for_and_falls_as_all_shrink():
    z = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
    assert spread(z + 9) == pytest.approx(1, rel=0.02)
    assert spread(0.1 * z) == pytest.approx(0.1, rel=0.02)
    assert effective_rank(0.1 * z) == pytest.approx(4, rel=0.02)


def test_a_latent_of_one_dimension_does_not_collapse():
    assert collapse(1.0, 0.0, 0.1, latent=1) is None
    assert collapse(8.0, 0.0, 1.0, latent=8) is None
    for signs in ((1.2, 0.0, 1.0), (8.0, 0.6, 1.0), (8.0, 0.0, 0.2)):
        assert "raise the weight of sigreg" in collapse(*signs, latent=8)
