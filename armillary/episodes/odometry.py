"""Where odometry has a robot on its floor: single steps summed up (dead reckoning), or poses as ROS tells them."""

import numpy as np
from jaxtyping import Float

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError

PLACE, QUATERNION = ("position.x", "position.y"), tuple(f"orientation.{axis}" for axis in "xyzw")
"""Channels of a pose, as `armillary import mcap` names those of nav_msgs/Odometry."""


def reckon(steps: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    """Poses (T, 3) in the frame of the first: m ahead and to the left of it, and rad turned, which is not wrapped.

    Args:
        steps: how far it went to each moment from the one before: m ahead and to the left of the new heading, and rad turned.
            The first row is not read.
    """
    steps = steps[1:].astype(float)
    heading = np.cumsum(steps[:, 2])
    place = np.cumsum(rotated(steps[:, :2], heading), axis=0)
    return np.concatenate([np.zeros((1, 3)), np.column_stack([place, heading])])


def poses(episodes: Episodes, name: str) -> Float[np.ndarray, "n 3"]:
    """x, y (m) and heading (rad) in every row of a store, float32, by an odometry stream; each episode in a frame of its own.

    The stream is a vector of 3 that tells single steps (see `reckon`), or has the channels of a pose in ROS.

    Raises:
        ArmillaryError: there is no such stream, it is neither of the two, or it has gaps.
    """
    stream = episodes.stream(name)
    posed = {*PLACE, *QUATERNION} <= set(stream.channels)
    if not posed and (not stream.is_tabular or stream.shape != (3,)):
        raise ArmillaryError(
            f"stream {name!r} is {stream.kind} {stream.shape}; odometry is a vector of 3 (m ahead, m to the left, rad turned), "
            f"or has the channels {', '.join(PLACE + QUATERNION)}"
        )
    values = episodes.read_rows(np.arange(episodes.lengths.sum()), [name])[name]
    if posed:
        *place, x, y, z, w = values[:, [stream.channels.index(channel) for channel in PLACE + QUATERNION]].T
        found = np.stack([*place, np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2))], axis=1)
    else:
        found = np.concatenate([reckon(part) for part in np.split(values, episodes.starts[1:])])
    if not np.isfinite(found).all():
        raise ArmillaryError(f"stream {name!r} has gaps, and tells no poses there; make a store without those episodes")
    return found.astype(np.float32)


def rotated(vectors: Float[np.ndarray, "n 2"], angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """Each vector turned to the left by its angle (rad)."""
    (x, y), cosine, sine = vectors.T, np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)
