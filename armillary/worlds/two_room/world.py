"""Two rooms and a door: the smallest world in which a straight line to the goal is wrong.

A disc moves in a square arena that a wall divides; a door in the wall joins the halves. Seen from above, 64 x 64 RGB.

Design choices:
- all environments step in one vectorised call, and only the pixels around the disc are drawn anew (`rooms`, `drawing`);
- the state vector holds the layout beside the position, so that any state can be rendered and any episode replayed.

Data to learn from are held random actions: one draw from U(-1, 1)^2 a step, which the world holds for `action_repeat` moves.

Sources: the task is "Two Rooms" of Sobal et al., "Learning from reward-free offline data" (arXiv 2502.14819).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.episodes.scripted import Random
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.disc import POSITION, DiscWorld
from armillary.worlds.drawing import base_images, draw, hue_colour
from armillary.worlds.over_base import DrawnOverBase
from armillary.worlds.scenes import Scenes
from armillary.worlds.single import single_of
from armillary.worlds.two_room.rooms import Rooms
from armillary.worlds.two_room.scenes import two_room_scenes

VERSION = "1"  # of physics and rendering

# Lengths in px of a 64 px image; other sizes scale them.
RADIUS, WALL, GAP, MOVE, THRESHOLD = 2.5, 4.0, 12.0, 2.5, 3.2
DOORS = 12.0, 52.0  # range of the door's centre
AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR = (220, 40, 40), (50, 55, 70), (230, 230, 225)

# Columns of the state vector; all but the position are the layout, which lasts an episode.
LAYOUT = slice(2, 18)
DOOR, AGENT_RADIUS, THICKNESS = 2, 3, 4
AGENT_RGB, WALL_RGB, FLOOR_RGB = slice(5, 8), slice(8, 11), slice(11, 14)
WAVE = slice(14, 18)  # a plane wave on the floor: amplitude (0-255), periods along x and y, phase (rad)

# factor -> the columns that it draws, uniformly from low to high; lengths in px of a 64 px image.
# The agent's colour is a hue.
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "radius": (AGENT_RADIUS, 1.8, 3.4),
    "thickness": (THICKNESS, 2.0, 6.0),
    "agent_colour": (AGENT_RGB, 0.0, 1.0),
    "wall_colour": (WALL_RGB, 20.0, 110.0),
    "floor_colour": (FLOOR_RGB, 170.0, 250.0),
    "background": (WAVE, (0.0, -4.0, -4.0, 0.0), (30.0, 4.0, 4.0, 2 * np.pi)),
}


class TwoRoom(DrawnOverBase, DiscWorld):
    """The two-room world, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2) in [-1, 1], along x and y (down), clipped: the share of the greatest displacement, held for a step.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `position` (N, 2) and `door` (N, 1) in px.

    Args:
        size: height and width of the image in px, at least 16; all lengths scale with it.
        door: "fixed" in the middle of the wall, "random" in each episode, or the places (y of the centre, px) to draw from:
            those left out are unseen doors.
        factors: what else is drawn for each episode (factors of variation): "radius" of the agent, "thickness" of walls,
            "agent_colour", "wall_colour", "floor_colour", "background" (a plane wave: a gradient or stripes on the floor).
        action_repeat: moves of up to 2.5 px (of 64) along each axis that a step makes.
        threshold: success is a distance below this in px, 3.2 (of 64) where it is None.
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`.
    """

    name = "two_room"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "the door and all factors"

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        door: str | Sequence[float] = "fixed",
        factors: Sequence[str] = (),
        action_repeat: int = 5,
        max_steps: int | None = 100,
        threshold: float | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 16)
        self._whole("action_repeat", action_repeat, 1)
        self.size, self.scale = size, size / 64
        self.doors = self._allowed_doors(door)
        self.step_length = action_repeat * MOVE * self.scale  # px along an axis
        self.threshold = self._threshold(THRESHOLD * self.scale if threshold is None else threshold, "px")
        self.version = f"{VERSION}/{size}px/repeat{action_repeat}/threshold{self.threshold:g}"
        unit = (f"{self.step_length:g} px",) * 2
        spec = Spec(
            (
                Stream("image", "image", (size, size, 3)),
                Stream("position", "vector", (2,), unit=("px", "px"), channels=("x", "y"), truth=True),
                Stream("door", "vector", (1,), unit=("px",), channels=("y",), truth=True),
            ),
            ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0), unit=unit, channels=("x", "y")),
        )
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        super().__init__(num_envs, spec, LAYOUT.stop, bounds={"position": (0, size), "door": (0, size)}, **common)

    def play(self) -> Actor:
        """Behaviour to learn from: random actions."""
        return Random(self.stream_spec.action)

    # How it goes

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self._place(self._layouts(n, rng), rng)

    def _advance(self, actions: np.ndarray) -> None:
        self._state[:, POSITION] = self.free_space(self._state).move(self._state[:, POSITION], actions * self.step_length)

    # The judge's side

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, cross: bool | None = None, min_distance: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, 18) each, that share a layout; both uniform over free space, within the constraints.

        Args:
            cross: goals are in the other room (True), in the same room (False), or anywhere (None).
            min_distance: least `shortest_path` of a pair, in env steps.

        Raises:
            ArmillaryError: the constraints leave next to nothing.
        """
        start = self._layouts(n, rng)
        goal = start.copy()
        rooms, missing = self.free_space(start), np.ones(n, bool)
        for _ in range(1000):
            drawn = [self._place(start.copy(), rng) for _ in range(2)]
            sides = [rooms.side(state[:, POSITION]) for state in drawn]
            right = cross is None or (sides[0] * sides[1] == (-1 if cross else 1))
            right &= self._steps_between(*drawn) >= min_distance
            for state, new in zip((start, goal), drawn, strict=True):
                state[missing & right] = new[missing & right]
            missing &= ~right
            if not missing.any():
                return start, goal
        raise ArmillaryError(f"two_room: found no pairs with cross={cross} and min_distance={min_distance} steps; lower it")

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) that walk the shortest path from states to goals (n, 18) and stop there.

        A step aims at the farthest bend of the path (or the goal) that is in sight, so each bend costs up to a step.
        """
        state, goal = self._pair(state, goal)
        position, rooms = state[:, POSITION], self.free_space(state)
        # A little off the walls, so that rounding of actions to float32 does not leave it behind a corner.
        path = replace(rooms, wall=rooms.wall + 1e-4, slack=rooms.slack - 1e-4).path(position, goal[:, POSITION])
        target = path[:, 1]
        for bend in (path[:, 2], path[:, 3]):
            in_sight = np.abs(rooms.move(position, bend - position) - bend).max(axis=1) < 1e-6
            target = np.where(in_sight[:, None], bend, target)
        wanted = (target - position) / self.step_length
        return (wanted / np.maximum(np.abs(wanted).max(axis=1, keepdims=True), 1)).astype(np.float32)

    def scenes(self, n: int, seed: int, skip: int = 1) -> list[Scenes]:
        """n scenes of each property that can be violated (`scenes.py`)."""
        return two_room_scenes(self, n, seed, skip=skip)

    # What both share

    def _allowed_doors(self, door: str | Sequence[float]) -> np.ndarray | None:
        if door == "fixed":
            return np.array([self.size / 2])
        if door == "random":
            return None
        low, high = (limit * self.scale for limit in DOORS)
        doors = np.empty(0) if isinstance(door, str) else np.asarray(door, float)
        if doors.ndim != 1 or not doors.size or not ((doors >= low) & (doors <= high)).all():
            raise ArmillaryError(f"two_room: door is 'fixed', 'random' or places from {low:g} to {high:g} px, not {door!r}")
        return doors

    def _layouts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """States with a random layout and no position yet."""
        state, lengths = np.zeros((n, LAYOUT.stop)), [AGENT_RADIUS, THICKNESS]
        state[:, lengths] = RADIUS, WALL
        state[:, AGENT_RGB], state[:, WALL_RGB], state[:, FLOOR_RGB] = AGENT_COLOUR, WALL_COLOUR, FLOOR_COLOUR
        uniform = rng.random(state.shape)
        self._vary(state, uniform)
        if "agent_colour" in self.factors:
            state[:, AGENT_RGB] = hue_colour(state[:, AGENT_RGB.start])
        state[:, lengths] *= self.scale
        if self.doors is None:
            state[:, DOOR] = (DOORS[0] + uniform[:, DOOR] * (DOORS[1] - DOORS[0])) * self.scale
        else:
            state[:, DOOR] = self.doors[(uniform[:, DOOR] * len(self.doors)).astype(int)]
        return state

    def free_space(self, state: np.ndarray) -> Rooms:
        radius, wall = state[:, AGENT_RADIUS], state[:, THICKNESS]
        reach, slack = self.size / 2 - wall - radius, GAP * self.scale / 2 - radius
        return Rooms(self.size / 2, reach, wall / 2 + radius, state[:, DOOR], slack)

    def _steps_between(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """A step goes up to `step_length` along x and along y, so its length is a Chebyshev distance."""
        legs = np.diff(self.free_space(start).path(start[:, POSITION], goal[:, POSITION]), axis=1)
        return np.abs(legs).max(axis=-1).sum(axis=-1) / self.step_length

    def _base_images(self, state: np.ndarray) -> np.ndarray:
        colours = state[:, WALL_RGB], state[:, FLOOR_RGB]
        return base_images(self.size, state[:, THICKNESS], state[:, DOOR], GAP * self.scale, colours, state[:, WAVE])

    def _sense_over(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        image = draw(base, index, state[:, POSITION], state[:, AGENT_RADIUS], state[:, AGENT_RGB])
        position, door = state[:, POSITION].astype(np.float32), state[:, DOOR, None].astype(np.float32)
        return {"image": image, "position": position, "door": door}


single = single_of(TwoRoom)
