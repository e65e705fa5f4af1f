"""Frames of the arm: what is where, exactly, and by sub-pixel amounts."""

import numpy as np

from armillary.worlds.reacher.drawing import CHUNK, FINGER_COLOUR, ROOT_COLOUR, draw_arm, joints

UPPER, FOREARM, FLOOR = (60, 90, 170), (225, 120, 40), (230, 230, 225)
LAYOUT = np.array([UPPER, FOREARM], float), np.array([*FLOOR, 0, 0, 0, 0], float)


def frames_of(angle: np.ndarray, size: int = 64) -> np.ndarray:
    return draw_arm(size, np.asarray(angle, float), *(np.tile(part, (len(angle), *[1] * part.ndim)) for part in LAYOUT))


def test_joints_are_where_trigonometry_puts_them():
    wrist, end, finger = joints(np.array([[np.pi / 2, -np.pi / 2]]))[0]
    np.testing.assert_allclose([wrist, end, finger], [[0, 0.12], [0.1, 0.12], [0.12, 0.12]], atol=1e-12)


def test_parts_are_where_they_should_be_in_the_image():
    size, scale = 512, 512 / 0.52
    image = frames_of([[0, np.pi / 2]], size)[0]  # upper arm to the right, forearm up: up is a lower row

    def at(x, y):
        return tuple(image[int(size / 2 - y * scale), int(size / 2 + x * scale)])

    assert at(0, 0) == at(-0.009, 0) == ROOT_COLOUR
    assert at(0.06, 0) == at(0.06, 0.008) == UPPER
    assert at(0.12, 0) == at(0.12, 0.1) == FOREARM  # it lies above the upper arm
    assert at(0.12, 0.12) == at(0.122, 0.127) == FINGER_COLOUR
    assert at(0.06, 0.012) == at(0.12, -0.012) == at(0.12, 0.132) == at(-0.06, 0) == FLOOR


def test_image_is_continuous_in_the_angles():
    for joint in (0, 1):
        angle = np.tile([0.4, -1.3], (200, 1))
        angle[:, joint] += np.linspace(0, 0.05, 200)  # the finger moves by 0.007 px
        difference = np.abs(np.diff(frames_of(angle).astype(int), axis=0))
        assert difference.max() <= 4
        assert (difference.sum((1, 2, 3)) > 0).mean() > 0.9


def test_arm_is_what_drawing_on_every_pixel_gives():
    rng = np.random.default_rng(0)
    for size in (16, 64):
        angle = rng.uniform(-np.pi, np.pi, (20, 2))
        scale = size / 0.52
        wrist, end, finger = (size / 2 + scale * joints(angle) * (1, -1)).transpose(1, 0, 2)
        root = np.full_like(wrist, size / 2)
        grid = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), axis=-1)
        expected = np.tile(np.float64(FLOOR), (20, size, size, 1))
        for start, stop, radius, colour in (
            (root, wrist, 0.01, UPPER),
            (root, root, 0.011, ROOT_COLOUR),
            (wrist, end, 0.01, FOREARM),
            (finger, finger, 0.01, FINGER_COLOUR),
        ):
            points = start + np.linspace(0, 1, 100)[:, None, None] * (stop - start)  # of the axis
            distance = np.full((20, size, size), np.inf)
            for point in points:
                distance = np.minimum(distance, np.linalg.norm(grid - point[:, None, None], axis=-1))
            cover = np.clip(radius * scale + 0.5 - distance, 0, 1)[..., None]
            expected += cover * (np.float64(colour) - expected)
        assert np.abs(frames_of(angle, size) - expected).max() <= 2  # four roundings, and steps along the axis


def test_frames_do_not_depend_on_what_is_drawn_with_them():
    rng = np.random.default_rng(0)
    angle, colours, floor = rng.uniform(-3, 3, (300, 2)), rng.uniform(0, 140, (300, 2, 3)), rng.uniform(0, 4, (300, 7))
    floor[100:200] = floor[:100]  # layouts recur, and more than one chunk
    assert len(angle) > CHUNK
    together = draw_arm(64, angle, colours, floor)
    for i in (0, CHUNK - 1, CHUNK, 150, 299):
        part = slice(i, i + 1)
        np.testing.assert_array_equal(draw_arm(64, angle[part], colours[part], floor[part])[0], together[i])
    assert draw_arm(64, angle[:0], colours[:0], floor[:0]).shape == (0, 64, 64, 3)
