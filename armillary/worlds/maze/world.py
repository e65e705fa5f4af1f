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
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.drawing import cover, distinct, draw, hue_colour, paint
from armillary.worlds.maze.corridors import Corridors
from armillary.worlds.maze.layouts import draw_walls, wall_count, zones
from armillary.worlds.maze.paths import distance, next_bend
from armillary.worlds.maze.wander import Wander
from armillary.worlds.native import NativeWorld
from armillary.worlds.single import Single

VERSION = "2"  # of physics and rendering

# Lengths in px of a 64 px image, and the wall's as a share of a cell; other sizes scale them.
RADIUS, WALL, MOVE, THRESHOLD = 2.0, 0.25, 2.5, 3.2
CELLS = 4, 6  # least, so that there are many layouts, and most, so that the disc fits through
AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR = (220, 40, 40), (50, 55, 70), (230, 230, 225)

# Columns of the state vector; all but the position are the layout, which lasts an episode.
POSITION, LAYOUT = slice(0, 2), slice(2, None)
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


class Maze(NativeWorld):
    """The maze world, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2) in [-1, 1], along x and y (down), clipped: the share of the greatest displacement, held for a step.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `position` (N, 2) in px and `walls` (N, W), 1 where
    one of the W walls between cells stands.

    Args:
        num_envs: N.
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
        max_steps: an episode is truncated after these, or never.
        threshold: success is a distance below this in px, 3.2 (of 64) where it is None.
        autoreset_mode: "NextStep", or "Disabled" for evaluation, where episodes begin by `reset` alone.
        render_mode: "rgb_array", or None.

    Raises:
        ArmillaryError: an option out of its range.
    """

    name = "maze"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "the walls and all factors"

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
        if not isinstance(threshold, int | float | np.number | None):
            raise ArmillaryError(f"maze: threshold is a number of px, not {threshold!r}")
        self.size, self.cells, self.scale = size, cells, size / 64
        self.layouts = self._allowed_layouts(layouts)
        self.step_length = action_repeat * MOVE * self.scale  # px along an axis
        self.threshold = THRESHOLD * self.scale if threshold is None else threshold
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
        self._base = np.empty((num_envs, size, size, 3), np.uint8)

    def play(self) -> Actor:
        """Behaviour to learn from: random actions that keep their direction for as long as it leads somewhere."""
        return Wander(self.cells, self.size / self.cells, self.step_length)

    # How it goes

    def _new_state(self, rng: np.random.Generator) -> np.ndarray:
        return self._new_states(1, rng)[0]

    def _begun(self, mask: np.ndarray) -> None:
        self._base[mask] = self._base_images(self._state[mask])

    def _advance(self, actions: np.ndarray) -> None:
        self._state[:, POSITION] = self._corridors(self._state).move(self._state[:, POSITION], actions * self.step_length)

    # The judge's side

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, min_distance: float = 1.0, max_distance: float = np.inf
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, S) each, that share a layout; both uniform over free space, within the constraints.

        Args:
            min_distance, max_distance: least and greatest `shortest_path` of a pair, in env steps.

        Raises:
            ArmillaryError: the constraints leave next to nothing.
        """
        pairs, found = [np.empty((2, 0, self._state.shape[1]))], 0
        for _ in range(200):
            start = self._new_states(max(n - found, 16), rng)
            goal = start.copy()
            goal[:, POSITION] = self._corridors(goal).sample(rng)
            steps = self._steps_between(start, goal)
            pairs.append(np.stack([start, goal])[:, (steps >= min_distance) & (steps <= max_distance)])
            found += pairs[-1].shape[1]
            if found >= n:
                start, goal = np.concatenate(pairs, axis=1)[:, :n]
                return start, goal
        raise ArmillaryError(
            f"maze: found {found} of {n} pairs with min_distance={min_distance} and max_distance={max_distance} steps; "
            "ask for nearer goals, or for a wider range"
        )

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Fewest env steps from start to goal states (n, S), as a real number; (n,). Infinite where there is no way.

        A step goes up to `step_length` along x and along y, so its length is a Chebyshev distance, and steps can be no fewer
        than the Chebyshev length of the shortest path by `step_length`. Counted to the goal itself, not to its threshold.
        """
        return self._steps_between(*self._pair(start, goal))

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) that walk the shortest path from states to goals (n, S) and stop there.

        A step aims at the farthest bend of the path (or the goal) that is in sight, so each bend costs up to a step.
        """
        state, goal = self._pair(state, goal)
        target = next_bend(self._corridors(state), state[:, POSITION], goal[:, POSITION])
        wanted = (target - state[:, POSITION]) / self.step_length
        return (wanted / np.maximum(np.abs(wanted).max(axis=1, keepdims=True), 1)).astype(np.float32)

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether the agent is less than `threshold` px from the goal, in states (n, S); (n,) bool.

        Walls keep discs on their two sides farther apart than the default threshold.
        """
        state, goal = self._pair(state, goal)
        return np.hypot(*(state - goal)[:, POSITION].T) < self.threshold

    def render_states(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """The observations in states (n, S)."""
        states = self._checked(states)
        which, index = distinct(states[:, LAYOUT])
        return self._sense(states, self._base_images(states[which]), index)

    # What both share

    def _allowed_layouts(self, layouts: str | int | Sequence[int]) -> str | np.ndarray:
        """The part of all layouts that is drawn from, or the walls (k, W) of those there are."""
        if isinstance(layouts, str) and layouts in ("random", "seen", "unseen"):
            return layouts
        seeds = np.arange(layouts) if isinstance(layouts, int | np.integer) else np.asarray(layouts)
        if seeds.ndim != 1 or not seeds.size or seeds.dtype.kind not in "iu" or (seeds < 0).any():
            raise ArmillaryError(f"maze: layouts is 'random', 'seen', 'unseen', how many, or seeds, not {layouts!r}")
        return np.stack([draw_walls(self.cells, np.random.default_rng(seed), "seen") for seed in seeds])

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """States in which episodes begin. A factor that is on leaves what else is drawn as it was."""
        state = np.zeros((n, self._state.shape[1]))
        state[:, AGENT_RADIUS], state[:, THICKNESS] = RADIUS, WALL
        state[:, AGENT_RGB], state[:, WALL_RGB], state[:, FLOOR_RGB] = AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR
        uniform = rng.random((n, WALLS.start))
        self._vary(state, uniform)
        if "agent_colour" in self.factors:
            state[:, AGENT_RGB] = hue_colour(state[:, AGENT_RGB.start])
        state[:, AGENT_RADIUS] *= self.scale
        state[:, THICKNESS] *= self.size / self.cells
        if isinstance(self.layouts, str):
            state[:, WALLS] = [draw_walls(self.cells, rng, self.layouts) for _ in range(n)]
        else:
            state[:, WALLS] = self.layouts[rng.integers(len(self.layouts), size=n)]
        state[:, POSITION] = self._corridors(state).sample(rng)
        return state

    def _corridors(self, state: np.ndarray) -> Corridors:
        pitch = self.size / self.cells
        return Corridors(pitch, (pitch - state[:, THICKNESS]) / 2 - state[:, AGENT_RADIUS], zones(state[:, WALLS] > 0))

    def _steps_between(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return distance(self._corridors(start), start[:, POSITION], goal[:, POSITION]) / self.step_length

    def _base_images(self, state: np.ndarray) -> np.ndarray:
        pitch, open_ = self.size / self.cells, zones(state[:, WALLS] > 0).astype(np.float64)
        zone, wall = np.arange(open_.shape[1]), state[:, THICKNESS, None]
        width = np.where(zone % 2, pitch - wall, wall)
        share = cover(self.size, pitch * zone / 2 - width / 2, pitch * zone / 2 + width / 2)
        # In float64 and rounded, so that no pixel depends on the order in which a processor adds up.
        floor = (share.transpose(0, 2, 1) @ open_ @ share).astype(np.float32)
        return paint(floor, (state[:, WALL_RGB], state[:, FLOOR_RGB]), state[:, WAVE])

    def _sense(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        image = draw(base, index, state[:, POSITION], state[:, AGENT_RADIUS], state[:, AGENT_RGB])
        position, walls = state[:, POSITION].astype(np.float32), state[:, WALLS].astype(np.float32)
        return {"image": image, "position": position, "walls": walls}

    def _observe(self) -> dict[str, np.ndarray]:
        return self._sense(self._state, self._base, np.arange(self.num_envs))

    def _possible(self, states: np.ndarray) -> np.ndarray:
        """States as (n, S) float64, moved out of walls by no more than rounding to float32 puts them in."""
        if not np.isin(states[:, WALLS], (0, 1)).all():
            raise ArmillaryError("maze: a wall of a state is 1 where it stands and 0 where it does not, and nothing else")
        corridors = self._corridors(states)
        free = corridors.nearest_free(states[:, POSITION])
        outside = ~((np.abs(free - states[:, POSITION]).max(axis=1) < 1e-3) & (corridors.reach > 0))
        if outside.any():
            i = int(outside.argmax())
            raise ArmillaryError(f"maze: state {i} at {states[i, POSITION].tolist()} px is not clear of walls")
        states[:, POSITION] = free
        return states


def single(**options: Any) -> Single:
    """A maze as a plain `gymnasium.Env`, with the options of `Maze`."""
    return Single(Maze(1, autoreset_mode=AutoresetMode.DISABLED, **options))
