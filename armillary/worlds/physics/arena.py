"""The mechanics of one environment: a pymunk space with walls, fixtures, objects and a hand.

Design choices:
- the given state decides all that follows, bit for bit. What the engine remembers beside positions and velocities is dropped
  before each step: the contacts that its solver starts from (a step of no length, of which nothing persists), and overlaps that
  it is undoing. Its spatial hash, unlike its tree, has no memory of the order in which contacts were found. So bodies are made
  once for a layout, and stepped as often as needed, which is three times as fast as to enter them anew;
- floor, fixtures and hand have friction 1, floor and fixtures restitution 1, so that an object's own figures are those of its
  contact with them;
- the hand is a body of limited force. It is stopped by what does not give way, and can squeeze nothing through a wall.
"""

import math
from itertools import pairwise

import numpy as np
import pymunk

from armillary.worlds.physics.shapes import BALL, BOX, OUTLINES, PARTS, scale_of
from armillary.worlds.physics.state import COLUMNS, FLOOR, MAX_SPEED, MAX_SPIN, SIDE, STEP, WALL, part

TICKS = 10
TICK = STEP / TICKS  # s
SLOP = 0.004  # m, by which things may overlap
THICK = 1.0  # m, of walls, half
HAND_MASS, HAND_PULL = 1.0, 60.0  # kg, and the greatest acceleration of its motor, m/s^2
HAND_SPEED = 3.0  # m/s, under an action of 1
STICK_ASPECT = 6.0


class Arena:
    """Bodies and shapes of one layout.

    Args:
        state: (S,), of which the layout counts.
    """

    def __init__(self, state: np.ndarray) -> None:
        self._space = space = pymunk.Space()
        space.use_spatial_hash(0.6, 200)  # m of a cell, and cells
        space.gravity, space.collision_slop = (0, -float(part(state, "gravity"))), SLOP
        ground = pymunk.Body(body_type=pymunk.Body.STATIC)
        left, bottom, right, top = WALL - THICK, FLOOR - THICK, SIDE - WALL + THICK, SIDE - WALL + THICK
        corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
        still: list[pymunk.Shape] = [pymunk.Segment(ground, *ends, THICK) for ends in pairwise(corners)]
        for i in np.flatnonzero(part(state, "fixture_present")):
            place, angle = part(state, "fixture_position")[i], float(part(state, "fixture_angle")[i])
            cosine, sine = math.cos(angle), math.sin(angle)
            box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * part(state, "fixture_half")[i]
            where = pymunk.Transform(cosine, sine, -sine, cosine, *place.tolist())
            still.append(pymunk.Poly(ground, box.tolist(), where))
        for shape in still:
            shape.friction, shape.elasticity = 1, 1
        space.add(ground, *still)
        names = "mass", "shape", "size", "aspect", "friction", "restitution"
        self._objects = [
            (i, self._body(*(float(part(state, name)[i]) for name in names)))
            for i in np.flatnonzero(part(state, "present")).tolist()
        ]
        self._hand = None
        if kind := int(part(state, "hand")):
            shape, aspect = (BALL, 1.0) if kind == 1 else (BOX, STICK_ASPECT)
            self._hand = self._body(HAND_MASS, shape, float(part(state, "hand_size")), aspect, 1, 0)
            self._hand.moment, self._hand.angle = math.inf, float(part(state, "hand_angle"))

    def step(self, state: np.ndarray, action: np.ndarray) -> None:
        """Bring a state (S,) of this layout one step on, in place.

        Args:
            action: (2,), of the hand, where there is one: its velocity, by the greatest.
        """
        space = self._space
        space.collision_persistence = 0
        space.step(1e-9)
        space.collision_persistence = 3
        numbers = state.tolist()
        for i, body in self._objects:
            body.angle = numbers[_ANGLE + i]
            _put(body, numbers, _POSITION + 2 * i, _VELOCITY + 2 * i)
            body.angular_velocity = numbers[_SPIN + i]
        if self._hand:
            _put(self._hand, numbers, _HAND, _HAND_VELOCITY)
            self._push(self._hand, *(action * HAND_SPEED).tolist())
        else:
            for _ in range(TICKS):
                space.step(TICK)
        for i, body in self._objects:
            state[_ANGLE + i], state[_SPIN + i] = body.angle, min(max(body.angular_velocity, -MAX_SPIN), MAX_SPIN)
            _get(body, state, _POSITION + 2 * i, _VELOCITY + 2 * i)
        if self._hand:
            _get(self._hand, state, _HAND, _HAND_VELOCITY)
        state[_TIME] += STEP

    def _push(self, hand: pymunk.Body, wanted_x: float, wanted_y: float) -> None:
        most, weight = HAND_PULL * TICK, -HAND_MASS * self._space.gravity[1]
        for _ in range(TICKS):
            x, y = hand.velocity
            change_x, change_y = wanted_x - x, wanted_y - y
            pull = HAND_MASS / TICK * min(1, most / max(math.hypot(change_x, change_y), 1e-9))
            hand.force = pull * change_x, pull * change_y + weight
            self._space.step(TICK)

    def _body(self, mass: float, shape: float, size: float, aspect: float, friction: float, restitution: float) -> pymunk.Body:
        shape = int(shape)
        scale = scale_of(np.array(shape), np.array(size), np.array(aspect))
        if shape == BALL:
            body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0, size))
            shapes: list[pymunk.Shape] = [pymunk.Circle(body, size)]
        else:
            body = pymunk.Body(mass, pymunk.moment_for_poly(mass, (OUTLINES[shape] * scale).tolist()))
            shapes = [pymunk.Poly(body, (one * scale).tolist()) for one in PARTS[shape]]
        for one in shapes:
            one.friction, one.elasticity = friction, restitution
        self._space.add(body, *shapes)
        return body


_POSITION, _ANGLE, _VELOCITY, _SPIN, _HAND, _HAND_VELOCITY, _TIME = (
    COLUMNS[name].start for name in ("position", "angle", "velocity", "spin", "hand_position", "hand_velocity", "time")
)


def _put(body: pymunk.Body, numbers: list[float], position: int, velocity: int) -> None:
    body.position = numbers[position], numbers[position + 1]
    body.velocity = numbers[velocity], numbers[velocity + 1]
    pymunk.Body.update_position(body, 0)  # forgets what overlap it was going to undo


def _get(body: pymunk.Body, state: np.ndarray, position: int, velocity: int) -> None:
    (x, y), (vx, vy) = body.position, body.velocity
    state[position], state[position + 1] = min(max(x, 0.0), SIDE), min(max(y, 0.0), SIDE)
    state[velocity] = min(max(vx, -MAX_SPEED), MAX_SPEED)
    state[velocity + 1] = min(max(vy, -MAX_SPEED), MAX_SPEED)
