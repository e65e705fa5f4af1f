"""Possible and impossible clips of the two-room world, rendered from states that follow its own physics.

| property | possible | and | impossible |
| --- | --- | --- | --- |
| teleport n px | a walk | the same walk, n px beside it | jumps from one to the other |
| frozen | a walk | at the event it stops acting, and stays | acts without moving; moves without acting |
| colour | a walk in red | the same walk in green | changes colour |
| wall | a push against the wall: it stays | a push through the door: it passes | passes the wall; stays in the open door |

The first three are spliced. In the last, the clips of a pair differ in that one moves and the other does not, and each is the
impossible one in half of the pairs, so that motion alone gives nothing away.
Candidates in which the event is not as stated (a wall was in the way, the door was near) are thrown away.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from armillary.worlds.disc import POSITION
from armillary.worlds.scenes import Scenes, gather, shown, splice
from armillary.worlds.two_room.rooms import Rooms

if TYPE_CHECKING:
    from armillary.worlds.two_room.world import TwoRoom

FRAMES, EVENT = 8, 4
OTHER_COLOUR = (40, 160, 60)
CANDIDATES = 256

# Of m candidates: positions (m, 2 or 4, T, 2), where two are still to be spliced; actions (m, 2, T - 1, 2) of the possible
# clips; and whether the event is as stated (m,).
Clips = tuple[np.ndarray, np.ndarray, np.ndarray]
Maker = Callable[[np.ndarray, Rooms, np.random.Generator], Clips]


def two_room_scenes(
    world: "TwoRoom", n: int, seed: int, *, skip: int = 1, teleports: Sequence[float] = (3.0, 5.0, 8.0)
) -> list[Scenes]:
    """n scenes of each property; 8 frames, of which the fifth is the first after the event.

    Args:
        world: a `TwoRoom`; its doors and factors are those of the scenes.
        seed: of the scenes; one that no recording used.
        skip: env steps between two frames, as the model keeps them; an action is held for so long.
        teleports: distances in px.

    Raises:
        ArmillaryError: next to no candidate is as stated; for example, the wall is thicker than a block reaches.
    """
    reach = world.step_length * skip
    makers: dict[str, Maker] = {
        f"teleport {d:g} px": lambda start, rooms, rng, d=d: _teleport(start, rooms, rng, reach, d) for d in teleports
    }
    makers["wall"] = lambda start, rooms, rng: _wall(start, rooms, rng, reach)
    makers["frozen"] = lambda start, rooms, rng: _frozen(start, rooms, rng, reach)
    makers["colour"] = lambda start, rooms, rng: _twice(start, rooms, rng, reach)
    scenes = []
    for number, (name, make) in enumerate(makers.items()):
        draw = partial(_drawn, world, name, make, np.random.default_rng((seed, number)))
        scenes.append(shown(world, name, *gather(n, draw, f"two_room: scenes of {name}"), skip))
    return scenes


def _drawn(world: "TwoRoom", name: str, make: Maker, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """States (m, 4, T, S) of the candidates that are as stated, and actions (m, 2, T - 1, 2) of their possible clips."""
    layout, _ = world.sample_pairs(CANDIDATES, rng)
    positions, actions, good = make(layout[:, POSITION], world.free_space(layout), rng)
    states = np.broadcast_to(layout[:, None, None], (*positions.shape[:3], layout.shape[1])).copy()
    states[..., POSITION] = positions
    if name == "colour":
        states[:, 1, :, world.factors_of_variation["agent_colour"][0]] = OTHER_COLOUR
    states = splice(states, EVENT) if states.shape[1] == 2 else states
    return states[good], actions[good]


def _twice(start: np.ndarray, rooms: Rooms, rng: np.random.Generator, reach: float) -> Clips:
    """The same walk in both clips."""
    actions = rng.uniform(-1, 1, (len(start), FRAMES - 1, 2))
    positions = _roll(rooms, start, actions * reach)
    return np.stack([positions] * 2, axis=1), np.stack([actions] * 2, axis=1), np.ones(len(start), bool)


def _teleport(start: np.ndarray, rooms: Rooms, rng: np.random.Generator, reach: float, distance: float) -> Clips:
    actions, angle = rng.uniform(-1, 1, (len(start), FRAMES - 1, 2)), rng.uniform(0, 2 * np.pi, len(start))
    beside = rooms.nearest_free(start + distance * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    a, b = (_roll(rooms, s, actions * reach) for s in (start, beside))
    good = np.abs(np.hypot(*(a - b)[:, EVENT].T) - distance) < 0.05 * distance
    good &= rooms.side(a[:, EVENT]) * rooms.side(b[:, EVENT]) == 1
    return np.stack([a, b], axis=1), np.stack([actions] * 2, axis=1), good


def _frozen(start: np.ndarray, rooms: Rooms, rng: np.random.Generator, reach: float) -> Clips:
    positions, actions, good = _twice(start, rooms, rng, reach)
    actions[:, 1, EVENT - 1 :] = 0
    positions[:, 1, EVENT:] = positions[:, 1, EVENT - 1, None]
    moved = np.hypot(*(positions[:, 0, EVENT] - positions[:, 1, EVENT]).T)
    return positions, actions, good & (moved > 0.4 * reach)


def _wall(start: np.ndarray, rooms: Rooms, rng: np.random.Generator, reach: float) -> Clips:
    """From near the wall, a full push straight at it: where there is no door, and in front of the door."""
    m, side = len(start), rng.choice([-1.0, 1.0], len(start))
    actions = 0.5 * rng.uniform(-1, 1, (m, 2, FRAMES - 1, 2))
    actions[:, :, EVENT - 1] = np.stack([-side, np.zeros(m)], axis=1)[:, None]
    actions[:, 1, EVENT:] = actions[:, 0, EVENT:]
    x = rooms.middle + side * (rooms.wall + rng.uniform(0, 0.2, m) * reach)
    face, behind = rooms.middle + side * rooms.wall, x - side * reach
    possible, impossible, good = [], [], np.ones(m, bool)
    for clip, (y, right, wrong) in enumerate(
        ((start[:, 1], face, behind), (rooms.door + 0.9 * rooms.slack * rng.uniform(-1, 1, m), behind, face))
    ):
        # What comes before is walked backwards, which is right where nothing was in the way.
        near, displacements = np.stack([x, y], axis=1), actions[:, clip] * reach
        first = _roll(rooms, near, -displacements[:, : EVENT - 1][:, ::-1])[:, -1]
        walk = _roll(rooms, first, displacements)
        after = _roll(rooms, np.stack([wrong, y], axis=1), displacements[:, EVENT:])
        possible.append(walk)
        impossible.append(np.concatenate([walk[:, :EVENT], after], axis=1))
        for frame, wanted in ((EVENT - 1, x), (EVENT, right)):
            good &= np.abs(walk[:, frame] - np.stack([wanted, y], axis=1)).max(axis=1) < 1e-6
    good &= rooms.side(np.stack([behind, start[:, 1]], axis=1)) == -side
    return np.stack(possible + impossible, axis=1), actions, good


def _roll(rooms: Rooms, start: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Positions (m, k + 1, 2) from `start` (m, 2) through k displacements (m, k, 2)."""
    positions = [start]
    for displacement in displacements.swapaxes(0, 1):
        positions.append(rooms.move(positions[-1], displacement))
    return np.stack(positions, axis=1)
