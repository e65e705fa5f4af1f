"""Frames of the two-room world: where the disc is can be read from them to a fraction of a pixel."""

import numpy as np

from armillary.worlds.drawing import CHUNK, base_images, distinct, hue_colour
from armillary.worlds.two_room.world import FACTORS, POSITION, TwoRoom


def states_of(world: TwoRoom, n: int) -> np.ndarray:
    return world.sample_pairs(n, np.random.default_rng(0), min_distance=0.0)[0]


def test_position_can_be_read_from_the_image():
    states = states_of(world := TwoRoom(), 300)
    image = world.render_states(states)["image"].astype(float)
    # The agent is the only thing that is redder than it is blue by far; in the state's own colours, its share of each pixel.
    share = np.clip((image[..., 0] - image[..., 2] - 5) / 175, 0, None)
    centre = np.arange(64) + 0.5
    read = np.stack([(share.sum(axis) * centre).sum(-1) for axis in (1, 2)], axis=1) / share.sum((1, 2))[:, None]
    assert np.abs(read - states[:, POSITION]).max() < 0.1


def test_image_is_continuous_in_the_position():
    state = states_of(world := TwoRoom(), 1).repeat(200, axis=0)
    state[:, 0] = np.linspace(15, 17, 200)  # 0.01 px apart
    image = world.render_states(state)["image"].astype(int)
    difference = np.abs(np.diff(image, axis=0))
    assert difference.max() <= 4
    assert (difference.sum((1, 2, 3)) > 0).all()


def test_walls_and_colours():
    state = states_of(world := TwoRoom(), 1)
    state[0, POSITION] = 20, 20
    image = world.render_states(state)["image"][0]
    wall, floor, agent = (50, 55, 70), (230, 230, 225), (220, 40, 40)
    assert image[20, 20].tolist() == list(agent)
    for row, column, colour in ((0, 0, wall), (3, 40, wall), (4, 40, floor), (10, 31, wall), (10, 29, floor), (32, 31, floor)):
        assert image[row, column].tolist() == list(colour)


def test_factors_show():
    state = states_of(world := TwoRoom(), 1)
    plain = world.render_states(state)["image"]
    for factor in FACTORS:
        drawn = TwoRoom(factors=(factor,))
        other = states_of(drawn, 1)
        other[:, POSITION] = state[:, POSITION]
        assert (drawn.render_states(other)["image"] != plain).any(), factor


def test_frames_do_not_depend_on_what_is_drawn_with_them():
    world = TwoRoom(door="random", factors=tuple(FACTORS))
    states = np.tile(states_of(world, 40), (10, 1))  # layouts recur, and more than one chunk
    assert len(states) > CHUNK
    together = world.render_states(states)
    for i in (0, 39, 40, CHUNK - 1, CHUNK, 399):
        alone = world.render_states(states[i : i + 1])
        for name, value in alone.items():
            np.testing.assert_array_equal(value[0], together[name][i])
    assert world.render_states(states[:0])["image"].shape == (0, 64, 64, 3)


def test_disc_is_what_drawing_on_every_pixel_gives():
    world = TwoRoom(size=16, factors=("thickness", "radius"))  # thin walls, so that the disc comes near the edge of the image
    states = states_of(world, 500)
    states[:250, POSITION] = states[:250, [4]] + states[:250, [3]]
    image = world.render_states(states)["image"].astype(float)
    thickness, door, gap = states[:, 4], states[:, 2], 3.0
    base = base_images(16, thickness, door, gap, (states[:, 8:11], states[:, 11:14]), np.zeros((500, 4))).astype(float)
    x, y = (states[:, axis, None, None] for axis in (0, 1))
    column, row = np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5)
    cover = np.clip(states[:, 3, None, None] + 0.5 - np.hypot(column - x, row - y), 0, 1)[..., None]
    assert np.abs(image - (base + cover * (states[:, None, None, 5:8] - base))).max() <= 0.501


def test_distinct_rows():
    rows = np.array([[1, 2], [1, 2], [0, 3], [1, 2], [0, 3], [0, 3]], float)
    which, index = distinct(rows)
    assert len(which) == 2
    np.testing.assert_array_equal(rows[which][index], rows)
    assert [len(part) for part in distinct(rows[:0])] == [0, 0]


def test_hues():
    hues = hue_colour(np.array([0, 1 / 3, 2 / 3, 1 / 6, 1.0]))
    np.testing.assert_allclose(hues, [[230, 0, 0], [0, 230, 0], [0, 0, 230], [230, 230, 0], [230, 0, 0]], atol=1e-9)
