import torch

from armillary.objectives.vicreg import vicreg


def test_wide_and_uncorrelated_latents_cost_nothing():
    random = torch.Generator().manual_seed(0)
    z = torch.linalg.qr(torch.randn(500, 4, generator=random) - 0.5)[0]
    z = z - z.mean(0)
    z = torch.linalg.qr(z)[0] * 500**0.5 * 1.1
    variance, covariance = vicreg(z + 7)
    assert variance == 0
    assert covariance < 1e-6


def test_narrow_dimensions_and_correlated_ones_cost_what_the_paper_says():
    random = torch.Generator().manual_seed(0)
    z = torch.randn(100_000, 3, generator=random) * torch.tensor([0.5, 1.5, 0.0])
    variance, covariance = vicreg(z)
    torch.testing.assert_close(variance, torch.tensor((0.5 + 0.0 + 0.99) / 3), rtol=0, atol=5e-3)
    assert covariance < 1e-3
    z[:, 2] = z[:, 1]  # a covariance of 2.25, twice, over three dimensions
    torch.testing.assert_close(vicreg(z)[1], torch.tensor(2 * 2.25**2 / 3), rtol=2e-2, atol=0)


def test_its_precision_is_not_autocasts():
    z = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        under = vicreg(z)
    for one, other in zip(under, vicreg(z), strict=True):
        assert torch.equal(one, other)
