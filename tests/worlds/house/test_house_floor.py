"""Layouts are sound, nothing is walked through, and the shortest path is one."""

import numpy as np
import pytest

from armillary.worlds.house.floor import Floor
from armillary.worlds.house.layouts import FURNITURE, GAP, SIZE, WALLS, draw_layout, unseen

RADIUS = 0.2


@pytest.fixture(scope="module")
def layouts() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([draw_layout(rng) for _ in range(60)])


@pytest.fixture(scope="module")
def floor(layouts) -> Floor:
    return Floor(layouts[..., :4].copy(), RADIUS)


def test_layouts_are_within_the_outer_walls_and_furnished(layouts):
    assert (layouts[..., :2] >= -1e-9).all()
    assert (layouts[..., 2:4] <= SIZE + 1e-9).all()
    standing = (layouts[..., 4] > 0).sum(axis=0)
    assert standing[:WALLS].sum() > 4 * 60
    assert standing[WALLS:].sum() > 4 * 60
    for boxes in layouts:
        pieces = boxes[WALLS:][boxes[WALLS:, 4] > 0]
        apart = np.maximum(pieces[None, :, :2] - pieces[:, None, 2:4], pieces[:, None, :2] - pieces[None, :, 2:4]).max(axis=2)
        assert (apart[~np.eye(len(pieces), dtype=bool)] > GAP).all()
        assert len(pieces) <= FURNITURE


def test_seen_and_unseen_are_told_apart_by_walls_alone():
    rng = np.random.default_rng(1)
    for part in ("seen", "unseen"):
        for _ in range(10):
            boxes = draw_layout(rng, part)
            assert unseen(boxes) == (part == "unseen") == unseen(boxes * (np.arange(len(boxes)) < WALLS)[:, None])


def test_every_free_place_can_be_reached(floor):
    rng = np.random.default_rng(2)
    for _ in range(5):
        assert np.isfinite(floor.distance(floor.sample(rng), floor.sample(rng))).all()


def test_nothing_is_walked_through(floor):
    rng, position = np.random.default_rng(3), floor.sample(np.random.default_rng(4))
    for _ in range(60):
        aim = rng.uniform(-3, 3, position.shape) * rng.choice([0.01, 1], (len(position), 1))
        before, position = position, floor.move(position, aim)
        assert not floor._inside(position).any()
        assert (np.hypot(*(position - before).T) <= np.hypot(*aim.T) + 1e-9).all()
        assert (floor.distance(before, position) <= np.hypot(*aim.T) + 1e-9).all()  # by a way that there is


def test_motion_slides_along_what_it_meets():
    floor = Floor(np.array([[(4.0, 0, 4.1, 6)]] * 3), RADIUS)
    ends = floor.move(np.array([[3.0, 3], [3.8, 3], [3.0, 0.2]]), np.array([[1.6, 1], [1, -1], [0.3, -1]]))
    np.testing.assert_allclose(ends, [[3.8, 4], [3.8, 2], [3.3, 0.2]])


def test_shortest_path_goes_round(floor):
    wall = Floor(np.array([[(4.0, 0, 4.1, 4)]]), RADIUS)
    start, goal = np.array([[3.0, 1]]), np.array([[5.1, 1]])
    way = 2 * np.hypot(0.8, 3.2) + 0.5  # over the corners at (3.8, 4.2) and (4.3, 4.2)
    np.testing.assert_allclose(wall.distance(start, goal), way)
    np.testing.assert_allclose(wall.next_bend(start, goal), [[3.8, 4.2]], atol=2e-3)
    np.testing.assert_allclose(wall.distance(start, start), 0)
    rng = np.random.default_rng(5)
    a, b, c = floor.sample(rng), floor.sample(rng), floor.sample(rng)
    np.testing.assert_allclose(floor.distance(a, b), floor.distance(b, a), atol=1e-6)
    assert (floor.distance(a, c) <= floor.distance(a, b) + floor.distance(b, c) + 1e-4).all()
    assert (floor.distance(a, b) >= np.hypot(*(a - b).T) - 1e-9).all()


def test_positions_in_boxes_are_moved_out():
    floor = Floor(np.array([[(4.0, 0, 4.1, 4)]] * 2), RADIUS)
    np.testing.assert_allclose(floor.nearest_free(np.array([[3.9, 1], [7.9, 3]])), [[3.8, 1], [7.8, 3]])
