"""The cube world as Gymnasium sees it, as a judge sees it, and beside OGBench's own environment."""

import copy
import os
import subprocess
import sys
import warnings
from ctypes.util import find_library

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from world_checks import assert_same

pytest.importorskip("ogbench", reason="the cube is OGBench's: pip install 'armillary[cube]'")
if sys.platform == "linux" and not os.environ.get("DISPLAY") and find_library("EGL"):
    os.environ.setdefault("MUJOCO_GL", "egl")  # before mujoco is imported; if it was, tests that draw are skipped

import armillary.worlds  # noqa: F401  (registers the world)
from armillary.acting.baselines import Oracle
from armillary.episodes.record import rollouts
from armillary.errors import ArmillaryError
from armillary.evaluation.control.rollouts import run
from armillary.spaces import spec_of
from armillary.worlds.cube.simulator import LYING, PLACE, QUATERNION, REPEAT, Simulator, simulator
from armillary.worlds.cube.world import BUDGET, LAX_OFFSET, Cube, single

TRUTH = ["cube", "cube_turn", "hand", "hand_turn", "gripper"]


def blind(num_envs: int, **options) -> Cube:
    world = Cube(num_envs, **options)
    world.needs_observations = False
    return world


@pytest.fixture(scope="module")
def drawn():
    """Skips the test where there is no OpenGL."""
    try:
        simulator(64).render(simulator(64).new_state(0))
    except ArmillaryError as error:
        pytest.skip(str(error))


# Gymnasium


