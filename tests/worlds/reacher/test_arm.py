"""The arm's physics: as dm_control's, as mechanics has it, and the same wherever and whenever it is computed."""

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the arm's physics needs mujoco")

from armillary.worlds.reacher.arm import DAMPING, LIMIT, TORQUE, Arm

STARTS = np.array([[0, 0, 0, 0], [1, -2.5, 3, -4], [-3, 2.7, 0, 5]], float)
TORQUES = np.array([[1, 0.5], [-0.25, -1], [0.3, 1]])


def random_motions(n: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (n, 4)) * (np.pi, LIMIT, 6, 6)


def test_motion_is_that_of_dm_control():
    """Its reacher, after 5 and 50 of its time steps under held torques; one joint is stopped at its limit, both ways."""
    reference = {
        5: [
            [0.121563424, 0.127212518, 2.01658857, 1.55619062],
            [1.048546993, -2.940161125, -0.334984905, -2.496571121],
            [-2.919789989, 2.908689186, 1.051561836, 0.194041599],
        ],
        50: [
            [4.480866754, 1.749272586, 5.569683791, 1.656311238],
            [-0.016191654, -2.87530216, -1.249999748, 1.123e-06],
            [-1.591781031, 2.875219797, 1.499999935, -3.12e-07],
        ],
    }
    for steps, motion in reference.items():
        np.testing.assert_allclose(Arm().move(STARTS, TORQUES, steps), motion, atol=2e-9)


def test_a_motion_does_not_depend_on_what_came_before_or_beside_it():
    arm, motions, torques = Arm(), random_motions(50), np.random.default_rng(1).uniform(-1, 1, (50, 2))
    motions[:10, 1] = LIMIT  # where the solver is at work
    together = arm.move(motions, torques, 10)
    for i in (0, 9, 49):
        np.testing.assert_array_equal(Arm().move(motions[i : i + 1], torques[i : i + 1], 10)[0], together[i])
    np.testing.assert_array_equal(arm.move(arm.move(motions, torques, 4), torques, 6), together)


def test_inertia_is_that_of_the_links():
    """From their sizes, at the density of water: capsules, and a ball at the end of the forearm."""
    r = 0.01

    def capsule(length):  # mass, and moment of inertia about its middle
        rod, ball = 1000 * np.pi * r**2 * length, 1000 * 4 / 3 * np.pi * r**3
        ends = ball * (2 / 5 * r**2 + (length / 2) ** 2 + 3 / 8 * r * length)
        return rod + ball, rod * (r**2 / 4 + length**2 / 12) + ends

    (upper, turn), (forearm, twist), finger = capsule(0.12), capsule(0.1), 1000 * 4 / 3 * np.pi * r**3
    wrist = twist + forearm * 0.05**2 + finger * (0.12**2 + 2 / 5 * r**2)
    coupling = 0.12 * (forearm * 0.05 + finger * 0.12)
    shoulder = turn + upper * 0.06**2 + (forearm + finger) * 0.12**2 + wrist
    for angle, matrix in zip((0.0, 1.0), Arm().inertia(np.array([0.0, 1.0])), strict=True):
        bent = coupling * np.cos(angle)
        np.testing.assert_allclose(matrix, [[shoulder + 2 * bent, wrist + bent], [wrist + bent, wrist]], rtol=1e-9)


def test_the_shoulders_motor_alone_changes_its_momentum():
    arm, motions = Arm(), random_motions(200)
    motions[:, 1] *= 0.3  # away from the limits
    torques = np.tile([[0.7, -0.4]], (200, 1))
    change = arm.momentum(arm.move(motions, torques, 25)) - arm.momentum(motions)
    np.testing.assert_allclose(change[:, 0], 0.7 * TORQUE * 0.5, rtol=0.06)  # the error is that of integration


def test_damping_brings_it_to_rest():
    after = Arm().move(random_motions(100), np.zeros((100, 2)), 200)
    assert np.abs(after[:, 2:]).max() < 1e-3
    assert np.abs(after[:, 1]).max() < LIMIT + 0.01


@pytest.mark.parametrize("seconds", [0.02, 0.1])
def test_towards_reaches_a_near_posture_and_rests_there(seconds):
    arm, motion = Arm(), random_motions(200) * (1, 0.8, 0.2, 0.2)
    goal = motion[:, :2] + np.random.default_rng(2).uniform(-0.1, 0.1, (200, 2))
    for _ in range(round(0.6 / seconds)):
        motion = arm.move(motion, arm.towards(motion, goal - motion[:, :2], seconds), round(seconds / 0.02))
    assert np.abs(motion[:, :2] - goal).max() < 0.01
    assert np.abs(motion[:, 2:]).max() < 0.1


def test_greatest_speed_is_torque_by_damping():
    after = Arm().move(np.zeros((1, 4)), np.array([[1.0, 0.0]]), 500)
    assert after[0, 2] == pytest.approx(TORQUE / DAMPING, rel=1e-3)
