"""Possible and impossible clips of the apartment. All four clips of a scene have the same actions, but for frozen.

| property | possible | and | impossible |
| --- | --- | --- | --- |
| wall | a drive at a wall, which stops it | the same drive through a door | through the wall; stopped in the open door |
| vanished | away from a piece of furniture, and back | the same, without that piece | it is gone; it has come |
| recoloured | away from it, and back | the same, with another colour | it has another colour |
| frozen | a drive | at the event it stops acting, and stays | acts without moving; moves without acting |

For wall, one clip of a pair moves and the other does not, and each is the impossible one in half of the pairs. The others are
spliced. For what vanishes or changes colour that is done while both clips look the same in every stream, so that only the past
says what can be seen on coming back. The robot turns away, and back. Where a scan looks all round, it walks to another place
and back instead, and colours, which a scan does not see, are not changed.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from armillary.worlds.disc import POSITION
from armillary.worlds.house.layouts import DOOR, FURNITURE, THICKNESS, WALLS
from armillary.worlds.scenes import Scenes, gather, shown, splice

if TYPE_CHECKING:
    from armillary.worlds.house.world import House

FRAMES, EVENT = 8, 4
"""Of wall and frozen; the event is the first frame changed."""
TURNS = np.array([0, 1, 1, 1, 0, 0, -1, -1, -1, 0, 0])
"""Away, and back."""
WALK = 9
"""Steps away, and as many back."""
CANDIDATES = 128
SEEN = 0.03
"""Share of some stream's numbers in which possible clips differ, at least, in the first and in the last frame."""
REACH, RADIUS = 0.5, 0.2  # m: of an action of 1, and of the robot
HEADING, ODOMETRY, BOXES = 2, slice(3, 6), slice(-5 * (WALLS + FURNITURE), None)  # columns of a state

Begin = Callable[[int, np.random.Generator], np.ndarray]
Drawn = tuple[np.ndarray, np.ndarray]
"""States (m, 4, T, S), and actions (m, 2, T - 1, 2) of the possible clips."""
Ways = Callable[["House", np.ndarray, np.random.Generator], np.ndarray]
"""Of states (m, S), actions (m, T - 1, 2) that lead somewhere and back."""
Alter = Callable[["House", np.ndarray, np.ndarray], np.ndarray]
"""Of states (m, S), the same with another piece of furniture in the place of each numbered one (m,), or none."""


def house_scenes(world: "House", begin: Begin, n: int, seed: int, *, skip: int = 1) -> list[Scenes]:
    """n scenes of each property that the world's streams allow; to walk away, frames are to be a step apart.

    Args:
        begin: draws states to begin in, as episodes do.
        seed: of the scenes; one that no recording used.
        skip: env steps between two frames, as the model keeps them; an action is held for so long.

    Raises:
        ArmillaryError: next to no candidate is as stated.
    """
    makers: dict[str, Callable[[House, Begin, int, np.random.Generator], Drawn]] = {"wall": _wall, "frozen": _frozen}
    if "scan" not in (stream.name for stream in world.stream_spec.observed):
        makers |= {"vanished": partial(_away, _turns, _removed), "recoloured": partial(_away, _turns, _recoloured)}
    elif skip == 1:
        makers["vanished"] = partial(_away, _walks, _removed)
    scenes = []
    for number, (name, make) in enumerate(makers.items()):
        draw = partial(make, world, begin, skip, np.random.default_rng((seed, number)))
        scenes.append(shown(world, name, *gather(n, draw, f"house: scenes of {name}"), skip))
    return scenes


def _wall(world: "House", begin: Begin, skip: int, rng: np.random.Generator) -> Drawn:
    """At an inner wall, as near as can be, straight at it: where it stands, and where it is open."""
    state, step = begin(CANDIDATES, rng), REACH * skip
    m, rows = len(state), np.arange(len(state))
    box = state[:, BOXES].reshape(m, -1, 5)[rows, rng.integers(WALLS, size=m)]
    across = np.where(box[:, 2] - box[:, 0] < box[:, 3] - box[:, 1], 0, 1)
    side = rng.choice([-1.0, 1.0], m)
    low, high = box[rows, 1 - across], box[rows, 3 - across]
    # Along the wall: beside its middle, and beyond one of its ends, where there may be a door.
    beyond = np.where(rng.random(m) < 0.5, low - DOOR / 2, high + DOOR / 2)
    along = np.stack([low + (high - low) * rng.uniform(0.2, 0.8, m), beyond], axis=1)
    place = np.empty((m, 2, 2))
    place[rows, :, 1 - across] = along
    place[rows, :, across] = ((box[rows, across] + box[rows, 2 + across]) / 2 + side * (THICKNESS / 2 + RADIUS))[:, None]
    actions = np.zeros((m, 2, FRAMES - 1, 2))
    actions[:, :, : EVENT - 1, 1] = rng.uniform(0.2, 0.8, (m, 1, EVENT - 1))
    actions[:, :, EVENT - 1, 1] = 1
    actions[:, :, EVENT:, 0] = rng.uniform(-1, 1, (m, 1, FRAMES - 1 - EVENT)) / skip
    ahead = np.zeros((m, 1, 2))
    ahead[rows, 0, across] = -side
    first = np.repeat(state[:, None], 2, axis=1)
    first[..., POSITION] = place - step * ahead * actions[:, :, : EVENT - 1, 1].sum(axis=2)[..., None]
    first[..., HEADING] = np.arctan2(ahead[..., 1], ahead[..., 0])
    good = (box[:, 4] > 0) & _free(world, first).all(axis=1)
    states, place, ahead, actions = _simulated(world, first[good], actions[good], skip), place[good], ahead[good], actions[good]
    wanted = np.stack([place[:, 0], place[:, 1] + step * ahead[:, 0]], axis=1)
    good = (np.abs(states[:, :, EVENT - 1, POSITION] - place) < 1e-6).all(axis=(1, 2))
    good &= (np.abs(states[:, :, EVENT, POSITION] - wanted) < 1e-6).all(axis=(1, 2))
    states, actions = states[good], actions[good]
    impossible, before = states.copy(), states[:, :, EVENT - 1 : EVENT, POSITION]
    impossible[:, :, EVENT:, POSITION] = before + (states[:, :, EVENT:, POSITION] - before)[:, ::-1]
    impossible[:, :, EVENT:, ODOMETRY] = states[:, ::-1, EVENT:, ODOMETRY]
    good = _free(world, impossible[:, :, EVENT]).all(axis=1)
    return np.concatenate([states, impossible], axis=1)[good], actions[good]