def test_gymnasium_checks_a_single_one(drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("armillary/Cube-v0", render_mode="rgb_array")
        check_env(env.unwrapped)
    env.reset(seed=0)
    assert env.render().shape == env.observation_space["image"].shape


def test_registry_makes_the_native_vector_env():
    envs = gymnasium.make_vec("armillary/Cube-v0", num_envs=2)
    assert isinstance(envs.unwrapped, Cube)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert envs.metadata["render_fps"] == 4


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_batch_is_gymnasiums_vector_of_singles(mode):
    ours = blind(2, autoreset_mode=mode, max_steps=3)
    theirs = SyncVectorEnv([lambda: single(max_steps=3)] * 2, autoreset_mode=mode)
    for env in theirs.envs:
        env.unwrapped.world.needs_observations = False
    assert ours.single_observation_space == theirs.single_observation_space
    assert_same(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    rng = np.random.default_rng(0)
    for _ in range(7):
        actions = rng.uniform(-1, 1, (2, 5)).astype(np.float32)
        (a, *ours_rest, _), (b, *theirs_rest, _) = ours.step(actions), theirs.step(actions)
        assert_same(a, b)
        np.testing.assert_array_equal(ours_rest, theirs_rest)
        if mode == AutoresetMode.DISABLED and ours_rest[2].any():
            assert_same(*(env.reset(options={"reset_mask": ours_rest[2]})[0] for env in (ours, theirs)))


def test_spec_marks_ground_truth():
    world = blind(2, size=32)
    assert spec_of(world) == world.stream_spec
    assert [s.name for s in world.stream_spec.observed] == ["image"]
    assert [s.name for s in world.stream_spec.truth] == TRUTH
    aware = blind(2, size=32, arm=True)
    assert spec_of(aware) == aware.stream_spec
    assert [s.name for s in aware.stream_spec.observed] == ["image", *TRUTH[2:]]
    assert [s.name for s in aware.stream_spec.truth] == TRUTH[:2]
    play = aware.play()
    play.start(range(2))
    assert play.act(aware.reset(seed=0)[0]).values.shape == (2, 5)
    assert world.stream_spec.rate == 4
    observation, _ = world.reset(seed=0)
    for stream in world.stream_spec.streams:
        assert observation[stream.name].shape == (2, *stream.shape)
        assert observation[stream.name].dtype == stream.dtype


# Physics and images


def test_any_state_can_be_replayed_bit_for_bit():
    world = blind(2)
    world.reset(seed=3)
    play = world.play()
    play.start(range(2))
    observation, states, actions = world._observe(), [world.state], []
    for _ in range(12):  # long enough to touch the cube
        actions.append(play.act(observation).values)
        observation, *_ = world.step(actions[-1])
        states.append(world.state)
    assert (states[-1] != states[0])[:, PLACE].any()
    other = blind(1, autoreset_mode="Disabled")
    for i in range(2):
        other.reset(options={"state": states[4][[i]]})
        for step in range(4, 12):
            other.step(actions[step][[i]])
            np.testing.assert_array_equal(other.state[0], states[step + 1][i])
    assert_same(other.render_states(states[-1]), observation)


def test_a_step_is_five_control_steps_of_ogbench():
    """Not bit for bit: between its steps, OGBench senses where the hand was 2 ms before."""
    theirs = Simulator(16)._env
    theirs.reset(seed=11)
    state = simulator(64).new_state(11)
    rng = np.random.default_rng(1)
    for _ in range(6):
        action = rng.uniform(-1, 1, 5)
        for _ in range(REPEAT):
            theirs.step(action)
        state = simulator(64).advance(state, action)
        truth, info = simulator(64).truth(state), theirs.compute_ob_info()
        np.testing.assert_allclose(truth["hand"], info["proprio/effector_pos"], atol=1e-3)
        np.testing.assert_allclose(state[PLACE], info["privileged/block_0_pos"], atol=1e-3)
        np.testing.assert_allclose(truth["gripper"][0], info["proprio/gripper_opening"][0], atol=5e-3)


def test_actions_move_the_hand_the_way_that_the_spec_says():
    world = blind(5, autoreset_mode="Disabled")
    start = np.stack([simulator(64).at_home(np.array([0.3, -0.3]), 0.0)] * 5)
    before, _ = world.reset(options={"state": start})
    after, *_ = world.step(np.diag([1, -1, -1, 1, 1]) * np.float32(0.5))
    moved = after["hand"] - before["hand"]
    assert moved[0, 0] > 0.03
    assert moved[1, 1] < -0.03
    assert moved[2, 2] < -0.03
    turned = np.arctan2(*after["hand_turn"].T[::-1]) - np.arctan2(*before["hand_turn"].T[::-1])
    assert turned.argmax() == 3
    assert turned[3] > 0.1
    assert (after["gripper"][:, 0] > 0.5).tolist() == [False, False, False, False, True]


def test_images_show_the_cube_where_it_is(drawn):
    world = Cube(1)
    places = [np.array([0.35, -0.2]), np.array([0.35, 0.2]), np.array([0.5, -0.2])]
    images = world.render_states(np.stack([simulator(64).at_home(place, 0.0) for place in places]))["image"].astype(int)
    red = (images[..., 0] > 120) & (images[..., 0] > 2 * images[..., 1])
    rows, columns = np.array([[axis.mean() for axis in np.nonzero(mask)] for mask in red]).T
    assert columns[1] > columns[0] + 10  # y is to the right
    assert rows[2] > rows[0] + 5  # and x towards the camera
    world.needs_observations = False
    assert not world.render_states(simulator(64).new_state(0)[None])["image"].any()


# The judge's side


def test_pairs_obey_their_constraints():
    world, rng = blind(1), np.random.default_rng(0)
    start, goal = world.sample_pairs(40, rng, min_distance=2.5, min_carry=0.2)
    assert (world.shortest_path(start, goal) >= 2.5).all()
    assert (np.linalg.norm((start - goal)[:, PLACE], axis=1) >= 0.2).all()
    for states in (start, goal):
        assert (states[:, 14:16] >= [0.3, -0.3]).all()
        assert (states[:, 14:16] <= [0.55, 0.3]).all()
        assert (states[:, :6] == start[0, :6]).all()  # the arm at home
    again = [world.sample_pairs(3, np.random.default_rng(1)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    with pytest.raises(ArmillaryError, match="min_distance=50"):
        world.sample_pairs(2, rng, min_distance=50.0)


def test_ogbenchs_oracle_holds_goals_within_the_budget_and_no_step_beats_the_bound():
    world = blind(5, autoreset_mode="Disabled", max_steps=None)
    start, goal = world.sample_pairs(5, np.random.default_rng(2))
    budget = np.ceil(BUDGET * world.shortest_path(start, goal)).astype(int) + 3
    rollouts = run(world, Oracle(world.oracle), start, goal, budget)
    assert rollouts.held(3).all()
    assert (np.abs(rollouts.actions) <= 1).all()
    assert rollouts.arrival(3).min() >= 8  # a cube is not carried across the table faster than an arm can
    for before, after in zip(rollouts.states[:-1], rollouts.states[1:], strict=True):
        there = np.isfinite(after[:, 0])
        if there.any():
            before, after, end = before[there], after[there], goal[there]
            assert (world.shortest_path(before, after) <= 1).all()
            assert (world.shortest_path(before, end) - world.shortest_path(after, end) <= 1).all()


def test_success_is_the_cube_within_4_cm_wherever_the_arm_is():
    world = blind(1)
    goal = np.stack([simulator(64).at_home(np.array([0.4, 0.0]), 0.0)] * 4)
    state = np.stack([simulator(64).new_state(seed) for seed in range(4)])
    state[:, PLACE] = goal[:, PLACE] + [[0.039, 0, 0], [0.041, 0, 0], [0, -0.03, 0.03], [0.02, 0.02, 0.02]]
    assert world.success(state, goal).tolist() == [True, False, False, True]
    path = np.stack([state, np.roll(state, 1, axis=0)])  # the first touch counts, also at the start
    assert world.success_lax(path, goal).tolist() == [True, True, False, True]


def test_lax_pairs_are_two_moments_of_play():
    world = blind(1)
    start, goal = world.lax_pairs(8, np.random.default_rng(0))
    assert start.shape == goal.shape == (8, 68)
    solved = world.success(start, goal)
    assert 0 < solved.sum() < 8  # this is why nobody should draw pairs like this
    moved = np.abs((goal - start)[:, PLACE])[:, :2].max(axis=1)
    assert (moved < LAX_OFFSET * 0.23).all()
    assert (start[:, :6] != start[0, :6]).any()  # the arm is anywhere


def test_play_picks_up_and_places():
    world = blind(4, max_steps=40)
    assert str(world.play()) == "CubePlay(noise=0.3, random=0.1)"
    episodes = list(rollouts(world, world.play(), episodes=4, seed=0))
    height = np.array([episode.truth["cube"][:, 2].max() for episode in episodes])
    assert (height > 4 * LYING).sum() >= 3  # lifted
    travelled = [np.ptp(episode.truth["cube"][:, :2], axis=0).max() for episode in episodes]
    assert np.median(travelled) > 0.1
    again = list(rollouts(blind(4, max_steps=40), world.play(), episodes=4, seed=0))
    np.testing.assert_array_equal(again[2].actions, episodes[2].actions)


def test_images_show_what_ogbenchs_meshes_do(drawn, monkeypatch):
    monkeypatch.setattr("armillary.worlds.cube.simulator.coarse", lambda model, cell: copy.copy(model))
    whole = Simulator(64)
    for seed in range(2):
        state = whole.new_state(seed)
        ours, theirs = simulator(64).render(state).astype(float), whole.render(state).astype(float)
        assert 0 < np.abs(ours - theirs).mean() < 2.5  # of 255


# Errors


def test_bad_states_and_options():
    world = blind(2)
    world.reset(seed=0)
    state = world.state
    for change, message in (
        (lambda s: s[:, :5], r"states are \(2, 68\), not \(2, 5\)"),
        (lambda s: np.where(np.arange(68) == 3, np.nan, s), "state 0 is not finite"),
        (lambda s: np.where(np.arange(68) == QUATERNION.start, 7.0, s), "its quaternion is not of length 1"),
    ):
        with pytest.raises(ArmillaryError, match=message):
            world.reset(options={"state": change(state)})
    np.testing.assert_array_equal(world.state, state)
    with pytest.raises(ArmillaryError, match="size is a whole number of at least 16"):
        Cube(size=8)
    with pytest.raises(ArmillaryError, match="no factor colour; the factors are none"):
        Cube(factors=["colour"])


def test_without_opengl_the_error_says_what_to_install(monkeypatch):
    def none(*_):
        raise RuntimeError("no display")

    monkeypatch.setattr("mujoco.Renderer", none)
    monkeypatch.setattr(simulator(64), "_renderer", None)
    with pytest.raises(ArmillaryError, match=r"none \(no display\).*MUJOCO_GL=egl .*libegl1.*libosmesa6"):
        Cube().reset(seed=0)


def test_an_opengl_that_is_not_there_is_no_traceback():
    script = (
        "from armillary.errors import ArmillaryError\n"
        "from armillary.worlds import make\n"
        "try: make('cube')\n"
        "except ArmillaryError as error: print(error)"
    )
    environment = {**os.environ, "MUJOCO_GL": "nonsense"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert "set MUJOCO_GL=egl" in done.stdout
