"""Play visits all postures at all speeds, and comes to rest, which random torques do not."""

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the arm's physics needs mujoco")

from armillary.actor import Actor
from armillary.episodes.scripted import Random
from armillary.worlds.reacher.arm import LIMIT
from armillary.worlds.reacher.world import MOTION, Reacher

EPISODES, STEPS = 200, 50


def played(actor: Actor | None = None) -> np.ndarray:
    """Motions (STEPS, EPISODES, 4), of episodes that all begin at the same posture."""
    world, rng = Reacher(EPISODES, size=16, autoreset_mode="Disabled"), np.random.default_rng(0)
    actor = actor or world.play()
    start = np.repeat(world.sample_pairs(1, rng)[0], EPISODES, axis=0)
    observation, _ = world.reset(options={"state": start})
    actor.start(range(EPISODES))
    motions = []
    for _ in range(STEPS):
        actions = actor.act(observation).values
        assert actions in world.action_space
        observation, *_ = world.step(actions)
        motions.append(world.state[:, MOTION])
    return np.array(motions)


def spread(motions: np.ndarray) -> float:
    """Of 10 x 10 cells of postures, as many as an even spread over that many would have the entropy of this one."""
    shoulder, wrist = motions[..., 0] % (2 * np.pi), np.clip(motions[..., 1], -LIMIT, LIMIT)
    bounds = (0, 2 * np.pi), (-LIMIT, LIMIT)
    share = np.histogram2d(shoulder.ravel(), wrist.ravel(), 10, bounds)[0].ravel() / shoulder.size
    return float(np.exp(-(share * np.log(np.maximum(share, 1e-12))).sum()))


def at_rest(motions: np.ndarray) -> np.ndarray:
    return (np.abs(motions[..., 2:]) < 0.2).all(axis=-1)


def test_play_beats_random_torques_in_what_they_lack():
    play, uniform = played(), played(Random(Reacher().stream_spec.action))
    held = played(Random(Reacher().stream_spec.action, 5))
    assert spread(play[10:]) > max(85, spread(uniform[10:]))
    for joint in (2, 3):
        assert np.quantile(np.abs(play[..., joint]), 0.95) > 4  # top speed is 5
    assert at_rest(play).mean() > 0.08 > 5 * at_rest(uniform).mean()
    three = at_rest(play)[2:] & at_rest(play)[1:-1] & at_rest(play)[:-2]
    assert three.any(axis=0).mean() > 0.5  # most episodes hold a posture
    limited, pressed = ((np.abs(m[..., 1]) > LIMIT).mean() for m in (play, held))
    assert limited < 0.05 < pressed


def test_play_says_what_it_is_and_begins_each_episode_anew():
    world = Reacher(4)
    actor = world.play()
    assert str(actor) == "ArmPlay(seconds=0.1, go=0.6, hold=0.3, noise=0.4)"
    observation, _ = world.reset(seed=0)
    actor.start(range(4))
    actor.act(observation)
    actor._memory["left"][:] = 5
    before = actor._memory["posture"].copy()
    actor.start([0])
    actor.act(observation)
    kept = (before == actor._memory["posture"]).all(axis=1)
    assert kept.tolist() == [False, True, True, True]
