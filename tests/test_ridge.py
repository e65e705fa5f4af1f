"""One solver for all that is read off linearly: it agrees with the definition, and the constant is not shrunk."""

import numpy as np
import pytest

from armillary.ridge import affine_ridge, ridge, ridge_path


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) * [1, 10, 0.1, 1]
    return x, x @ rng.normal(size=(4, 2)) + rng.normal(size=(60, 2))


def test_the_weights_are_where_the_gradient_is_zero(data):
    x, y = data
    weights = ridge(x, y, 3.0)
    np.testing.assert_allclose(x.T @ (x @ weights - y) + 3 * weights, 0, atol=1e-9)


def test_a_path_has_the_weights_of_each_strength(data):
    x, y = data
    x, y = x - x.mean(0), y - y.mean(0)
    for strength, weights in zip((1e-3, 0.5), ridge_path(x, y, np.array([1e-3, 0.5])), strict=True):
        np.testing.assert_allclose(weights, ridge(x, y, strength * x.var(0).mean() * len(x)))


def test_the_constant_is_free_and_neither_units_nor_repeats_matter(data):
    x, y = data
    told = affine_ridge(x, y, 0.1)
    moved = affine_ridge(1000 * x - 7, y + 5, 0.1)
    np.testing.assert_allclose((1000 * x - 7) @ moved[:-1] + moved[-1], x @ told[:-1] + told[-1] + 5)
    np.testing.assert_allclose(affine_ridge(np.tile(x, (3, 1)), np.tile(y, (3, 1)), 0.1), told)
    still = affine_ridge(np.ones((5, 2)), y[:5], 0.1)  # inputs that never change tell nothing
    np.testing.assert_allclose(still, np.vstack([np.zeros((2, 2)), y[:5].mean(0)]))
