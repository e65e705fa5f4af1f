"""A scene of the physics world as it is put together: objects, fixtures and screens go where there is room for them.

What an object or a screen looks like and how fast it is launched is drawn, where it is not given, from a `Variety`. What
`variety="held_out"` draws from never occurs under "seen":

|                                   | seen                | held_out                    |
| shape                             | ball, box, triangle | pentagon, L, plus           |
| hue of objects and screens        | 0 to 0.62           | 0.68 to 0.95                |
| width of a screen, m              | 0.7 to 1.3          | 1.45 to 1.9                 |
| time between its rise and fall, s | 0.5 to 1.3          | 1.5 to 2.3                  |
| speed at launch, m/s              | 1 to 3              | 0.75 to 0.95, or 3.4 to 4.6 |

The speed is that along the floor where two arcs are to cross behind a screen; the exam's screens stay up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from armillary.worlds.drawing import hue_colour
from armillary.worlds.physics.shapes import BALL, BOX, ELL, EXTENT, PENTAGON, PLUS, REACH, TRIANGLE, scale_of
from armillary.worlds.physics.state import FLOOR, SIDE, TEXTURES, WALL, part

GRAVITY = 6.0  # m/s^2
FLOOR_COLOUR, SKY_COLOUR = (92.0, 96.0, 104.0), (226.0, 234.0, 242.0)
TRIES = 30  # places that are tried for each thing
GAP = 0.02  # m, between things

Place = tuple[float, float]


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

    def throw(self, side: int, low: float, high: float) -> tuple[float, float]:
        """Velocity of a launch to a side, at an angle to the floor that is drawn from low to high."""
        angle, speed = self.rng.uniform(low, high), self.speed()
        return float(side * speed * np.cos(angle)), float(speed * np.sin(angle))

    def colour(self) -> np.ndarray:
        """Of an object."""
        return 20 + hue_colour(self.rng.uniform(*self.variety.hue, 1))[0]

    def looks(self, shape: int | None = None) -> dict[str, Any]:
        """Shape, size and aspect of an object."""
        shape = int(self.rng.choice(self.variety.shapes)) if shape is None else shape
        aspect = np.exp(self.rng.uniform(-0.7, 0.7)) if shape == BOX else 1
        return {"shape": shape, "size": self.rng.uniform(0.2, 0.4), "aspect": aspect}

    def put(self, place: Callable[[], Place] | Place, **given: Any) -> int | None:
        """Add an object, whose columns may be given; its number, or None where there is no room for it.

        Args:
            place: of its centre, which is taken; or a function that draws one, until nothing is in the way.
        """
        rng, looks = self.rng, {**self.looks(given.get("shape")), **given}
        shape, scale = looks["shape"], scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
        if not isinstance(place, tuple):
            reach = float(REACH[shape] * scale.max())
            found = self.free(place, reach, reach if "angle" in given else float(EXTENT[shape, 0] * scale[1]))
            if found is None:
                return None
            place = found
        drawn = {
            "position": place,
            "mass": rng.uniform(1, 4) * np.pi * looks["size"] ** 2,  # how dense it is cannot be seen
            "friction": rng.uniform(0.2, 0.9),
            "restitution": rng.uniform(0.1, 0.85),
            "texture": rng.integers(1 if shape == BALL else 0, len(TEXTURES)),  # which alone shows how a ball turns
            "colour": self.colour(),
        }
        return self._add("", drawn | looks)

    def fixture(self, x: float, y: float, length: float, thickness: float, angle: float = 0) -> int | None:
        """Add a box that does not move, by its middle, if the state has room for one more."""
        colour = self.rng.uniform(105, 165) + self.rng.uniform(-12, 12, 3)
        half = length / 2, thickness / 2
        return self._add("fixture_", {"position": (x, y), "half": half, "angle": angle, "colour": colour})

    def screen(self, x: float, rise: float) -> int | None:
        """Add a screen that rises about x, unless another one is in the way."""
        rng, variety, state = self.rng, self.variety, self.state
        width = rng.uniform(*variety.screen_width)
        x = np.clip(x, WALL + width / 2, SIDE - WALL - width / 2)
        apart = np.abs(x - part(state, "screen_x")) - (part(state, "screen_width") + width) / 2
        drawn = {
            "x": x,
            "width": width,
            "height": rng.uniform(1.2, 2.4),
            "rise": rise,
            "fall": rise + rng.uniform(*variety.screen_time),
            "speed": rng.uniform(4, 9),
            "colour": 0.35 * self.colour() + rng.uniform(45, 85),
        }
        return self._add("screen_", drawn) if (apart[part(state, "screen_present") > 0] > 0.1).all() else None

    def free(self, place: Callable[[], Place], reach: float, below: float | None = None) -> Place | None:
        """The first place, of some, about which nothing is within reach, and no floor so far below it."""
        for _ in range(TRIES):
            x, y = place()
            high = FLOOR + (reach if below is None else below) <= y < SIDE - WALL - reach
            if high and WALL + reach < x < SIDE - WALL - reach and self._room(np.array([x, y])) > reach + GAP:
                return x, y
        return None

    def anywhere(self, low: float = 0.0) -> Callable[[], Place]:
        """Places above a height."""
        return lambda: (self.rng.uniform(0, SIDE), self.rng.uniform(low, SIDE))

    def on_floor(self, looks: dict[str, Any], x: Callable[[], float]) -> Callable[[], Place]:
        """Places where a thing of such looks stands on the floor."""
        scale = scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
        return lambda: (x(), FLOOR + float(EXTENT[looks["shape"], 0] * scale[1]))

    def _add(self, kind: str, values: dict[str, Any]) -> int | None:
        present = part(self.state, f"{kind}present")
        if present.all():
            return None
        i = int(present.argmin())
        for name, value in {"present": 1, **values}.items():
            part(self.state, f"{kind}{name}")[i] = value
        return i

    def _room(self, place: np.ndarray) -> float:
        """How far a place is from fixtures and objects, m."""
        names = "fixture_position", "fixture_angle", "fixture_half", "position", "shape", "size", "aspect"
        centre, angle, half, position, shape, size, aspect = (part(self.state, name) for name in names)
        (x, y), cosine, sine = (place - centre).T, np.cos(angle), np.sin(angle)
        turned = np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=1)
        fixtures = np.hypot(*np.maximum(np.abs(turned) - half, 0).T)
        reach = REACH[shape.astype(int)] * scale_of(shape, size, aspect).max(axis=1)
        objects = np.hypot(*(place - position).T) - reach
        there = np.concatenate([part(self.state, "fixture_present"), part(self.state, "present")]) > 0
        return float(np.concatenate([fixtures, objects])[there].min(initial=np.inf))
