"""Physics: things fall, roll, collide, stack and pass behind screens in a box that is seen from the side. 64 x 64 RGB.

A world to learn and to examine intuitive physics in: what is hidden goes on, what is solid stops, and mass, friction and
restitution show only in what happens.

Design choices:
- mechanics are pymunk's (`arena`), the pictures are ours, and fast (`pictures`);
- the state (`state`) holds all that there is, screens and their times included, so that an examiner can alter it midway
  (remove, recolour, move or stop a thing) and go on with `simulate` or `reset`;
- nothing has a goal: the world can be recorded, and not be judged.

Data to learn from are scenes of several kinds (`kinds`), with a hand that pushes things about (`play`) or without actions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.episodes.scripted import Random
from armillary.errors import ArmillaryError
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream
from armillary.worlds.drawing import cover, paint
from armillary.worlds.over_base import DrawnOverBase
from armillary.worlds.physics.arena import HAND_SPEED, STICK_ASPECT, Arena
from armillary.worlds.physics.ceiling import ceiling
from armillary.worlds.physics.kinds import sample
from armillary.worlds.physics.pictures import Things, draw_things
from armillary.worlds.physics.play import Pushing
from armillary.worlds.physics.sampling import VARIETIES
from armillary.worlds.physics.scenes import physics_scenes
from armillary.worlds.physics.shapes import BOX, BOX_HALF
from armillary.worlds.physics.state import (
    COLUMNS,
    FIXTURES,
    FLOOR,
    LAYOUT,
    MAX_SPEED,
    OBJECTS,
    SIDE,
    STEP,
    TABLE,
    WALL,
    check,
    part,
    screen_tops,
)
from armillary.worlds.scenes import Scenes
from armillary.worlds.single import single_of

VERSION = "2"  # of physics and rendering

# factor -> the columns that it draws, uniformly from low to high
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "gravity": (COLUMNS["gravity"], 4.0, 10.0),
    "floor_colour": (COLUMNS["floor_colour"], 60.0, 130.0),
    "sky_colour": (COLUMNS["sky_colour"], 190.0, 250.0),
    "background": (COLUMNS["wave"], (0.0, -4.0, -4.0, 0.0), (20.0, 4.0, 4.0, 2 * np.pi)),
}


class Physics(DrawnOverBase):
    """The physics world, a native Gymnasium vector environment.

    Actions are (N, 2) in [-1, 1], the velocity of a hand along x and y (up) by the greatest; there are none without a hand.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth of four objects, `position` and `velocity` (N, 8) in
    m and m/s of the picture, which is 4 m wide, `visible` (N, 4), the share of each that no screen covers, and `mass` (N, 4)
    in kg; all are 0 of an object that is not there. With a hand, also `hand` (N, 2), where it is.

    Args:
        size: height and width of the image in px, at least 16.
        variety: "seen", or "held_out": other shapes, colours, speeds and screens, see `sampling`.
        hand: whether there is one; a few scenes have no room for it.
        factors: what is drawn for each episode beside the scene (factors of variation): "gravity" (6 m/s^2 otherwise),
            "floor_colour", "sky_colour", "background" (a plane wave in the sky).
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`; a step is 1/15 s.
    """

    name = "physics"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "all but poses, velocities and time"

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        variety: str = "seen",
        hand: bool = True,
        factors: Sequence[str] = (),
        max_steps: int | None = 40,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 16)
        if variety not in VARIETIES:
            raise ArmillaryError(f"physics: variety is {' or '.join(map(repr, VARIETIES))}, not {variety!r}")
        if not isinstance(hand, bool):
            raise ArmillaryError(f"physics: hand is true or false, not {hand!r}")
        self.size, self.scale, self.variety, self.hand = size, size / SIDE, variety, hand
        self.version = f"{VERSION}/{size}px"
        each = [str(i) for i in range(OBJECTS)]
        both = tuple(axis + i for i in each for axis in "xy")
        streams = [
            Stream("image", "image", (size, size, 3)),
            Stream("position", "vector", (2 * OBJECTS,), unit=("m",) * 2 * OBJECTS, channels=both, truth=True),
            Stream("velocity", "vector", (2 * OBJECTS,), unit=("m/s",) * 2 * OBJECTS, channels=both, truth=True),
            Stream("visible", "vector", (OBJECTS,), channels=tuple(each), truth=True),
            Stream("mass", "vector", (OBJECTS,), unit=("kg",) * OBJECTS, channels=tuple(each), truth=True),
        ]
        action = NO_ACTION
        if hand:
            streams.append(Stream("hand", "vector", (2,), unit=("m", "m"), channels=("x", "y"), truth=True))
            action = ActionSpace("box", 2, (-1.0,) * 2, (1.0,) * 2, unit=(f"{HAND_SPEED:g} m/s",) * 2, channels=("x", "y"))
        bounds = {"position": (0, SIDE), "hand": (0, SIDE), "visible": (0, 1), "mass": (0, TABLE["mass"].high)}
        bounds["velocity"] = (-MAX_SPEED, MAX_SPEED)
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        spec = Spec(tuple(streams), action, rate=1 / STEP)
        super().__init__(num_envs, spec, LAYOUT.stop, bounds=bounds, **common)
        self._arenas: list[Arena] = [None] * num_envs  # ty: ignore[invalid-assignment]

    def play(self) -> Actor:
        """Behaviour to learn from: a hand that pushes objects; where there is none, nothing is done."""
        return Pushing(HAND_SPEED * STEP) if self.hand else Random(NO_ACTION)

    def simulate(self, states: np.ndarray, steps: int, actions: np.ndarray | None = None) -> np.ndarray:
        """States (n, steps + 1, S) that follow states (n, S), which are the first.

        Args:
            actions: (n, steps, 2) of hands, which rest by default.

        Raises:
            ArmillaryError: states that cannot be, or actions of another shape.
        """
        states = self._checked(states)
        self._whole("steps", steps, 0)
        done = np.zeros((len(states), steps, 2)) if actions is None else np.clip(np.asarray(actions, float), -1, 1)
        if done.shape != (len(states), steps, 2):
            raise ArmillaryError(f"physics: actions are ({len(states)}, {steps}, 2), not {done.shape}")
        history = np.repeat(states[:, None], steps + 1, axis=1)
        for i, rows in enumerate(history):
            arena, state = Arena(rows[0]), rows[0].copy()
            for t in range(steps):
                arena.step(state, done[i, t])
                rows[t + 1] = state
        return history

    def scenes(self, n: int, seed: int, skip: int = 1) -> list[Scenes]:
        """n scenes of each property and difficulty; see `physics_scenes`."""
        return physics_scenes(self, n, seed, skip)

    def ceiling(self, scenes: Scenes) -> np.ndarray:
        """Surprise (n, 4, T - 1) at scenes of who knows the mechanics; see the module `ceiling`."""
        return ceiling(self, scenes)

    def _begun(self, mask: np.ndarray) -> None:
        super()._begun(mask)
        for i in np.flatnonzero(mask):
            self._arenas[i] = Arena(self._state[i])

    def _advance(self, actions: np.ndarray) -> None:
        still = np.zeros((self.num_envs, 2))
        for arena, state, action in zip(self._arenas, self._state, actions if self.hand else still, strict=True):
            arena.step(state, action)

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        states, uniform = np.zeros((n, LAYOUT.stop)), rng.random((n, LAYOUT.stop))
        for state in states:
            sample(state, VARIETIES[self.variety], self.hand, rng)
        self._vary(states, uniform)
        return states

    def _base_images(self, state: np.ndarray) -> np.ndarray:
        size, n = self.size, len(state)
        across = cover(size, np.full((n, 1), WALL * self.scale), np.full((n, 1), size - WALL * self.scale))[:, 0]
        down = cover(size, np.full((n, 1), WALL * self.scale), np.full((n, 1), size - FLOOR * self.scale))[:, 0]
        inside = down[:, :, None] * across[:, None, :]
        base = paint(inside, (part(state, "floor_colour"), part(state, "sky_colour")), part(state, "wave"))
        half = np.maximum(part(state, "fixture_half"), 1e-3)  # where there is none
        things = Things(
            part(state, "fixture_present") > 0,
            np.full((n, FIXTURES), BOX),
            self._pixels(part(state, "fixture_position")),
            -part(state, "fixture_angle"),
            np.sqrt(half.prod(axis=-1)) / BOX_HALF * self.scale,
            half[..., 0] / half[..., 1],
            part(state, "fixture_colour"),
            np.zeros((n, FIXTURES), int),
        )
        return draw_things(base, np.arange(n), things)[0]

    def _sense_over(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        hand = part(state, "hand")

        def with_hand(name: str, of_hand: np.ndarray) -> np.ndarray:
            return np.concatenate([part(state, name), of_hand[:, None]], axis=1)

        things = Things(
            with_hand("present", hand) > 0,
            with_hand("shape", np.where(hand == 2, BOX, 0)).astype(int),
            self._pixels(with_hand("position", part(state, "hand_position"))),
            -with_hand("angle", part(state, "hand_angle")),
            with_hand("size", part(state, "hand_size")) * self.scale,
            with_hand("aspect", np.full(len(state), STICK_ASPECT)),
            with_hand("colour", part(state, "hand_colour")),
            with_hand("texture", 0 * hand).astype(int),
        )
        middle, half = part(state, "screen_x") * self.scale, part(state, "screen_width") * self.scale / 2
        bottom = self.size - FLOOR * self.scale
        columns = cover(self.size, middle - half, middle + half)
        rows = cover(self.size, bottom - screen_tops(state) * self.scale, np.full(middle.shape, bottom))
        image, visible = draw_things(base, index, things, (columns, rows, part(state, "screen_colour")))
        present = part(state, "present")
        truth = {name: (part(state, name) * present[:, :, None]).reshape(-1, 2 * OBJECTS) for name in ("position", "velocity")}
        truth |= {"visible": visible[:, :OBJECTS], "mass": part(state, "mass") * present}
        truth |= {"hand": part(state, "hand_position")} if self.hand else {}
        return {"image": image, **{name: values.astype(np.float32) for name, values in truth.items()}}

    def _pixels(self, places: np.ndarray) -> np.ndarray:
        return np.stack([places[..., 0], SIDE - places[..., 1]], axis=-1) * self.scale

    def _possible(self, states: np.ndarray) -> np.ndarray:
        check(states)
        return states


single = single_of(Physics)
