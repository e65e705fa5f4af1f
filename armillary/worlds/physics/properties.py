"""Two scenes of the physics world that differ in their past alone, for each property that the exam asks about.

| property | one scene | the other | what the spliced clips do |
| --- | --- | --- | --- |
| permanence | a thing goes behind a screen | nothing does | vanishes; comes from nowhere |
| continuity | goes behind it on the floor | on a shelf above | comes out on the other level |
| constancy | goes behind it | the same, of another colour, size or shape | comes out as another |
| solidity | a wall stands behind it | none does | passes the wall; turns back without one |
| gravity | falls on a slope to one side | to the other side | rolls up the slope |
| | falls as it passes behind it | rises | turns in mid-air |
| collision | another thing rests behind it | none does | passes it; sets nothing in motion |
| | a small thing rests behind it | a large one | is pushed as the other would be |
| support | a ledge has a gap behind it | it has none | floats across; falls through |
| inertia | comes from the left | from the right | turns back without a cause |
| | comes slowly | fast | comes out too early; too late |

Each function draws a pair of states (2, S), or None where what it drew does not fit. Nothing here says when the two look the
same: `scenes` finds out by looking. Things that rest behind a screen are not asked about: what has rested is there again
afterwards, and a straight line through the latents tells such clips apart without predicting anything.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from armillary.worlds.physics.passages import (
    DENSITY,
    THICK,
    add_storey,
    cover,
    depth_of,
    hide,
    passage,
    place,
    reach_of,
    send,
    spin_of,
)
from armillary.worlds.physics.sampling import GAP, GRAVITY, Scene
from armillary.worlds.physics.shapes import BALL
from armillary.worlds.physics.state import FLOOR, SIDE, WALL, part


def permanence(scene: Scene) -> np.ndarray | None:
    """A thing, or none."""
    if not _passes(scene):
        return None
    one, other = _twice(scene)
    part(other, "present")[0] = 0
    return np.stack([one, other])


def constancy(scene: Scene) -> np.ndarray | None:
    """A thing, and another that differs in colour, size or shape."""
    if not _passes(scene):
        return None
    one, other = _twice(scene)
    kind = scene.rng.integers(3)
    if kind == 0:
        if (colour := _another_colour(scene, part(one, "colour")[0])) is None:
            return None
        part(other, "colour")[0] = colour
        return np.stack([one, other])
    if kind == 1:
        sizes = scene.rng.permutation([0.2, 0.36])
        part(one, "size")[0], part(other, "size")[0] = sizes
        part(one, "mass")[0], part(other, "mass")[0] = DENSITY * np.pi * sizes**2
    else:
        shapes = scene.rng.permutation(scene.variety.shapes)[:2]
        part(one, "shape")[0], part(other, "shape")[0] = shapes
        part(one, "aspect")[0] = part(other, "aspect")[0] = 1
    for state in (one, other):
        looks = {name: float(part(state, name)[0]) for name in ("shape", "size", "aspect")}
        part(state, "position")[0, 1] = FLOOR + depth_of(looks)
        part(state, "spin")[0] = spin_of(looks, part(state, "velocity")[0, 0])
    return np.stack([one, other])


def continuity(scene: Scene) -> np.ndarray | None:
    """The same way, on the floor or on a shelf."""
    if (way := passage(scene)) is None:
        return None
    shelf = FLOOR + scene.rng.uniform(1.0, 1.4)
    scene.fixture(SIDE / 2, shelf - THICK / 2, SIDE - 2 * WALL, THICK)
    send(scene, way)
    hide(scene, way, shelf + 2 * way.reach + 0.15)
    one, other = _twice(scene)
    part(other, "position")[0, 1] += shelf - FLOOR
    return np.stack([one, other])


def solidity(scene: Scene) -> np.ndarray | None:
    """With a wall, and without."""
    if (way := passage(scene)) is None:
        return None
    send(scene, way, restitution=scene.rng.uniform(0.6, 0.9))
    add_storey(scene)
    high = 2 * way.reach + scene.rng.uniform(0.1, 0.5)
    hide(scene, way, high + 0.15)
    scene.fixture(way.x + way.side * scene.rng.uniform(0, 0.1), FLOOR + high / 2, THICK, high)
    one, other = _twice(scene)
    part(other, "fixture_present")[_last(other, "fixture_present")] = 0
    return np.stack([one, other])


def gravity(scene: Scene) -> np.ndarray | None:
    """On slopes to either side; and through the air, upwards or downwards."""
    rng = scene.rng
    if rng.random() < 0.5:
        return _arcs(scene)
    looks = scene.looks(BALL if BALL in scene.variety.shapes else None)
    x, width = SIDE / 2 + rng.uniform(-0.5, 0.5), rng.uniform(*scene.variety.screen_width)
    length, angle = rng.uniform(0.75, 0.9) * width, rng.uniform(0.35, 0.6)
    top = length / 2 * np.sin(angle) + THICK
    thrown = 0, -scene.speed() if rng.random() < 0.5 else 0
    place(scene, looks, (x, rng.uniform(2.2, 2.8)), thrown, friction=0.3, restitution=rng.uniform(0.1, 0.4))
    cover(scene, x, width, 2 * top + 2 * reach_of(looks) + 0.1)
    scene.fixture(x, FLOOR + top, length, THICK, angle)
    one, other = _twice(scene)
    part(other, "fixture_angle")[_last(other, "fixture_present")] = -angle
    return np.stack([one, other])


def _arcs(scene: Scene) -> np.ndarray | None:
    """Two arcs that cross behind the screen, at the same time: one that falls there, and one that rises."""
    if (way := passage(scene)) is None:
        return None
    rng = scene.rng
    before = way.lead + (way.width / 2 - way.reach) / way.speed
    middle, rate = rng.uniform(1.6, 2.6), rng.uniform(0.6, 1.4)
    fall = GRAVITY * before**2 / 2
    heights = np.array([middle + rate * before - fall, middle - rate * before - fall])
    rates = np.array([-rate, rate]) + GRAVITY * before
    if heights.min() < FLOOR + way.reach + GAP or heights.max() > SIDE - WALL - way.reach - GAP:
        return None
    send(scene, way)
    part(scene.state, "spin")[0] = rng.uniform(-4, 4)
    hide(scene, way, SIDE - 2 * WALL)
    one, other = _twice(scene)
    for state, height, velocity in zip((one, other), heights, rates, strict=True):
        part(state, "position")[0, 1] = height
        part(state, "velocity")[0, 1] = velocity
    return np.stack([one, other])


def collision(scene: Scene) -> np.ndarray | None:
    """With something in the way, and with nothing, or with something of another mass, as its size shows."""
    rng = scene.rng
    shape = BALL if BALL in scene.variety.shapes else None
    looks = scene.looks(shape)
    if (way := passage(scene, {**looks, "size": rng.uniform(0.22, 0.28)})) is None:
        return None
    send(scene, way, restitution=0.9)
    struck = {**scene.looks(shape), "size": way.looks["size"] * rng.uniform(0.9, 1.1)}
    x, colour = way.x + way.side * rng.uniform(-0.1, 0.2), _another_colour(scene, part(scene.state, "colour")[0])
    if colour is None:
        return None
    number = place(scene, struck, (x, FLOOR + depth_of(struck)), (0, 0), friction=0.1, restitution=0.9, colour=colour)
    add_storey(scene)
    hide(scene, way, 1.4)
    one, other = _twice(scene)
    if rng.random() < 0.5:
        part(other, "present")[number] = 0
        return np.stack([one, other])
    for state, size in ((one, 0.18), (other, 0.4)):
        part(state, "size")[number], part(state, "mass")[number] = size, DENSITY * np.pi * size**2
        part(state, "position")[number, 1] = FLOOR + depth_of({**struck, "size": size})
    return np.stack([one, other])


def support(scene: Scene) -> np.ndarray | None:
    """A ledge with a gap, and without."""
    if (way := passage(scene)) is None:
        return None
    ledge, gap = FLOOR + scene.rng.uniform(0.9, 1.5), 2 * way.reach + scene.rng.uniform(0.1, 0.25)
    if gap > way.width - 0.1:
        return None
    for left, right in ((WALL, way.x - gap / 2), (way.x + gap / 2, SIDE - WALL), (way.x - gap / 2, way.x + gap / 2)):
        scene.fixture((left + right) / 2, ledge - THICK / 2, right - left, THICK)
    part(scene.state, "fixture_colour")[2] = part(scene.state, "fixture_colour")[1] = part(scene.state, "fixture_colour")[0]
    send(scene, way, bottom=ledge)
    hide(scene, way, ledge - FLOOR + 2 * way.reach + 0.15)
    one, other = _twice(scene)
    part(one, "fixture_present")[2] = 0
    return np.stack([one, other])


def inertia(scene: Scene) -> np.ndarray | None:
    """From the left and from the right, or slowly and fast."""
    if (way := passage(scene)) is None:
        return None
    second = replace(way, side=-way.side)
    if scene.rng.random() < 0.5:
        slow, fast = sorted((way.speed, scene.speed()))
        way, second = replace(way, speed=fast), replace(way, speed=slow)
        if fast < 1.5 * slow or not way.fits:
            return None
    if not second.fits:
        return None
    number = send(scene, way)
    add_storey(scene)
    hide(scene, way, 2 * way.reach + scene.rng.uniform(0.15, 1))
    one, other = _twice(scene)
    velocity = second.side * second.speed
    part(other, "position")[number] = second.start()
    part(other, "velocity")[number, 0], part(other, "spin")[number] = velocity, spin_of(way.looks, velocity)
    return np.stack([one, other])


PROPERTIES: dict[str, Callable[[Scene], np.ndarray | None]] = {
    function.__name__: function
    for function in (permanence, continuity, constancy, solidity, gravity, collision, support, inertia)
}


def _passes(scene: Scene) -> bool:
    """Object 0 goes behind a screen."""
    if (way := passage(scene)) is None:
        return False
    send(scene, way)
    add_storey(scene)
    hide(scene, way, 2 * way.reach + scene.rng.uniform(0.15, 1))
    return True


def _another_colour(scene: Scene, colour: np.ndarray) -> np.ndarray | None:
    """One that is easily told from the first."""
    drawn = (scene.colour() for _ in range(20))
    return next((one for one in drawn if np.abs(one - colour).max() > 100), None)


def _last(state: np.ndarray, flag: str) -> int:
    """The thing that was added last."""
    return int(np.flatnonzero(part(state, flag))[-1])


def _twice(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    return scene.state.copy(), scene.state.copy()
