"""Possible and impossible clips of Push-T, which differ in what becomes of the T.

| property | possible | and | impossible |
| --- | --- | --- | --- |
| push | the disc comes through the T, which it pushes | it comes to the same place freely | the T stays; moves untouched |
| slide | a push goes on | the disc leaves the T, which stops | the T stops under the push; slides on alone |
| frozen | the disc moves | it stops acting, and stays | acts without moving; moves without acting |

Of four clips, the T moves at the event in a possible and in an impossible one, by the same way, and stays in the others. So
neither how much changes nor whether motion goes on says anything. No single frame does, either: a step takes the disc from one
side of the T to the other. Clips of push and frozen are spliced; in slide, possible clips share what comes before the event,
and the impossible ones exchange the T.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import ArmillaryError
from armillary.worlds.push_t import tee
from armillary.worlds.push_t.ways import INWARD, PROBES, SIDE_LENGTHS, SIDES, stand_off
from armillary.worlds.scenes import Scenes, gather, shown, splice

if TYPE_CHECKING:
    from armillary.worlds.push_t.world import PushT

FRAMES, EVENT = 8, 4
CANDIDATES, TRIED = 8192, 256
"""Candidates that are drawn at a time, few of which are as stated; and how many are simulated, at most."""
VISIBLE, STILL = 20.0, 1.0  # px that the T's corners move, on average: at least where it moves, and at most where it stays
SPARE = 1.0  # px between disc and T, at least, where they are not to touch
WANDER = 0.3  # the greatest of the actions before and after
PASSING = 2 * (tee.RADIUS + tee.HALVES.min() + SPARE)  # px, from one side of the T to the other
AGENT, T = slice(0, 2), slice(4, 7)  # columns of a state: the disc's place; the place and the angle of the T

Ways = tuple[Float[np.ndarray, "m 2 t 2"], Bool[np.ndarray, " m"]]
"""Where the disc is in the frames of the possible clips of m candidates, px, and which of them may be as stated."""


def push_t_scenes(
    world: "PushT", begin: Callable[[int, np.random.Generator], np.ndarray], n: int, seed: int, *, skip: int = 1
) -> list[Scenes]:
    """n scenes of each property; 8 frames, of which the fifth is the first after the event.

    Args:
        begin: draws states to begin in, as episodes do.
        seed: of the scenes; one that no recording used.
        skip: env steps between two frames, as the model keeps them; an action is held for so long.

    Raises:
        ArmillaryError: a step between two frames is too short to pass the T, or next to no candidate is as stated.
    """
    if world.reach * skip < PASSING:
        raise ArmillaryError(
            f"push_t: scenes need frames at least {PASSING:g} px of the way apart, to pass from one side of the T to the "
            f"other, and the model's are {world.reach * skip:g} px apart; train with a greater skip"
        )
    scenes = []
    for number, (name, (ways, moves, combine)) in enumerate(PROPERTIES.items()):
        rng = np.random.default_rng((seed, number))
        draw = partial(_drawn, world, begin, ways, np.array(moves, bool), combine, skip, rng)
        scenes.append(shown(world, name, *gather(n, draw, f"push_t: scenes of {name}"), skip))
    return scenes


def _drawn(
    world: "PushT",
    begin: Callable[[int, np.random.Generator], np.ndarray],
    ways: Callable[[np.ndarray, float, np.random.Generator], Ways],
    moves: Bool[np.ndarray, "2 k"],
    combine: Callable[[np.ndarray], np.ndarray],
    skip: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """States (m, 4, T, S) of the candidates that are as stated, and actions (m, 2, T - 1, 2) of their possible clips."""
    start, reach = begin(CANDIDATES, rng), world.reach * skip
    disc, good = ways(_pose(start), reach, rng)
    good &= ((disc > tee.REACHABLE[0]) & (disc < tee.REACHABLE[1])).all(axis=(1, 2, 3))
    start, disc = start[good][:TRIED], disc[good][:TRIED]
    actions = np.diff(disc, axis=2) / reach
    first = np.repeat(start[:, None], 2, axis=1)
    first[..., AGENT] = disc[:, :, 0]
    held = np.repeat(actions.reshape(-1, FRAMES - 1, 2), skip, axis=1)
    states = world.simulate(first.reshape(len(held), start.shape[1]), held)[:, ::skip]
    states = states.reshape(-1, 2, FRAMES, start.shape[1])
    pose = _pose(states)
    moved = _shift(pose[:, :, :-1], pose[:, :, 1:])
    good = np.where(moves, moved > VISIBLE, moved < STILL).all(axis=(1, 2))
    return combine(states[good]), actions[good]


def _push(pose: Float[np.ndarray, "m 3"], reach: float, rng: np.random.Generator) -> Ways:
    """To one place beside the T, from two: with the T in the way, and without."""
    begin, push = _pushes(pose, rng)
    steps = rng.uniform(-WANDER, WANDER, (len(pose), 2, FRAMES - 1, 2))
    steps[:, 0, EVENT - 1], steps[:, 1, EVENT - 1] = push, _full(rng.normal(size=push.shape))
    steps[:, 1, EVENT:] = steps[:, 0, EVENT:]
    disc = _walk(begin[:, None] + reach * push[:, None], reach * steps, EVENT)
    before = _room(pose[:, None, None], disc[:, :, :EVENT]).min(axis=(1, 2))
    freely = _room(pose[:, None], disc[:, 1, EVENT - 1 : EVENT + 1])[:, 0]
    pushed = tee.push(pose, disc[:, 0, EVENT - 1], disc[:, 0, EVENT])
    return disc, (before > SPARE) & (freely > SPARE) & _settled(pose, pushed, disc)


def _slide(pose: Float[np.ndarray, "m 3"], reach: float, rng: np.random.Generator) -> Ways:
    """To a side of the T, and at it; then on in one clip, and away in the other."""
    begin, push = _pushes(pose, rng)
    steps = np.repeat(rng.uniform(-WANDER, WANDER, (len(pose), 1, FRAMES - 1, 2)), 2, axis=1)
    steps[:, :, EVENT - 2] = (push * rng.uniform(0.5, 1, (len(pose), 1)))[:, None]
    steps[:, 0, EVENT - 1], steps[:, 1, EVENT - 1] = push, _full(rng.normal(size=push.shape))
    disc = _walk(begin[:, None], reach * steps, EVENT - 2)
    before = _room(pose[:, None, None], disc[:, :, : EVENT - 1]).min(axis=(1, 2))
    still = tee.push(pose, begin, disc[:, 0, EVENT - 1])
    leaves = _room(still[:, None], disc[:, 1, EVENT - 1 : EVENT + 1])[:, 0]
    pushed = tee.push(still, disc[:, 0, EVENT - 1], disc[:, 0, EVENT])
    good = (before > SPARE) & (leaves > 0) & (_shift(pose, still) > VISIBLE)
    return disc, good & _settled(still, pushed, disc)


def _frozen(pose: Float[np.ndarray, "m 3"], reach: float, rng: np.random.Generator) -> Ways:
    """Anywhere beside the T, until one of them stops."""
    steps = np.repeat(rng.uniform(-1, 1, (len(pose), 1, FRAMES - 1, 2)), 2, axis=1)
    steps[:, 1, EVENT - 1 :] = 0
    disc = _walk(rng.uniform(*tee.REACHABLE, (len(pose), 1, 2)), reach * steps, 0)
    acts = np.hypot(*steps[:, 0, EVENT - 1].T) > 0.4
    return disc, acts & (_room(pose[:, None, None], disc) > SPARE).all(axis=(1, 2))


def _pushes(pose: Float[np.ndarray, "m 3"], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where the disc is just short of touching some side of each T (m, 2), and full pushes into it there, (m, 2) actions."""
    side = rng.choice(len(SIDES), len(pose), p=SIDE_LENGTHS / SIDE_LENGTHS.sum())
    along = rng.random((len(pose), 1))
    contact = SIDES[side, :2] * (1 - along) + SIDES[side, 2:] * along
    push = tee.rotated(INWARD[side], pose[:, 2] + rng.uniform(-0.5, 0.5, len(pose)))
    begin = pose[:, :2] + tee.rotated(stand_off(contact, INWARD[side]), pose[:, 2])
    return begin, _full(push)


