"""The free space of mazes: motion never meets a wall, never passes one, and agrees with tiny steps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.worlds.maze.corridors import Corridors
from armillary.worlds.maze.layouts import draw_walls, zones
from armillary.worlds.maze.paths import distance

SIZE = 64.0
LAYOUTS = {cells: np.stack([draw_walls(cells, np.random.default_rng(seed)) for seed in range(64)]) for cells in (3, 4, 5)}


def corridors_of(rng: np.random.Generator, n: int, cells: int) -> tuple[Corridors, np.ndarray, np.ndarray, np.ndarray]:
    """With the walls' bits and thickness, and the disc's radius."""
    walls, pitch = LAYOUTS[cells][rng.integers(64, size=n)], SIZE / cells
    thickness, radius = rng.uniform(1.5, 4, n), rng.uniform(1, 2.4, n)
    return Corridors(pitch, (pitch - thickness) / 2 - radius, zones(walls)), walls, thickness, radius


def clearance(position: np.ndarray, walls: np.ndarray, thickness: np.ndarray, cells: int) -> np.ndarray:
    """Distance from points to the nearest wall, from the rectangles that the walls are; it knows nothing of Corridors."""
    pitch, half, nearest = SIZE / cells, thickness / 2, np.full(len(position), np.inf)
    x, y = position.T
    right = [(c + 1, c + 1, r, r + 1) for r in range(cells) for c in range(cells - 1)]  # from x to x, y to y, in cells
    below = [(c, c + 1, r + 1, r + 1) for r in range(cells - 1) for c in range(cells)]
    border = [(0, 0, 0, cells), (cells, cells, 0, cells), (0, cells, 0, 0), (0, cells, cells, cells)]
    posts = [(c, c, r, r) for r in range(1, cells) for c in range(1, cells)]
    for number, (x0, x1, y0, y1) in enumerate(right + below + border + posts):
        away_x = np.maximum(np.maximum(x0 * pitch - half - x, x - x1 * pitch - half), 0)
        away_y = np.maximum(np.maximum(y0 * pitch - half - y, y - y1 * pitch - half), 0)
        stands = walls[:, number] if number < walls.shape[1] else True
        nearest = np.where(stands, np.minimum(nearest, np.hypot(away_x, away_y)), nearest)
    return nearest


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 4, 5]), st.sampled_from([1.0, 7.5, 100.0, 1e9]))
@settings(deadline=None, max_examples=30)
def test_disc_never_overlaps_a_wall_nor_passes_one(seed, cells, longest):
    rng = np.random.default_rng(seed)
    corridors, walls, thickness, radius = corridors_of(rng, 32, cells)
    position = corridors.sample(rng)
    assert (clearance(position, walls, thickness, cells) >= radius - 1e-6).all()
    for _ in range(6):
        displacement = rng.uniform(-longest, longest, position.shape) * rng.integers(0, 2, position.shape)
        after = corridors.move(position, displacement)
        assert (clearance(after, walls, thickness, cells) >= radius - 1e-6).all()
        # Behind a wall is far away: round the nearest opening.
        assert (distance(corridors, position, after) <= np.abs(displacement).max(axis=1) + 1e-6).all()
        position = after


def test_many_short_motions_are_one_long_motion():
    rng = np.random.default_rng(0)
    corridors, *_ = corridors_of(rng, 3000, 5)
    start = corridors.sample(rng)
    displacement = rng.uniform(-40, 40, start.shape)
    position = start
    for _ in range(7):
        position = corridors.move(position, displacement / 7)
    np.testing.assert_allclose(position, corridors.move(start, displacement), atol=1e-6)


def test_motion_is_the_limit_of_tiny_steps_along_each_axis():
    rng = np.random.default_rng(1)
    corridors, *_ = corridors_of(rng, 1000, 4)
    start = corridors.sample(rng)
    displacement = rng.uniform(-25, 25, start.shape)
    (x, y), (dx, dy) = start.T.copy(), displacement.T / 2500
    pitch, reach, rows = corridors.pitch, corridors.reach, np.arange(len(start))

    def free(x, y):
        zone = []
        for value in (y, x):
            line = np.rint(value / pitch)
            between = np.abs(value - line * pitch) < pitch / 2 - reach
            zone.append(np.where(between, 2 * line, 2 * np.floor(value / pitch) + 1).astype(int))
        return corridors.open[rows, zone[0], zone[1]]

    for _ in range(2500):
        x = np.where(free(x + dx, y), x + dx, x)
        y = np.where(free(x, y + dy), y + dy, y)
    # A disc that passes within one tiny step of a corner may fall on either side of it.
    far = np.abs(np.stack([x, y], axis=1) - corridors.move(start, displacement)).max(axis=1) > 0.05
    assert far.mean() < 0.01


def one(*openings: int, reach: float = 3.0) -> Corridors:
    """3 x 3 cells of 10 px, all walls but these, twelve in all."""
    walls = np.ones((1, 12), bool)
    walls[0, list(openings)] = False
    return Corridors(10.0, np.array([reach]), zones(walls))


def test_it_slides_along_walls_and_into_openings():
    corridors = one(0, 1, 7)  # the upper row is one corridor; below its middle cell is an opening
    start = np.array([[3.0, 5.0]])
    for displacement, end in (
        ((40, 0), (28, 5)),  # up to the end
        ((8, 1), (11, 6)),
        ((0, 40), (3, 8)),  # a wall below
        ((9, 9), (12, 8)),  # at the wall (y 8) after 3 px, at the opening's edge (x 12) after 9: nothing is left
        ((10, 10), (13, 9)),  # enters it with the last tenth
    ):
        np.testing.assert_allclose(corridors.move(start, np.array([displacement], float)), [end], atol=1e-9)
    np.testing.assert_allclose(corridors.move(np.array([[15.0, 5.0]]), np.array([[2.0, 20.0]])), [[17, 18]])


def test_exactly_at_a_corner_x_goes_first():
    corridors = one(0, 6)  # right of the first cell and below it
    np.testing.assert_allclose(corridors.move(np.array([[5.0, 5.0]]), np.array([[5.0, 5.0]])), [[10, 8]])


def test_samples_are_uniform_over_free_space():
    corridors = one(0, 1, 7, reach=2.0)
    many = Corridors(10.0, np.full(20000, 2.0), np.repeat(corridors.open, 20000, axis=0))
    x, y = many.sample(np.random.default_rng(0)).T
    total = 9 * 16 + 3 * 24
    for inside, area in (
        ((x > 7) & (x < 13), 24),
        ((y > 7) & (y < 13), 24),
        ((x < 5) & (y < 10), 8),
        ((x > 20) & (y > 20), 16),
    ):
        assert abs(inside.mean() - area / total) < 0.012


def test_nearest_free_mends_rounding_and_keeps_what_is_free():
    rng = np.random.default_rng(3)
    corridors, walls, thickness, radius = corridors_of(rng, 2000, 5)
    position = corridors.sample(rng)
    np.testing.assert_array_equal(corridors.nearest_free(position), position)
    anywhere = rng.uniform(-5, SIZE + 5, position.shape)
    moved = corridors.nearest_free(anywhere)
    assert (clearance(moved, walls, thickness, 5) >= radius - 1e-6).all()
    along_walls = corridors.move(position, rng.uniform(-20, 20, position.shape))
    rounded = along_walls.astype(np.float32).astype(float)
    np.testing.assert_allclose(corridors.nearest_free(rounded), along_walls, atol=1e-5)
