"""From errors to alarms: what is accumulated, that p-values are what they say, and what they are not moved by."""

import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.monitoring.metrics import judge_events
from armillary.monitoring.monitor import Evidence, Monitor, alarm_level, alarms


def normal(rows: int, seed: int = 0) -> np.ndarray:
    """Errors of three channels of unlike scales, two of which go together."""
    white = np.random.default_rng(seed).normal(size=(rows, 3))
    return white @ np.array([[1.0, 40.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 1e-3]]) + [5.0, 0.0, 1.0]


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.fit([normal(3000, 1), normal(3000, 2)])


def p_values(monitor: Monitor, errors: np.ndarray) -> np.ndarray:
    return monitor.p_value(monitor.surprise(monitor.evidence(errors)))[20:]


def test_evidence_is_an_exponentially_weighted_mean():
    errors = normal(700)
    evidence = Evidence(np.zeros(3), np.eye(3), memory=8, clip=30)
    state, slow = np.zeros(3), []
    for row in np.clip(errors, -30, 30):
        state = state + (row - state) / 8
        slow.append(state)
    np.testing.assert_allclose(evidence(errors), slow, atol=1e-9)
    first = evidence(errors[:300])
    np.testing.assert_allclose(evidence(errors[300:], first[-1]), slow[300:], atol=1e-9)  # in parts, as it streams


def test_p_values_are_no_smaller_than_the_share_of_normal_rows_and_not_much_larger(monitor):
    p = p_values(monitor, normal(20_000, 3))
    for level in (0.5, 0.1, 0.01, 0.001):
        assert 0.1 * level <= (p < level).mean() < 1.3 * level
    surprise = np.linspace(0, 40, 400)
    p = monitor.p_value(surprise)
    assert (np.diff(p) <= 1e-9).all()
    assert 0 < p[-1] < 1e-9


def test_the_wildest_quarter_of_normal_running_counts():
    errors = normal(4000, 7)
    errors[1000:2000] *= 2
    p = p_values(Monitor.fit([errors]), 2 * normal(20_000, 8) - [5.0, 0.0, 1.0])
    assert (p < 0.01).mean() < 0.02


def test_no_more_false_alarms_than_were_allowed(monitor):
    level = alarm_level(20, seconds_per_row=1)
    judged = judge_events(p_values(monitor, normal(36_000, 4)) < level, np.zeros(35_980, bool))
    assert judged.false_alarms <= 200


def autocorrelated(rows: int, seed: int, channels: int, kept: float) -> np.ndarray:
    """Channels that are mixed, each of which keeps this share of its value from row to row."""
    rng = np.random.default_rng(seed)
    noise, x = rng.normal(size=(rows + 100, channels)), np.zeros((rows + 100, channels))
    for t in range(1, len(x)):
        x[t] = kept * x[t - 1] + noise[t]
    return x[100:] @ (np.eye(channels) + 0.5 * rng.normal(size=(channels, channels)))


@pytest.mark.parametrize(("channels", "kept"), [(1, 0.0), (2, 0.5), (2, 0.9), (4, 0.0), (8, 0.9), (16, 0.5), (30, 0.5)])
def test_a_short_calibration_raises_about_as_few_false_alarms_as_were_allowed(channels, kept):
    level, began, found = 1e-3, [], []
    for seed in range(12):
        rows = autocorrelated(5600, seed, channels, kept)
        monitor = Monitor.fit([rows[:600]])
        on = alarms(monitor.p_value(monitor.surprise(monitor.evidence(rows[600:]))), level)
        began.append((np.diff(on.astype(int), prepend=0) > 0).mean() / level)
        shifted = rows[600:800] + 3 * rows[:600].std(axis=0)
        found.append(monitor.p_value(monitor.surprise(monitor.evidence(shifted))).min() < level)
    assert np.mean(began) < 1.5
    assert all(found)


def test_the_tail_is_at_least_that_of_a_sum_of_squares():
    for channels, expected in ((1, 1.764), (4, 0.580), (16, 0.214)):  # (0.999 - 0.9 quantile of chi2) / ln 100 / channels
        white = np.random.default_rng(channels).normal(size=(40_000, channels))
        assert Monitor.fit([white], memory=1).least_excess == pytest.approx(expected, rel=0.06)
    assert Monitor.fit([white[:, :1]], memory=1, one_sided=True).least_excess == pytest.approx(2 * 1.764, rel=0.06)


def test_a_small_shift_that_lasts_is_found_and_units_do_not_matter(monitor):
    errors = normal(2000, 5)
    errors[1000:, 2] += 1e-3  # one standard deviation
    p = p_values(monitor, errors)
    assert (p[1010:] < 1e-3).mean() > 0.7
    units = np.array([1e4, 1e-3, 60.0])
    rescaled = Monitor.fit([normal(3000, 1) * units, normal(3000, 2) * units])
    np.testing.assert_allclose(p_values(rescaled, errors * units), p, rtol=1e-5, atol=1e-12)


def test_one_wild_row_is_no_alarm_and_a_fault_is_soon_forgotten(monitor):
    errors = normal(2000, 6)
    errors[500] += [0, 0, 1.0]  # a thousand standard deviations
    errors[1000:1200] += [0, 0, 1.0]
    p = p_values(monitor, errors)
    assert p[475:520].min() > 1e-6
    assert p[1100] < 1e-9
    assert (p[1290:1400] > 1e-4).all()


def test_channels_that_never_change_or_say_the_same_are_no_trouble():
    errors = normal(500)
    errors = np.column_stack([errors, np.zeros(500), errors[:, 0]])
    p = p_values(Monitor.fit([errors]), errors)
    assert 0.02 < (p < 0.1).mean() < 0.3
    assert p_values(Monitor.fit([np.zeros((500, 2))]), errors[:, :2])[-1] < 1e-9


def test_what_cannot_be_is_said():
    with pytest.raises(ArmillaryError, match="leave 5 to calibrate on"):
        Monitor.fit([normal(25)])
    with pytest.raises(ArmillaryError, match="40 are the least"):
        Monitor.fit([normal(50)])
    with pytest.raises(ArmillaryError, match="1 row or more"):
        Monitor.fit([normal(100)], memory=0.5)
    for rate in (0, 3600):
        with pytest.raises(ArmillaryError, match="false alarms an hour"):
            alarm_level(rate, 1.0)
