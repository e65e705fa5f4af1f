"""Two square rooms and a door as the space in which the centre of a disc is free to move.

Design choices:
- a wall keeps the centre at a distance of one radius, along x and along y. What is free is then three boxes (left room,
  doorway, right room), so that sweeping, sliding and shortest paths are exact and closed-form. Only at the corners of the door
  is this stricter than a disc, which would round them by up to 0.41 radii;
- motion is continuous in time: a velocity is held, and whatever part of it points into a wall is taken away for as long as the
  wall is touched. Nothing is stepped, so nothing tunnels, and one long motion equals any number of short ones;
- the shortest path is the taut string through the doorway. In a simply connected region it is the shortest in every norm (a
  convex curve is no longer than one around it, whatever the norm), so that it also counts steps under a square action box.

Everything is vectorised over n layouts; positions are x and y in pixels, with y down.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

TOLERANCE = 1e-9  # px; rounding that may not decide between touching a wall and being in it

Position = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Rooms:
    """The free space of n layouts, in pixels.

    Args:
        middle: centre of the square arena, and x of the dividing wall.
        reach: how far the centre of the disc may be from `middle` along an axis before it touches the border.
        wall: how far the disc must be from `middle` along x not to touch the dividing wall.
        door: y of the doorway's centre.
        slack: how far the disc may be from `door` along y inside the doorway.
    """

    middle: float
    reach: Float[np.ndarray, " n"]
    wall: Float[np.ndarray, " n"]
    door: Float[np.ndarray, " n"]
    slack: Float[np.ndarray, " n"]

    def side(self, position: Position) -> Int[np.ndarray, " n"]:
        """-1 in the left room, 1 in the right one, 0 inside the doorway."""
        x = position[:, 0] - self.middle
        return np.where(np.abs(x) < self.wall - TOLERANCE, 0, np.sign(x)).astype(int)

    def sample(self, rng: np.random.Generator) -> Position:
        """Positions drawn uniformly from the free space."""
        blocked, position = np.ones(len(self.door), bool), np.empty((len(self.door), 2))
        while blocked.any():
            drawn = self.middle + self.reach[:, None] * rng.uniform(-1, 1, position.shape)
            position[blocked] = drawn[blocked]
            blocked = (self.side(position) == 0) & (np.abs(position[:, 1] - self.door) > self.slack)
        return position

    def nearest_free(self, position: Position) -> Position:
        """The free position nearest to each along one axis; a free one is returned as it is, up to rounding."""
        x, y = (np.clip(p, self.middle - self.reach, self.middle + self.reach) for p in position.T)
        x = x - self.middle
        into_wall, beyond_door = self.wall - np.abs(x), np.abs(y - self.door) - self.slack
        blocked = (into_wall > 0) & (beyond_door > 0)
        sideways = blocked & (into_wall <= beyond_door)
        x = np.where(sideways, np.copysign(self.wall, x), x) + self.middle
        y = np.where(blocked & ~sideways, np.clip(y, self.door - self.slack, self.door + self.slack), y)
        return np.stack([x, y], axis=1)

    def move(self, position: Position, displacement: Position) -> Position:
        """Where discs end that try to go straight from a free `position` by `displacement`, sliding along walls."""
        x, y = self.nearest_free(position).T
        dx, dy = displacement.T
        # Mirrored so that motion is to the right; straight up or down, so that the wall is behind.
        mirror = np.where(dx == 0, np.where(x < self.middle, -1.0, 1.0), np.where(dx < 0, -1.0, 1.0))
        x, dx = mirror * (x - self.middle), np.abs(dx)
        x = np.where(np.abs(np.abs(x) - self.wall) < TOLERANCE, np.copysign(self.wall, x), x)
        top, bottom = self.door - self.slack, self.door + self.slack
        room = self.middle - self.reach, self.middle + self.reach
        left = np.ones_like(x)  # share of the motion that is still to be made

        def advance(time, low, high):  # along y, for a time that is at most what is left
            nonlocal y, left
            time = np.minimum(time, left)
            y = np.where(time > 0, np.clip(y + dy * time, low, high), y)
            left = left - time

        def approach(x_end, low, high):  # along both, up to x_end
            nonlocal x
            time = np.where(x < x_end, (x_end - x) / dx, 0.0)
            x = np.where(time <= left, np.maximum(x, x_end), x + dx * left)
            advance(time, low, high)

        with np.errstate(divide="ignore", invalid="ignore"):
            approach(-self.wall, *room)
            # At the wall: slide until the doorway is met, which may be never.
            wait = np.where(y < top - TOLERANCE, (top - y) / dy, np.where(y > bottom + TOLERANCE, (bottom - y) / dy, 0.0))
            wait = np.where(x == -self.wall, np.where(wait >= 0, wait, np.inf), 0.0)
            advance(wait, *room)
            approach(self.wall, top, bottom)
        x = np.minimum(x + dx * left, self.reach)
        advance(left, *room)
        return np.stack([self.middle + mirror * x, y], axis=1)

    def path(self, start: Position, goal: Position) -> Float[np.ndarray, "n 4 2"]:
        """The shortest path between free positions: start, where it enters and leaves the doorway, goal.

        Where it meets no doorway, both points between lie on the straight line.
        """
        mirror = np.where(goal[:, 0] < start[:, 0], -1.0, 1.0)
        x0, x1 = (mirror * (p[:, 0] - self.middle) for p in (start, goal))
        y0, y1 = start[:, 1], goal[:, 1]
        same_room = (x0 >= self.wall - TOLERANCE) | (x1 <= -self.wall + TOLERANCE)
        half = np.where(same_room, np.inf, self.slack)
        low, high = self.door - half, self.door + half
        enter, leave = (np.clip(x, x0, x1) for x in (-self.wall, self.wall))

        def line(x, x0, y0, x1, y1):  # y at x of the line from (x0, y0) to (x1, y1), within the doorway
            share = np.divide(x - x0, x1 - x0, out=np.zeros_like(x), where=x1 > x0)
            return np.clip(y0 + share * (y1 - y0), low, high)

        # The string is straight, or bends at one of four corners and is straight on either side of it, or bends at two.
        ways = [(line(enter, x0, y0, x1, y1), line(leave, x0, y0, x1, y1))]
        for corner in (np.where(same_room, y0, low), np.where(same_room, y0, high)):
            ways.append((corner, line(leave, enter, corner, x1, y1)))
            ways.append((line(enter, x0, y0, leave, corner), corner))
        ways = np.stack([np.stack([y0, a, b, y1], axis=1) for a, b in ways])  # (5, n, 4)
        xs = np.stack([x0, enter, leave, x1], axis=1)
        best = np.hypot(np.diff(ways), np.diff(xs)).sum(-1).argmin(axis=0)
        ys = ways[best, np.arange(len(best))]
        return np.stack([self.middle + mirror[:, None] * xs, ys], axis=-1)
