"""What iCEM adds to the CEM: coloured noise, elites that are kept, and good plans from few samples."""

import numpy as np
import pytest
import torch
from linear_model import LinearModel

from armillary.costs import LatentGoal
from armillary.goals import Goal
from armillary.imagination import Context, Rollout
from armillary.planning import CEM, ICEM, Problem
from armillary.planning.icem import coloured


def problems(batch: int, model: LinearModel, far: float) -> Problem:
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(batch, 1, 2, generator=generator)
    goal = z[:, 0] + far * (2 * torch.rand(batch, 2, generator=generator) - 1)
    return Problem(Context(z, torch.zeros(batch, 0, model.actions.size)), Goal(goal))


@pytest.mark.parametrize("horizon", [1, 2, 5, 64])
@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0, 4.0])
def test_coloured_noise_has_unit_variance_at_every_block(horizon, beta):
    factor = coloured(horizon, beta)
    np.testing.assert_allclose(np.square(factor).sum(1), 1, atol=1e-5)
    if beta == 0:
        np.testing.assert_allclose(factor, np.eye(horizon), atol=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_power_of_coloured_noise_falls_as_the_law_says(beta):
    factor = coloured(256, beta).astype(np.float64)
    spectrum = np.fft.rfft(factor * np.hanning(256)[:, None], axis=0)  # each column is the answer to one white number
    power, frequency = np.square(np.abs(spectrum)).sum(1), np.fft.rfftfreq(256)
    middle = slice(4, 64)
    slope = np.polyfit(np.log(frequency[middle]), np.log(power[middle]), 1)[0]
    assert slope == pytest.approx(-beta, abs=0.1)


def test_the_last_block_is_not_tied_to_the_first():
    covariance = coloured(8, 2.0) @ coloured(8, 2.0).T
    assert (np.diff(covariance[0]) < 0).all()


def test_few_samples_find_better_plans_than_the_cem_does():
    model = LinearModel(held=False)
    problem = problems(30, model, 4.0)
    few = {"horizon": 8, "elites": 4, "iterations": 3, "sigma": 1.2}
    cem = CEM(samples=20, **few).plan(model, problem, LatentGoal())
    icem = ICEM(samples=24, **few).plan(model, problem, LatentGoal())
    assert icem.model_calls <= cem.model_calls
    assert icem.cost.mean() < 0.95 * cem.cost.mean()


def test_the_plan_is_the_best_of_all_that_was_imagined():
    model = LinearModel(held=False)
    problem = problems(10, model, 4.0)
    seen = []

    def cost(rollout: Rollout, goal: Goal) -> torch.Tensor:
        seen.append(LatentGoal()(rollout, goal))
        return seen[-1]

    # A spread that never falls: the last round is no better than the others.
    plan = ICEM(samples=40, decay=1.0, narrowest=1.0, sigma=2.0, floor=2.0).plan(model, problem, cost)
    torch.testing.assert_close(plan.cost, torch.cat(seen, 1).amin(1))
