"""The caster against rays that are followed one by one in three dimensions."""

import numpy as np
import pytest

from armillary.worlds.house.casting import View, meet, photograph, pixel_slopes, scan
from armillary.worlds.house.floor import Floor
from armillary.worlds.house.layouts import CEILING, SIZE, WALLS, draw_layout

N, BEAMS, PIXELS = 6, 32, 32


def first_hit(origin: np.ndarray, direction: np.ndarray, boxes: np.ndarray) -> tuple[float, int]:
    """Where a ray in three dimensions first meets a box (the plain slab test), floor, ceiling or outer wall; and which box."""
    best, which = np.inf, -1
    for axis, (low, high) in enumerate(((0, SIZE[0]), (0, SIZE[1]), (0, CEILING))):
        if direction[axis]:
            best = min(best, ((high if direction[axis] > 0 else low) - origin[axis]) / direction[axis])
    for number, (x0, y0, x1, y1, top) in enumerate(boxes):
        if not top:
            continue
        enter, leave = 0.0, np.inf
        for axis, (low, high) in enumerate(((x0, x1), (y0, y1), (0, top))):
            a, b = sorted(((low - origin[axis]) / direction[axis], (high - origin[axis]) / direction[axis]))
            enter, leave = max(enter, a), min(leave, b)
        if enter < leave and enter < best:
            best, which = enter, number
    return best, which


@pytest.fixture(scope="module")
def view() -> View:
    rng = np.random.default_rng(3)
    boxes = np.stack([draw_layout(rng) for _ in range(N)])
    position = Floor(boxes[..., :4].copy(), 0.2).sample(rng)
    colours = rng.uniform(40, 250, (N, boxes.shape[1], 3))
    ones = np.ones(N)
    return View(
        position,
        rng.uniform(-3, 3, N),
        rng.uniform(0.7, 1.3, N),
        boxes,
        WALLS,
        colours,
        np.full((len(ones), 3), 90.0),
        ones,
        ones,
    )


def test_depth_and_scan_are_where_rays_meet_boxes(view):
    _, depth = photograph(view, PIXELS)
    ranges, slopes, furniture = scan(view.position, view.heading, view.boxes, BEAMS), pixel_slopes(PIXELS), 0
    for i in range(N):
        origin = np.append(view.position[i], view.camera[i])
        ahead = np.array([np.cos(view.heading[i]), np.sin(view.heading[i]), 0])
        left = np.array([-ahead[1], ahead[0], 0])
        for row in range(0, PIXELS, 5):
            for column in range(0, PIXELS, 3):
                direction = ahead + slopes[column] * left + (0, 0, slopes[row])
                expected, which = first_hit(origin, direction, view.boxes[i])
                furniture += which >= WALLS
                np.testing.assert_allclose(depth[i, row, column], expected, rtol=1e-4)
        for beam in range(BEAMS):
            angle = view.heading[i] + 2 * np.pi * beam / BEAMS
            direction = np.array([np.cos(angle), np.sin(angle), 1e-12])
            np.testing.assert_allclose(
                ranges[i, beam], first_hit(np.append(view.position[i], 0.1), direction, view.boxes[i])[0], rtol=1e-4
            )
    assert furniture > 20


def test_colours_are_those_of_what_is_met(view):
    plain = {**view.__dict__, "colours": view.colours * 0 + 200, "floor": view.floor * 0}
    image, depth = photograph(View(**plain), PIXELS)
    red = plain["colours"].copy()
    red[:, WALLS:] = 200, 0, 0
    changed = (photograph(View(**{**plain, "colours": red}), PIXELS)[0] != image).any(axis=-1)
    bare = photograph(View(**{**plain, "boxes": view.boxes * (np.arange(view.boxes.shape[1]) < WALLS)[:, None]}), PIXELS)[1]
    np.testing.assert_array_equal(changed, depth < bare)  # furniture shows where it is nearer than what is behind it
    assert 0.02 < changed.mean() < 0.8
    floor = np.isclose(depth, view.camera[:, None, None] / -pixel_slopes(PIXELS)[:, None], rtol=1e-5)
    assert (image[floor] == 0).all()
    assert (image[:, PIXELS // 2 :][~floor[:, PIXELS // 2 :]] > 0).any()


def test_faces_tell_the_points_of_the_compass_apart():
    boxes = np.zeros((4, 15, 5))
    middle, heading = np.tile(SIZE / 2, (4, 1)), np.arange(4) * np.pi / 2
    ones = np.ones(4)
    view = View(
        middle, heading, ones, boxes, WALLS, np.full((4, 15, 3), 200.0), np.full((len(ones), 3), 90.0), ones, 0.6 * ones
    )
    image, depth = photograph(view, PIXELS)
    np.testing.assert_allclose(depth[:, 16, 16], [4, 3, 4, 3], rtol=1e-6)
    assert len(np.unique(image[:, 16, 16, 0])) == 4


def test_rays_miss_what_is_behind_beside_or_absent():
    boxes = np.array([[(1, 1, 2, 2, 1.0), (0, 0, 0, 0, 0.0)]])
    directions = np.array([[(1.0, 0), (-1, 0), (0, 1), (2, 0)]])
    enter, leave, across = meet(np.array([[0.5, 1.5]]), directions, boxes)
    np.testing.assert_allclose(enter[0], [[0.5, np.inf, np.inf, 0.25], [np.inf] * 4])
    assert leave[0, 0, 0] == 1.5
    assert across[0, 0, 0]
