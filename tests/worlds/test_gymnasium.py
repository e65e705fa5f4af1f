"""Every native world as Gymnasium sees it: its checkers find nothing, and a batch is so many single ones."""

import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from world_checks import assert_same

from armillary.spaces import spec_of
from armillary.worlds import make

WORLDS = {  # Gymnasium's name of it, and options beside the defaults
    "two_room": ("armillary/TwoRoom-v0", {"door": "random"}, {"size": 32, "door": [10.0, 20.0]}),
    "maze": ("armillary/Maze-v0", {"size": 32, "cells": 4, "layouts": 3}),
    "house": ("armillary/House-v0", {"size": 32, "beams": 16, "layouts": 3}),
    "push_t": ("armillary/PushT-v0", {"size": 32, "action_repeat": 1}),
    "reacher": ("armillary/Reacher-v0", {"size": 32, "action_repeat": 2}),
    "physics": ("armillary/Physics-v0", {"size": 32, "variety": "held_out"}, {"size": 32, "hand": False}),
}
NEEDS = {"push_t": "pymunk", "physics": "pymunk", "reacher": "mujoco"}


@pytest.fixture(params=WORLDS)
def name(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param


def every(name: str) -> list[dict]:
    """The defaults and the other options, each without factors of variation and with all of them."""
    factors = make(name).all_factors
    return [{**options, "factors": which} for options in ({}, *WORLDS[name][1:]) for which in ((), factors)]


def single(name: str, **options) -> gymnasium.Env:
    return gymnasium.make(WORLDS[name][0], **options).unwrapped


def without_nan(name: str) -> dict:
    """Gymnasium's boxes hold no NaN, which is how depth and scan say that nothing was measured."""
    return {"streams": ("image", "odometry")} if name == "house" else {}


def test_its_checker_finds_nothing(name):
    for options in every(name):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = single(name, render_mode="rgb_array", **options, **without_nan(name))
            check_env(env)
        env.reset(seed=0)
        assert env.render().shape == env.observation_space["image"].shape


def test_its_registry_makes_the_native_vector_environment(name):
    envs = gymnasium.make_vec(WORLDS[name][0], num_envs=3, **without_nan(name))
    assert type(envs.unwrapped) is type(make(name))
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    observation, _ = envs.reset(seed=0)
    assert observation in envs.observation_space
    observation, reward, terminated, truncated, _ = envs.step(envs.action_space.sample())
    assert observation in envs.observation_space
    assert reward.shape == terminated.shape == truncated.shape == (3,)
    assert terminated.dtype == truncated.dtype == bool


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_a_batch_is_its_vector_of_single_ones(name, mode):
    for options in every(name):
        assert_batch_is_singles(name, mode, {**options, "max_steps": 7})


def assert_batch_is_singles(name: str, mode: AutoresetMode, options: dict) -> None:
    ours = make(name, num_envs=4, autoreset_mode=mode, **options)
    theirs = SyncVectorEnv([lambda: single(name, **options)] * 4, autoreset_mode=mode)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.action_space == theirs.action_space
    observation, _ = ours.reset(seed=5)
    assert_same(observation, theirs.reset(seed=5)[0])
    play, began = ours.play(), np.ones(4, bool)
    for step in range(20):
        if began.any():
            play.start(np.flatnonzero(began))
        actions = play.act(observation).values
        (observation, *rest, _), (same, *theirs_rest, _) = ours.step(actions), theirs.step(actions)
        assert_same(observation, same)
        np.testing.assert_array_equal(rest, theirs_rest)
        began = rest[2]
        if step == 2 or (mode == AutoresetMode.DISABLED and began.any()):  # from here on they end at different times
            began = began | (np.arange(4) == step % 4)
            observation, _ = ours.reset(options={"reset_mask": began})
            assert_same(observation, theirs.reset(options={"reset_mask": began})[0])


def test_seeds(name):
    for options in every(name):
        world = make(name, num_envs=3, **options)
        first, state = world.reset(seed=7)[0], world.state
        world.reset()
        assert (world.state != state).any(axis=1).all()
        assert_same(world.reset(seed=7)[0], first)
        world.reset(seed=[9, 8, 7])
        np.testing.assert_array_equal(world.state[2], state[0])


def test_its_spec_says_what_is_sensed(name):
    for options in every(name):
        world = make(name, num_envs=2, **options)
        assert spec_of(world) == spec_of(single(name, **options)) == world.stream_spec
        observation, _ = world.reset(seed=0)
        assert list(observation) == [stream.name for stream in world.stream_spec.streams]
        for stream in world.stream_spec.streams:
            assert observation[stream.name].shape == (2, *stream.shape)
            assert observation[stream.name].dtype == stream.dtype


def test_observations_are_not_overwritten_by_later_steps(name):
    world = make(name, num_envs=2)
    before, _ = world.reset(seed=0)
    kept = pickle.loads(pickle.dumps(before))
    world.step(np.ones((2, 2), np.float32))
    assert_same(before, kept)
