"""Ridge regression in closed form (Hoerl and Kennard, Technometrics 1970): the one solver for all that is read off linearly."""

import numpy as np
from jaxtyping import Float


def solve_ridge(gram: Float[np.ndarray, "d d"], product: Float[np.ndarray, "d c"], strength: float) -> Float[np.ndarray, "d c"]:
    """Weights W that minimise |x W - y|^2 + strength |W|^2, from x.T x and x.T y, which may be sums over parts of the data."""
    return np.linalg.solve(gram + strength * np.eye(len(gram)), product)


def ridge(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n c"], strength: float) -> Float[np.ndarray, "d c"]:
    """Weights for inputs x and targets y, without a constant."""
    return solve_ridge(x.T @ x, x.T @ y, strength)


def affine_ridge(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n c"], strength: float) -> Float[np.ndarray, "d1 c"]:
    """Weights and, as the last row, a constant that is not shrunk.

    Args:
        strength: relative to the mean over inputs of their summed squares, so that it does not depend on units or on n.
    """
    middle, mean = x.mean(0), y.mean(0)
    gram = (x - middle).T @ (x - middle)
    weights = solve_ridge(gram, (x - middle).T @ (y - mean), strength * (np.trace(gram) / len(gram) or 1.0))
    return np.vstack([weights, mean - middle @ weights])


def ridge_path(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n c"], strengths: Float[np.ndarray, " s"]
) -> Float[np.ndarray, "s d c"]:
    """Weights at many strengths, from one decomposition; x and y have zero mean.

    Args:
        strengths: relative to the mean variance of the inputs.
    """
    variance, vectors = np.linalg.eigh(x.T @ x / len(x))
    variance, projected = np.maximum(variance, 0), vectors.T @ (x.T @ y) / len(x)
    absolute = strengths[:, None, None] * max(float(variance.mean()), 1e-12)
    return vectors @ (projected / (variance[:, None] + absolute))