def _full(actions: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
    """The same ways, as fast as can be."""
    return actions / np.abs(actions).max(axis=1, keepdims=True)


def _settled(still: Float[np.ndarray, "m 3"], pushed: Float[np.ndarray, "m 3"], disc: np.ndarray) -> Bool[np.ndarray, " m"]:
    """Whether the T moves at the event, and the disc keeps off it from then on in all four clips, wherever the T is."""
    either, after = np.stack([still, pushed], axis=1), disc[:, :, EVENT:]
    gap = tee.gap(either[:, None], after[:, :, None, 0])
    gap[:, 0, 1] = np.inf  # where it has just pushed it, it touches it
    room = _room(either[:, None, :, None], after[:, :, None]).min(axis=(1, 2, 3))
    return (_shift(still, pushed) > VISIBLE) & (gap.min(axis=(1, 2)) > SPARE) & (room > SPARE)


def _shift(pose: Float[np.ndarray, "*n 3"], other: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """How far the T's corners are from one pose to another, px on average."""
    apart = tee.placed(other, tee.CORNERS) - tee.placed(pose, tee.CORNERS)
    return np.hypot(apart[..., 0], apart[..., 1]).mean(axis=-1)


def _exchange(states: Float[np.ndarray, "m 2 t s"]) -> Float[np.ndarray, "m 4 t s"]:
    """Clips A and B, and each of them with the T of the other from the event on."""
    states = np.concatenate([states, states], axis=1)
    states[:, 2:, EVENT:, T] = states[:, 1::-1, EVENT:, T]
    return states


def _walk(place: Float[np.ndarray, "m _ 2"], steps: Float[np.ndarray, "m c k 2"], frame: int) -> Float[np.ndarray, "m c t 2"]:
    """Ways by these steps, px, which are at `place` in a frame."""
    way = np.concatenate([np.zeros_like(steps[:, :, :1]), steps.cumsum(axis=2)], axis=2)
    return place[:, :, None] + way - way[:, :, frame, None]


def _room(pose: Float[np.ndarray, "*n 3"], disc: Float[np.ndarray, "*m t 2"]) -> Float[np.ndarray, "*k"]:
    """The least gap between disc and T on the way from each frame to the next, px."""
    on_way = disc[..., :-1, None, :] + np.diff(disc, axis=-2)[..., None, :] * PROBES[:, None]
    return tee.gap(pose[..., None, :], on_way).min(axis=-1)


def _pose(states: Float[np.ndarray, "*n s"]) -> Float[np.ndarray, "*n 3"]:
    flat = states.reshape(-1, states.shape[-1])
    return tee.pose_at(flat[:, T][:, :2], flat[:, T][:, 2:]).reshape(*states.shape[:-1], 3)


_SPLICE = partial(splice, event=EVENT)
PROPERTIES = {
    "push": (_push, [[0, 0, 0, 1, 0, 0, 0], [0] * 7], _SPLICE),
    "slide": (_slide, [[0, 0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]], _exchange),
    "frozen": (_frozen, [[0] * 7] * 2, _SPLICE),
}
"""Where the disc goes, whether the T moves from frame to frame, and how the impossible clips are made."""
