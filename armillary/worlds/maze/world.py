"""A maze seen from above: the world for long horizons, and for finding the way in a layout that was never seen.

A disc moves through corridors on a grid of cells, 64 x 64 RGB; the layout is another one in every episode.

Design choices:
- 5 x 5 cells by default. A cell is then 12.8 px wide, a quarter of it wall: walls of 3.2 px, corridors of 9.6 px and a disc of
  radius 2 px. At 64 px each inner wall (centres at 12.8, 25.6, 38.4 and 51.2 px) lies within a single row or column of 8 x 8
  patches, so that an encoder of such patches sees it whole, and no patch has more than one post in it;
- a step goes up to 7.5 px: of random pairs, one in 20 is then farther than 15 steps, three times a planning horizon of 5.
  With 12.5 px, as in two rooms, not one in 1000 would be;
- all environments step in one vectorised call, and only the pixels around the disc are drawn anew (`corridors`, `drawing`);
- the state vector holds the layout beside the position, so that any state can be rendered and any episode replayed.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.disc import POSITION, LaidOutWorld
from armillary.worlds.drawing import cover, draw, hue_colour, paint
from armillary.worlds.maze.corridors import Corridors
from armillary.worlds.maze.layouts import draw_walls, wall_count, zones
from armillary.worlds.maze.paths import distance, next_bend
from armillary.worlds.maze.wander import Wander
from armillary.worlds.over_base import DrawnOverBase
from armillary.worlds.single import single_of

VERSION = "2"  # of physics and rendering

# Lengths in px of a 64 px image, and the wall's as a share of a cell; other sizes scale them.
RADIUS, WALL, MOVE, THRESHOLD = 2.0, 0.25, 2.5, 3.2
CELLS = 4, 6  # least, so that there are many layouts, and most, so that the disc fits through
AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR = (220, 40, 40), (50, 55, 70), (230, 230, 225)

# Columns of the state vector; all but the position are the layout, which lasts an episode.
LAYOUT = slice(2, None)
AGENT_RADIUS, THICKNESS = 2, 3
AGENT_RGB, WALL_RGB, FLOOR_RGB = slice(4, 7), slice(7, 10), slice(10, 13)
WAVE = slice(13, 17)  # a plane wave on the floor: amplitude (0-255), periods along x and y, phase (rad)
WALLS = slice(17, None)  # 1 where a wall stands, in the order of `layouts`

# factor -> the columns that it draws, uniformly from low to high; lengths as those above. The agent's colour is a hue.
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "radius": (AGENT_RADIUS, 1.6, 2.4),
    "thickness": (THICKNESS, 0.15, 0.3),
    "agent_colour": (AGENT_RGB, 0.0, 1.0),
    "wall_colour": (WALL_RGB, 20.0, 110.0),
    "floor_colour": (FLOOR_RGB, 170.0, 250.0),
    "background": (WAVE, (0.0, -4.0, -4.0, 0.0), (30.0, 4.0, 4.0, 2 * np.pi)),
}


class Maze(DrawnOverBase, LaidOutWorld):
    """The maze world, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2) in [-1, 1], along x and y (down), clipped: the share of the greatest displacement, held for a step.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `position` (N, 2) in px and `walls` (N, W), 1 where
    one of the W walls between cells stands.

    Args:
        size: height and width of the image in px, at least 32; all lengths scale with it.
        cells: along each axis, 4 to 6. More are harder: the median path of random pairs has 5, 6 and 8 steps with 4, 5 and 6,
            and the longest have 18, 23 and 30.
        layouts: what layouts are drawn from, anew for each episode: "random" is all; "unseen" are one in five, as a hash of
            the walls has it, and "seen" the others, so that none is both; an int K, the seen layouts of seeds 0 to K - 1; or
            seeds. Those that seeds give are seen ones, too.
        factors: what else is drawn for each episode (factors of variation): "radius" of the agent, "thickness" of walls,
            "agent_colour", "wall_colour", "floor_colour", "background" (a plane wave: a gradient or stripes on the floor).
        action_repeat: moves of up to 2.5 px (of 64) along each axis that a step makes. Beyond 7 the expert, which turns between
            steps alone, needs more than twice the shortest path for some pairs.
        threshold: success is a distance below this in px, 3.2 (of 64) where it is None.
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`.
    """

    name = "maze"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "the walls and all factors"
    rounds = 200

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        cells: int = 5,
        layouts: str | int | Sequence[int] = "random",
        factors: Sequence[str] = (),
        action_repeat: int = 3,
        max_steps: int | None = 100,
        threshold: float | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 32)
        self._whole("cells", cells, CELLS[0])
        self._whole("action_repeat", action_repeat, 1)
        if cells > CELLS[1]:
            raise ArmillaryError(f"maze: cells is at most {CELLS[1]}, so that the disc fits through, not {cells}")
        self.size, self.cells, self.scale = size, cells, size / 64
        self._lay_out(layouts, partial(draw_walls, cells))
        self.step_length = action_repeat * MOVE * self.scale  # px along an axis
        self.threshold = self._threshold(THRESHOLD * self.scale if threshold is None else threshold, "px")
        self.version = f"{VERSION}/{size}px/{cells}x{cells}/repeat{action_repeat}/threshold{self.threshold:g}"
        unit, walls = (f"{self.step_length:g} px",) * 2, wall_count(cells)
        between = [("right", row, column) for row in range(cells) for column in range(cells - 1)]
        between += [("below", row, column) for row in range(cells - 1) for column in range(cells)]
        spec = Spec(
            (
                Stream("image", "image", (size, size, 3)),
                Stream("position", "vector", (2,), unit=("px", "px"), channels=("x", "y"), truth=True),
                Stream("walls", "vector", (walls,), channels=tuple(f"{side}_{r}_{c}" for side, r, c in between), truth=True),
            ),
            ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0), unit=unit, channels=("x", "y")),
        )
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        super().__init__(num_envs, spec, WALLS.start + walls, bounds={"position": (0, size), "walls": (0, 1)}, **common)

    def play(self) -> Actor:
        """Behaviour to learn from: random actions that keep their direction for as long as it leads somewhere."""
        return Wander(self.cells, self.size / self.cells, self.step_length)

    # How it goes

    def _advance(self, actions: np.ndarray) -> None:
        self._state[:, POSITION] = self.free_space(self._state).move(self._state[:, POSITION], actions * self.step_length)

    # The judge's side

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) that walk the shortest path from states to goals (n, S) and stop there.

        A step aims at the farthest bend of the path (or the goal) that is in sight, so each bend costs up to a step.
        """
        state, goal = self._pair(state, goal)
        target = next_bend(self.free_space(state), state[:, POSITION], goal[:, POSITION])
        wanted = (target - state[:, POSITION]) / self.step_length
        return (wanted / np.maximum(np.abs(wanted).max(axis=1, keepdims=True), 1)).astype(np.float32)

    # What both share

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        state = np.zeros((n, self._state.shape[1]))
        state[:, AGENT_RADIUS], state[:, THICKNESS] = RADIUS, WALL
        state[:, AGENT_RGB], state[:, WALL_RGB], state[:, FLOOR_RGB] = AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR
        uniform = rng.random((n, WALLS.start))
        self._vary(state, uniform)
        if "agent_colour" in self.factors:
            state[:, AGENT_RGB] = hue_colour(state[:, AGENT_RGB.start])
        state[:, AGENT_RADIUS] *= self.scale
        state[:, THICKNESS] *= self.size / self.cells
        state[:, WALLS] = self._draw_layouts(n, rng)
        return self._place(state, rng)

    def free_space(self, state: np.ndarray) -> Corridors:
        pitch = self.size / self.cells
        return Corridors(pitch, (pitch - state[:, THICKNESS]) / 2 - state[:, AGENT_RADIUS], zones(state[:, WALLS] > 0))

    def _steps_between(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """A step goes up to `step_length` along x and along y, so its length is a Chebyshev distance."""
        return distance(self.free_space(start), start[:, POSITION], goal[:, POSITION]) / self.step_length

    def _base_images(self, state: np.ndarray) -> np.ndarray:
        pitch, open_ = self.size / self.cells, zones(state[:, WALLS] > 0).astype(np.float64)
        zone, wall = np.arange(open_.shape[1]), state[:, THICKNESS, None]
        width = np.where(zone % 2, pitch - wall, wall)
        share = cover(self.size, pitch * zone / 2 - width / 2, pitch * zone / 2 + width / 2)
        # In float64 and rounded, so that no pixel depends on the order in which a processor adds up.
        floor = (share.transpose(0, 2, 1) @ open_ @ share).astype(np.float32)
        return paint(floor, (state[:, WALL_RGB], state[:, FLOOR_RGB]), state[:, WAVE])

    def _sense_over(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        image = draw(base, index, state[:, POSITION], state[:, AGENT_RADIUS], state[:, AGENT_RGB])
        position, walls = state[:, POSITION].astype(np.float32), state[:, WALLS].astype(np.float32)
        return {"image": image, "position": position, "walls": walls}

    def _possible(self, states: np.ndarray) -> np.ndarray:
        if not np.isin(states[:, WALLS], (0, 1)).all():
            raise ArmillaryError("maze: a wall of a state is 1 where it stands and 0 where it does not, and nothing else")
        if not (fits := self.free_space(states).reach > 0).all():
            i = int(fits.argmin())
            raise ArmillaryError(f"maze: state {i} at {states[i, POSITION].tolist()} px is not clear of walls")
        return super()._possible(states)


single = single_of(Maze)
