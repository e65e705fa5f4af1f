"""Scores of clips that need no understanding, on trajectories whose answers are known."""

import numpy as np
import pytest

from armillary.evaluation.surprise import shortcuts

TIME = np.arange(9.0)
LINE = np.stack([3 * TIME, 4 * TIME], axis=-1)  # 5 a step
CIRCLE = 2 * np.stack([np.cos(TIME * np.pi / 6), np.sin(TIME * np.pi / 6)], axis=-1)  # turns by 30 degrees a step
CHORD = 4 * np.sin(np.pi / 12)
STILL = np.ones((9, 2))
HALTING = np.stack([np.cumsum(np.tile([1.0, 3.0], 5))[:9], 0 * TIME], axis=-1)


def score(name, *clips):
    """Means over time of the score of clips (T, 2)."""
    z = np.stack([np.stack([clip] * 4) for clip in clips])
    found = shortcuts.LATENTS[name](z)
    assert found.shape[:2] == (len(clips), 4)
    assert np.isfinite(found).all()
    return found.mean(axis=-1)[:, 0].tolist()


@pytest.mark.parametrize(
    ("name", "line", "circle", "halting"),
    [
        ("copy last", 12.5, CHORD**2 / 2, 2.5),
        ("constant velocity", 0, (2 * CHORD * np.sin(np.pi / 12)) ** 2 / 2, 2),
        ("speed variation", 0, 0, 0.5),
        ("angle", 0, np.pi / 6, 0),
        ("curvature", 0, np.pi / 6 / CHORD, 0),
        ("acceleration", 0, 2 * CHORD * np.sin(np.pi / 12), 2),
    ],
)
def test_scores_of_known_trajectories(name, line, circle, halting):
    assert score(name, LINE, CIRCLE, HALTING, STILL) == pytest.approx([line, circle, halting, 0], abs=1e-6)


def test_linear_residual_is_the_share_that_a_line_leaves():
    square = np.stack([TIME**2, 0 * TIME], axis=-1)
    left = square[:, 0] - np.polyval(np.polyfit(TIME, square[:, 0], 1), TIME)
    assert score("linear residual", LINE, square, STILL) == pytest.approx([0, left.var() / square[:, 0].var(), 0], abs=1e-9)


def test_frame_difference_sees_change_alone():
    frames = np.zeros((1, 4, 3, 2, 2, 1), np.uint8)
    frames[:, :, 2] = 10
    assert shortcuts.frame_difference({"image": frames})[0, 0].tolist() == [0, 100]
    scan = np.zeros((1, 4, 3, 2), np.float32)
    scan[:, :, 1, 0], scan[:, :, 1:, 1] = np.nan, 4
    assert shortcuts.frame_difference({"scan": scan})[0, 0].tolist() == [8, 0]
