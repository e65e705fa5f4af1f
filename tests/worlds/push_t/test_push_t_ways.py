"""Ways around the T: they arrive, in few moves, and touch nothing."""

import numpy as np

from armillary.worlds.push_t import tee
from armillary.worlds.push_t.ways import INWARD, MARGIN, SIDES, go_around, stand_off


def test_ways_arrive_and_touch_nothing():
    rng, n = np.random.default_rng(0), 300
    pose = np.concatenate([rng.uniform(160, 350, (n, 2)), rng.uniform(-4, 4, (n, 1))], axis=1)
    side, along = rng.integers(len(SIDES), size=(n, 2)), rng.random((n, 2, 1))
    contact = SIDES[side, :2] * (1 - along) + SIDES[side, 2:] * along
    # From just off one side to just off another.
    disc, end = np.moveaxis(pose[:, None, :2] + tee.rotated(stand_off(contact, INWARD[side]), pose[:, None, 2]), 1, 0)
    gaps, moves = [], 0
    while np.abs(disc - end).max() > 1e-6:
        after = go_around(pose, disc, end, 75.0)
        assert np.abs(after - disc).max() <= 75 + 1e-9
        gaps += [tee.gap(pose, disc + (after - disc) * t) for t in np.linspace(0, 1, 40)]
        disc, moves = after, moves + 1
        assert moves <= 10
    assert np.min(gaps) > 0.5
    assert tee.gap(pose, end).max() < MARGIN + 1e-9


def test_free_ways_are_straight():
    pose = np.array([[256.0, 256, 0]])
    begin, end = np.array([[100.0, 100]]), np.array([[200.0, 100]])
    np.testing.assert_allclose(go_around(pose, begin, end, 75.0), [[175, 100]])
    np.testing.assert_allclose(go_around(pose, np.array([[180.0, 100]]), end, 75.0), end)


def test_a_disc_that_touches_the_t_gets_away():
    pose = np.array([[256.0, 256, 0]])
    disc, end = np.array([[250.0, 256 - 45 - 15]]), np.array([[256.0, 256 + 75 + 21]])  # on the top edge; below the foot
    for _ in range(6):
        disc = go_around(pose, disc, end, 75.0)
    np.testing.assert_allclose(disc, end)
