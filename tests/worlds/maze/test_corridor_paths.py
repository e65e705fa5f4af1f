"""Shortest paths through mazes, against a search of a fine grid that knows only where walls are."""

import numpy as np
import pytest

from armillary.worlds.maze.corridors import Corridors
from armillary.worlds.maze.layouts import draw_walls, zones
from armillary.worlds.maze.paths import distance, next_bend

SIZE, STEP = 64.0, 0.2


def corridors_of(cells: int, seeds: range, reach: float) -> Corridors:
    walls = np.stack([draw_walls(cells, np.random.default_rng(seed)) for seed in seeds])
    return Corridors(SIZE / cells, np.full(len(walls), reach), zones(walls))


def repeat(corridors: Corridors, n: int) -> Corridors:
    return corridors.take(np.zeros(n, int))


@pytest.mark.parametrize(("cells", "seed"), [(4, 0), (5, 1), (5, 2)])
def test_distance_is_that_of_a_fine_grid(cells, seed):
    reach = 2.8 if cells == 5 else 4.0
    corridors, pitch = corridors_of(cells, range(seed, seed + 1), reach), SIZE / cells
    axis = np.arange(STEP / 2, SIZE, STEP)
    zone = np.where(np.abs(axis % pitch - pitch / 2) <= reach, 2 * (axis // pitch) + 1, 2 * np.rint(axis / pitch)).astype(int)
    free = corridors.open[0][np.ix_(zone, zone)]
    start = np.argwhere(free)[np.random.default_rng(seed).integers(free.sum())]
    steps, reached, front = np.full(free.shape, -1), np.zeros(free.shape, bool), np.zeros(free.shape, bool)
    front[tuple(start)], count = True, 0
    while front.any():  # a king's moves: a step along x, y or both
        reached |= front
        steps[front], count = count, count + 1
        wide = front | np.roll(front, 1, 0) | np.roll(front, -1, 0)
        front = (wide | np.roll(wide, 1, 1) | np.roll(wide, -1, 1)) & free & ~reached
    goals = np.argwhere(free)[::97]
    begin, end = (axis[np.broadcast_to(index, goals.shape)][:, ::-1] for index in (start, goals))
    exact = distance(repeat(corridors, len(goals)), begin, end)
    found = steps[tuple(goals.T)] * STEP
    assert (steps[free] >= 0).all()
    assert exact.max() > 60
    assert np.abs(exact - found).max() < 6 * STEP  # corners are up to a grid step away from grid points
    assert np.abs(exact - found).mean() < 2 * STEP


def test_distance_is_a_metric():
    rng = np.random.default_rng(0)
    corridors = corridors_of(5, range(300), 2.8)
    a, b, c = (corridors.sample(rng) for _ in range(3))
    ab, ba, bc, ac = (distance(corridors, *ends) for ends in ((a, b), (b, a), (b, c), (a, c)))
    np.testing.assert_allclose(ab, ba, atol=1e-9)
    assert (ac <= ab + bc + 1e-4).all()
    assert (ab >= np.abs(a - b).max(axis=1) - 1e-9).all()
    np.testing.assert_array_equal(distance(corridors, a, a), 0)


def test_in_sight_is_what_motion_reaches():
    rng = np.random.default_rng(1)
    corridors = corridors_of(4, range(1000), 4.0)
    start, end = corridors.sample(rng), corridors.sample(rng)
    straight = np.abs(corridors.move(start, end - start) - end).max(axis=1) < 1e-9
    visible = corridors.visible(start[:, None], end[:, None])[:, 0]
    assert 0.15 < visible.mean() < 0.8
    np.testing.assert_array_equal(visible, straight)


def test_where_there_is_no_way_it_is_infinite():
    corridors = Corridors(10.0, np.array([3.0]), zones(np.ones((1, 12), bool)))
    ends = np.array([[5.0, 5.0]]), np.array([[15.0, 5.0]])
    assert np.isinf(distance(corridors, *ends)).all()


def test_next_bends_lead_to_the_goal_along_the_shortest_path():
    rng = np.random.default_rng(2)
    corridors = corridors_of(5, range(200), 2.8)
    position, goal = corridors.sample(rng), corridors.sample(rng)
    left, walked = distance(corridors, position, goal), np.zeros(200)
    for _ in range(25):
        bend = next_bend(corridors, position, goal)
        np.testing.assert_allclose(corridors.move(position, bend - position), bend, atol=1e-9)  # it is in sight
        walked += np.abs(bend - position).max(axis=1)
        position = bend
    np.testing.assert_array_equal(position, goal)
    np.testing.assert_allclose(walked, left, atol=0.01)
