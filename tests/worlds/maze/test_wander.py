"""Play in a maze: it sees most of it, holds its directions, and forgets what it did in the episode before."""

import numpy as np

from armillary.episodes.policies import Policy, random_policy
from armillary.worlds.maze.wander import Wander
from armillary.worlds.maze.world import Maze


def play(world: Maze, policy: Policy, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (steps + 1, N, 2) and actions (steps, N, 2)."""
    observation, _ = world.reset(seed=0)
    rng, positions, actions = np.random.default_rng(0), [observation["position"]], []
    policy.reset(np.ones(world.num_envs, bool))
    for _ in range(steps):
        actions.append(policy(observation, rng))
        observation, *_ = world.step(actions[-1])
        positions.append(observation["position"])
    return np.stack(positions), np.stack(actions)


def coverage(positions: np.ndarray, cells: int = 5) -> float:
    """Share of cells visited in an episode."""
    column, row = np.moveaxis((positions * cells / 64).astype(int), -1, 0)
    return (
        float(np.mean([len(set(zip(c, r, strict=True))) for c, r in zip(column.T.tolist(), row.T.tolist(), strict=True)])) / 25
    )


def test_it_visits_far_more_of_the_maze_than_random_actions():
    world = Maze(50, autoreset_mode="Disabled")
    positions, actions = play(world, world.play(), 90)
    assert coverage(positions) > 0.7
    assert coverage(play(world, random_policy(world.stream_spec), 90)[0]) < 0.35
    assert actions.dtype == np.float32
    assert actions[0] in world.action_space
    assert np.abs(actions).max() == 1
    assert (np.abs(actions) < 0.5).mean() > 0.2  # not always at full speed
    assert abs(np.sign(actions).mean()) < 0.1  # in all directions
    kept = (np.sign(actions[1:]) == np.sign(actions[:-1])).all(axis=-1)
    assert 0.5 < kept.mean() < 0.9


def test_an_episode_begins_without_memory():
    world = Maze(4, autoreset_mode="Disabled")
    policy, fresh = world.play(), world.play()
    positions, _ = play(world, policy, 20)
    observation = {"position": positions[3]}
    for some in (policy, fresh):
        some.reset(np.ones(4, bool))
    ours, theirs = (some(observation, np.random.default_rng(1)) for some in (policy, fresh))
    np.testing.assert_array_equal(ours, theirs)
    policy.reset(np.array([True, False, False, False]))  # the others go on
    assert not policy._tries[0].any()
    assert policy._tries[1:].any(axis=(1, 2, 3)).all()


def test_it_says_where_its_actions_come_from():
    said = str(Maze().play())
    assert said.startswith("Wander(cells=5, pitch=12.8, reach=7.5): ")
    assert "by true position" in said
    assert "no goals" in said
    assert isinstance(Wander(5, 12.8, 7.5), Policy)
