"""The physics of Push-T: a pymunk space with four walls, a disc that goes where it is told, and a T that it pushes.

Shapes, masses and time steps are as in gym-pusht (PyPI, 0.1.8), whose figures these are. Design choices:
- every call has a space of its own, which the same bodies enter anew. What pymunk remembers beside positions and velocities
  (contacts that its solver starts from, the order it has found them in, overlaps that it is undoing) could not be part of a
  state. So the given state decides all that follows, bit for bit. The price is that a contact starts cold in every call, where
  in gym-pusht it goes on: after 5 s of pushing the two are 0.01 px apart with calls of 0.5 s, and up to 0.6 px with 0.1 s;
- the T has no friction, as there (where a `friction` is set on bodies, and pymunk looks for it on shapes);
- walls begin where they do there and are thicker, or else a T that is squeezed against one leaves the arena for good.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pymunk
from jaxtyping import Float

from armillary.worlds.push_t import tee

TICK = 0.01  # s, of physics
STIFFNESS, DAMPING = 100.0, 20.0  # of the PD controller, 1/s^2 and 1/s
THICK = 200.0  # px, of a wall

Motion = Sequence[tuple[tuple[float, float], int]]
"""Velocities (px/s) of the disc, one after the other, and for how many ticks it has each."""


class Arena:
    """Bodies and shapes, for one environment at a time."""

    def __init__(self) -> None:
        ground, low, high = pymunk.Body(body_type=pymunk.Body.STATIC), tee.WALLS[0] - THICK / 2, tee.WALLS[1] + THICK / 2
        corners = (low, high), (low, low), (high, low), (high, high), (low, high)
        walls = [pymunk.Segment(ground, *ends, THICK / 2) for ends in pairwise(corners)]
        self._agent, self._block = pymunk.Body(body_type=pymunk.Body.KINEMATIC), pymunk.Body(1, tee.GYRATION**2)
        disc = pymunk.Circle(self._agent, tee.RADIUS)
        self._boxes = [self._box(-60, 0, 60, 30), self._box(-15, 30, 15, 120)]
        self._block.center_of_gravity = tuple((-tee.ORIGIN).tolist())
        for shape in (*walls, disc):
            shape.friction = 1  # times the T's
        self._things = ground, *walls, self._agent, disc, self._block, *self._boxes
        self._space = pymunk.Space()
        self._space.add(*self._things)

    def run(self, state: np.ndarray, friction: float, motion: Motion) -> list[float]:
        """What becomes of a state (10,): x, y and velocity of the disc, x, y, angle, velocity and angular velocity of the T.

        Args:
            friction: between the T and what it touches.
            motion: of the disc.
        """
        agent, block = self._agent, self._block
        x, y, vx, vy, block_x, block_y, angle, block_vx, block_vy, spin = state.tolist()
        agent.position, agent.velocity = (x, y), (vx, vy)
        block.angle = angle  # before the position, which would turn with it
        block.position, block.velocity, block.angular_velocity = (block_x, block_y), (block_vx, block_vy), spin
        pymunk.Body.update_position(block, 0)  # forgets what overlap it was going to undo
        for box in self._boxes:
            box.friction = friction
        self._space.remove(*self._things)
        self._space = space = pymunk.Space()
        space.damping = 0  # all velocity of the T is gone after a tick: it moves only while it is pushed
        space.add(*self._things)
        for velocity, ticks in motion:
            agent.velocity = velocity
            for _ in range(ticks):
                space.step(TICK)
        return [*agent.position, *agent.velocity, *block.position, block.angle, *block.velocity, block.angular_velocity]

    def _box(self, left: float, top: float, right: float, bottom: float) -> pymunk.Poly:
        return pymunk.Poly(self._block, [(left, bottom), (right, bottom), (right, top), (left, top)])


def controlled(
    position: Float[np.ndarray, "n 2"], velocity: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"], ticks: int
) -> list[Motion]:
    """How a PD controller takes discs to targets. Whatever a disc meets, it is not slowed down."""
    velocities = []
    for _ in range(ticks):
        velocity = velocity + (STIFFNESS * (target - position) - DAMPING * velocity) * TICK
        position = position + velocity * TICK
        velocities.append(velocity)
    return [[(tuple(v), 1) for v in one] for one in np.stack(velocities, axis=1).tolist()]
