"""What the scenes of the exam are built from: a thing that passes behind a screen, the screen, and what else goes on.

Things roll, or slide with little friction, and size tells their mass: how dense they are is the same for all.
"""

from dataclasses import dataclass

import numpy as np

from armillary.errors import expect
from armillary.worlds.physics.sampling import Scene
from armillary.worlds.physics.shapes import BALL, OUTLINES, REACH, scale_of
from armillary.worlds.physics.state import FLOOR, SIDE, STEP, WALL, part

LEAD = 4  # frames in which a thing is seen before it goes behind a screen, at least
RISE = 2  # frames after which screens begin to rise, at least; until then, what stands behind them is seen
RISING = 9.0  # m/s, of screens
REACH_MOST = 0.34  # m, of things that pass: they have to come, hide and come out in one clip
NEVER = 1e6  # s, when the screens of the exam fall
THICK = 0.16  # m, of shelves and walls
DENSITY = 2.0  # kg/m^2, of all things


@dataclass(frozen=True)
class Passage:
    """A thing that is to go behind a screen, from one side to the other."""

    looks: dict[str, float]
    reach: float  # m, its farthest from its centre
    side: int  # that it goes to
    x: float  # m, of the screen
    width: float
    speed: float  # m/s
    lead: float  # s, until nothing of it is seen

    def start(self, bottom: float = FLOOR) -> tuple[float, float]:
        """Where it begins, on a floor or ledge."""
        return self.x - self.side * (self.width / 2 - self.reach + self.speed * self.lead), bottom + depth_of(self.looks)

    @property
    def fits(self) -> bool:
        """Whether that is in the room."""
        return WALL + self.reach < self.start()[0] < SIDE - WALL - self.reach


def passage(scene: Scene, looks: dict[str, float] | None = None) -> Passage | None:
    """A thing that goes from one side of a screen to the other, or None where there is no room for it."""
    rng, looks = scene.rng, dict(looks or scene.looks())
    looks["size"] *= min(1, REACH_MOST / reach_of(looks))
    reach, (slow, fast) = reach_of(looks), rng.choice(scene.variety.speeds)
    speed = slow * (fast / slow) ** rng.random()
    side, x = scene.side(), SIDE / 2 + rng.uniform(-0.7, 0.7)
    lead = rng.uniform(LEAD, 3 * LEAD) * STEP + 2 * reach / speed
    found = Passage(looks, reach, side, x, rng.uniform(*scene.variety.screen_width), speed, lead)
    return found if found.fits and found.width > 2 * reach else None


def send(scene: Scene, way: Passage, bottom: float = FLOOR, **given: float) -> int:
    """The thing on its way; its number among the objects."""
    return place(scene, way.looks, way.start(bottom), (way.side * way.speed, 0), **given)


def place(
    scene: Scene,
    looks: dict[str, float],
    at: tuple[float, float],
    velocity: tuple[float, float],
    **given: float | np.ndarray,
) -> int:
    """An object that rolls, or slides with little friction, of the density of all; its number."""
    spin = spin_of(looks, velocity[0])
    fixed = {"friction": 0.5 if looks["shape"] == BALL else 0.01, "mass": DENSITY * np.pi * looks["size"] ** 2, **given}
    return expect(scene.put(at, **looks, velocity=velocity, spin=spin, **fixed), "room in the state for one more thing")


def cover(scene: Scene, x: float, width: float, high: float, rise: float = RISE * STEP) -> None:
    """A screen that rises and stays."""
    scene.screen(x, rise)
    given = {"x": x, "width": width, "height": min(high, SIDE - FLOOR), "speed": RISING, "fall": NEVER}
    for name, value in given.items():
        part(scene.state, f"screen_{name}")[0] = value


def hide(scene: Scene, way: Passage, high: float) -> None:
    """A screen that has risen when the thing comes to it, and stays."""
    latest = way.lead - 2 * way.reach / way.speed - high / RISING
    cover(scene, way.x, way.width, high, scene.rng.uniform(RISE * STEP, max(latest, RISE * STEP)))


def add_storey(scene: Scene) -> None:
    """At times, a shelf high up on which something else goes on."""
    if scene.rng.random() < 0.5:
        high = 2.9
        scene.fixture(SIDE / 2, high - THICK / 2, SIDE - 2 * WALL, THICK)
        scene.put(lambda: (scene.rng.uniform(0.6, 3.4), high + 0.42), velocity=(scene.side() * scene.speed(), 0), friction=0.1)


def reach_of(looks: dict[str, float]) -> float:
    """The farthest that it goes from its centre, m."""
    scale = scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
    return float(REACH[int(looks["shape"])] * scale.max())


def depth_of(looks: dict[str, float]) -> float:
    """How far it goes below its centre, m, and a little more."""
    scale = scale_of(*(np.array(looks[name]) for name in ("shape", "size", "aspect")))
    lowest = 1.0 if looks["shape"] == BALL else -OUTLINES[int(looks["shape"])][:, 1].min()
    return float(scale[1] * lowest) + 0.004


def spin_of(looks: dict[str, float], velocity: float) -> float:
    """rad/s, of a ball that rolls; other things slide."""
    return -velocity / looks["size"] if looks["shape"] == BALL else 0.0
