"""Possible and impossible clips of the two-room world, rendered from states that follow its own physics.

| property | clip A | clip B | spliced at the event |
| --- | --- | --- | --- |
| teleport n px | the agent walks | the same walk, n px beside it | it jumps by n px |
| wall | it pushes against the wall and stays | it walks behind the wall | it goes through the wall |
| frozen | it walks on | it does nothing and stays | it acts without moving, moves without acting |
| colour | it walks and is red | it walks and is green | it changes colour |

Candidates in which the event is not as stated (a wall was in the way, the door was near) are thrown away.
"""

from collections.abc import Callable, Sequence

import numpy as np

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise import Scenes
from armillary.worlds.rooms import Rooms
from armillary.worlds.two_room import AGENT_RGB, POSITION, TwoRoom

FRAMES, EVENT = 8, 4
OTHER_COLOUR = (40, 160, 60)
CANDIDATES, ROUNDS = 256, 100

# Positions (m, 2, T, 2), actions (m, 2, T - 1, 2) and whether the event is as stated (m,), of clips A and B of m candidates.
Clips = tuple[np.ndarray, np.ndarray, np.ndarray]


def two_room_scenes(
    world: TwoRoom, n: int, seed: int, *, skip: int = 1, teleports: Sequence[float] = (3.0, 5.0, 8.0)
) -> list[Scenes]:
    """n scenes of each property; 8 frames, of which the fifth is the first after the event.

    Args:
        world: its doors and factors are those of the scenes.
        seed: of the scenes; one that no recording used.
        skip: env steps between two frames, as the model keeps them; an action is held for so long.
        teleports: distances in px.

    Raises:
        ArmillaryError: next to no candidate is as stated; for example, the wall is thicker than a block reaches.
    """
    reach = world.step_length * skip
    makers: dict[str, Callable[[np.ndarray, Rooms, np.random.Generator], Clips]] = {
        f"teleport {d:g} px": lambda start, rooms, rng, d=d: _teleport(start, rooms, rng, reach, d) for d in teleports
    }
    makers["wall"] = lambda start, rooms, rng: _wall(start, rooms, rng, reach)
    makers["frozen"] = lambda start, rooms, rng: _frozen(start, rooms, rng, reach)
    makers["colour"] = lambda start, rooms, rng: _twice(start, rooms, rng, reach)
    scenes = []
    for number, (name, make) in enumerate(makers.items()):
        rng, kept, found = np.random.default_rng((seed, number)), [], 0
        for _ in range(ROUNDS):
            layout, _ = world.sample_pairs(CANDIDATES, rng)
            positions, actions, good = make(layout[:, POSITION], world._rooms(layout), rng)
            states = np.broadcast_to(layout[:, None, None], (*positions.shape[:3], layout.shape[1])).copy()
            states[..., POSITION] = positions
            kept.append((states[good], actions[good]))
            found += int(good.sum())
            if found >= n:
                break
        else:
            raise ArmillaryError(
                f"two-room scenes: only {found} of {ROUNDS * CANDIDATES} candidates for {name!r} are as stated"
            )
        states, actions = (np.concatenate(parts)[:n] for parts in zip(*kept, strict=True))
        if name == "colour":
            states[:, 1, :, AGENT_RGB] = OTHER_COLOUR
        frames = world.render_states(states.reshape(-1, states.shape[-1]))
        observed = {s.name: frames[s.name].reshape(*states.shape[:3], *s.shape) for s in world.stream_spec.observed}
        scenes.append(Scenes(name, observed, np.tile(actions, skip).astype(np.float32), EVENT))
    return scenes


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
    """A is pushed straight at the wall from near it; B is, after the event, where A would be if there were no wall."""
    m, side = len(start), rng.choice([-1.0, 1.0], len(start))
    actions = 0.5 * rng.uniform(-1, 1, (m, 2, FRAMES - 1, 2))
    actions[:, 1, EVENT:] = actions[:, 0, EVENT:]
    actions[:, 0, EVENT - 1] = np.stack([-side, np.zeros(m)], axis=1)
    near, behind = start.copy(), start.copy()
    near[:, 0] = rooms.middle + side * (rooms.wall + rng.uniform(0, 0.2, m) * reach)
    behind[:, 0] = near[:, 0] - side * reach
    # What comes before is walked backwards, which is right where nothing was in the way.
    shown = []
    for clip, (place, at) in enumerate(((near, EVENT - 1), (behind, EVENT))):
        first = _roll(rooms, place, -actions[:, clip, :at][:, ::-1] * reach)[:, -1]
        shown.append(_roll(rooms, first, actions[:, clip] * reach))
    a, b = shown
    good = (np.abs(a[:, EVENT - 1] - near).max(axis=1) < 1e-6) & (np.abs(b[:, EVENT] - behind).max(axis=1) < 1e-6)
    good &= (rooms.side(a[:, EVENT]) == side) & (rooms.side(b[:, EVENT]) == -side)
    return np.stack([a, b], axis=1), actions, good


def _roll(rooms: Rooms, start: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Positions (m, k + 1, 2) from `start` (m, 2) through k displacements (m, k, 2)."""
    positions = [start]
    for displacement in displacements.swapaxes(0, 1):
        positions.append(rooms.move(positions[-1], displacement))
    return np.stack(positions, axis=1)
