"""The mechanics of the physics world: what falls, bounces, collides, rests, and stays where it can be."""

import numpy as np
import pytest
from physics_scenes import PLAIN, of, scene, scene_of

from armillary.worlds.physics.arena import HAND_SPEED
from armillary.worlds.physics.shapes import BOX, BOX_HALF, SHAPES
from armillary.worlds.physics.state import FLOOR, MAX_SPEED, SIDE, STEP, WALL, part
from armillary.worlds.physics.world import Physics


def run(state: np.ndarray, steps: int, actions: np.ndarray | None = None) -> np.ndarray:
    return Physics(hand=False).simulate(state[None], steps, None if actions is None else actions[None])[0]


@pytest.mark.parametrize("gravity", [-6.0, 0.0, 4.0, 9.0])
def test_free_fall(gravity):
    made = scene_of({"position": (1.0, 2.0), "velocity": (0.5, 0.0)})
    part(made.state, "gravity")[...] = gravity
    history = run(made.state, 8)
    time = np.arange(9) * STEP
    np.testing.assert_allclose(of(history, "time"), time)
    place = of(history, "position")[:, 0]
    np.testing.assert_allclose(place[:, 0], 1 + 0.5 * time)
    np.testing.assert_allclose(2 - place[:, 1], gravity * time**2 / 2, atol=0.02)  # 2% of the way at 9 m/s^2
    np.testing.assert_allclose(of(history, "velocity")[:, 0, 1], -gravity * time, atol=1e-9)


def test_what_rests_stays():
    half = BOX_HALF * 0.25
    boxes = [{"shape": BOX, "position": (2.5, FLOOR + half * (1 + 2 * i)), "restitution": 0.0} for i in range(3)]
    history = run(scene_of({}, *boxes).state, 60)
    assert np.abs(of(history, "position") - of(history[0], "position")).max() < 0.02
    assert np.abs(of(history, "angle") - of(history[0], "angle")).max() < 0.02


@pytest.mark.parametrize(("masses", "after"), [((1.0, 1.0), (0.0, 2.0)), ((3.0, 1.0), (1.0, 3.0)), ((0.5, 1.5), (-1.0, 1.0))])
def test_elastic_collisions_keep_momentum_and_energy(masses, after):
    smooth = {"friction": 0.0, "restitution": 1.0}
    objects = [{**smooth, "mass": mass, "position": (1.2 + i, 2.0)} for i, mass in enumerate(masses)]
    made = scene_of({**objects[0], "velocity": (2.0, 0.0)}, objects[1])
    part(made.state, "gravity")[...] = 0
    velocity = of(run(made.state, 8), "velocity")[-1, :2]
    np.testing.assert_allclose(velocity[:, 0], after, atol=0.02)
    np.testing.assert_allclose(velocity[:, 1], 0, atol=1e-6)


def test_what_bounces_more_comes_back_higher():
    restitution = np.array([0.2, 0.4, 0.6, 0.8])
    balls = [{"restitution": e, "position": (0.5 + i, 2.5)} for i, e in enumerate(restitution)]
    height = of(run(scene_of(*balls).state, 40), "position")[..., 1]
    after = np.array([height[height[:, i].argmin() :, i].max() for i in range(4)])
    after = np.array([height[12:, i].max() for i in range(4)])  # it reaches the floor in step 12
    fallen = 2.5 - FLOOR - 0.25
    np.testing.assert_allclose(after - FLOOR - 0.25, restitution**2 * fallen, rtol=0.25)


def test_friction_stops_boxes_and_ramps_roll_balls():
    slide = {"shape": BOX, "velocity": (2.0, 0.0), "position": (1.0, FLOOR + BOX_HALF * 0.25)}
    ways = [of(run(scene_of({**slide, "friction": mu}).state, 15), "position")[-1, 0, 0] - 1 for mu in (0.2, 0.4, 0.8)]
    np.testing.assert_allclose(ways[1:], [4 / (2 * 6 * mu) for mu in (0.4, 0.8)], rtol=0.1)
    assert ways[0] > ways[1] > ways[2]
    made = scene_of({"position": (1.5, 2.0)})
    made.fixture(2.0, 1.0, 2.0, 0.16, -0.4)
    history = run(made.state, 25)
    assert of(history, "position")[-1, 0, 0] > 2.5
    assert of(history, "spin")[15, 0] < -2


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_nothing_leaves_or_tunnels_at_top_speed(shape):
    rng, states = np.random.default_rng(shape), []
    for _ in range(6):
        made = scene()
        made.fixture(SIDE / 2, SIDE / 2, 0.16, 2 * SIDE)
        for i in range(4):
            place = (0.7, 2.9, 1.3, 3.4)[i], rng.uniform(1, 3)
            velocity = MAX_SPEED * rng.choice([-1.0, 1.0], 2)
            size = rng.choice((0.12, 0.3))
            made.put(place, **PLAIN | {"shape": shape, "size": size, "restitution": 1.0, "velocity": velocity})
        states.append(made.state)
    place = of(Physics(hand=False).simulate(np.stack(states), 60), "position")
    assert ((place > (WALL, FLOOR)) & (place < SIDE - WALL)).all()
    assert (place[:, :, ::2, 0] < SIDE / 2).all()
    assert (place[:, :, 1::2, 0] > SIDE / 2).all()


def test_a_screen_touches_nothing_and_things_move_on_behind_it():
    ball = {"position": (0.6, FLOOR + 0.25), "velocity": (2.0, 0.0), "spin": -8.0}
    without, made = scene_of(ball), scene_of(ball)
    made.screen(2.0, 0.0)
    for name, value in (("screen_width", 1.2), ("screen_height", 1.5), ("screen_fall", 1.6)):
        part(made.state, name)[0] = value
    history = run(made.state, 30)
    for name in ("position", "velocity", "angle"):
        np.testing.assert_array_equal(of(history, name), of(run(without.state, 30), name))
    visible = Physics(hand=False).render_states(history)["visible"][:, 0]
    x = of(history, "position")[:, 0, 0]
    hidden = np.abs(x - 2) < 0.3  # the ball, 0.25 m to each side, is behind it
    assert hidden.sum() > 3
    assert (visible[hidden] == 0).all()
    assert visible[0] == visible[-1] == 1
    assert ((visible > 0) & (visible < 1)).any()


def test_the_hand_pushes_and_stops_at_what_does_not_give_way():
    made = scene_of({"position": (2.0, FLOOR + 0.25)})
    for name, value in (("hand", 1), ("hand_size", 0.2), ("hand_position", (1.0, FLOOR + 0.25))):
        part(made.state, name)[...] = value
    history = run(made.state, 30, np.tile([1.0, 0.0], (30, 1)))
    hand, ball = of(history, "hand_position")[:, 0], of(history, "position")[:, 0, 0]
    np.testing.assert_allclose(np.diff(hand[1:4]), HAND_SPEED * STEP, rtol=0.2)
    apart = np.hypot(*np.moveaxis(of(history, "hand_position") - of(history, "position")[:, 0], -1, 0))
    assert ball[-1] > 3.5
    assert apart.min() > 0.41  # their radii are 0.45 together: squeezed at the wall, by half a pixel
    made.fixture(1.6, 1.0, 0.16, 2.0)
    assert of(run(made.state, 30, np.tile([1.0, 0.0], (30, 1))), "hand_position")[:, 0].max() < 1.6
    still = run(made.state, 10)
    np.testing.assert_allclose(of(still, "hand_position"), of(still, "hand_position")[:1].repeat(11, 0), atol=1e-3)
