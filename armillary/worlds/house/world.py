"""An apartment seen from within: the world for spatial senses, and for finding the way with them in rooms never seen.

A robot, a disc, turns and drives through rooms, doors and furniture; the layout is another one in every episode. It has a
camera with depth, a range finder that looks all round, a cloud of points made of the depth image, and odometry. Design choices:
- everything is rendered by our own caster in 2.5 dimensions (`casting`), for all environments at once, and only those
  streams that are asked for;
- an action turns the robot where it stands, by up to 60 degrees, and then drives it ahead, by up to 0.5 m, sliding along what
  it meets (`floor`);
- a place is reached within 0.5 m, a step, whichever way the robot looks there. A goal is what it senses at some pose;
- sensors measure what is within their range, and NaN beyond. Noise is drawn from the state (an episode's number and a count of
  steps), so that any state can be rendered and any episode replayed. Odometry errs by a share that lasts an episode, and by a
  little at random in each step: summed up, it drifts;
- light comes from one side, the same in all layouts by default, so that faces of walls tell the points of the compass apart.
  A range finder has no such compass: turned by half a turn, an apartment may look the same to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from jaxtyping import Float, Float32

from armillary.actor import Actor
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.disc import POSITION, LaidOutWorld
from armillary.worlds.house.casting import View, photograph, pixel_slopes, scan
from armillary.worlds.house.floor import Floor
from armillary.worlds.house.layouts import BOXES, FURNITURE, KINDS, SIZE, WALLS, draw_layout
from armillary.worlds.house.play import Errands
from armillary.worlds.house.scenes import house_scenes
from armillary.worlds.scenes import Scenes
from armillary.worlds.single import single_of
from armillary.worlds.transition import TransitionWorld

VERSION = "1"  # of physics and rendering

RADIUS, STEP, TURN, THRESHOLD = 0.2, 0.5, np.pi / 3, 0.5  # m and rad: the robot, its greatest step and turn, success
DEPTH_RANGE, SCAN_RANGE = 5.0, 8.0  # m
TURNED = 1e3  # rad, bounds of what is observed of the heading
CLOUD = 16  # points of a cloud along each side of the depth image
SLIP = np.array([0.01, 0.01, 0.01])  # spread of odometry in a step: m ahead, m to the left, rad
DRIFT = np.array([0.03, 0.03])  # spread over episodes: of its scale ahead, and rad for each rad turned
CHUNK = 32  # environments sensed at a time, so that they stay in the cache
STREAMS = "image", "depth", "scan", "points", "odometry"

# Columns of the state vector; from LAYOUT on they last an episode.
HEADING, ODOMETRY, COUNT = 2, slice(3, 6), 6  # after the position (m): rad (never wrapped), what it last said, steps taken
LAYOUT = slice(7, None)
NUMBER, DRIFTS = 7, slice(8, 10)  # of the episode, for its noise; relative errors of its odometry
CAMERA, NOISE = 10, 11  # height, m; spread of depth and scan, m
BRIGHTNESS, LIGHT = 12, 13  # of light, and where it comes from, rad
WALL_RGB, FLOOR_RGB = slice(14, 17), slice(17, 20)
FURNITURE_RGB = slice(20, 20 + 3 * FURNITURE)
LAYOUT_BOXES = slice(FURNITURE_RGB.stop, FURNITURE_RGB.stop + 5 * BOXES)  # as `layouts` has them

WALL_COLOUR, FLOOR_COLOUR = (205, 195, 180), (120, 95, 75)
FURNITURE_COLOURS = np.array([(170, 60, 60), (60, 120, 70), (60, 80, 160)])  # sofa, table, cupboard

# factor -> the columns that it draws, uniformly from low to high
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "wall_colour": (WALL_RGB, 120.0, 240.0),
    "floor_colour": (FLOOR_RGB, 40.0, 160.0),
    "furniture_colour": (FURNITURE_RGB, 30.0, 200.0),
    "light": (slice(BRIGHTNESS, LIGHT + 1), (0.5, 0.0), (1.1, 2 * np.pi)),
    "camera": (CAMERA, 0.7, 1.3),
    "noise": (NOISE, 0.0, 0.1),
}


class House(TransitionWorld, LaidOutWorld):
    """The apartment, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2): the turn in [-1, 1], as a share of 60 degrees to the left, then the way ahead in [0, 1], as a share of
    0.5 m; clipped. Observations are, as far as asked for, `image` (N, size, size, 3) uint8; `depth` (N, size, size), m along
    the camera's axis, NaN beyond 5 m; `scan` (N, beams), m all round from straight ahead to the left, NaN beyond 8 m; `points`
    (N, 256, 6), m ahead, to the left and up from the robot's foot, and the colour, 0 to 1; `odometry` (N, 3), what it says of
    the last step: m ahead and to the left of the new heading, and rad turned. As ground truth there are `position` (N, 2), m,
    and `heading` (N, 1), rad, which is never wrapped.

    Args:
        size: height and width of images in px, a multiple of 16 of at least 32.
        beams: of the scan.
        streams: what is sensed, of image, depth, scan, points and odometry.
        layouts: what layouts are drawn from, anew for each episode: "random" is all; "unseen" are one in five, as a hash of
            the walls has it, and "seen" the others, so that none is both; an int K, the seen layouts of seeds 0 to K - 1; or
            seeds. Those that seeds give are seen ones, too.
        factors: what else is drawn for each episode (factors of variation): "wall_colour", "floor_colour", "furniture_colour",
            "light" (how much, and from where), "camera" (its height), "noise" (of scan and depth).
        threshold: success is a distance below this, m.
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`.
    """

    name = "house"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "walls, furniture and all factors"
    unit, obstacles, rounds = "m", "walls and furniture", 50

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        beams: int = 64,
        streams: Sequence[str] = STREAMS,
        layouts: str | int | Sequence[int] = "random",
        factors: Sequence[str] = (),
        max_steps: int | None = 100,
        threshold: float = THRESHOLD,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 32)
        self._whole("beams", beams, 8)
        if size % CLOUD:
            raise ArmillaryError(f"house: size is a multiple of {CLOUD}, not {size}")
        if not streams or set(streams) - set(STREAMS) or (render_mode and "image" not in streams):
            raise ArmillaryError(
                f"house: streams are some of {', '.join(STREAMS)}, with image where there is a render mode, not {streams!r}"
            )
        self.size, self.beams, self.threshold = size, beams, self._threshold(threshold, "metres")
        self._lay_out(layouts, draw_layout)
        self.version = f"{VERSION}/{size}px/{beams}beams/threshold{threshold:g}"
        sensed = {
            "image": Stream("image", "image", (size, size, 3)),
            "depth": Stream("depth", "depth", (size, size)),
            "scan": Stream("scan", "scan", (beams,), full_turn=True),
            "points": Stream("points", "points", (CLOUD**2, 6), channels=("ahead", "left", "up", "red", "green", "blue")),
            "odometry": Stream("odometry", "vector", (3,), unit=("m", "m", "rad"), channels=("ahead", "left", "turned")),
        }
        truth = (
            Stream("position", "vector", (2,), unit=("m", "m"), channels=("x", "y"), truth=True),
            Stream("heading", "vector", (1,), unit=("rad",), channels=("heading",), truth=True),
        )
        action = ActionSpace("box", 2, (-1.0, 0.0), (1.0, 1.0), unit=("60 deg", f"{STEP:g} m"), channels=("turn", "move"))
        spec = Spec((*(sensed[name] for name in STREAMS if name in streams), *truth), action)
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        bounds = {"depth": (0, DEPTH_RANGE), "scan": (0, SCAN_RANGE), "points": (-DEPTH_RANGE, DEPTH_RANGE)}
        bounds |= {"odometry": (-2, 2), "position": (0, SIZE.max()), "heading": (-TURNED, TURNED)}
        super().__init__(num_envs, spec, LAYOUT_BOXES.stop, bounds=bounds, **common)
        self._sensed = [stream.name for stream in spec.observed]

    def play(self) -> Actor:
        """Behaviour to learn from: errands to random places, on about the shortest path."""

        def now(ids: np.ndarray) -> np.ndarray:
            if (ids >= self.num_envs).any():
                raise ArmillaryError(f"house: its play steers environments 0 to {self.num_envs - 1}, got {ids.tolist()}")
            return self._state[ids]

        draw, steer = lambda ids, rng: self.free_space(now(ids)).sample(rng), lambda ids, to: self._steer(now(ids), to)
        return Errands(draw, steer, STEP / 2)

    # How it goes

    def _moved(self, state: np.ndarray, actions: np.ndarray) -> np.ndarray:
        state = state.copy()
        turned = TURN * actions[:, 0]
        heading = state[:, HEADING] + turned
        ahead = np.stack([np.cos(heading), np.sin(heading)], axis=1)
        position = self.free_space(state).move(state[:, POSITION], STEP * actions[:, 1:] * ahead)
        moved = position - state[:, POSITION]
        made = np.stack([(moved * ahead).sum(1), ahead[:, 0] * moved[:, 1] - ahead[:, 1] * moved[:, 0], turned], axis=1)
        state[:, POSITION], state[:, HEADING] = position, heading
        state[:, COUNT] += 1
        scale, bend = state[:, DRIFTS].T
        state[:, ODOMETRY] = made * (1 + np.stack([scale, scale, bend], axis=1)) + SLIP * _noise(state, 0, 3)
        return state

    # The judge's side

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) that walk the shortest path from states to goals (n, S) and stop there.

        A step aims at the farthest bend of the path (or the goal) that is in sight. Each bend may cost a step, and to turn
        round at the start up to two.
        """
        state, goal = self._pair(state, goal)
        return self._steer(state, goal[:, POSITION])

    def scenes(self, n: int, seed: int, skip: int = 1) -> list[Scenes]:
        """n scenes of each property that can be violated (`scenes.py`)."""
        return house_scenes(self, self._new_states, n, seed, skip=skip)

    # What both share

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        state = np.zeros((n, self._state.shape[1]))
        state[:, CAMERA], state[:, BRIGHTNESS], state[:, LIGHT] = 1.0, 1.0, 0.6
        state[:, WALL_RGB], state[:, FLOOR_RGB] = WALL_COLOUR, FLOOR_COLOUR
        state[:, NUMBER] = rng.integers(2**31, size=n)
        state[:, DRIFTS] = DRIFT * rng.standard_normal((n, 2))
        uniform = rng.random(state.shape)
        boxes = self._draw_layouts(n, rng)
        kinds = np.abs(boxes[:, WALLS:, 4, None] - KINDS[:, 2]).argmin(axis=2)
        state[:, FURNITURE_RGB], state[:, LAYOUT_BOXES] = FURNITURE_COLOURS[kinds].reshape(n, -1), boxes.reshape(n, -1)
        self._vary(state, uniform)
        return self._place(state, rng)

    def _place(self, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        states = super()._place(states, rng)
        states[:, HEADING] = rng.uniform(-np.pi, np.pi, len(states))
        return states

    def _boxes(self, state: np.ndarray) -> np.ndarray:
        return state[:, LAYOUT_BOXES].reshape(-1, BOXES, 5)

    def free_space(self, state: np.ndarray) -> Floor:
        return Floor(np.ascontiguousarray(self._boxes(state)[..., :4]), RADIUS)

    def _steps_between(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return self.free_space(start).distance(start[:, POSITION], goal[:, POSITION]) / STEP

    def _steer(self, state: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Actions (n, 2) from states on the shortest way to places (n, 2)."""
        return towards(state, self.free_space(state).next_bend(state[:, POSITION], place))

    def _sense(self, state: np.ndarray) -> dict[str, np.ndarray]:
        parts = [self._sense_some(state[begin : begin + CHUNK]) for begin in range(0, max(len(state), 1), CHUNK)]
        return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _sense_some(self, state: np.ndarray) -> dict[str, np.ndarray]:
        position, heading, boxes = state[:, POSITION], state[:, HEADING], self._boxes(state)
        sensed = {"odometry": state[:, ODOMETRY].astype(np.float32)}
        if {"image", "depth", "points"} & set(self._sensed):
            walls = np.repeat(state[:, None, WALL_RGB], WALLS, axis=1)
            colours = np.concatenate([walls, state[:, FURNITURE_RGB].reshape(-1, FURNITURE, 3)], axis=1)
            light = state[:, BRIGHTNESS], state[:, LIGHT]
            view = View(position, heading, state[:, CAMERA], boxes, WALLS, colours, state[:, FLOOR_RGB], *light)
            sensed["image"], depth = photograph(view, self.size)
            sensed["depth"] = _measured(state, depth, DEPTH_RANGE, 1)
        if "points" in self._sensed:
            sensed["points"] = self._cloud(state, sensed["image"], sensed["depth"])
        if "scan" in self._sensed:
            sensed["scan"] = _measured(state, scan(position, heading, boxes, self.beams), SCAN_RANGE, 2)
        truth = {"position": position.astype(np.float32), "heading": state[:, HEADING, None].astype(np.float32)}
        return {name: sensed[name] for name in self._sensed} | truth

    def _cloud(self, state: np.ndarray, image: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """The points (n, CLOUD^2, 6) that some pixels show, in the robot's frame; NaN rows where nothing was measured."""
        every = slice(self.size // CLOUD // 2, None, self.size // CLOUD)
        ahead, slope = depth[:, every, every], pixel_slopes(self.size)[every].astype(np.float32)
        points = np.empty((*ahead.shape, 6), np.float32)
        points[..., 0], points[..., 1] = ahead, ahead * slope
        points[..., 2] = state[:, CAMERA, None, None].astype(np.float32) + ahead * slope[:, None]
        for channel in range(3):
            points[..., 3 + channel] = image[:, every, every, channel] / np.float32(255) + 0 * ahead
        return points.reshape(len(state), CLOUD**2, 6)

    def _possible(self, states: np.ndarray) -> np.ndarray:
        if not np.isfinite(states).all():
            raise ArmillaryError("house: the numbers of a state are finite")
        return super()._possible(states)


def towards(state: np.ndarray, place: Float[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 2"]:
    """Actions from states (n, S) straight to places: turn towards them, and go where they are ahead."""
    way = place - state[:, POSITION]
    length = np.hypot(*way.T)
    off = (np.arctan2(way[:, 1], way[:, 0]) - state[:, HEADING] + np.pi) % (2 * np.pi) - np.pi
    off = np.where(length > 1e-4, off, 0)
    move = np.where(np.abs(off) <= TURN, np.minimum(length / STEP, 1), 0)
    return np.stack([np.clip(off / TURN, -1, 1), move], axis=1).astype(np.float32)


def _measured(state: np.ndarray, true: np.ndarray, reach: float, stream: int) -> np.ndarray:
    """Distances (n, ...), which are written on, as a sensor of this reach gives them: with noise, if on, and NaN beyond."""
    if state[:, NOISE].any():
        noise = _noise(state, stream, true[0].size).reshape(true.shape)
        true = np.maximum(true + state[:, NOISE].reshape(-1, *[1] * (true.ndim - 1)) * noise, 0).astype(np.float32)
    true[true >= reach] = np.nan
    return true


def _noise(state: np.ndarray, stream: int, count: int) -> np.ndarray:
    """About normal numbers (n, count) that a state has for itself: sums of the four parts of a hashed number (splitmix64)."""
    with np.errstate(over="ignore"):
        x = state[:, NUMBER].astype(np.uint64) << np.uint64(32) | state[:, COUNT].astype(np.uint64) << np.uint64(2)
        x = _mixed(x | np.uint64(stream))[:, None] + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        parts = _mixed(x)[..., None] >> np.array([0, 16, 32, 48], np.uint64) & np.uint64(0xFFFF)
    return (parts.sum(axis=-1) / 65535 - 2) * np.sqrt(3.0)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


single = single_of(House)