def _frozen(world: "House", begin: Begin, skip: int, rng: np.random.Generator) -> Drawn:
    state = begin(CANDIDATES, rng)
    actions = np.repeat(rng.uniform((-0.5, 0), (0.5, 1), (len(state), 1, FRAMES - 1, 2)), 2, axis=1)
    actions[..., 0] /= skip
    actions[:, 1, EVENT - 1 :] = 0
    states = _simulated(world, np.repeat(state[:, None], 2, axis=1), actions, skip)
    moved = np.hypot(*(states[:, 0, EVENT] - states[:, 1, EVENT])[:, POSITION].T)
    good = moved > 0.4 * REACH * skip
    return splice(states[good], EVENT), actions[good]


def _away(ways: Ways, alter: Alter, world: "House", begin: Begin, skip: int, rng: np.random.Generator) -> Drawn:
    """Away from where a piece of furniture is seen to where it is not, and back."""
    state = begin(CANDIDATES, rng)
    first = np.stack([state, alter(world, state, rng.integers(FURNITURE, size=len(state)))], axis=1)
    actions = np.repeat(ways(world, state, rng)[:, None], 2, axis=1)
    actions[..., 0] /= skip
    states = _simulated(world, first, actions, skip)
    event = states.shape[2] // 2
    frames = states[:, :, [0, event - 1, event, -1]]
    sensed, differ = world.render_states(frames.reshape(-1, state.shape[1])), np.zeros((len(state), 4))
    for stream in world.stream_spec.observed:
        a, b = sensed[stream.name].reshape(*frames.shape[:3], -1).swapaxes(0, 1)
        differ = np.maximum(differ, ((a != b) & ~(np.isnan(a) & np.isnan(b))).mean(axis=-1))
    good = (differ[:, [0, 3]] > SEEN).all(axis=1) & (differ[:, 1:3] == 0).all(axis=1)
    return splice(states[good], event), actions[good]


def _turns(world: "House", state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turn = rng.choice([-1, 1], len(state)) * rng.uniform(0.7, 1, len(state))
    return np.stack([TURNS * turn[:, None], np.zeros((len(state), len(TURNS)))], axis=-1)


def _walks(world: "House", state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    goal, now, actions = state.copy(), state, []
    goal[:, POSITION] = world.free_space(state).sample(rng)
    for step in range(2 * WALK):
        actions.append(world.oracle(now, goal if step < WALK else state).astype(float))
        now = world.simulate(now, actions[-1][:, None])[:, 1]
    return np.stack(actions, axis=1)


def _removed(world: "House", state: np.ndarray, piece: np.ndarray) -> np.ndarray:
    pieces = state[:, BOXES].reshape(len(state), -1, 5).copy()
    pieces[np.arange(len(state)), WALLS + piece] = 0
    state = state.copy()
    state[:, BOXES] = pieces.reshape(len(state), -1)
    return state


def _recoloured(world: "House", state: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Red is as green was, green as blue was, and blue as red was."""
    columns = world.factors_of_variation["furniture_colour"][0]
    colours, rows = state[:, columns].reshape(len(state), -1, 3).copy(), np.arange(len(state))
    colours[rows, piece] = np.roll(colours[rows, piece], 1, axis=-1)
    state = state.copy()
    state[:, columns] = colours.reshape(len(state), -1)
    return state


def _simulated(world: "House", first: np.ndarray, actions: np.ndarray, skip: int) -> np.ndarray:
    """States (m, 2, T, S) from the first ones (m, 2, S), with actions (m, 2, T - 1, 2) held for `skip` steps."""
    held = np.repeat(actions.reshape(-1, *actions.shape[2:]), skip, axis=1)
    states = world.simulate(first.reshape(-1, first.shape[-1]), held)[:, ::skip]
    return states.reshape(*first.shape[:2], *states.shape[1:])


def _free(world: "House", states: np.ndarray) -> np.ndarray:
    """Whether nothing stands where the robot is in states (m, c, S); (m, c)."""
    flat = states.reshape(-1, states.shape[-1])
    moved = world.free_space(flat).nearest_free(flat[:, POSITION]) - flat[:, POSITION]
    return (np.abs(moved).max(axis=1) < 1e-6).reshape(states.shape[:2])
