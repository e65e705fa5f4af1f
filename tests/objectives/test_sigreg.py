"""SIGReg is a distance from N(0, I): nothing else has none, and descent on it ends there."""

import math

import pytest
import torch

from armillary.objectives.sigreg import centred_by_episode, directions, sigreg

DIM = 6


def gaussian(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))


def distance(z: torch.Tensor, seed: int = 0, count: int = 256) -> torch.Tensor:
    return sigreg(z, directions(count, z.shape[1], torch.Generator().manual_seed(seed), z.device))


def test_directions_are_unit_vectors_drawn_anew():
    random = torch.Generator().manual_seed(0)
    first, second = (directions(50, DIM, random, torch.device("cpu")) for _ in range(2))
    assert first.shape == (DIM, 50)
    torch.testing.assert_close(first.norm(dim=0), torch.ones(50))
    assert not torch.equal(first, second)
    assert (first.mean(1).abs() < 0.25).all()


@pytest.mark.parametrize("sigma", [0.5, 1.5])
@pytest.mark.parametrize("mean", [0.0, 0.4])
def test_it_is_the_epps_pulley_distance(mean, sigma):
    """On a line and a Gaussian, the integral over t of exp(-t^2/2) |phi(t) - exp(-t^2/2)|^2 in [-3, 3], by brute force."""
    t = torch.linspace(-3, 3, 20_001, dtype=torch.float64)
    decay, normal = torch.exp(-0.5 * (sigma * t) ** 2), torch.exp(-0.5 * t**2)
    squared = (torch.cos(mean * t) * decay - normal) ** 2 + (torch.sin(mean * t) * decay) ** 2
    expected = torch.trapezoid(squared * normal, t)
    quantiles = torch.distributions.Normal(mean, sigma).icdf((torch.arange(20_000) + 0.5) / 20_000)
    found = sigreg(quantiles[:, None], torch.ones(1, 1))
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=1e-4)


def test_a_gaussian_has_next_to_none_and_what_is_not_one_has_more():
    z = gaussian(4096)
    flat = z.clone()
    flat[:, DIM // 2 :] = 0
    ring = torch.nn.functional.normalize(gaussian(4096)[:, :2], dim=1) * math.sqrt(2)  # unit variance, no correlation
    none = distance(z)
    assert none < 2e-3
    for other in (2 * z, 0.5 * z, z + 0.5, flat, z.exp(), ring):
        assert distance(other) > 10 * none
    collapsed = distance(torch.zeros_like(z))
    assert collapsed > 50 * none
    assert distance(0.5 * z) < distance(0.1 * z) < collapsed
    assert torch.isfinite(distance(1e6 * z))


def test_descent_makes_a_gaussian():
    torch.manual_seed(0)
    z = torch.nn.Parameter(torch.rand(512, 3) * torch.tensor([0.1, 1.0, 3.0]) + torch.tensor([1.0, 0.0, -1.0]))
    optimizer = torch.optim.Adam([z], 0.05)
    before = distance(z.detach())
    for step in range(200):
        optimizer.zero_grad()
        distance(z, step, 32).backward()
        optimizer.step()
    made = z.detach()
    torch.testing.assert_close(made.T.cov(), torch.eye(3), rtol=0.2, atol=0.2)
    assert (made.mean(0).abs() < 0.1).all()
    assert distance(made) < 0.01 * before
    inner = (made.norm(dim=1) < 1.538).float().mean()  # the median of a chi distribution of three
    assert 0.4 < inner < 0.6


def test_a_weight_means_the_same_at_any_batch_size():
    """For what is no Gaussian the value does not depend on N; for a Gaussian what is left falls as 1/N."""
    sizes = (64, 256, 1024)
    wide = [torch.stack([distance(2 * gaussian(n, seed), seed) for seed in range(20)]).mean() for n in sizes]
    for value in wide[:2]:
        torch.testing.assert_close(value, wide[2], rtol=0.15, atol=0)
    none = [torch.stack([distance(gaussian(n, seed), seed) for seed in range(20)]).mean() for n in sizes]
    assert 2.5 < none[0] / none[1] < 6
    assert 2.5 < none[1] / none[2] < 6


def test_its_precision_is_not_autocasts():
    z = gaussian(256)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distance(z), distance(z.float()))
        assert distance(z).dtype == torch.float32


def test_centring_takes_away_what_is_constant_in_an_episode_and_keeps_unit_variance():
    random = torch.Generator().manual_seed(0)
    layout = 5 * torch.randn(200, 1, 1, DIM, generator=random)  # an episode's own, for its 2 clips of 4 frames
    lived = torch.randn(200, 2, 4, DIM, generator=random)
    centred = centred_by_episode((layout + lived).flatten(0, 1), 2)
    torch.testing.assert_close(centred, centred_by_episode(lived.flatten(0, 1), 2), rtol=1e-4, atol=1e-4)
    assert centred.shape == (1600, DIM)
    torch.testing.assert_close(centred.unflatten(0, (200, 8)).mean(1), torch.zeros(200, DIM), rtol=0, atol=1e-5)
    torch.testing.assert_close(centred.var(0), torch.ones(DIM), rtol=0.1, atol=0)
