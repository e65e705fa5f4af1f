import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.evaluation.statistics import bootstrap, r2, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Reference values: R's binom::binom.wilson and the 86% [74, 93] at n = 50 that EVALUATION.md quotes.
    [(43, 50, 0.738, 0.930), (0, 20, 0.0, 0.161), (20, 20, 0.839, 1.0), (1, 1, 0.207, 1.0)],
)
def test_wilson_matches_published_values(successes, n, low, high):
    estimate = wilson(successes, n)
    assert estimate.value == successes / n
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-3)


def test_wilson_covers_at_its_confidence():
    rng = np.random.default_rng(0)
    drawn = [wilson(k, 40) for k in rng.binomial(40, 0.9, 2000)]
    assert 0.92 < np.mean([e.low <= 0.9 <= e.high for e in drawn]) < 0.98


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ArmillaryError, match=f"{successes} of {n}"):
        wilson(successes, n)


def test_percent_reads_as_a_person_writes_it():
    assert wilson(43, 50).percent() == "86% [74, 93]"


def test_bootstrap_over_groups_is_wider_than_over_rows():
    """Ten groups of a hundred equal rows hold ten facts, not a thousand."""
    values = np.repeat(np.random.default_rng(0).normal(size=10), 100)
    grouped = bootstrap(values, groups=np.repeat(np.arange(10), 100))
    rows = bootstrap(values)
    assert grouped.value == rows.value == pytest.approx(values.mean())
    assert grouped.high - grouped.low > 5 * (rows.high - rows.low)


def test_bootstrap_of_a_ratio_keeps_pairs_together():
    a = np.random.default_rng(1).uniform(1, 9, 50)
    ratio = bootstrap(a, 2 * a, statistic=lambda x, y: x.sum() / y.sum())
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_r2():
    truth = np.array([[0.0, 1.0], [2.0, 5.0]])
    assert r2(truth, truth) == 1
    assert r2(truth, np.repeat(truth.mean(0, keepdims=True), 2, 0)) == 0
    assert np.isnan(r2(np.ones((4, 1)), np.ones((4, 1))))
