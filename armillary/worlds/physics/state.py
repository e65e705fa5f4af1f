"""The state of the physics world: one vector, whose columns have names and ranges.

`part(states, "mass")` is a view of the columns of that name: (n, 4) of the masses, (n, 4, 2) of the positions. It can be
written on, so that a state can be altered: `part(states, "present")[:, 0] = 0` removes the first object. Lengths are in m, y is
up, (0, 0) is the lower left corner of the picture; times in s, masses in kg, angles in rad, counterclockwise; colours 0-255.
"""

from typing import NamedTuple

import numpy as np

from armillary.errors import ArmillaryError
from armillary.worlds.physics.shapes import SHAPES

OBJECTS, FIXTURES, SCREENS = 4, 5, 2
"""How many there may be. Those whose `present` is 0 are not there, and their other columns say nothing."""
SIDE = 4.0  # m, of the picture
WALL, FLOOR = 0.125, 0.25  # m, what the picture shows of the walls and ceiling, and of the floor
STEP = 1 / 15  # s
MAX_SPEED, MAX_SPIN = 15.0, 40.0  # m/s along an axis, rad/s; faster things are slowed down to this after each step
TEXTURES = "plain", "stripes", "two-tone"
HANDS = "none", "disc", "stick"


class Columns(NamedTuple):
    """Columns of one name: one (or `each`) for every one of `count` things."""

    count: int
    each: int = 1
    low: float = -np.inf
    high: float = np.inf
    whole: bool = False


COLOUR, FLAG = Columns(1, 3, 0, 255), Columns(1, 1, 0, 1, True)
TABLE = {
    # What moves. An angle does not wrap.
    "position": Columns(OBJECTS, 2, 0, SIDE),
    "angle": Columns(OBJECTS),
    "velocity": Columns(OBJECTS, 2, -MAX_SPEED, MAX_SPEED),
    "spin": Columns(OBJECTS, 1, -MAX_SPIN, MAX_SPIN),
    "hand_position": Columns(1, 2, 0, SIDE),
    "hand_velocity": Columns(1, 2, -MAX_SPEED, MAX_SPEED),
    "time": Columns(1),
    # The layout, which lasts an episode. Objects:
    "present": FLAG._replace(count=OBJECTS),
    "shape": Columns(OBJECTS, 1, 0, len(SHAPES) - 1, True),
    "size": Columns(OBJECTS, 1, 0.12, 0.6),  # radius of the disc of the same area
    "aspect": Columns(OBJECTS, 1, 0.25, 4),  # width by height, of the same area; a ball has none
    "mass": Columns(OBJECTS, 1, 0.01, 20),
    "friction": Columns(OBJECTS, 1, 0, 2),  # with fixtures and hand; of two objects it is the product
    "restitution": Columns(OBJECTS, 1, 0, 1),  # as friction
    "colour": COLOUR._replace(count=OBJECTS),
    "texture": Columns(OBJECTS, 1, 0, len(TEXTURES) - 1, True),
    # Fixtures: boxes at any angle, that do not move.
    "fixture_present": FLAG._replace(count=FIXTURES),
    "fixture_position": Columns(FIXTURES, 2, 0, SIDE),
    "fixture_half": Columns(FIXTURES, 2, 0.08, SIDE),  # half of length and thickness
    "fixture_angle": Columns(FIXTURES),
    "fixture_colour": COLOUR._replace(count=FIXTURES),
    # Screens rise from the floor to their height at a time, and fall at another.
    "screen_present": FLAG._replace(count=SCREENS),
    "screen_x": Columns(SCREENS, 1, 0, SIDE),  # of the middle
    "screen_width": Columns(SCREENS, 1, 0, SIDE),
    "screen_height": Columns(SCREENS, 1, 0, SIDE),
    "screen_rise": Columns(SCREENS),
    "screen_fall": Columns(SCREENS),
    "screen_speed": Columns(SCREENS, 1, 0.1, 1000),
    "screen_colour": COLOUR._replace(count=SCREENS),
    # The hand, and everything else.
    "hand": Columns(1, 1, 0, len(HANDS) - 1, True),
    "hand_size": Columns(1, 1, 0.12, 0.6),
    "hand_angle": Columns(1),  # of a stick
    "hand_colour": COLOUR,
    "gravity": Columns(1, 1, -30, 30),  # downwards
    "floor_colour": COLOUR,
    "sky_colour": COLOUR,
    "wave": Columns(1, 4),  # a plane wave in the sky: amplitude (0-255), periods along x and y, phase (rad)
}
_ENDS = np.cumsum([columns.count * columns.each for columns in TABLE.values()]).tolist()
COLUMNS = {name: slice(begin, end) for name, begin, end in zip(TABLE, [0, *_ENDS], _ENDS, strict=False)}
LAYOUT = slice(COLUMNS["present"].start, _ENDS[-1])
_FLAGS = {"fixture": "fixture_present", "screen": "screen_present", "hand": "hand"}
_NAMES = [name for name, columns in TABLE.items() for _ in range(columns.count * columns.each)]
_LOW, _HIGH, _WHOLE = (np.array([getattr(TABLE[name], field) for name in _NAMES]) for field in ("low", "high", "whole"))


def _flag(name: str, column: int) -> int:
    """The column that says whether the thing is there that a column is of; a column that always counts is its own."""
    count, each, *_ = TABLE[name]
    flag = _FLAGS.get(name.partition("_")[0], "present" if count == OBJECTS else name)
    return column if flag == name else COLUMNS[flag].start + (column - COLUMNS[name].start) // each


_FLAG = np.array([_flag(name, column) for column, name in enumerate(_NAMES)])


def part(states: np.ndarray, name: str) -> np.ndarray:
    """A view of the columns of one name in states (..., S): (..., count, each), without the axes that would be 1 long."""
    count, each, *_ = TABLE[name]
    axes = [length for length in (count, each) if length > 1]
    return states[..., COLUMNS[name]].reshape((*states.shape[:-1], *axes))


def screen_tops(states: np.ndarray) -> np.ndarray:
    """How high screens are now in states (n, S), in m above the floor; (n, 2), 0 where there is none."""
    time, speed, height = part(states, "time")[:, None], part(states, "screen_speed"), part(states, "screen_height")
    risen, fallen = (np.clip((time - part(states, f"screen_{when}")) * speed, 0, height) for when in ("rise", "fall"))
    return np.maximum(risen - fallen, 0) * part(states, "screen_present")


def check(states: np.ndarray) -> None:
    """Require that states (n, S) can be.

    Raises:
        ArmillaryError: naming the first column that is out of its range.
    """
    good = (states >= _LOW) & (states <= _HIGH) & (~_WHOLE | (np.rint(states) == states))
    good = (good | (states[:, _FLAG] == 0)) & np.isfinite(states)
    if not good.all():
        i, column = np.argwhere(~good)[0].tolist()
        expected = f"a {'whole' if _WHOLE[column] else 'finite'} number from {_LOW[column]:g} to {_HIGH[column]:g}"
        raise ArmillaryError(f"physics: {_NAMES[column]} of state {i} is {states[i, column]:g}; expected {expected}")
