"""Measures of alarms: known cases, and a slow direct definition of the volume under the surface."""

import numpy as np
import pytest

from armillary.monitoring.metrics import Confusion, average_precision, events, judge_events, vus_pr


def faults(n: int, *ranges: tuple[int, int]) -> np.ndarray:
    label = np.zeros(n, bool)
    for start, stop in ranges:
        label[start:stop] = True
    return label


def slow_vus(score, fault, buffer):
    """By the paper's definitions, a threshold and a buffer at a time."""
    total = 0.0
    for width in range(buffer + 1):
        label = fault.astype(float)
        for start, stop in events(fault):
            for i in range(len(fault)):
                distance = max(start - i, i - (stop - 1), 0)
                if 0 < distance <= width // 2:
                    label[i] = max(label[i], (1 - distance / width) ** 0.5)
        area = before = 0.0
        for threshold in sorted(set(score), reverse=True):
            alarm = score >= threshold
            hits = [alarm[max(a - width // 2, 0) : b + width // 2].any() for a, b in events(fault)]
            positives = (fault.sum() + label.sum()) / 2
            recall = min((alarm * label).sum() / positives, 1) * np.mean(hits)
            area += (recall - before) * (alarm * label).sum() / alarm.sum()
            before = recall
        total += area
    return total / (buffer + 1)


@pytest.mark.parametrize("seed", range(4))
def test_volume_under_the_surface_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    fault = faults(60, (0, 4), (20, 31), (34, 36), (57, 60))  # at both ends, and two whose buffers overlap
    score = np.round(rng.normal(size=60) + fault, 1)  # with ties
    assert vus_pr(score, fault, 12) == pytest.approx(slow_vus(score, fault, 12))


def test_known_areas():
    fault = faults(100, (40, 60))
    assert average_precision(fault * 1.0, fault) == 1
    assert average_precision(np.ones(100), fault) == pytest.approx(0.2)  # the share of faults
    assert average_precision(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False])) == pytest.approx((1 + 2 / 3) / 2)
    assert vus_pr(fault * 1.0, fault, 0) == 1
    assert np.isnan(average_precision(np.ones(5), faults(5)))


def test_a_detection_a_little_late_costs_less_volume_than_area():
    fault = faults(200, (80, 120))
    late = np.roll(fault, 6) * 1.0
    random = np.random.default_rng(0).normal(size=200)
    assert vus_pr(late, fault, 30) > average_precision(late, fault) + 0.02
    assert vus_pr(random, fault, 30) < 0.4  # and chance gains nothing


def test_rates_of_rows():
    counts = Confusion.of(faults(10, (2, 6)), faults(10, (4, 9)))
    assert (counts.true_alarms, counts.false_alarms, counts.missed, counts.quiet) == (2, 2, 3, 3)
    assert counts.f1 == pytest.approx(2 / (2 + 5 / 2))
    assert (counts.false_alarm_rate, counts.missed_alarm_rate) == (2 / 5, 3 / 5)
    assert np.isnan(Confusion.of(faults(3), faults(3)).f1)


def test_events():
    fault = faults(50, (10, 20), (30, 40))
    alarm = faults(50, (2, 4), (8, 12), (15, 17), (39, 45), (47, 48))
    judged = judge_events(alarm, fault)
    assert (judged.events, judged.caught, judged.delays) == (2, 2, [0, 9])
    assert judged.false_alarms == 3  # 2, 8 and 47; what began inside an event may outlast it
    assert judged.normal == 30
    assert events(np.ones(3, bool)) == [(0, 3)]
