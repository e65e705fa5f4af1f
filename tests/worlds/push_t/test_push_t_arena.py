"""The physics of Push-T, beside the package it is measured by, beside mechanics, and with no past of its own."""

import warnings

import numpy as np
import pytest

pytest.importorskip("pymunk", reason="Push-T needs pymunk")

from armillary.worlds.push_t import tee
from armillary.worlds.push_t.arena import Arena
from armillary.worlds.push_t.world import AGENT, ANGLE, BLOCK, BODIES, FRICTION, PushT


def states(n: int, seed: int = 0) -> np.ndarray:
    """The T in the middle, the disc around it: pushes towards it don't reach a wall."""
    world = PushT(n, control="absolute")
    world.reset(seed=seed)
    state = world.state
    state[:, BLOCK] += 256 - tee.pose_at(state[:, BLOCK], state[:, ANGLE])[:, :2]
    around = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    state[:, AGENT] = 256 + 130 * np.stack([np.cos(around), np.sin(around)], axis=1)
    return state


@pytest.fixture(scope="module")
def theirs():
    """A gym-pusht environment in a state of ours, as a function of that state."""
    reason = "gym-pusht is not installed: it brings OpenCV and pygame, and an older pymunk"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("gym_pusht.envs.pusht", reason=reason)

    def at(state: np.ndarray):
        env = package.PushTEnv()
        env.reset(seed=0)
        env._setup()  # without the step of physics that its own reset makes
        x, y, vx, vy, block_x, block_y, angle, *_ = state.tolist()
        env.agent.position, env.agent.velocity = (x, y), (vx, vy)
        env.block.angle = angle
        env.block.position = block_x, block_y
        return env

    return at


def seen(env) -> np.ndarray:
    agent, block = env.agent, env.block
    return np.array([*agent.position, *agent.velocity, *block.position, block.angle, *block.velocity, block.angular_velocity])


def test_a_long_push_is_that_of_gym_pusht(theirs):
    n, rng = 12, np.random.default_rng(0)
    world = PushT(n, control="absolute", action_repeat=50, autoreset_mode="Disabled")
    start = states(n)
    targets = np.clip(512 - start[:, AGENT] + rng.normal(0, 30, (n, 2)), 150, 360)  # across the T
    world.reset(options={"state": start})
    world.step(targets.astype(np.float32))
    for i in range(n):
        env = theirs(start[i])
        for _ in range(50):
            env.step(targets[i].astype(np.float32).astype(float))
        np.testing.assert_allclose(world.state[i, BODIES], seen(env), atol=1e-6)
    assert np.median(np.hypot(*(world.state - start)[:, BLOCK].T)) > 20


def test_fifty_control_steps_beside_gym_pusht(theirs):
    """From the same state each step is the same; left alone for 50, both stay together, though contacts start cold in ours."""
    n, rng = 8, np.random.default_rng(1)
    world = PushT(n, control="absolute", action_repeat=1, autoreset_mode="Disabled", max_steps=None)
    world.reset(options={"state": states(n, 1)})
    free, moved = [theirs(state) for state in world.state], np.zeros(n)
    for step in range(50):
        before = world.state
        if step % 5 == 0:
            targets = (256 + rng.uniform(-70, 70, (n, 2))).astype(np.float32)
        world.step(targets)
        for i in range(n):
            env = theirs(before[i])
            env.block.velocity, env.block.angular_velocity = tuple(before[i, 7:9].tolist()), float(before[i, 9])
            env.step(targets[i].astype(float))
            np.testing.assert_allclose(world.state[i, BODIES], seen(env), atol=1e-6)
            free[i].step(targets[i].astype(float))
        moved += np.hypot(*(world.state - before)[:, BLOCK].T)
    apart = np.array([seen(env) for env in free]) - world.state[:, BODIES]
    assert np.median(moved) > 100
    assert np.abs(apart[:, :2]).max() < 1e-6  # the disc, whatever it meets
    assert np.hypot(*apart[:, BLOCK].T).max() < 2  # px
    assert np.abs(apart[:, 6]).max() < np.deg2rad(1)


def test_the_state_is_all_there_is():
    """A space that has seen other things gives the same to the last bit: at walls, too, where the order of contacts matters."""
    rng, used = np.random.default_rng(0), Arena()
    world, other = PushT(20, factors=("friction",), autoreset_mode="Disabled"), PushT()
    world.reset(seed=0)
    walled = 0
    for _ in range(25):
        before = world.state
        aim = tee.pose_at(before[:, BLOCK], before[:, ANGLE])[:, :2] - before[:, AGENT]
        actions = np.clip(aim / 75 + rng.normal(0, 0.3, aim.shape), -1, 1).astype(np.float32).astype(float)
        world.step(actions)
        i = int(rng.integers(20))
        one = slice(i, i + 1)
        for other._arena in (used, Arena()):
            np.testing.assert_array_equal(other._moved(before[one], actions[one]), world.state[one])
        walled += int(tee.clearance(tee.pose_at(world.state[one, BLOCK], world.state[one, ANGLE]))[0] < 0)
    assert walled > 3


@pytest.mark.parametrize("friction", [0.0, 0.2, 1.0])
def test_pushes_are_what_mechanics_says(friction):
    n = 80
    world = PushT(n, autoreset_mode="Disabled")
    start = states(n, 2)
    start[:, FRICTION] = friction
    world.reset(options={"state": start})
    aim = (256 - start[:, AGENT]) / 75 + np.random.default_rng(0).normal(0, 0.3, (n, 2))
    actions = np.clip(aim, -1, 1).astype(np.float32).astype(float)
    for _ in range(2):
        world.step(actions)
    assert np.median(np.hypot(*(world.state - start)[:, BLOCK].T)) > 20
    middle, rub = start[:, AGENT] + actions * 75, np.full(n, friction)
    expected = tee.push(tee.pose_at(start[:, BLOCK], start[:, ANGLE]), start[:, AGENT], middle, 50, rub)
    expected = tee.push(expected, middle, world.state[:, AGENT], 50, rub)
    off = np.hypot(*(tee.pose_at(world.state[:, BLOCK], world.state[:, ANGLE]) - expected)[:, :2].T)
    assert np.quantile(off, 0.5) < 1  # px
    assert np.quantile(off, 0.9) < 3


def test_a_t_that_is_squeezed_stays():
    world = PushT(1, autoreset_mode="Disabled", max_steps=None)
    world.reset(seed=0)
    state = world.state
    state[0, ANGLE], state[0, BLOCK], state[0, AGENT] = 0, (256, 340), (256, 320)  # the foot 40 px above the lower wall
    world.reset(options={"state": state})
    for _ in range(6):
        world.step(np.array([[0.0, 1]]))
    assert 384 < world.state[0, BLOCK][1] < 504
