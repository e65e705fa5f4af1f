"""The block of Push-T: the shape of a T, where it is, and how a push moves it.

Design choices:
- the T is the union of two boxes, the bar and the stem (which here reaches through the bar). The point of it that is nearest
  to some other point is then the nearer of two clipped points: no loops over edges, any number of poses at once;
- the simulator takes all velocity from the T at every tick. What is left of mechanics, where there is no friction, is one
  rule: a disc that overlaps the T by d pushes it out along the contact's normal, by d / (1 + x^2), and turns it by
  d x / (k (1 + x^2)), where k is the radius of gyration and x the lever arm by k. `push` is that rule in small steps. It
  follows the simulator to a pixel, for hundreds of pushes at once: fit to plan with, not to judge by.

A pose is x, y of the centre of gravity and the angle (rad, from x towards y); lengths are px of the 512 px arena, y is down.
In the T's own frame its top edge is at y = -45 and its foot at y = 75.
"""

import numpy as np
from jaxtyping import Float

RADIUS = 15.0  # of the disc
GYRATION = float(np.sqrt(3000))  # k, the square root of moment of inertia by mass
ORIGIN = np.array([0.0, -45.0])  # where gym-pusht has the T's position: in the middle of the top edge
CENTRES, HALVES = np.array([[0.0, -30.0], [0.0, 15.0]]), np.array([[60.0, 15.0], [15.0, 60.0]])  # of bar and stem
CORNERS = np.array([[-60, -45], [60, -45], [60, -15], [15, -15], [15, 75], [-15, 75], [-15, -15], [-60, -15.0]])
WALLS = 7.0, 504.0  # where the arena's walls begin, along x and y
REACHABLE = WALLS[0] + RADIUS, WALLS[1] - RADIUS  # for the centre of the disc


def rotated(vectors: Float[np.ndarray, "*n 2"], angle: Float[np.ndarray, "*m"]) -> Float[np.ndarray, "*k 2"]:
    """Vectors turned by angles (rad), broadcast."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)


def pose_at(origin: Float[np.ndarray, "n 2"], angle: Float[np.ndarray, "n 1"]) -> Float[np.ndarray, "n 3"]:
    """Poses of Ts by the middle of their top edge."""
    angle = angle.astype(float)
    return np.concatenate([origin - rotated(ORIGIN, angle[:, 0]), angle], axis=1)


def placed(pose: Float[np.ndarray, "*n 3"], points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "*n k 2"]:
    """Points of the T's own frame, in the arena."""
    return pose[..., None, :2] + rotated(points, pose[..., 2:])


def nearest(point: Float[np.ndarray, "*n 2"]) -> tuple[Float[np.ndarray, "*n 2"], Float[np.ndarray, "*n"]]:
    """The nearest point of the T, and how far it is (0 inside), in the T's own frame."""
    bar, stem = (np.clip(point, c - h, c + h) for c, h in zip(CENTRES, HALVES, strict=True))
    to_bar, to_stem = (np.hypot(*np.moveaxis(point - x, -1, 0)) for x in (bar, stem))
    return np.where((to_bar < to_stem)[..., None], bar, stem), np.minimum(to_bar, to_stem)


def gap(pose: Float[np.ndarray, "*n 3"], point: Float[np.ndarray, "*m 2"]) -> Float[np.ndarray, "*k"]:
    """Distance between the T and a disc around each point; negative where they overlap."""
    return nearest(rotated(point - pose[..., :2], -pose[..., 2]))[1] - RADIUS


def clearance(pose: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """Distance between the T and the nearest wall; negative where they overlap."""
    corners = placed(pose, CORNERS)
    return np.minimum(corners - WALLS[0], WALLS[1] - corners).min(axis=(-2, -1))


def push(
    pose: Float[np.ndarray, "n 3"],
    begin: Float[np.ndarray, "n 2"],
    end: Float[np.ndarray, "n 2"],
    ticks: int = 20,
    friction: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "n 3"]:
    """Poses after the disc went straight from `begin` to `end`, in an arena without walls.

    Args:
        ticks: the way is cut into so many parts, each of which should be much shorter than the disc's radius.
        friction: Coulomb's coefficient between disc and T. Default: no friction.
    """
    pose, tick = pose.copy(), (end - begin) / ticks
    for number in range(1, ticks + 1):
        cosine, sine = np.cos(pose[:, 2]), np.sin(pose[:, 2])
        dx, dy = (begin + tick * number - pose[:, :2]).T
        disc = np.stack([cosine * dx + sine * dy, cosine * dy - sine * dx], axis=1)
        contact, distance = nearest(disc)
        nx, ny = ((contact - disc) / np.maximum(distance, 1e-9)[:, None]).T
        lever = (contact[:, 0] * ny - contact[:, 1] * nx) / GYRATION
        overlap = np.maximum(RADIUS - distance, 0)
        pushed = overlap / (1 + lever**2)
        along, turned = np.zeros(1), lever * pushed
        if friction is not None:
            # The disc takes the contact along, unless that needs more than friction gives: then they slip.
            lever_along = (contact[:, 0] * nx + contact[:, 1] * ny) / GYRATION
            slip = (cosine * tick[:, 0] + sine * tick[:, 1]) * -ny + (cosine * tick[:, 1] - sine * tick[:, 0]) * nx
            both, square = lever * lever_along, 1 + lever_along**2
            stuck = ((1 + lever**2) * slip - both * overlap) / (1 + lever**2 + lever_along**2)
            stuck_push = (square * overlap - both * slip) / (1 + lever**2 + lever_along**2)
            most = np.copysign(friction, stuck)
            slips = np.abs(stuck) > friction * stuck_push
            pushed = np.where(slips, overlap / (1 + lever**2 + most * both), stuck_push) * (overlap > 0)
            along = np.where(slips, most * pushed, stuck * (overlap > 0))
            turned = lever * pushed + lever_along * along
        x, y = nx * pushed - ny * along, ny * pushed + nx * along
        pose += np.stack([cosine * x - sine * y, sine * x + cosine * y, turned / GYRATION], axis=1)
    return pose


def turn(angle: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """From one angle to another the short way (rad), by sine and cosine: no seam."""
    return np.arctan2(np.sin(other - angle), np.cos(other - angle))


def least_push(pose: Float[np.ndarray, "n 3"], goal: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """The least length that a disc must push for, to bring the T from one pose to another, away from walls.

    A push over r px with the lever arm x k moves the centre by up to r / (1 + x^2) and turns by up to r x / (k (1 + x^2)), so
    that motion of the centre and k times the turn lie on a circle of diameter r. Many pushes, in all directions, lead to the
    convex hull of all such circles, and the answer is the r whose hull just holds the goal. Friction leads to nothing beyond.
    """
    moved, turned = np.hypot(*(goal - pose)[:, :2].T), GYRATION * np.abs(turn(pose[:, 2], goal[:, 2]))
    return np.where(moved > turned, (moved**2 + turned**2) / np.maximum(moved, 1e-9), 2 * turned)
