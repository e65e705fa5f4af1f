"""Messages on a control clock: which moment a row is of, and what it holds of each topic. Times are in ns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.episodes.formats.clocks import Held, InForce, Mean, Samples, ages, period, samples_a_step, stretches, ticks_of


def read(message) -> np.ndarray:
    return np.float32([message])


def rows(aligned, messages, ticks):
    """What each tick holds, where `messages` are (time, value)."""
    found, waiting = [], sorted(messages)
    for tick in ticks:
        while waiting and waiting[0][0] <= tick:
            aligned.take(*waiting.pop(0))
        found.append(aligned.row(tick))
    return np.array(found)


def test_ticks_are_where_every_topic_is():
    times = {"slow": np.arange(5, 100, 10) * 10**9, "fast": np.arange(0, 80) * 10**9}
    even = ticks_of(times, {}, rate=0.5, topic=None)
    np.testing.assert_array_equal(even, np.arange(5, 81, 2) * 10**9)  # the fast one ends in 79, and holds for 1 s more
    np.testing.assert_array_equal(ticks_of(times, {"fast": 8}, rate=1.0, topic=None)[:2], [7 * 10**9, 8 * 10**9])
    np.testing.assert_array_equal(ticks_of(times, {}, rate=None, topic="slow"), np.arange(5, 80, 10) * 10**9)
    third = ticks_of({"a": np.arange(4) * 10**9}, {}, rate=3.0, topic=None)
    np.testing.assert_array_equal(third[[1, 3, 6]], [333_333_333, 10**9, 2 * 10**9])  # no rounding adds up


def test_periods_and_ages():
    times = np.array([0, 1, 2, 3, 9]) * 10**9
    assert period(times) == 1
    assert np.isnan(period(times[:1]))
    np.testing.assert_array_equal(ages(np.array([0, 3, 8, 10]) * 10**9, times), [0, 0, 5, 1])


def test_stretches_of_ticks_that_are_fit():
    fit = np.array([1, 1, 0, 1, 0, 1, 1, 1, 1], bool)
    none = np.zeros(9, bool)
    assert stretches(fit, none) == [(0, 2), (5, 9)]
    assert stretches(fit, np.arange(9) == 7) == [(0, 2), (5, 7), (7, 9)]
    assert stretches(fit, np.arange(9) == 8) == [(0, 2), (5, 8)]
    assert stretches(~none, none) == [(0, 9)]
    assert stretches(none, none) == []


@pytest.mark.parametrize(("hertz", "count"), [(200, 10), (201, 10), (205, None), (30, None), (20, None), (40, 2), (10, None)])
def test_samples_a_step(hertz, count):
    assert samples_a_step(1 / hertz, 1 / 20) == count


def test_held_is_the_last_message_and_is_read_once():
    calls = []
    held = Held(lambda message: calls.append(message) or read(message))
    found = rows(held, [(0, 0), (4, 4), (5, 5), (6, 6)], [0, 1, 5, 6, 7])
    np.testing.assert_array_equal(found[:, 0], [0, 0, 5, 6, 6])
    assert calls == [0, 5, 6]


def test_samples_are_the_last_so_many():
    found = rows(Samples(read, 3), [(t, t) for t in range(10)], [2, 5, 9])
    np.testing.assert_array_equal(found[..., 0], [[0, 1, 2], [3, 4, 5], [7, 8, 9]])


def test_the_mean_is_of_what_came_since_the_tick_before():
    found = rows(Mean(read), [(0, 1), (1, 2), (2, 6), (9, 3)], [0, 2, 4, 9])
    np.testing.assert_array_equal(found[:, 0], [1, 4, 4, 3])


def test_the_action_of_a_step_is_the_mean_of_the_command_in_force():
    """Whether commands come just before a tick, just after it, or at a third of the step."""
    ticks, step = np.arange(5) * 900 + 900, 900
    for phase, shares in ((0, (1.0, 0.0)), (1, (899 / 900, 1 / 900)), (899, (1 / 900, 899 / 900)), (300, (2 / 3, 1 / 3))):
        commands = [(k * step + phase, 10.0 * k) for k in range(7)]
        found = rows(InForce(read), commands, ticks.tolist())[1:, 0]
        wanted = [shares[0] * 10 * k + shares[1] * 10 * (k - 1) for k in range(1, 5)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_on_their_own_clock_commands_are_kept_to_the_last_bit():
    rng = np.random.default_rng(0)
    ticks = np.cumsum(rng.integers(1, 3 * 10**9, 200)) + 1_700_000_000 * 10**9
    commands = rng.standard_normal(200).astype(np.float32)
    found = rows(InForce(read), list(zip(ticks.tolist(), commands, strict=True)), ticks.tolist())
    np.testing.assert_array_equal(found[1:, 0], commands[:-1])


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(-100, 100)), min_size=1, max_size=30), st.integers(1, 10**9))
def test_what_is_done_adds_up(gaps, step):
    """The actions of all steps together are the commands by the time that each was in force."""
    times = np.cumsum([gap for gap, _ in gaps]).tolist()
    commands = [float(command) for _, command in gaps]
    ticks = list(range(times[0], times[-1] + 2 * step + 1, max(step, (times[-1] - times[0]) // 50 + 1)))
    actions = rows(InForce(read), list(zip(times, commands, strict=True)), ticks)[1:, 0]
    ends = np.clip([*times[1:], ticks[-1]], None, ticks[-1])
    wanted = np.sum((ends - np.clip(times, None, ticks[-1])) * commands)
    assert np.sum(actions.astype(np.float64) * np.diff(ticks)) == pytest.approx(wanted, rel=1e-5, abs=1e-4 * ticks[-1])
