"""The T: distances against brute force, pushes against mechanics, and the bound that no push may break."""

import numpy as np

from armillary.worlds.push_t import tee


def poses(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.uniform(150, 350, (n, 2)), rng.uniform(-4, 4, (n, 1))], axis=1)


def test_nearest_point_is_the_nearest_of_many():
    x, y = np.meshgrid(np.arange(-60, 61), np.arange(-45, 76))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)
    inside = grid[(grid[:, 1] <= -15) | (np.abs(grid[:, 0]) <= 15)]
    points = np.random.default_rng(0).uniform(-150, 150, (200, 2))
    contact, distance = tee.nearest(points)
    every = np.hypot(*np.moveaxis(points[:, None] - inside, -1, 0)).min(axis=1)
    assert (distance <= every + 1e-9).all()
    assert (distance >= every - 1).all()
    np.testing.assert_allclose(np.hypot(*(points - contact).T), distance)
    assert tee.nearest(contact)[1].max() == 0


def test_gap_and_clearance():
    pose = np.array([[256.0, 256, 0], [256, 256, np.pi / 2]])
    # Below the foot of a T that stands; the same T lies down, with its foot towards smaller x.
    np.testing.assert_allclose(tee.gap(pose, np.array([[256.0, 256 + 75 + 25], [256 - 75 - 25, 256]])), 10)
    np.testing.assert_allclose(tee.gap(pose, np.array([256.0, 256])), -15)
    np.testing.assert_allclose(tee.clearance(np.array([[256, 7 + 45 + 3.0, 0], [504 + 1 - 45, 300, np.pi / 2]])), [3, -1])


def test_poses_by_the_top_edge():
    pose = tee.pose_at(np.array([[100.0, 200]], np.float32), np.array([[np.pi / 2]], np.float32))
    np.testing.assert_allclose(pose, [[55, 200, np.pi / 2]], atol=1e-5)
    np.testing.assert_allclose(tee.placed(pose, tee.ORIGIN[None])[:, 0], [[100, 200]], atol=1e-5)


def test_a_push_through_the_centre_moves_and_one_beside_it_turns():
    pose = np.array([[256.0, 256, 0]]).repeat(2, axis=0)
    begin = np.array([[256.0, 180], [306, 180]])
    after = tee.push(pose, begin, begin + np.array([0, 56.0]), ticks=200)  # the first 16 px to the top edge
    np.testing.assert_allclose(after[0], [256, 296, 0], atol=1e-6)
    x = 50 / tee.GYRATION
    small = tee.push(pose, begin, begin + np.array([0, 17.0]), ticks=200)[1]
    np.testing.assert_allclose(small - pose[1], [0, 1 / (1 + x**2), x / tee.GYRATION / (1 + x**2)], rtol=0.01, atol=0.003)


def test_no_push_does_more_than_its_length():
    rng = np.random.default_rng(0)
    pose = poses(4000, rng)
    begin = pose[:, :2] + tee.rotated(rng.uniform(-130, 130, (4000, 2)), pose[:, 2])
    pose, begin = (x[tee.gap(pose, begin) > 0] for x in (pose, begin))
    middle = begin + rng.normal(0, 40, begin.shape)
    end = middle + rng.normal(0, 40, begin.shape)
    length = np.hypot(*(middle - begin).T) + np.hypot(*(end - middle).T)
    for friction in (None, np.full(len(pose), 0.3), np.full(len(pose), 1.0)):
        after = tee.push(tee.push(pose, begin, middle, 60, friction), middle, end, 60, friction)
        share = tee.least_push(pose, after) / length
        assert share.max() < 1 + 1e-6
        assert share.max() > 0.8  # it is not idle
    straight = pose + np.array([30.0, 40, 0])
    np.testing.assert_allclose(tee.least_push(pose, straight), 50)
    np.testing.assert_allclose(tee.least_push(pose, pose + np.array([0, 0, 2 * np.pi])), 0, atol=1e-9)


def test_no_friction_is_friction_of_zero_and_much_of_it_drags():
    rng = np.random.default_rng(0)
    pose = poses(500, rng)
    begin = pose[:, :2] + tee.rotated(rng.uniform(-130, 130, (500, 2)), pose[:, 2])
    end = begin + rng.normal(0, 60, begin.shape)
    np.testing.assert_array_equal(tee.push(pose, begin, end), tee.push(pose, begin, end, friction=np.zeros(500)))
    # Sliding along the top edge, hardly pressed: the T stays if there is no friction, and comes along if there is.
    pose, begin = np.array([[256.0, 256, 0]]), np.array([[250.0, 256 - 45 - 15 + 0.5]])
    end = begin + np.array([[8.0, 1.0]])
    free, dragged = (tee.push(pose, begin, end, friction=np.array([mu])) - pose for mu in (0.0, 10.0))
    assert abs(free[0, 0]) < 0.05
    assert dragged[0, 0] > 2


def test_turn_has_no_seam():
    angle = np.array([3.0, -3.0, 0.1, 7.0])
    np.testing.assert_allclose(
        tee.turn(angle, np.array([-3.0, 3.0, -0.1, 7.0 + 4 * np.pi])), [0.283185, -0.283185, -0.2, 0], atol=1e-6
    )
