"""Recording: row t holds o[t] and the action that led to o[t+1], whatever way the environment begins its next episode."""

import os
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from armillary.actor import Action, Actor
from armillary.episodes import drafts
from armillary.episodes import record as record_module
from armillary.episodes.observing import as_stream
from armillary.episodes.record import record, rollouts
from armillary.episodes.scripted import Random, Smooth
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.spaces import spec_of
from armillary.spec import ActionSpace, Spec, Stream

MODES = list(AutoresetMode)
ACTION = Box(-1.0, 1.0, (1,), np.float32)
SENSED = Dict({"clock": Box(-1, np.inf, (4,), np.float64), "image": Box(0, 255, (2, 2, 3), np.uint8)})


def length_of(worker: int, episode: int) -> int:
    """Steps of an episode: different in each, and 1 now and then."""
    return 1 + (2 * worker + 3 * episode) % 5


def sense(worker: int, episode: int, step: int, action: float) -> dict:
    """An observation that says where it is and which action led to it."""
    return {"clock": np.array([worker, episode, step, action]), "image": np.full((2, 2, 3), 10 * worker + step, np.uint8)}


class Clock(gymnasium.Env):
    """One environment: its observation counts episodes and steps."""

    observation_space, action_space = SENSED, ACTION

    def __init__(self, worker: int = 0):
        self.worker, self.number = worker, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number, self.step_number = self.number + 1, 0
        return sense(self.worker, self.number, 0, -9), {}

    def step(self, action):
        self.step_number += 1
        ended = self.step_number == length_of(self.worker, self.number)
        terminated = ended and self.number % 2 == 0
        return sense(self.worker, self.number, self.step_number, action[0]), 0.0, terminated, ended and not terminated, {}


class Clocks(VectorEnv):
    """Several, natively: every observation is written over the one before."""

    def __init__(self, num_envs: int, mode: AutoresetMode):
        self.num_envs, self.metadata = num_envs, {"autoreset_mode": mode}
        self.single_observation_space, self.single_action_space = SENSED, ACTION
        self.observation_space, self.action_space = batch_space(SENSED, num_envs), batch_space(ACTION, num_envs)
        self.envs = [Clock(worker) for worker in range(num_envs)]
        self.seen = {"clock": np.zeros((num_envs, 4)), "image": np.zeros((num_envs, 2, 2, 3), np.uint8)}
        self.ended = np.zeros(num_envs, bool)

    def _write(self, worker: int, observation: dict) -> None:
        for name, value in observation.items():
            self.seen[name][worker] = value

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        for worker in np.flatnonzero(mask):
            self._write(worker, self.envs[worker].reset()[0])
        self.ended &= ~mask
        return self.seen, {}

    def step(self, actions):
        mode, info = self.metadata["autoreset_mode"], {}
        flags = np.zeros((2, self.num_envs), bool)
        for worker, env in enumerate(self.envs):
            if self.ended[worker]:
                assert mode == AutoresetMode.NEXT_STEP, "stepped after its end"
                self._write(worker, env.reset()[0])
                continue
            observation, _, *flags[:, worker], _ = env.step(actions[worker])
            if mode == AutoresetMode.SAME_STEP and flags[:, worker].any():
                info.setdefault("final_obs", np.full(self.num_envs, None))[worker] = observation
                observation = env.reset()[0]
            self._write(worker, observation)
        self.ended = flags.any(0) & (mode != AutoresetMode.SAME_STEP)
        return self.seen, np.zeros(self.num_envs), *flags, info


def make(kind: str, num_envs: int, mode: AutoresetMode) -> VectorEnv:
    if kind == "native":
        return Clocks(num_envs, mode)
    return SyncVectorEnv([lambda w=w: Clock(w) for w in range(num_envs)], copy=False, autoreset_mode=mode)


