"""Wherever an interrupt falls, what was committed is there once, and the command can be resumed.

A few places here; ARMILLARY_INTERRUPTS=100 tries as many as that, in every line of what is run.
"""

import os
import signal
import sys

import gymnasium
import numpy as np
import pytest
from episode_fakes import random_episode, small_spec

from armillary.episodes import record as record_module
from armillary.episodes.formats import importing
from armillary.episodes.merge import merge
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.interrupts import sigterm_as_sigint, uninterrupted

PLACES = int(os.environ.get("ARMILLARY_INTERRUPTS", 6))
WATCHED = ("episodes/store.py", "episodes/reader.py", "episodes/record.py", "episodes/filling.py", "episodes/commits.py",
           "episodes/checksums.py", "episodes/merge.py", "armillary/interrupts.py", "formats/importing.py")  # fmt: skip


class Walk(gymnasium.Env):
    """A sum of random steps; an episode has a few of them."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.normal(size=2).astype(np.float32)
        return self.place, {}

    def step(self, action):
        self.place = (self.place + action).astype(np.float32)
        return self.place, 0.0, bool(self.np_random.random() < 0.2), False, {}


def policy(observations, rng):
    return rng.uniform(-1, 1, (len(observations["state"]), 2)).astype(np.float32)


def recorded(path, **options):
    env = gymnasium.vector.SyncVectorEnv([Walk, Walk])
    return record(env, policy, path, episodes=16, seed=3, images="raw", **options)


class Interrupted:
    """In this block, `number` is sent to this process at the line that is `at` of the lines run in the watched files."""

    def __init__(self, at, number=signal.SIGINT):
        self.at, self.number, self.lines = at, number, 0

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.endswith(WATCHED):
            return None
        if event == "line":
            if self.lines == self.at:
                os.kill(os.getpid(), self.number)
            self.lines += 1
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)


def places(command, tmp_path):
    """Numbers of lines, evenly spaced over what `command` runs."""
    with Interrupted(-1) as counted:
        command(tmp_path / "counted")
    return np.linspace(0, counted.lines - 1, PLACES).astype(int)


def interrupted_everywhere(command, tmp_path):
    """Interrupt `command` at each place, check what it leaves, resume it, and compare with the unbroken one."""
    whole, fell = command(tmp_path / "whole"), 0
    for number, at in enumerate(places(command, tmp_path)):
        path, name = tmp_path / str(number), (signal.SIGINT, signal.SIGTERM)[number % 2]
        with sigterm_as_sigint():
            try:
                with Interrupted(at, name):
                    command(path)
            except KeyboardInterrupt:
                fell += 1
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        assert handlers == (signal.default_int_handler, signal.SIG_DFL), at
        left = Episodes.open(path, verify=True).digests if path.exists() else []
        assert left == whole.digests[: len(left)], at
        assert left == [] or Episodes.open(path).unfinished or len(left) == len(whole), at
        again = command(path, resume=True)
        assert again.digests == whole.digests, at
        assert again.infos == whole.infos, at
        assert Episodes.open(path).unfinished is None, at
    assert fell >= PLACES / 2


@pytest.fixture(autouse=True)
def python_handles_interrupts():
    """Also where they are ignored, as in a job in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def committed_often(monkeypatch):
    monkeypatch.setattr(record_module, "_COMMIT_BYTES", 200)
    monkeypatch.setattr(importing, "COMMIT_BYTES", 500)


def test_recordings(tmp_path, committed_often):
    interrupted_everywhere(recorded, tmp_path)


def test_merges(tmp_path, committed_often):
    rng, spec = np.random.default_rng(0), small_spec(image=False)
    for name in "ab":
        with Episodes.create(tmp_path / name, spec) as store:
            store.append(*(random_episode(spec, 9, rng, number=number) for number in range(6)))
    stores = [Episodes.open(tmp_path / name) for name in "ab"]
    interrupted_everywhere(lambda path, **options: merge(stores, path, **options), tmp_path)


def test_an_append_that_is_interrupted_happens_once(tmp_path):
    rng, spec = np.random.default_rng(0), small_spec(image=False)
    store = Episodes.create(tmp_path / "s", spec)

    def append(path, number=0):
        store.append(random_episode(spec, 4, rng, number=number))

    for number, at in enumerate(places(append, tmp_path)):
        before = len(store)
        with pytest.raises(KeyboardInterrupt), Interrupted(at):
            append(None, number)
        opened = Episodes.open(tmp_path / "s")
        assert len(store) == len(opened) in (before, before + 1)
        assert store.digests == opened.digests


def test_a_commit_whose_answer_is_lost_is_not_repeated(tmp_path, monkeypatch):
    import lance

    rng, spec, write = np.random.default_rng(0), small_spec(image=False), lance.write_dataset
    store = Episodes.create(tmp_path / "s", spec)

    def lost(*arguments, **options):
        write(*arguments, **options)
        raise OSError("connection reset")

    monkeypatch.setattr(lance, "write_dataset", lost)
    store.append(random_episode(spec, 4, rng))
    store.append(random_episode(spec, 5, rng))
    assert Episodes.open(tmp_path / "s").lengths.tolist() == store.lengths.tolist() == [4, 5]


def test_signals_wait_and_are_delivered_once():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("handled"))
    try:
        with uninterrupted(), uninterrupted():
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == ["handled"]
    finally:
        signal.signal(signal.SIGINT, before)
