"""The floor of an apartment as the space in which the centre of a disc is free to move, and shortest paths on it.

Design choices:
- walls and furniture are axis-aligned boxes that keep the centre at a distance of one radius, along x or along y (at corners
  this is stricter than a disc, which would round them by up to 0.41 radii). So they are boxes to the centre, too, larger ones;
- a motion is straight until it meets a box. What of it points into the box is then taken away for the rest of the step. It is
  followed exactly, from one contact to the next, so nothing tunnels;
- the shortest path is a taut string, which bends at corners of those boxes alone: the shortest way through the graph of corners
  that see each other. Distances between the corners of a layout are found once (Floyd-Warshall), and kept for those last used.

Everything is vectorised over n layouts; positions are x and y in metres. Source: visibility graphs, Lozano-Perez and Wesley,
CACM 1979.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from armillary.worlds.house.layouts import SIZE

INTO = 1e-6  # m; a disc that is so little into a box touches it
LINE_TOLERANCE = 1e-5  # m; a line that enters a box by less than this touches it: more than rounding to float32 of states
CLEARANCE = 1e-3  # m that paths to be walked keep off boxes, so that rounding of actions does not leave a disc behind a corner
CHUNK = 64  # paths looked for at a time, so that they stay in the cache

Position = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Floor:
    """The free space of n layouts.

    Args:
        boxes: (x0, y0, x1, y1) of what stands there, m; boxes without extent are absent.
        radius: of the disc, m.
    """

    boxes: Float[np.ndarray, "n k 4"]
    radius: float

    @cached_property
    def low(self) -> Float[np.ndarray, "n k 2"]:
        """Lower corners of the boxes, to the centre of the disc; those that are absent are nowhere."""
        return np.where(self._there, self.boxes[..., :2] - self.radius, np.inf)

    @cached_property
    def high(self) -> Float[np.ndarray, "n k 2"]:
        """Upper corners of the boxes, to the centre of the disc."""
        return np.where(self._there, self.boxes[..., 2:] + self.radius, np.inf)

    @cached_property
    def _there(self) -> Bool[np.ndarray, "n k 1"]:
        return self.boxes[..., 2:3] > self.boxes[..., :1]

    def take(self, index: Int[np.ndarray, " m"]) -> "Floor":
        """Those of m of the layouts."""
        return Floor(self.boxes[index], self.radius)

    def sample(self, rng: np.random.Generator) -> Position:
        """Positions drawn uniformly from the free space."""
        position = np.empty((len(self.boxes), 2))
        blocked = np.ones(len(position), bool)
        while blocked.any():
            drawn = self.radius + (SIZE - 2 * self.radius) * rng.random(position.shape)
            position[blocked] = drawn[blocked]
            blocked = self._inside(position).any(axis=1)
        return position

    def nearest_free(self, position: Position) -> Position:
        """Positions moved out of the boxes and outer walls that they are in, by the shortest way out of each."""
        rows, low, high = np.arange(len(position)), self.low, self.high
        for _ in range(2):  # a second time, where boxes meet
            position = np.clip(position, self.radius, SIZE - self.radius)
            inside = self._inside(position)
            if not inside.any():
                break
            box = inside.argmax(axis=1)
            faces = np.concatenate([low[rows, box], high[rows, box]], axis=1)
            face = np.abs(faces - np.tile(position, 2)).argmin(axis=1)
            moved = position.copy()
            moved[rows, face % 2] = faces[rows, face]
            position = np.where(inside.any(axis=1, keepdims=True), moved, position)
        return position

    def move(self, position: Position, displacement: Position) -> Position:
        """Where discs end that try to go straight from a free `position` by `displacement`, sliding along boxes."""
        rows, low, high = np.arange(len(position)), self.low, self.high
        left = np.array(displacement)  # of the motion that is still to be made
        for _ in range(2):  # straight, and along what was met
            speed = np.hypot(*left.T)[:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                to_low, to_high = ((side - position[:, None]) / left[:, None] for side in (low, high))
                enter, leave = np.fmin(to_low, to_high), np.fmax(to_low, to_high)
                still = left[:, None] == 0
                within = (position[:, None] > low) & (position[:, None] < high)
                enter, leave = np.where(still, np.where(within, -np.inf, np.inf), enter), np.where(still, np.inf, leave)
                first = enter.max(axis=2)  # when both coordinates are within the box
                meets = (first * speed >= -INTO) & (first < 1) & (first < leave.min(axis=2))
                first = np.where(meets, first, np.inf)
                outer = np.where(left > 0, SIZE - self.radius, self.radius)
                to_outer = np.where(left != 0, (outer - position) / left, np.inf)
            box, side = first.argmin(axis=1), to_outer.argmin(axis=1)
            at_box, at_side = first[rows, box], to_outer[rows, side]
            axis = np.where(at_box <= at_side, enter[rows, box].argmax(axis=1), side)
            towards = np.where(left[rows, axis] > 0, low[rows, box, axis], high[rows, box, axis])
            face = np.where(at_box <= at_side, towards, outer[rows, axis])
            time = np.minimum(at_box, at_side)
            stops = time < 1
            share = np.clip(time, 0, 1)[:, None]
            position, left = position + share * left, (1 - share) * left
            position[rows[stops], axis[stops]] = face[stops]
            left[rows[stops], axis[stops]] = 0
        return position

    def visible(self, start: Float[np.ndarray, "n k 2"], end: Float[np.ndarray, "n m 2"]) -> Bool[np.ndarray, "n m"]:
        """Whether the straight lines from one (k = 1) or m free positions to m others are free; they may touch boxes."""
        # A line meets a box unless they are apart along x, along y or across the line.
        half = (end - start)[:, :, None] / 2
        there = self._there[:, None, :, 0]
        centre = (self.boxes[:, None, :, :2] + self.boxes[:, None, :, 2:]) / 2
        size = (self.boxes[:, None, :, 2:] - self.boxes[:, None, :, :2]) / 2 + self.radius - LINE_TOLERANCE
        away = centre - (start + end)[:, :, None] / 2
        apart = (np.abs(away) >= size + np.abs(half)).any(axis=-1)
        across = np.abs(half[..., 0] * away[..., 1] - half[..., 1] * away[..., 0])
        beside = across >= (np.abs(half[..., ::-1]) * size).sum(axis=-1)
        return (apart | beside | ~there).all(axis=-1)

    def distance(self, start: Position, goal: Position) -> Float[np.ndarray, " n"]:
        """Length of the shortest paths, m; infinite where there is none."""
        length = np.hypot(*(goal - start).T)
        for part, to, rest, _ in self._ways(start, goal):
            length[part] = (to + rest).min(axis=1)
        return length

    def next_bend(self, start: Position, goal: Position) -> Position:
        """Where to go first, straight: the goal if it is in sight, and else the farthest bend of the path that is.

        The path keeps a little off the boxes.
        """
        wide, target = Floor(self.boxes, self.radius + CLEARANCE), goal.copy()
        for part, to, rest, corners in wide._ways(wide.nearest_free(start), wide.nearest_free(goal)):
            shortest = to + rest <= (to + rest).min(axis=1, keepdims=True) + LINE_TOLERANCE
            target[part] = corners[np.arange(len(part)), np.where(shortest, rest, np.inf).argmin(axis=1)]
        return target

    def _ways(self, start: Position, goal: Position):
        """For the paths that are not straight, some at a time: which, and over each corner (m, c): the length of the straight
        line to it, that of the shortest path from there, and where it is (m, c, 2)."""
        hidden = np.flatnonzero(~self.visible(start[:, None], goal[:, None])[:, 0])
        for begin in range(0, len(hidden), CHUNK):
            part = hidden[begin : begin + CHUNK]
            floor, ends = self.take(part), (start[part, None], goal[part, None])
            tables = [_table(boxes.tobytes(), len(boxes), self.radius) for boxes in floor.boxes]
            most = max(len(points) for points, _ in tables)
            corners, between = np.full((len(part), most, 2), np.inf), np.full((len(part), most, most), np.inf)
            for i, (points, lengths) in enumerate(tables):
                corners[i, : len(points)], between[i, : len(points), : len(points)] = points, lengths
            there = np.isfinite(corners[..., 0])
            corners = np.where(there[..., None], corners, 0.0)
            to, last = (
                np.where(there & floor.visible(end, corners), np.hypot(*np.moveaxis(corners - end, -1, 0)), np.inf)
                for end in ends
            )
            yield part, to, (between + last[:, None]).min(axis=2), corners

    def _inside(self, position: Position) -> Bool[np.ndarray, "n k"]:
        return np.asarray(((position[:, None] > self.low) & (position[:, None] < self.high)).all(axis=2))


@lru_cache(maxsize=4096)
def _table(boxes: bytes, count: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The corners (c, 2) of one layout that there is a way round, and the lengths of the shortest paths between them (c, c)."""
    floor = Floor(np.frombuffer(boxes).reshape(1, count, 4), radius)
    low, high = floor.low[0], floor.high[0]
    points = np.concatenate([low, high, np.stack([low[:, 0], high[:, 1]], 1), np.stack([high[:, 0], low[:, 1]], 1)])
    points = points[((points >= radius) & (points <= SIZE - radius)).all(axis=1)]
    one = floor.take(np.zeros(len(points), int))
    points = points[~one._inside(points).any(axis=1)]
    a, b = np.triu_indices(len(points))
    lengths = np.empty((len(points),) * 2)
    straight = np.hypot(*(points[a] - points[b]).T)
    lengths[a, b] = lengths[b, a] = np.where(floor.visible(points[None, a], points[None, b])[0], straight, np.inf)
    for via in range(len(lengths)):
        np.minimum(lengths, lengths[:, via, None] + lengths[via], out=lengths)
    return points, lengths
