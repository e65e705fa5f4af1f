"""How scenes of the physics world begin: what is in them, where it stands and how it moves.

A scene is of one kind (`KINDS`, a function each), drawn with what else may be there: ramps and shelves, screens, another thing.
Things are placed where nothing else is. What `variety="held_out"` draws from never occurs under "seen":

|                               | seen                | held_out          |
| shape                         | ball, box, triangle | pentagon, L, plus |
| hue of objects and screens    | 0 to 0.62           | 0.68 to 0.95      |
| width of a screen, m          | 0.7 to 1.3          | 1.45 to 1.9       |
| time between its rise and fall, s | 0.5 to 1.3      | 1.5 to 2.3        |
| speed at launch, m/s          | 1 to 3              | 0.75 to 0.95, or 3.4 to 4.6 |
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from armillary.worlds.drawing import hue_colour
from armillary.worlds.physics.shapes import BALL, BOX, BOX_HALF, ELL, PENTAGON, PLUS, REACH, TRIANGLE, scale_of
from armillary.worlds.physics.state import FLOOR, OBJECTS, SIDE, TEXTURES, WALL, part

GRAVITY = 6.0  # m/s^2
FLOOR_COLOUR, SKY_COLOUR, HAND_COLOUR = (92.0, 96.0, 104.0), (226.0, 234.0, 242.0), (40.0, 40.0, 46.0)
TRIES = 30  # places that are tried for each thing
GAP = 0.02  # m, between things


@dataclass(frozen=True)
class Variety:
    """What is drawn from; see the table."""

    shapes: tuple[int, ...]
    hue: tuple[float, float]
    screen_width: tuple[float, float]
    screen_time: tuple[float, float]
    speeds: tuple[tuple[float, float], ...]


VARIETIES = {
    "seen": Variety((BALL, BOX, TRIANGLE), (0, 0.62), (0.7, 1.3), (0.5, 1.3), ((1, 3),)),
    "held_out": Variety((PENTAGON, ELL, PLUS), (0.68, 0.95), (1.45, 1.9), (1.5, 2.3), ((0.75, 0.95), (3.4, 4.6))),
}


class Scene:
    """A state that things are put into.

    Args:
        state: (S,), zeros.
    """

    def __init__(self, state: np.ndarray, variety: Variety, rng: np.random.Generator) -> None:
        self.state, self.variety, self.rng = state, variety, rng
        for name, value in (("floor_colour", FLOOR_COLOUR), ("sky_colour", SKY_COLOUR), ("gravity", GRAVITY)):
            part(state, name)[...] = value

    def side(self) -> int:
        """-1 or 1."""
        return int(self.rng.choice((-1, 1)))

    def speed(self) -> float:
        """Of a launch, m/s."""
        return self.rng.uniform(*self.rng.choice(self.variety.speeds))

    def looks(self, shape: int | None = None) -> dict[str, float]:
        """A shape and its size and aspect."""
        rng = self.rng
        shape = int(rng.choice(self.variety.shapes)) if shape is None else shape
        return {
            "shape": shape,
            "size": rng.uniform(0.2, 0.4),
            "aspect": np.exp(rng.uniform(-0.7, 0.7)) if shape == BOX else 1,
        }

    def put(self, place: Callable[[], tuple[float, float]] | tuple[float, float], **given: Any) -> int | None:
        """Add an object; `place` is tried until nothing is in the way, a place that is given is taken.

        Returns:
            Its number, or None where it has no place.
        """
        present = part(self.state, "present")
        if present.all():
            return None
        looks = {**self.looks(given.get("shape")), **given}
        scale = scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
        if not isinstance(place, tuple):
            found = self.free(place, float(REACH[int(looks["shape"])] * scale.max()))
            if found is None:
                return None
            place = found
        i, rng = int(present.argmin()), self.rng
        # The rotation of a ball shows in its texture alone.
        texture = rng.integers(1 if looks["shape"] == BALL else 0, len(TEXTURES))
        drawn = {
            "mass": rng.uniform(1, 4) * np.pi * looks["size"] ** 2,  # kg; how dense it is cannot be seen
            "friction": rng.uniform(0.2, 0.9),
            "restitution": rng.uniform(0.1, 0.85),
            "texture": texture,
            "colour": self.colour(),
        }
        for name, value in {"present": 1, "position": place, **drawn, **looks}.items():
            part(self.state, name)[i] = value
        return i

    def colour(self) -> np.ndarray:
        """Of an object."""
        return 20 + hue_colour(self.rng.uniform(*self.variety.hue, 1))[0]

    def free(self, place: Callable[[], tuple[float, float]], reach: float) -> tuple[float, float] | None:
        """The first place, of some, about which nothing is within reach."""
        for _ in range(TRIES):
            x, y = place()
            inside = WALL + reach < x < SIDE - WALL - reach and FLOOR + reach < y < SIDE - WALL - reach
            if inside and self.room(np.array([x, y])) > reach + GAP:
                return x, y
        return None

    def room(self, place: np.ndarray) -> float:
        """How far a place is from fixtures, objects and the hand, m."""
        state = self.state
        apart = place - part(state, "fixture_position")
        angle = part(state, "fixture_angle")
        turned = np.stack([apart[:, 0] * np.cos(angle) + apart[:, 1] * np.sin(angle)] * 2, axis=1)
        turned[:, 1] = apart[:, 1] * np.cos(angle) - apart[:, 0] * np.sin(angle)
        fixtures = np.hypot(*np.maximum(np.abs(turned) - part(state, "fixture_half"), 0).T)
        scale = scale_of(part(state, "shape"), part(state, "size"), part(state, "aspect")).max(axis=1)
        objects = np.hypot(*(place - part(state, "position")).T) - REACH[part(state, "shape").astype(int)] * scale
        there = np.concatenate([part(state, "fixture_present"), part(state, "present")]) > 0
        hand = np.hypot(*(place - part(state, "hand_position"))) - part(state, "hand_size") if part(state, "hand") else np.inf
        return float(np.concatenate([fixtures, objects])[there].min(initial=float(hand)))

    def fixture(self, x: float, y: float, length: float, thickness: float, angle: float = 0) -> None:
        """Add a box that does not move, by its middle, if there is room in the state."""
        present = part(self.state, "fixture_present")
        if present.all():
            return
        grey, tint = self.rng.uniform(105, 165), self.rng.uniform(-12, 12, 3)
        values = {"present": 1, "position": (x, y), "half": (length / 2, thickness / 2), "angle": angle, "colour": grey + tint}
        i = int(present.argmin())
        for name, value in values.items():
            part(self.state, f"fixture_{name}")[i] = value

    def screen(self, x: float, rise: float) -> None:
        """Add a screen that rises about x, if there is room for it beside others."""
        present, rng, variety = part(self.state, "screen_present"), self.rng, self.variety
        width = rng.uniform(*variety.screen_width)
        x = np.clip(x, WALL + width / 2, SIDE - WALL - width / 2)
        apart = np.abs(x - part(self.state, "screen_x")) - (part(self.state, "screen_width") + width) / 2
        if present.all() or (apart[present > 0] < 0.1).any():
            return
        values = {
            "present": 1,
            "x": x,
            "width": width,
            "height": rng.uniform(1.2, 2.4),
            "rise": rise,
            "fall": rise + rng.uniform(*variety.screen_time),
            "speed": rng.uniform(4, 9),
            "colour": 0.35 * hue_colour(rng.uniform(*variety.hue, 1))[0] + rng.uniform(50, 90),
        }
        i = int(present.argmin())
        for name, value in values.items():
            part(self.state, f"screen_{name}")[i] = value

    def anywhere(self, low: float = 0.0) -> Callable[[], tuple[float, float]]:
        """Places above a height."""
        return lambda: (self.rng.uniform(0, SIDE), self.rng.uniform(low, SIDE))

    def on_floor(self, looks: dict[str, float], x: Callable[[], float]) -> Callable[[], tuple[float, float]]:
        """Places where a thing just clears the floor, which is as far as its bounding disc goes."""
        scale = scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
        return lambda: (x(), FLOOR + float(REACH[int(looks["shape"])] * scale.max()) + GAP)


def throw(scene: Scene) -> None:
    """Things fly in arcs."""
    _clutter(scene, 2)
    for _ in range(scene.rng.integers(1, 4)):
        angle, speed = scene.rng.uniform(-0.3, 1.3), scene.speed()
        velocity = scene.side() * speed * np.cos(angle), speed * np.sin(angle)
        scene.put(scene.anywhere(0.6), **scene.looks(), velocity=velocity, spin=scene.rng.uniform(-6, 6))


def drop(scene: Scene) -> None:
    """Things fall on shelves, ramps and each other."""
    _clutter(scene, 3)
    for _ in range(scene.rng.integers(2, OBJECTS + 1)):
        scene.put(scene.anywhere(1.5), **scene.looks(), angle=scene.rng.uniform(-np.pi, np.pi))


def roll(scene: Scene) -> None:
    """Something goes down a ramp, or along the floor, on which there may be a step."""
    side, rng = scene.side(), scene.rng
    if rng.random() < 0.6:
        angle, length = rng.uniform(0.3, 0.6), rng.uniform(1.4, 2.2)
        x = SIDE / 2 - side * rng.uniform(0.6, 1.1)
        scene.fixture(x, FLOOR + length / 2 * np.sin(angle) + rng.uniform(0, 0.6), length, 0.16, -side * angle)
        scene.put(lambda: (x - side * rng.uniform(0.3, 0.8), rng.uniform(1.2, 3)), **scene.looks())
    if rng.random() < 0.4:
        scene.fixture(SIDE / 2 + side * rng.uniform(0.5, 1.5), FLOOR, rng.uniform(0.3, 1), rng.uniform(0.2, 0.7))
    for _ in range(rng.integers(1, 3)):
        _launch(scene, side, rng.uniform(0.2, 1.6))


def stack(scene: Scene) -> None:
    """A stack of boxes (of other things, where there are no boxes), which something may be thrown at."""
    rng, side = scene.rng, scene.side()
    x, top = rng.uniform(1, 3), FLOOR
    if rng.random() < 0.4:
        thick = rng.uniform(0.16, 0.3)
        top += rng.uniform(0.3, 0.9)
        scene.fixture(x, top - thick / 2, rng.uniform(0.9, 1.6), thick)
    for _ in range(rng.integers(2, OBJECTS + 1)):
        looks = scene.looks(BOX if BOX in scene.variety.shapes else None)
        half = float(looks["size"] / np.sqrt(looks["aspect"])) * (
            BOX_HALF if looks["shape"] == BOX else REACH[int(looks["shape"])]
        )
        if top + 2 * half > SIDE - 0.5:
            break
        scene.put((x + rng.uniform(-0.08, 0.08), top + half), **looks)
        top += 2 * half
    if rng.random() < 0.6:
        at = lambda: (x - side * rng.uniform(0.8, 1.8), rng.uniform(0.6, 2))  # noqa: E731
        scene.put(at, **scene.looks(), velocity=(side * scene.speed(), rng.uniform(0, 1)))


def collide(scene: Scene) -> None:
    """Two things meet on the floor, one of which may rest."""
    side = scene.side()
    _launch(scene, side, scene.rng.uniform(0.2, 1.2))
    if scene.rng.random() < 0.5:
        _launch(scene, -side, scene.rng.uniform(0.2, 1.2))
    else:
        looks = scene.looks()
        scene.put(scene.on_floor(looks, lambda: scene.rng.uniform(1.5, 2.5)), **looks)


def hide(scene: Scene) -> None:
    """Something passes behind a screen, where a wall may stop it."""
    rng, side = scene.rng, scene.side()
    x = rng.uniform(1.5, 2.5)
    if rng.random() < 0.4:
        height = rng.uniform(0.3, 1.2)
        scene.fixture(x + rng.uniform(-0.3, 0.3), FLOOR + height / 2, 0.2, height)
    for _ in range(rng.integers(1, 3)):
        _launch(scene, side, rng.uniform(0.2, 1.2))
    if rng.random() < 0.5:
        scene.put(
            lambda: (x - side * rng.uniform(0.8, 1.6), rng.uniform(0.8, 2.2)),
            **scene.looks(),
            velocity=(side * scene.speed(), 1.5),
        )
    scene.screen(x, rng.uniform(0, 0.35))


KINDS = throw, drop, roll, stack, collide, hide
SHARES = 0.18, 0.14, 0.18, 0.14, 0.14, 0.22


def sample(state: np.ndarray, variety: Variety, hand: bool, rng: np.random.Generator) -> None:
    """Write a scene into a state (S,) of zeros."""
    scene = Scene(state, variety, rng)
    KINDS[int(rng.choice(len(KINDS), p=SHARES))](scene)
    if rng.random() < 0.3:
        scene.put(scene.anywhere(), **scene.looks())
    while not part(state, "present").any():
        scene.put(scene.anywhere(), **scene.looks())
    for _ in range(rng.choice(3, p=(0.5, 0.35, 0.15))):
        scene.screen(rng.uniform(0, SIDE), rng.uniform(0, 1.6))
    if hand:
        part(state, "hand_size")[...] = rng.uniform(0.16, 0.24)
        part(state, "hand_angle")[...] = rng.uniform(-np.pi / 2, np.pi / 2)
        part(state, "hand_colour")[...] = HAND_COLOUR
        place = scene.free(scene.anywhere(), 0.6) or scene.free(scene.anywhere(), 0.3)
        if place:
            part(state, "hand")[...] = rng.integers(1, 3)
            part(state, "hand_position")[...] = place


def _clutter(scene: Scene, most: int) -> None:
    """Shelves, ramps and steps."""
    rng = scene.rng
    for _ in range(rng.integers(0, most + 1)):
        kind, x = rng.integers(3), rng.uniform(0.3, SIDE - 0.3)
        if kind == 0:
            scene.fixture(x, rng.uniform(0.8, 2.4), rng.uniform(0.6, 1.5), 0.16)
        elif kind == 1:
            scene.fixture(x, rng.uniform(0.5, 1.8), rng.uniform(0.8, 1.8), 0.16, scene.side() * rng.uniform(0.25, 0.7))
        else:
            scene.fixture(x, FLOOR, rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.2))


def _launch(scene: Scene, side: int, along: float) -> None:
    """Something on the floor, so far from the wall on one side, goes to the other side; a ball rolls."""
    looks, speed = scene.looks(), scene.speed()
    spin = -side * speed / looks["size"] if looks["shape"] == BALL else 0
    at = scene.on_floor(looks, lambda: SIDE / 2 - side * (SIDE / 2 - 0.5 - along * scene.rng.uniform(0.5, 1)))
    friction = scene.rng.uniform(0.2, 0.9) if spin else scene.rng.uniform(0.02, 0.2)  # or else it soon rests
    scene.put(at, **looks, velocity=(side * speed, 0), spin=spin, friction=friction)
