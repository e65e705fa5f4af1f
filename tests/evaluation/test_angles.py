import numpy as np
import pytest

from armillary.evaluation.angles import angle_jump, sine_cosine
from armillary.spec import Stream

POSE = Stream("pose", "vector", (3,), unit=("m", "rad", "rad/s"))


def test_only_radians_are_angles():
    assert POSE.angles == [1]
    assert Stream("image", "image", (4, 4, 3)).angles == []


def test_sine_and_cosine_do_not_jump_where_the_angle_wraps():
    before, after = sine_cosine(POSE, np.array([[2.0, 3.14, 0.5], [2.0, -3.14, 0.5]]))
    assert before.tolist() == pytest.approx([2.0, 0.5, np.sin(3.14), np.cos(3.14)])
    assert np.abs(after - before).max() < 0.01


def test_angle_jump_ignores_what_lies_beyond_the_budget():
    assert angle_jump(np.array([[0.0], [0.5], [np.nan]])) == 0.5
    assert angle_jump(np.array([[3.1], [-3.1]])) == pytest.approx(6.2)