def check(episodes: list, *, cut: bool = False) -> set:
    """Every row is where it says it is, and says the action before it; the (worker, episode) of each."""
    seen = set()
    for episode in episodes:
        clock = episode.observations["clock"]
        worker, number = clock[0, :2].astype(int)
        steps = length_of(worker, number)
        if cut and episode.info["ended"] == "cut":
            assert len(episode.actions) < steps
            steps = len(episode.actions)
        else:
            assert episode.info["ended"] == ("truncated" if number % 2 else "terminated")
        assert len(episode.actions) == steps
        assert clock.dtype == np.float32
        np.testing.assert_array_equal(clock[:, :3], [[worker, number, step] for step in range(steps + 1)])
        np.testing.assert_array_equal(clock[:, 3], [-9, *episode.actions[:, 0]])
        np.testing.assert_array_equal(episode.observations["image"][:, 0, 0, 0], 10 * worker + np.arange(steps + 1))
        assert episode.info["worker"] == worker
        assert (worker, number) not in seen
        seen.add((worker, number))
    return seen


@pytest.mark.parametrize("kind", ["native", "gymnasium"])
@pytest.mark.parametrize("mode", MODES)
def test_rows_and_actions_stay_together_at_every_reset(kind, mode):
    env = make(kind, 3, mode)
    episodes = list(rollouts(env, Random(spec_of(env).action), episodes=14, seed=1))
    # The same number from each: the first 14 to end would be the short ones.
    assert check(episodes) == {(w, k) for w in range(3) for k in range(5 if w < 2 else 4)}


@pytest.mark.parametrize("mode", MODES)
def test_a_number_of_steps_gives_the_episodes_under_way_too(mode):
    env = Clocks(3, mode)
    episodes = list(rollouts(env, Random(spec_of(env).action), steps=50))
    check(episodes, cut=True)
    assert 50 <= sum(len(episode.actions) for episode in episodes) < 53


@pytest.mark.parametrize("mode", MODES)
def test_episodes_outgrow_the_room_that_they_begin_with(mode, monkeypatch):
    monkeypatch.setattr(drafts, "ROWS", 1)
    env = Clocks(3, mode)
    check(list(rollouts(env, Random(spec_of(env).action), episodes=14)))


def test_a_single_environment():
    episodes = list(rollouts(Clock(), Random(spec_of(Clock()).action), episodes=4))
    assert check(episodes) == {(0, k) for k in range(4)}


def test_long_episodes_are_cut_and_no_step_is_lost():
    env = Clocks(2, AutoresetMode.NEXT_STEP)
    parts = list(rollouts(env, Random(spec_of(env).action), episodes=10, max_length=3))
    assert max(len(part) for part in parts) == 3
    steps: dict = {}
    for part in parts:
        clock = part.observations["clock"]
        for before, after, action in zip(clock, clock[1:], part.actions, strict=False):
            assert after[3] == action[0]
            assert after[2] == before[2] + 1
            steps.setdefault(tuple(before[:2].astype(int)), []).append(int(before[2]))
    assert steps == {(w, k): list(range(length_of(w, k))) for w in range(2) for k in range(5)}


