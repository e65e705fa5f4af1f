"""Level charts and profiles: used where normal rows allow them, left out where they do not, and no false alarms for either."""

import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.monitoring.detector import Detector
from armillary.monitoring.monitor import Monitor, alarms
from armillary.monitoring.seasonality import DAY_S, WEEK_S, find_profile, fit_profile

HALF_HOUR = 1800.0


def remembering(rows: int, seed: int, kept: float = 0.9, channels: int = 1) -> np.ndarray:
    rng, x = np.random.default_rng(seed), np.zeros((rows, channels))
    for t in range(1, rows):
        x[t] = kept * x[t - 1] + rng.normal(size=channels)
    return x


def errors_of(levels: np.ndarray, kept: float = 0.9) -> np.ndarray:
    """Of a model that knows how levels are remembered."""
    return np.diff(levels, axis=0, prepend=levels[:1]) + (1 - kept) * np.concatenate([levels[:1], levels[:-1]])


def daily(rows: int, seed: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """By the half hour: high by day, less so at weekends."""
    clock = HALF_HOUR * (first + np.arange(rows))
    weekend = clock // DAY_S % 7 >= 5
    day = 30 * np.maximum(np.sin(2 * np.pi * clock / DAY_S), -0.3) * np.where(weekend, 0.5, 1)
    return 100 + day[:, None] + 0.5 * remembering(rows, seed), clock


def test_a_level_that_is_left_slowly_is_found_beside_errors_that_say_nothing():
    normal, new = remembering(2000, 0, 0.99), remembering(3000, 1, 0.99)
    new[2000:] += np.linspace(0, 60, 1000)[:, None]  # 0.06 a row, where single errors are 1
    detector = Detector.fit([errors_of(normal, 0.99)], [normal])
    assert list(detector.charts) == ["errors", "levels"]
    judged = detector(errors_of(new, 0.99), new)
    assert (judged.p[-300:] < 1e-3).mean() > 0.9
    assert judged.by_level[-300:].mean() > 0.8
    assert np.diff(alarms(judged.p[:2000], 1e-3).astype(int)).clip(0).sum() <= 4
    alone = Detector.fit([errors_of(normal, 0.99)])
    assert (alone(errors_of(new, 0.99)).p[-300:] < 1e-3).mean() < 0.6


def test_a_machine_that_drifts_has_no_level_chart_and_is_calibrated_as_without():
    drifting = remembering(600, 2, channels=3) + np.linspace(0, 20, 600)[:, None] * [1, 0, -1]
    errors = errors_of(drifting)
    detector = Detector.fit([errors[:300], errors[300:]], [drifting])
    assert list(detector.charts) == ["errors"]
    plain = Monitor.fit([errors[:300], errors[300:]])
    np.testing.assert_array_equal(detector.charts["errors"].monitor.normal, plain.normal)
    judged = detector(errors, drifting)
    np.testing.assert_array_equal(judged.p, plain.p_value(plain.surprise(plain.evidence(errors))))
    slowly = remembering(600, 0, channels=2) + np.linspace(0, 8, 600)[:, None]
    assert list(Detector.fit([errors_of(slowly)], [slowly]).charts) == ["errors"]


def test_errors_that_do_not_hold_are_left_to_the_levels():
    levels = remembering(1200, 15)
    errors = errors_of(levels) * np.where(np.arange(1200) < 600, 1, 12)[:, None]
    new = remembering(400, 16)
    new[200:] += 30
    detector = Detector.fit([errors], [levels])
    assert list(detector.charts) == ["levels"]
    judged = detector(errors_of(new), new)
    assert (judged.p[:200] > 1e-3).all()
    assert (judged.p[230:] < 1e-3).all()
    assert judged.by_level.all()


def test_a_held_out_regime_of_its_own_does_not_move_the_mean_of_errors():
    rng = np.random.default_rng(17)
    learned, held, usual, beyond = (rng.normal(size=(rows, 2)) for rows in (3000, 600, 500, 500))
    held[:, 0] += 1
    beyond[:, 0] += 4
    alone, both = Detector.fit([held]), Detector.fit([held], learned=[learned])
    assert np.median(alone(usual).surprise) > np.median(alone(held).surprise)
    assert np.median(both(usual).surprise[50:]) < 0.3 * np.median(both(held).surprise[50:])
    assert (both(beyond).p[100:] < 1e-3).all()


def test_rows_that_come_in_parts_are_judged_as_a_whole():
    normal, clock = daily(1500, 3)
    new, times = daily(400, 4, 1500)
    detector = Detector.fit([errors_of(normal)], [normal], error_clocks=[clock], level_clocks=[clock], step_s=HALF_HOUR)
    whole, state, p = detector(errors_of(new), new, times), (), []
    errors = errors_of(new)
    for rows in (slice(0, 1), slice(1, 150), slice(150, 400)):
        judged = detector(errors[rows], new[rows], times[rows], state)
        p, state = [*p, judged.p], judged.state()
    np.testing.assert_allclose(np.concatenate(p), whole.p, rtol=1e-9)
    np.testing.assert_allclose(detector(errors[150:], new[150:], times[150:], whole.state(149)).p, whole.p[150:], rtol=1e-9)
    again = Detector.of_plain(*detector.plain())
    np.testing.assert_array_equal(again(errors, new, times).p, whole.p)


def test_rows_that_are_not_usable_are_as_usual():
    normal, new = remembering(2000, 13), remembering(200, 14)
    new[100:120] += 1e6
    usable = np.ones(200, bool)
    usable[100:122] = False
    p = Detector.fit([errors_of(normal)], [normal])(errors_of(new), new, usable=usable).p
    assert (p > 1e-3).all()


def test_a_profile_finds_what_is_usual_at_another_time_of_the_day():
    normal, clock = daily(1500, 5)
    new, times = daily(1500, 6, 1500)
    new[1000:1024] = 129  # a day's level, all night
    clocks = {"error_clocks": [clock], "level_clocks": [clock], "step_s": HALF_HOUR}
    detector = Detector.fit([errors_of(normal)], [normal], **clocks)
    assert detector.charts["levels"].profile.period_s == WEEK_S
    found = alarms(detector(errors_of(new), new, times).p, 1e-3)
    night = times[1000:1024] % DAY_S > DAY_S / 2
    assert night.any()
    assert found[1000:1040].any()
    assert np.diff(found[:1000].astype(int)).clip(0).sum() <= 2
    with pytest.raises(ArmillaryError, match="give the time of each row"):
        detector(errors_of(new), new)


def test_no_profile_where_there_is_none_or_too_little_of_it():
    rows, clock = daily(1500, 7)
    assert find_profile(rows, clock, HALF_HOUR) == (WEEK_S, 336)
    weekdays = rows[: 4 * 48], clock[: 4 * 48]
    assert find_profile(*weekdays, HALF_HOUR) == (DAY_S, 48)
    assert find_profile(rows[:90], clock[:90], HALF_HOUR) is None  # less than two days
    assert find_profile(100 + remembering(1500, 8), clock, HALF_HOUR) is None
    assert find_profile(np.full((1500, 2), 3.0), clock, HALF_HOUR) is None
    weak = rows + np.random.default_rng(0).normal(size=rows.shape) * 20
    assert find_profile(weak, clock, HALF_HOUR) is None


def test_each_row_is_compared_with_the_others_of_its_time():
    values = np.array([[1.0], [5.0], [3.0], [7.0], [9.0]])
    clock = np.array([0.0, 43200, 86400, 129600, 100])
    profile, left_out, explained = fit_profile(values[:, :1], clock, DAY_S, 2, least=-10)
    np.testing.assert_allclose(profile.means, [[13 / 3], [6]])
    np.testing.assert_allclose(left_out[:, 0], [1 - 6, 5 - 7, 3 - 5, 7 - 5, 9 - 2])
    assert explained == pytest.approx(1 - left_out.var() / values[:, 0].var())
    overall, from_mean, _ = fit_profile(values[:, :1], clock, DAY_S, 2, least=0.5)
    np.testing.assert_allclose(overall.means, 5)
    np.testing.assert_allclose(from_mean, values[:, :1] - 5)
    np.testing.assert_allclose(profile(np.array([-86400.0 * 3, 1e9 * DAY_S + 50000])), [[13 / 3], [6]])


def test_the_jackknife_lets_few_rows_of_many_channels_raise_fewer_false_alarms():
    rows = remembering(4500, 9, 0.7, channels=30)
    judged = Detector.fit([errors_of(rows[:500], 0.7)], [rows[:500]])(errors_of(rows[500:], 0.7), rows[500:])
    plain = Monitor.fit([rows[:500]])
    alone = plain.p_value(plain.surprise(plain.evidence(rows[500:])))
    assert (judged.p < 1e-3).mean() < 0.2 * (alone < 1e-3).mean()


def test_a_sensor_that_never_varies_is_not_in_the_level_chart_and_the_one_that_left_its_level_is_blamed():
    normal = np.column_stack([remembering(2000, 10, channels=2), np.full(2000, 233.1)])
    new = np.column_stack([remembering(400, 11, channels=2), np.full(400, np.float64(np.float32(233.1)))])
    new[200:, 1] += 15
    judged = Detector.fit([errors_of(normal)[:, :2]], [normal])(errors_of(new)[:, :2], new)
    assert (judged.p[:200] > 1e-3).all()
    assert (judged.level_shares[230:].argmax(axis=1) == 1).all()
    assert (judged.level_shares[:, 2] == 0).all()
    still = Detector.fit([errors_of(normal)[:, :2]], [np.full((2000, 3), 5.0)])
    assert list(still.charts) == ["errors"]


def test_an_alarm_lasts_until_all_is_as_usual_again():
    p = np.array([0.5, 1e-4, 0.01, 1e-4, np.nan, 0.02, 0.06, 0.02, 1e-5])
    assert alarms(p, 1e-3).tolist() == [False, True, True, True, True, True, False, False, True]
    assert alarms(p[4:], 1e-3, on=True).tolist() == [True, True, False, False, True]
    assert alarms(np.array([0.3, 0.1, 0.3]), 0.2).tolist() == [False, True, False]


def test_a_low_score_is_no_fault():
    scores = np.random.default_rng(12).gamma(2.0, size=(4000, 1))
    detector = Detector.fit([scores[:2000]], one_sided=True)
    low = np.concatenate([scores[2000:2100], np.zeros((100, 1)), np.full((100, 1), 8.0)])
    p = detector(low).p
    assert (p[130:200] > 0.5).all()
    assert (p[230:] < 1e-6).all()
