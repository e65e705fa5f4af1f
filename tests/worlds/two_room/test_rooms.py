"""The free space of two rooms: motion never meets a wall, agrees with tiny steps, and the shortest path is the shortest."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.worlds.two_room.rooms import Rooms

SIZE, GAP = 64.0, 12.0
COUNT = 64


def rooms_of(rng: np.random.Generator, n: int = COUNT) -> tuple[Rooms, np.ndarray, np.ndarray]:
    radius, wall, door = rng.uniform(1.5, 3.5, n), rng.uniform(2, 6, n), rng.uniform(12, 52, n)
    return Rooms(SIZE / 2, SIZE / 2 - wall - radius, wall / 2 + radius, door, GAP / 2 - radius), radius, wall


def clearance(position: np.ndarray, door: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Distance from a point to the nearest wall, from the rectangles that the walls are; it knows nothing of Rooms."""
    x, y = position.T
    border = np.min([x - wall, SIZE - wall - x, y - wall, SIZE - wall - y], axis=0)
    aside = np.maximum(np.abs(x - SIZE / 2) - wall / 2, 0)
    above, below = np.maximum(y - (door - GAP / 2), 0), np.maximum(door + GAP / 2 - y, 0)
    return np.min([border, np.hypot(aside, above), np.hypot(aside, below)], axis=0)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 12.5, 1e3, 1e9]))
@settings(deadline=None, max_examples=100)
def test_disc_never_overlaps_a_wall_nor_passes_it_beside_the_door(seed, longest):
    rng = np.random.default_rng(seed)
    rooms, radius, wall = rooms_of(rng)
    position = rooms.sample(rng)
    assert (clearance(position, rooms.door, wall) >= radius - 1e-9).all()
    for _ in range(20):
        displacement = rng.uniform(-longest, longest, position.shape) * rng.integers(0, 2, position.shape)
        after = rooms.move(position, displacement)
        assert (clearance(after, rooms.door, wall) >= radius - 1e-9).all()
        # Crossing takes as much motion along y as it takes to get from here into the door, and out to there.
        crossed = rooms.side(position) * rooms.side(after) == -1
        detour = np.maximum(np.abs(np.stack([position, after])[:, :, 1] - rooms.door) - rooms.slack, 0).sum(axis=0)
        assert (detour[crossed] <= np.abs(displacement[crossed, 1]) + 1e-6).all()
        position = after


def test_many_short_motions_are_one_long_motion():
    rng = np.random.default_rng(0)
    rooms, *_ = rooms_of(rng, 5000)
    start = rooms.sample(rng)
    displacement = rng.uniform(-40, 40, start.shape)
    position = start
    for _ in range(7):
        position = rooms.move(position, displacement / 7)
    np.testing.assert_allclose(position, rooms.move(start, displacement), atol=1e-6)


def test_motion_is_the_limit_of_tiny_steps_along_each_axis():
    rng = np.random.default_rng(1)
    rooms, *_ = rooms_of(rng, 2000)
    start = rooms.sample(rng)
    displacement = rng.uniform(-30, 30, start.shape)
    (x, y), (dx, dy) = start.T.copy(), displacement.T / 4000
    low, high = rooms.middle - rooms.reach, rooms.middle + rooms.reach

    def free(x, y):
        in_door = np.abs(y - rooms.door) <= rooms.slack
        return (x >= low) & (x <= high) & (y >= low) & (y <= high) & ((np.abs(x - rooms.middle) >= rooms.wall) | in_door)

    for _ in range(4000):
        x = np.where(free(x + dx, y), x + dx, x)
        y = np.where(free(x, y + dy), y + dy, y)
    # A disc that passes within one tiny step of a corner may fall on either side of it.
    far = np.abs(np.stack([x, y], axis=1) - rooms.move(start, displacement)).max(axis=1) > 0.05
    assert far.mean() < 0.005


def test_straight_motion_along_the_wall_passes_the_door():
    rooms = Rooms(32.0, *(np.array([v]) for v in (25.5, 4.5, 32.0, 3.5)))
    for x in (27.5, 36.5):
        np.testing.assert_array_equal(rooms.move(np.array([[x, 10.0]]), np.array([[0.0, 40.0]])), [[x, 50.0]])


def test_pressed_against_the_wall_it_slides_into_the_door():
    rooms = Rooms(32.0, *(np.array([v]) for v in (25.5, 4.5, 32.0, 3.5)))
    # 10 px right and 10 down from (22, 25): at the wall after 5.5 (y 30.5, in the door), inside it for the rest.
    np.testing.assert_allclose(rooms.move(np.array([[22.0, 25.0]]), np.array([[10.0, 10.0]])), [[32.0, 35.0]])
    # From (22, 20): at the wall at y 25.5, slides to the door's edge at 28.5 after 8.5, and has 1.5 px left to enter.
    np.testing.assert_allclose(rooms.move(np.array([[22.0, 20.0]]), np.array([[10.0, 10.0]])), [[29.0, 30.0]])


def test_path_is_the_shortest_in_both_norms_and_free():
    rng = np.random.default_rng(2)
    rooms, *_ = rooms_of(rng, 300)
    start, goal = rooms.sample(rng), rooms.sample(rng)
    path = rooms.path(start, goal)
    np.testing.assert_array_equal(path[:, 0], start)
    np.testing.assert_allclose(path[:, -1], goal, atol=1e-9)
    for a, b in zip(path.transpose(1, 0, 2), path.transpose(1, 0, 2)[1:], strict=False):
        np.testing.assert_allclose(rooms.move(a, b - a), b, atol=1e-6)  # every leg is straight and free
    crossing = rooms.side(start) * rooms.side(goal) == -1
    assert 50 < crossing.sum() < 250
    # All ways through a grid of points on both ends of the door.
    ys = rooms.door[:, None] + rooms.slack[:, None] * np.linspace(-1, 1, 101)
    ends = [rooms.middle + np.sign(p[:, 0] - rooms.middle)[:, None] * rooms.wall[:, None] for p in (start, goal)]
    for norm in (lambda dx, dy: np.hypot(dx, dy), lambda dx, dy: np.maximum(np.abs(dx), np.abs(dy))):
        length = norm(*np.moveaxis(np.diff(path, axis=1), -1, 0)).sum(axis=1)
        first, last = (norm(e - p[:, :1], ys - p[:, 1:]) for e, p in zip(ends, (start, goal), strict=True))
        through = norm((ends[1] - ends[0])[:, :, None], ys[:, None, :] - ys[:, :, None])
        best = (first[:, :, None] + through + last[:, None, :]).min(axis=(1, 2))
        assert (length <= best + 1e-9)[crossing].all()
        assert (length >= best - 0.2)[crossing].all()
        np.testing.assert_allclose(length[~crossing], norm(*(goal - start).T)[~crossing], rtol=0.2)


def test_nearest_free_mends_rounding_and_keeps_what_is_free():
    rng = np.random.default_rng(3)
    rooms, radius, wall = rooms_of(rng, 2000)
    position = rooms.sample(rng)
    np.testing.assert_allclose(rooms.nearest_free(position), position, atol=1e-12)
    moved = rooms.nearest_free(rng.uniform(-5, SIZE + 5, position.shape))
    assert (clearance(moved, rooms.door, wall) >= radius - 1e-9).all()
