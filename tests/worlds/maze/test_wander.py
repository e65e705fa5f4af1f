"""Play in a maze: it sees most of it, holds its directions, and forgets what it did in the episode before."""

import numpy as np

from armillary.actor import Actor
from armillary.episodes.scripted import Random
from armillary.worlds.maze.wander import Wander
from armillary.worlds.maze.world import Maze


def play(world: Maze, actor: Actor, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (steps + 1, N, 2) and actions (steps, N, 2)."""
    observation, _ = world.reset(seed=0)
    positions, actions = [observation["position"]], []
    actor.start(range(world.num_envs))
    for _ in range(steps):
        actions.append(actor.act(observation).values)
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
    assert coverage(play(world, Random(world.stream_spec.action), 90)[0]) < 0.35
    assert actions.dtype == np.float32
    assert actions[0] in world.action_space
    assert np.abs(actions).max() == 1
    assert (np.abs(actions) < 0.5).mean() > 0.2  # not always at full speed
    assert abs(np.sign(actions).mean()) < 0.1  # in all directions
    kept = (np.sign(actions[1:]) == np.sign(actions[:-1])).all(axis=-1)
    assert 0.5 < kept.mean() < 0.9


def test_an_episode_begins_without_memory():
    world = Maze(4, autoreset_mode="Disabled")
    actor, fresh = world.play(), world.play()
    positions, _ = play(world, actor, 20)
    observation, one = {"position": positions[3]}, {"position": positions[3, :1]}
    for some in (actor, fresh):
        some.start(range(4))
        some.rng = np.random.default_rng(1)
    np.testing.assert_array_equal(*(some.act(observation).values for some in (actor, fresh)))
    actor.act(observation)
    before = actor._memory["tries"].copy()
    actor.start([0])  # the others go on
    actor.act(one, [0])
    assert actor._memory["tries"][0].sum() == 1
    np.testing.assert_array_equal(actor._memory["tries"][1:], before[1:])


def test_it_says_where_its_actions_come_from():
    said = str(Maze().play())
    assert said.startswith("Wander(cells=5, pitch=12.8, reach=7.5): ")
    assert "by true position" in said
    assert "no goals" in said
    assert isinstance(Wander(5, 12.8, 7.5), Actor)
