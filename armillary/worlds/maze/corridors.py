"""The corridors of a maze as the space in which the centre of a disc is free to move.

Design choices:
- a wall keeps the centre at a distance of one radius, along x and along y (only at corners is this stricter than a disc, which
  would round them by up to 0.41 radii). Along each axis there are then two kinds of zones in turn: within a cell, and between
  two cells. What is free is the product of zones: a picture of one bit a zone (`layouts.zones`) says which;
- motion is continuous in time: a velocity is held, and whatever part of it points into a wall is taken away for as long as the
  wall is touched. It is followed exactly, from one border of a zone to the next, so nothing tunnels, and one long motion equals
  any number of short ones. Where a disc meets the corner of a post exactly, motion along x goes first.

Everything is vectorised over n layouts; positions are x and y in pixels, with y down.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

TOLERANCE = 1e-9  # px; rounding that may not decide between touching a wall and being in it
LINE_TOLERANCE = 1e-5  # px; a line that enters a wall by less than this touches it: more than rounding of actions to float32

Position = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Corridors:
    """The free space of n layouts.

    Args:
        pitch: height and width of a cell with half of the walls around it, px.
        reach: how far the centre of the disc may be from the middle of a cell, along an axis, before it touches walls, px.
        open: whether zone (row, column) is free, see `layouts.zones`.
    """

    pitch: float
    reach: Float[np.ndarray, " n"]
    open: Bool[np.ndarray, "n z z"]

    @property
    def cells(self) -> int:
        """Cells along an axis."""
        return self.open.shape[1] // 2

    def take(self, index: Int[np.ndarray, " k"]) -> "Corridors":
        """Those of k of the layouts."""
        return replace(self, reach=self.reach[index], open=self.open[index])

    def sample(self, rng: np.random.Generator) -> Position:
        """Positions drawn uniformly from the free space."""
        drawn, n = rng.random((len(self.reach), 3)), self.cells
        within, between = 2 * self.reach, self.pitch - 2 * self.reach
        width = np.where(np.arange(2 * n + 1) % 2, within[:, None], between[:, None])
        area = np.cumsum((self.open * width[:, :, None] * width[:, None, :]).reshape(len(width), -1), axis=1)
        zone = (area <= drawn[:, :1] * area[:, -1:]).sum(axis=1)
        zone = np.stack([zone % (2 * n + 1), zone // (2 * n + 1)], axis=1)
        return self.pitch * zone / 2 + np.take_along_axis(width, zone, axis=1) * (drawn[:, 1:] - 0.5)

    def nearest_free(self, position: Position) -> Position:
        """The nearest free position of those reached by moving back into the cell along x, along y or along both.

        A free position is returned as it is.
        """
        _, offset = self._offset(position)
        back = position - offset + np.clip(offset, -self.reach[:, None], self.reach[:, None])
        ways = np.stack([position, position, position, back])
        ways[1, :, 0], ways[2, :, 1] = back[:, 0], back[:, 1]
        detour = np.abs(ways - position).sum(axis=-1)
        detour[:3][[~self._free(self._zone(*self._offset(way))) for way in ways[:3]]] = np.inf
        return ways[detour.argmin(axis=0), np.arange(len(position))]

    def move(self, position: Position, displacement: Position) -> Position:
        """Where discs end that try to go straight from a free `position` by `displacement`, sliding along walls."""
        direction, speed = np.sign(displacement).astype(int), np.abs(displacement)
        reach, left = self.reach[:, None], np.ones(len(position))  # share of the motion that is still to be made
        while left.any():
            cell, offset = self._offset(position)
            zone, ahead = self._zone(cell, offset), direction * offset
            at_edge = np.abs(ahead - reach) <= TOLERANCE
            blocked = at_edge & ~self._free(zone[:, None] + direction[:, None] * np.eye(2, dtype=int))
            blocked[:, 1] |= at_edge.all(axis=1) & ~blocked[:, 0]
            border = np.where(ahead < reach - TOLERANCE, reach, self.pitch - reach)
            border = np.where(ahead < -reach - TOLERANCE, -reach, border)
            velocity = np.where(blocked, 0.0, speed)
            time = np.divide(border - ahead, velocity, out=np.full_like(velocity, np.inf), where=velocity > 0)
            step = np.minimum(left, time.min(axis=1))[:, None]
            at_border = position + direction * (border - ahead)
            position = np.where(time <= step, at_border, position + direction * velocity * step)
            left = left - step[:, 0]
        return position

    def visible(self, start: Float[np.ndarray, "n k 2"], end: Float[np.ndarray, "n m 2"]) -> Bool[np.ndarray, "n m"]:
        """Whether the straight lines from one (k = 1) or m free positions to m others are free; they may touch walls."""
        # A line meets a box unless they are apart along x, along y or across the line.
        half = (end - start)[:, :, None] / 2
        centre, size, stands = self._boxes()
        away = centre - (start + end)[:, :, None] / 2
        apart = (np.abs(away) >= size + np.abs(half)).any(axis=-1)
        across = np.abs(half[..., 0] * away[..., 1] - half[..., 1] * away[..., 0])
        beside = across >= (np.abs(half[..., ::-1]) * size).sum(axis=-1)
        return (apart | beside | ~stands).all(axis=-1)

    def corners(self) -> tuple[Float[np.ndarray, "n c 2"], Bool[np.ndarray, "n c"]]:
        """The corners that there is a way round, as the centre of a disc sees them: a shortest path bends at those alone.

        They come first, and False marks what follows them in a layout that has fewer than others. There is one at least.
        """
        posts = np.stack(np.meshgrid(*[np.arange(2, 2 * self.cells, 2)] * 2), axis=-1).reshape(-1, 1, 2)
        sides = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
        points = self.pitch / 2 * posts + sides * (self.pitch / 2 - self.reach)[:, None, None, None]
        column, row = np.moveaxis(posts + sides, -1, 0).reshape(2, -1)  # of the cell that the corner is in
        over, along = (np.repeat(posts[..., axis], len(sides)) for axis in (0, 1))
        bends = self.open[:, row, over] & self.open[:, along, column]
        order = np.argsort(~bends, axis=1, kind="stable")[:, : bends.sum(axis=1).max(initial=1)]
        points = np.take_along_axis(points.reshape(len(points), -1, 2), order[..., None], axis=1)
        return points, np.take_along_axis(bends, order, axis=1)

    def _offset(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cell (column, row) that positions (n, 2) are in, and where they are from its middle, px."""
        cell = np.clip(np.floor(position / self.pitch), 0, self.cells - 1).astype(int)
        return cell, position - (cell + 0.5) * self.pitch

    def _zone(self, cell: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """The zone (column, row) of each, (n, 2)."""
        beyond = np.abs(offset) > self.reach[:, None] + TOLERANCE
        return 2 * cell + 1 + np.where(beyond, np.sign(offset), 0).astype(int)

    def _free(self, zone: np.ndarray) -> np.ndarray:
        """Whether zones (n, ..., 2) are free."""
        rows = np.arange(len(zone)).reshape(-1, *[1] * (zone.ndim - 2))
        return self.open[rows, zone[..., 1], zone[..., 0]]

    def _boxes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres and half sizes (n or 1, 1, b, 2) of what stands between cells, px, and in which layouts it does (n, 1, b).

        They are as the centre of a disc sees them. A wall includes its two posts, so that no line passes between them.
        """
        shut = ~self.open
        beside = shut[:, :-2, 1:-1] | shut[:, 2:, 1:-1] | shut[:, 1:-1, :-2] | shut[:, 1:-1, 2:]
        stands = shut[:, 1:-1, 1:-1].copy()
        stands[:, 1::2, 1::2] &= ~beside[:, 1::2, 1::2]  # posts that are part of no wall
        row, column = np.nonzero(stands.any(axis=0))
        zone, half = np.stack([column, row], axis=-1) + 1, self.pitch / 2 - self.reach[:, None, None, None]
        size = half + self.pitch / 2 * (zone % 2) - LINE_TOLERANCE
        return self.pitch / 2 * zone[None, None], size, stands[:, None, row, column]
