"""Pictures of the physics world: shapes are where and what they are, and screens cover all that is behind them."""

import numpy as np
import pytest
from physics_scenes import PLAIN, scene, scene_of

from armillary.worlds.drawing import CHUNK
from armillary.worlds.physics.shapes import SHAPES
from armillary.worlds.physics.state import FLOOR, SIDE, part
from armillary.worlds.physics.world import Physics

EMPTY = scene().state[None]


def image(states: np.ndarray, size: int = 64) -> np.ndarray:
    return Physics(size=size, hand=False).render_states(states)["image"].astype(float)


def share(states: np.ndarray) -> np.ndarray:
    """The share of each pixel that a thing of the first colour covers."""
    return (image(EMPTY) - image(states))[..., 0] / (image(EMPTY)[0, 20, 20, 0] - part(states, "colour")[:, 0, 0, None, None])


def placed(shape: int, n: int = 1, **given: float) -> np.ndarray:
    looks = PLAIN | {"shape": shape, "size": 0.4, "colour": (20.0, 20.0, 20.0), "position": (2.0, 2.0)} | given
    return np.tile(scene_of(looks).state, (n, 1))


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_area_and_centre_are_those_of_the_shape(shape):
    rng, states = np.random.default_rng(0), placed(shape, 40, aspect=1.4)
    part(states, "position")[:, 0] = place = rng.uniform(1, 3, (40, 2))
    part(states, "angle")[:, 0] = rng.uniform(-4, 4, 40)
    covered, centre = share(states), (np.arange(64) + 0.5) / 16
    np.testing.assert_allclose(covered.sum((1, 2)) / 16**2, np.pi * 0.4**2, rtol=0.04)
    x, y = ((covered.sum(axis) * centre).sum(-1) / covered.sum((1, 2)) for axis in (1, 2))
    np.testing.assert_allclose(np.stack([x, SIDE - y], axis=1), place, atol=0.01)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
@pytest.mark.parametrize("texture", range(3))
def test_the_image_is_continuous_in_the_pose_and_shows_the_angle(shape, texture):
    for name, index, step in (("position", (0, 0), 5e-4), ("position", (0, 1), 5e-4), ("angle", 0, 2e-3)):
        states = placed(shape, 100, texture=texture, angle=0.3, colour=(20.0, 90.0, 90.0))
        part(states, name)[(slice(None), *np.atleast_1d(index))] += step * np.arange(100)
        change = np.abs(np.diff(image(states), axis=0))
        assert change.max() < 6
        moved = np.abs(image(states[-1:]) - image(states[:1])).sum()
        assert moved > 300 or (name == "angle" and shape == 0 and texture == 0)


def test_up_is_up_and_angles_are_counterclockwise():
    states = placed(1, 2, aspect=4.0, texture=2)  # a long box, dark ahead
    part(states, "angle")[:, 0] = 0, np.pi / 2
    part(states, "position")[:, 0, 1] = 3
    part(states, "colour")[:, 0] = 220
    flat, upright = image(states)[:, :, :, 0]
    assert flat[16, 40] < flat[16, 24] - 80
    assert upright[8, 32] < upright[24, 32] - 80


def test_a_screen_covers_everything_and_visible_says_how_much():
    full = placed(4, 30, size=0.35)
    part(full, "position")[:, 0, 0] = np.linspace(0.8, 3.2, 30)
    part(full, "position")[:, 0, 1] = np.linspace(0.7, 1.6, 30)
    bare = full.copy()
    for states in (full, bare):
        for name, value in (("present", 1), ("x", 2), ("width", 1.13), ("height", 1.62), ("fall", 99), ("speed", 5)):
            part(states, f"screen_{name}")[:, 0] = value
        part(states, "time")[:] = 10
    part(bare, "present")[:] = 0
    world = Physics(hand=False)
    top, left, right = (round(16 * one) for one in (SIDE - FLOOR - 1.62 + 0.07, 2 - 0.565 + 0.07, 2 + 0.565 - 0.07))
    behind = image(full)[:, top : int(16 * (SIDE - FLOOR)), left:right]
    assert (behind == behind[0, 0, 0]).all()
    alone = full.copy()
    part(alone, "screen_present")[:] = 0
    there, shown = share(alone), np.abs(image(full) - image(bare)).sum((1, 2, 3))
    expected = shown / np.abs(image(alone) - image(EMPTY)).sum((1, 2, 3))
    visible = world.render_states(full)["visible"][:, 0]
    np.testing.assert_allclose(visible, expected, atol=0.02)
    assert there.any()
    assert (visible == 0).any()
    assert (visible == 1).any()
    part(full, "time")[:] = 0.1  # on its way up, 0.5 m high
    assert (world.render_states(full)["visible"][:, 0] > visible).any()
    part(full, "time")[:] = 200  # and down again
    np.testing.assert_array_equal(image(full), image(alone))


def test_frames_are_independent_of_the_batch():
    world = Physics(5, hand=True, factors=("background",))
    world.reset(seed=1)
    states = world.simulate(world.state, CHUNK // 4).reshape(-1, world.state.shape[1])
    together = world.render_states(states)
    for i in (0, CHUNK - 1, CHUNK, len(states) - 1):
        alone = world.render_states(states[i : i + 1])
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][i], err_msg=name)
    assert image(states[:0]).shape == (0, 64, 64, 3)
    small = image(placed(5, size=0.6), size=16)  # a patch as large as the image
    assert small.min() < 60