class Walk(VectorEnv):
    """A world with a spec of its own: a lone place, told as ground truth beside what is sensed."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012
    num_envs, name, version = 2, "walk", "7"
    stream_spec = Spec((Stream("scan", "scan", (3,)), Stream("place", "vector", (1,), truth=True)), ActionSpace("discrete", 4))

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(2, bool))
        self.place = np.where(mask[:, None], 0.0, getattr(self, "place", 0.0))
        return {"scan": np.ones((2, 3)), "place": self.place}, {}

    def step(self, actions):
        self.place = self.place + actions[:, None]
        ended = self.place[:, 0] > 12
        return {"scan": np.ones((2, 3)), "place": self.place}, np.zeros(2), ended, np.zeros(2, bool), {}


def test_truth_and_choices_and_provenance(tmp_path):
    world = Walk()
    store = record(world, Random(world.stream_spec.action, hold=2), tmp_path / "s", episodes=4, seed=3, info={"note": "n"})
    assert store.spec == world.stream_spec
    assert store.episode(0).truth == {}
    for number in range(4):
        episode = store.episode(number, truth=True)
        place = episode.truth["place"][:, 0]
        np.testing.assert_array_equal(np.diff(place), episode.actions)
        assert place[-1] > 12
        np.testing.assert_array_equal(np.repeat(episode.actions[::2], 2)[: len(episode.actions)], episode.actions)
    said = store.infos[0]
    assert (said["env"], said["policy"], said["seed"]) == ("walk", "Random(hold=2)", 3)
    assert said["versions"]["world"] == "7"
    assert store.info["note"] == "n"


def test_a_recording_is_repeatable_and_its_seed_matters(tmp_path):
    def hashed(name, seed):
        env = Clocks(3, AutoresetMode.SAME_STEP)
        return record(env, Smooth(spec_of(env).action), tmp_path / name, episodes=6, seed=seed).content_hash()

    assert hashed("a", 0) == hashed("b", 0) != hashed("c", 1)


def test_appending_to_a_store(tmp_path):
    env = Clocks(2, AutoresetMode.NEXT_STEP)
    policy = Random(spec_of(env).action)
    store = record(env, policy, tmp_path / "s", episodes=2)
    assert record(env, policy, store, episodes=3, seed=1) is store
    assert [info["seed"] for info in Episodes.open(tmp_path / "s").infos] == [0, 0, 1, 1, 1]
    with pytest.raises(ArmillaryError, match="exists"):
        record(env, policy, tmp_path / "s", episodes=2)


def test_episodes_are_committed_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(record_module, "_COMMIT_BYTES", 2000)
    env, found = Clocks(2, AutoresetMode.NEXT_STEP), []

    def policy(observations, rng):
        found.append(len(Episodes.open(tmp_path / "s")) if (tmp_path / "s").exists() else 0)
        return rng.uniform(-1, 1, (2, 1))

    record(env, policy, tmp_path / "s", episodes=100)
    assert len(set(found)) > 5
    assert found == sorted(found)


def test_an_interrupt_keeps_what_has_ended(tmp_path):
    env = Clocks(2, AutoresetMode.NEXT_STEP)

    def policy(observations, rng):
        if observations["clock"][0, 1] == 4:
            raise KeyboardInterrupt
        return np.zeros((2, 1), np.float32)

    with pytest.raises(KeyboardInterrupt):
        record(env, policy, tmp_path / "s", episodes=100)
    store = Episodes.open(tmp_path / "s")
    assert {(0, k) for k in range(4)} <= check([store.episode(i) for i in range(len(store))])


RECORDER = """
import sys, time
import numpy as np
from gymnasium.vector import AutoresetMode
from armillary.episodes import record as module
from armillary.episodes.observing import as_stream
from armillary.episodes.scripted import Random
from armillary.spaces import spec_of
from test_record import Clocks

