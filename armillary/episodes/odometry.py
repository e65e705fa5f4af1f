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
    ahead, left, turned = steps[1:].astype(float).T
    heading = np.cumsum(turned)
    cosine, sine = np.cos(heading), np.sin(heading)
    later = np.stack([np.cumsum(cosine * ahead - sine * left), np.cumsum(sine * ahead + cosine * left), heading], axis=1)
    return np.concatenate([np.zeros((1, 3)), later])


def poses(episodes: Episodes, name: str) -> Float[np.ndarray, "n 3"]:
    """x, y (m) and heading (rad) in every row of a store, float32, by an odometry stream; each episode in a frame of its own.

    The stream is a vector of 3 that tells single steps (see `reckon`), or has the channels of a pose in ROS.

    Raises:
        ArmillaryError: there is no such stream, it is neither of the two, or it has gaps.
    """
    stream = episodes.stream(name)
    posed = {*PLACE, *QUATERNION} <= set(stream.channels)
    if not posed and (stream.kind != "vector" or stream.shape != (3,)):
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
        raise ArmillaryError(f"stream {name!r} has gaps, so that it does not tell where the robot is; leave those episodes out")
    return found.astype(np.float32)
