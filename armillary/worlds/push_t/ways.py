"""Ways around the T of Push-T: how a disc gets from one side of it to another without touching it.

It goes straight where that is free, and else by the shortest way over the six corners of a ring: the T's convex hull, grown
until the disc has room.
"""

import numpy as np
from jaxtyping import Bool, Float

from armillary.worlds.push_t.tee import RADIUS, REACHABLE, gap, placed

MARGIN = 6.0  # px between disc and T, where a way begins to touch a side or bends around a corner
# Where the disc may touch each side of the T, from one end to the other, and the direction into the T there; in the T's frame.
SIDES = np.array([[-60, -45, 60, -45], [60, -45, 60, -15], [60, -15, 31, -15], [15, 1, 15, 75.0]])
SIDES = np.concatenate([SIDES, [[15, 75, -15, 75], [-15, 75, -15, 1], [-31, -15, -60, -15], [-60, -15, -60, -45]]])
INWARD = np.array([[0, 1], [-1, 0], [0, -1], [-1, 0], [0, -1], [1, 0], [0, -1], [1, 0.0]])
SIDE_LENGTHS = np.hypot(*(SIDES[:, 2:] - SIDES[:, :2]).T)
RING = np.array([[-82, -67], [82, -67], [84, 0], [40, 98], [-40, 98], [-84, 0.0]])  # around the convex hull
PROBES = np.linspace(1 / 16, 1, 16)  # where a straight way is probed for contact


def stand_off(contact: Float[np.ndarray, "*n 2"], inward: Float[np.ndarray, "*m 2"]) -> Float[np.ndarray, "*n 2"]:
    """Where the disc is just short of touching a side at `contact`, in the T's frame."""
    return contact - inward * (RADIUS + MARGIN)


def go_around(
    pose: Float[np.ndarray, "n 3"], begin: Float[np.ndarray, "n 2"], end: Float[np.ndarray, "n 2"], reach: float
) -> Float[np.ndarray, "n 2"]:
    """Where one straight move of up to `reach` px (along x and y) brings the disc on its way to `end` around the T."""
    bend = _bend(pose, begin, end)
    share = np.abs(bend - begin).max(axis=1, keepdims=True) / reach
    onwards = _bend(pose, bend, end) - bend
    # What is left of a move is spent beyond the bend, where the corner can be cut.
    left = np.clip((1 - share) * reach / np.maximum(np.abs(onwards).max(axis=1, keepdims=True), 1e-9), 0, 1)
    cut = bend + left * onwards
    whole = np.where(_free(pose, begin[:, None], cut[:, None]), cut, bend)
    return np.where(share > 1, begin + (bend - begin) / np.maximum(share, 1), whole)


def _bend(
    pose: Float[np.ndarray, "n 3"], begin: Float[np.ndarray, "n 2"], end: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2"]:
    """The end if the way there is free, or else the first corner of the ring on the shortest way."""
    ring, rows = placed(pose, RING), np.arange(len(pose))
    inside = ((ring >= REACHABLE[0]) & (ring <= REACHABLE[1])).all(axis=-1)
    ahead = _length(ring - begin[:, None])
    usable = _free(pose, begin[:, None], ring) & inside & (ahead > 1)  # a corner that is reached is passed
    last = np.where(_free(pose, ring, end[:, None]) & inside, _length(ring - end[:, None]), np.inf)
    total = np.where(usable, ahead, np.inf) + (_AROUND + last[:, None, :]).min(axis=-1)
    corner = total.argmin(axis=1)
    straight = _free(pose, begin[:, None], end[:, None])[:, 0] | ~np.isfinite(total[rows, corner])
    return np.where(straight[:, None], end, ring[rows, corner])


def _free(
    pose: Float[np.ndarray, "m 3"], begin: Float[np.ndarray, "m _ 2"], end: Float[np.ndarray, "m _ 2"]
) -> Bool[np.ndarray, "m k"]:
    """Whether straight ways keep off the T: they come no nearer to it than they begin or end, if that is within the margin."""
    points = begin[:, :, None] + (end - begin)[:, :, None] * PROBES[:, None]
    least = np.minimum(gap(pose[:, None], begin), gap(pose[:, None], end))
    return np.asarray((gap(pose[:, None, None], points) >= np.minimum(least, MARGIN - 2)[..., None] - 1e-6).all(axis=-1))


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.hypot(vectors[..., 0], vectors[..., 1])


_ARC = np.append(0, np.cumsum(_length(np.roll(RING, -1, axis=0) - RING)))
_FORTH = (_ARC[None, :-1] - _ARC[:-1, None]) % _ARC[-1]
_AROUND = np.minimum(_FORTH, _ARC[-1] - _FORTH)  # px along the ring, from each corner to each other
