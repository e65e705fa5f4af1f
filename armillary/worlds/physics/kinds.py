"""Scenes of the physics world that a recording is of: a few kinds, a function each, and what else may be there.

Half of them are possible scenes of the kind that the exam asks about (`properties`), in which something passes behind a screen.
"""

import numpy as np

from armillary.worlds.physics.properties import PROPERTIES
from armillary.worlds.physics.sampling import Scene, Variety
from armillary.worlds.physics.shapes import BALL, BOX, EXTENT
from armillary.worlds.physics.state import FLOOR, LAYOUT, OBJECTS, SIDE, part

HAND_COLOUR = 40.0, 40.0, 46.0


def throw(scene: Scene) -> None:
    """Things fly in arcs."""
    _clutter(scene, 2)
    for _ in range(scene.rng.integers(1, 4)):
        velocity = scene.throw(scene.side(), -0.3, 1.3)
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
        below, above = EXTENT[looks["shape"]] * looks["size"] / np.sqrt(looks["aspect"])
        if top + below + above > SIDE - 0.5:
            break
        scene.put((x + rng.uniform(-0.08, 0.08), float(top + below)), **looks)
        top += below + above
    if rng.random() < 0.6:
        at = lambda: (x - side * rng.uniform(0.8, 1.8), rng.uniform(0.6, 2))  # noqa: E731
        scene.put(at, **scene.looks(), velocity=scene.throw(side, 0, 0.5))


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
        at = lambda: (x - side * rng.uniform(0.8, 1.6), rng.uniform(0.8, 2.2))  # noqa: E731
        scene.put(at, **scene.looks(), velocity=scene.throw(side, 0.2, 0.8))
    scene.screen(x, rng.uniform(0, 0.35))


KINDS = throw, drop, roll, stack, collide, hide
SHARES = 0.14, 0.1, 0.12, 0.1, 0.12, 0.42
PASSAGES = 0.5  # the share of scenes of the exam's kind


def sample(state: np.ndarray, variety: Variety, hand: bool, rng: np.random.Generator) -> None:
    """Write a scene into a state (S,) of zeros."""
    scene = Scene(state, variety, rng)
    if rng.random() < PASSAGES:
        state[...] = _passage(variety, rng)
    else:
        _play(scene)
    if hand:
        part(state, "hand_size")[...] = rng.uniform(0.16, 0.24)
        part(state, "hand_angle")[...] = rng.uniform(-np.pi / 2, np.pi / 2)
        part(state, "hand_colour")[...] = HAND_COLOUR
        if place := scene.free(scene.anywhere(), 0.6):
            part(state, "hand")[...] = rng.integers(1, 3)
            part(state, "hand_position")[...] = place


def _passage(variety: Variety, rng: np.random.Generator) -> np.ndarray:
    """One of a pair of scenes of the exam, as they begin."""
    draw = list(PROPERTIES.values())[rng.integers(len(PROPERTIES))]
    while (pair := draw(Scene(np.zeros(LAYOUT.stop), variety, rng))) is None:
        pass
    return pair[rng.integers(2)]


def _play(scene: Scene) -> None:
    """A scene of one of the kinds, and what else may be there."""
    state, rng = scene.state, scene.rng
    KINDS[int(rng.choice(len(KINDS), p=SHARES))](scene)
    if rng.random() < 0.3:
        scene.put(scene.anywhere(), **scene.looks())
    while not part(state, "present").any():
        scene.put(scene.anywhere(), **scene.looks())
    places = part(state, "position")[part(state, "present") > 0, 0]
    for _ in range(rng.choice(3, p=(0.3, 0.5, 0.2))):
        scene.screen(rng.choice(places) + rng.normal(0, 0.5), rng.uniform(0, 1.4))


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
