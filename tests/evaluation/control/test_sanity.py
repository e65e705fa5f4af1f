"""Planted faults: each must turn a check red, and a sound world must leave them all green."""

import numpy as np
import pytest
from judging_fakes import Dial

from armillary.acting.baselines import Oracle, RandomBaseline
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.control.sanity import check_batch, check_rows, replay_error, transitions
from armillary.worlds.two_room.world import TwoRoom

OPTIONS = {"num_envs": 32, "autoreset_mode": "Disabled", "max_steps": None}


class Resets(TwoRoom):
    """Starts anew in the middle of the budget, though it says that it never resets itself."""

    def step(self, actions):
        result = super().step(actions)
        if self._steps[0] == 3:
            self._state[:, :2] = 10.0
        return result


class Late(TwoRoom):
    """Carries out each action one step late."""

    waiting = None

    def reset(self, **options):
        self.waiting = np.zeros((self.num_envs, 2), np.float32)
        return super().reset(**options)

    def step(self, actions):
        now, self.waiting = self.waiting, np.array(actions)
        return super().step(now)


class Tunnels(TwoRoom):
    """Looks at where a step ends, not at what is on the way."""

    def step(self, actions):
        before = self._state[:, :2].copy()
        result = super().step(actions)
        straight = before + np.clip(actions, -1, 1) * self.step_length
        free = np.abs(self.free_space(self._state).nearest_free(straight) - straight).max(axis=1) < 1e-9
        self._state[free, :2] = straight[free]
        return result


def straight(state, goal):
    """Actions straight at the goal, walls or not."""
    return np.clip((goal - state)[:, :2] / 12.5, -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def pairs():
    return make_eval_set(TwoRoom(**OPTIONS), 40, seed=1, rollouts=2, cross=True, min_distance=1.5)


def red(result):
    return {check.name for check in result.checks if not check.ok}


def test_a_sound_world_is_all_green(pairs):
    result = evaluate(TwoRoom(**OPTIONS), pairs)
    assert result.ok
    assert {c.name for c in result.checks} == {
        "oracle", "do nothing", "random", "replay", "step", "shortest path", "angles",
    }  # fmt: skip


def test_a_reset_inside_the_budget_turns_red(pairs):
    assert {"step", "replay"} <= red(evaluate(Resets(**OPTIONS), pairs))


def test_late_actions_turn_red(pairs):
    assert "replay" in red(evaluate(Late(**OPTIONS), pairs))


def test_actions_shifted_by_one_in_a_recording_turn_red(pairs):
    world = TwoRoom(**OPTIONS)
    rollouts = run(world, RandomBaseline(world.stream_spec.action), pairs.start, pairs.goal, pairs.budget)
    states, actions, after = transitions(rollouts)
    assert replay_error(world, states, actions, after) < 1e-9
    rollouts.actions = np.roll(rollouts.actions, 1, axis=0)
    assert replay_error(world, *transitions(rollouts)) > 1


def test_a_wall_that_can_be_stepped_through_turns_red(pairs):
    assert {"step", "shortest path"} <= red(evaluate(Tunnels(**OPTIONS), pairs, others={"straight": Oracle(straight)}))
    # Random actions find the hole as well: no policy has to look for it.
    assert "step" in red(evaluate(Tunnels(**OPTIONS), pairs))


def test_an_angle_that_wraps_turns_red():
    pairs = make_eval_set(Dial(), 60, seed=0, rollouts=10, budget=1.0, random_hold=1)
    assert evaluate(Dial(), pairs).ok
    assert red(evaluate(Dial(wraps=True), pairs)) == {"oracle", "angles"}


@pytest.mark.parametrize(
    ("success", "name"),
    [((0, 0, 0.98), "oracle"), ((0.06, 0, 1), "do nothing"), ((0, 0.06, 1), "random")],
)
def test_each_sanity_row_has_its_own_check(success, name):
    checks = check_rows(dict(zip(("do_nothing", "random", "oracle"), success, strict=True)))
    assert [check.name for check in checks if not check.ok] == [name]


def test_outcomes_that_depend_on_the_batch_turn_red(pairs):
    world = TwoRoom(**OPTIONS)
    rollouts = run(world, Oracle(straight), pairs.start, pairs.goal, pairs.budget)
    alone = run(world, Oracle(straight), pairs.start[:2], pairs.goal[:2], pairs.budget[:2], batch=1)
    (check,) = check_batch(pairs.hold, {"model": rollouts}, {"model": alone})
    assert check.ok
    alone.success[:, 0] = ~alone.success[:, 0]
    (check,) = check_batch(pairs.hold, {"model": rollouts}, {"model": alone})
    assert not check.ok
    assert check.value == 0.5