module._COMMIT_BYTES = 3000
env = Clocks(3, AutoresetMode.NEXT_STEP)
print("ready", flush=True)
module.record(env, Random(spec_of(env).action), sys.argv[1], episodes=10_000)
"""


def test_a_killed_recording_opens(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    recorder = subprocess.Popen([sys.executable, "-c", RECORDER, tmp_path / "s"], stdout=subprocess.PIPE, env=environment)
    try:
        recorder.stdout.readline()
        wait_until = time.monotonic() + 30
        committed = 0
        while committed < 10 and time.monotonic() < wait_until:
            time.sleep(0.05)
            committed = len(Episodes.open(tmp_path / "s")) if (tmp_path / "s" / "_versions").exists() else 0
    finally:
        recorder.kill()
        recorder.wait()
    store = Episodes.open(tmp_path / "s")
    assert len(store) >= committed >= 10
    check([store.episode(i) for i in range(len(store))])


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (lambda o, rng: np.full((2, 1), np.nan), "not a finite number"),
        (lambda o, rng: np.zeros((2, 3)), "expected 1 numbers"),
        (lambda o, rng: np.zeros((3, 1)), "for 2 environments"),
    ],
)
def test_a_policy_that_gives_nonsense(tmp_path, policy, message):
    with pytest.raises(ArmillaryError, match=message):
        record(Clocks(2, AutoresetMode.NEXT_STEP), policy, tmp_path / "s", episodes=2)


def test_what_cannot_be_recorded():
    env = Clocks(2, AutoresetMode.NEXT_STEP)
    policy = Random(spec_of(env).action)
    with pytest.raises(ArmillaryError, match="how much"):
        rollouts(env, policy)
    with pytest.raises(ArmillaryError, match="2 rows"):
        rollouts(env, policy, episodes=1, max_length=1)
    other = Spec((Stream("sound", "signal", (4, 1)),), ActionSpace("box", 1))
    with pytest.raises(ArmillaryError, match="no sound; it has clock, image"):
        list(rollouts(env, policy, spec=other, episodes=1))
    env.metadata = {}
    with pytest.raises(ArmillaryError, match="autoreset_mode"):
        list(rollouts(env, policy, episodes=1))


class Watching(Actor):
    """Keeps what it is told; a fifth of what an episode began with is its action."""

    def __init__(self, needs_truth: bool = False) -> None:
        self.needs_truth, self.told = needs_truth, []

    def start(self, ids, goals=None):
        self.told.append(ids.tolist())

    def act(self, observations, ids=None):
        self.told.append(set(observations))
        return Action(np.zeros(2, np.int64), "scripted")


@pytest.mark.parametrize("needs_truth", [False, True])
def test_an_actor_is_told_which_episodes_begin_and_no_truth_that_it_does_not_ask_for(needs_truth):
    actor = Watching(needs_truth)
    with pytest.raises(ArmillaryError, match="expected an Actor or a function"):
        rollouts(Walk(), object(), episodes=1)
    list(rollouts(Walk(), actor, steps=8))
    assert actor.told == [[0, 1], *[{"scan", "place"} if needs_truth else {"scan"}] * 4]


def drive(actor: Actor, n: int, steps: int) -> np.ndarray:
    actor.start(range(n))
    return np.stack([actor.act({}).values for _ in range(steps)])


def test_random_actions_are_held_and_cover_the_box():
    spec = Spec((Stream("s", "vector", (1,)),), ActionSpace("box", 2, (-1.0, 0.0), (1.0, 5.0)))
    actions = drive(Random(spec.action, hold=5), 8, 1000)
    blocks = actions.reshape(200, 5, 8, 2)
    assert (blocks == blocks[:, :1]).all()
    assert (blocks[1:, 0] != blocks[:-1, 0]).all()
    np.testing.assert_allclose(actions.min((0, 1)), [-1, 0], atol=0.05)
    np.testing.assert_allclose(actions.max((0, 1)), [1, 5], atol=0.05)


def test_a_held_action_begins_anew_with_the_episode():
    spec = Spec((Stream("s", "vector", (1,)),), ActionSpace("box", 1, (-1.0,), (1.0,)))
    actor = Random(spec.action, hold=4)
    actor.start([0, 1])
    first = actor.act({}).values
    actor.start([1])
    then = [actor.act({}).values for _ in range(4)]
    assert [x[0, 0] == first[0, 0] for x in then] == [True, True, True, False]
    assert then[0][1, 0] != first[1, 0]
    assert len({x[1, 0] for x in then}) == 1


def test_smooth_actions_are_smooth_and_uniform():
    spec = Spec((Stream("s", "vector", (1,)),), ActionSpace("box", 1, (-2.0,), (2.0,)))
    actions = drive(Smooth(spec.action, step=0.1), 50, 400)[..., 0]
    assert np.abs(np.diff(actions, axis=0)).std() < 0.5
    assert np.abs(actions).max() <= 2
    share = np.histogram(actions, 4, (-2, 2))[0] / actions.size
    np.testing.assert_allclose(share, 0.25, atol=0.05)


def test_policies_that_cannot_be():
    unbounded = Spec((Stream("s", "vector", (1,)),), ActionSpace("box", 1))
    choices = Spec((Stream("s", "vector", (1,)),), ActionSpace("discrete", 3))
    for make_policy, spec, message in (
        (Random, unbounded, "bounds"),
        (Smooth, unbounded, "bounds"),
        (Smooth, choices, "box"),
    ):
        with pytest.raises(ArmillaryError, match=message):
            make_policy(spec.action)
    with pytest.raises(ArmillaryError, match="at least 1"):
        Random(choices.action, hold=0)
    assert set(np.unique(drive(Random(choices.action), 5, 50))) == {0, 1, 2}


def test_gymnasium_environments():
    env = gymnasium.make_vec("CartPole-v1", num_envs=2)
    assert isinstance(env.single_action_space, Discrete)
    episodes = list(rollouts(env, Random(spec_of(env).action), episodes=4))
    assert all(episode.actions.dtype == np.int64 for episode in episodes)
    assert all(abs(episode.observations["state"][0]).max() <= 0.05 for episode in episodes)
    assert {episode.info["env"] for episode in episodes} == {"CartPole-v1"}


class Tensors(Clocks):
    """Gives tensors, nested in a dictionary, and wants tensors; one last observation is named as ManiSkill names it."""

    def __init__(self, num_envs: int, mode: AutoresetMode):
        super().__init__(num_envs, mode)
        self.single_observation_space = Dict({"policy": SENSED})

    def _tensors(self, seen):
        return {"policy": {name: torch.from_numpy(np.asarray(values).copy()) for name, values in seen.items()}}

    def reset(self, *, seed=None, options=None):
        return self._tensors(super().reset(seed=seed, options=options)[0]), {}

    def step(self, actions):
        assert isinstance(actions, torch.Tensor)
        seen, reward, terminated, truncated, info = super().step(actions.numpy())
        if "final_obs" in info:
            last = {name: values.copy() for name, values in seen.items()}
            for worker, one in enumerate(info.pop("final_obs")):
                for name in last if one else ():
                    last[name][worker] = one[name]
            info["final_observation"] = self._tensors(last)
        flags = (torch.from_numpy(flag) for flag in (terminated, truncated))
        return self._tensors(seen), torch.from_numpy(reward), *flags, info


@pytest.mark.parametrize("mode", MODES)
def test_environments_of_tensors(mode):
    env = Tensors(3, mode)
    episodes = list(rollouts(env, Random(spec_of(env).action), episodes=14, seed=1))
    for episode in episodes:
        assert set(episode.observations) == {"policy.clock", "policy.image"}
        for name in ("clock", "image"):
            episode.observations[name] = episode.observations.pop(f"policy.{name}")
    assert len(check(episodes)) == 14


def test_observations_that_are_no_images():
    stream = Stream("image", "image", (8, 9, 3))
    chw = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 9))
    np.testing.assert_array_equal(as_stream(chw, stream), chw.transpose(0, 2, 3, 1))
    assert as_stream(chw, stream).dtype == np.uint8
    for values, words in (
        (chw / 255, "image is uint8 from 0 to 255, and this is float64"),
        (chw * 2, "0 to 255"),
        (chw[:, :, :4], "expected"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            as_stream(values, stream)
    depth = Stream("depth", "depth", (4, 5))
    np.testing.assert_array_equal(as_stream(np.full((2, 1, 4, 5), 1500, np.uint16), depth), np.full((2, 4, 5), 1.5, np.float32))
    assert np.isnan(as_stream(np.full((1, 3), np.inf), Stream("scan", "scan", (3,)))).all()
