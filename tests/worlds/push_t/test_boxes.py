"""Shapes made of boxes: where one is and how it is turned can be read from the picture."""

import numpy as np

from armillary.worlds.drawing import CHUNK
from armillary.worlds.push_t import tee
from armillary.worlds.push_t.boxes import draw_boxes

SCALE = 64 / 512
CENTRES, HALVES = tee.CENTRES * SCALE, tee.HALVES * SCALE


def shares(pose: np.ndarray, size: int = 64) -> np.ndarray:
    """The share of each pixel that is drawn, (n, size, size), to 1/200."""
    frames = np.zeros((len(pose), size, size, 3), np.uint8)
    draw_boxes(frames, pose, CENTRES, HALVES, np.tile([200.0, 100.0, 0.0], (len(pose), 1)))
    assert not frames[..., 2].any()
    return frames[..., 0] / 200


def poses(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(15, 49, (n, 2)), rng.uniform(-7, 7, (n, 1))], axis=1)


def test_pose_can_be_read_from_the_image():
    pose = poses(300)
    share, centre = shares(pose), np.arange(64) + 0.5
    area = share.sum((1, 2))
    np.testing.assert_allclose(area, (120 * 30 + 30 * 90) * SCALE**2, rtol=0.02)
    read = np.stack([(share.sum(axis) * centre).sum(-1) for axis in (1, 2)], axis=1) / area[:, None]
    middle = (3600 * np.array([0, -30.0]) + 2700 * np.array([0, 30.0])) / 6300 * SCALE  # of the area, in the T's own frame
    assert np.abs(read - pose[:, :2] - tee.rotated(middle, pose[:, 2])).max() < 0.08
    # The shape is longest along the stem.
    x, y = centre - read[:, :1], centre - read[:, 1:]
    xx, yy, xy = ((share * f).sum((1, 2)) for f in (x[:, None] ** 2, y[:, :, None] ** 2, x[:, None] * y[:, :, None]))
    assert np.abs(np.cos(np.arctan2(2 * xy, xx - yy) / 2 - pose[:, 2])).max() < 0.04


def test_image_is_continuous_in_the_pose():
    for column, step in ((0, 0.01), (1, 0.01), (2, 0.001)):
        pose = np.tile([32.3, 30.7, 0.7], (100, 1))
        pose[:, column] += step * np.arange(100)
        share = shares(pose)
        assert np.abs(np.diff(share, axis=0)).max() <= 0.026
        assert (np.abs(np.diff(share, axis=0)).sum((1, 2)) > 0).all()


def test_the_patch_is_large_enough_and_frames_are_independent():
    pose = poses(CHUNK + 40)
    pose[:50, :2] = np.random.default_rng(1).uniform(-5, 69, (50, 2))  # half outside
    together = shares(pose)
    dx, dy = np.arange(64) + 0.5 - pose[:, :1], np.arange(64) + 0.5 - pose[:, 1:2]
    points = np.stack(np.broadcast_arrays(dx[:, None], dy[:, :, None]), axis=-1)
    points = tee.rotated(points, -pose[:, 2, None, None])
    each = [np.clip(h + 0.5 - np.abs(points - c), 0, 1).prod(axis=-1) for c, h in zip(CENTRES, HALVES, strict=True)]
    assert np.abs(together - np.maximum(*each)).max() <= 0.0026
    for i in (0, 40, CHUNK - 1, CHUNK):
        np.testing.assert_array_equal(shares(pose[i : i + 1])[0], together[i])
    assert shares(pose[:0]).shape == (0, 64, 64)
    assert shares(poses(3) / 2, size=16).max() == 1  # a patch larger than the image
