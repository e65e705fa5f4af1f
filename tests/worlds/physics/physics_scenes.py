"""Scenes that the tests of the physics world build."""

import numpy as np

from armillary.worlds.physics.sampling import VARIETIES, Scene
from armillary.worlds.physics.state import FLOOR, LAYOUT, part

PLAIN = {"shape": 0, "size": 0.25, "aspect": 1.0, "mass": 1.0, "friction": 0.5, "restitution": 0.5, "texture": 0}


def scene() -> Scene:
    """An empty one."""
    return Scene(np.zeros(LAYOUT.stop), VARIETIES["seen"], np.random.default_rng(0))


def scene_of(*objects: dict) -> Scene:
    """One with objects, which are plain balls where nothing else is said, on the floor at x where they have no position."""
    made = scene()
    for i, given in enumerate(objects):
        looks = PLAIN | given
        made.put(looks.pop("position", (0.6 + 0.9 * i, FLOOR + looks["size"])), **looks)
    return made


def of(history: np.ndarray, name: str) -> np.ndarray:
    """What `part` says, as an array of its own."""
    return part(history, name).copy()
