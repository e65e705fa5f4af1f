"""Dead reckoning: what odometry says of single steps, summed up to where it has the robot since an episode began."""

import numpy as np
from jaxtyping import Float

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError


def reckon(steps: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    """Poses (T, 3) in the frame of the first: m ahead and to the left of it, and rad turned, which is not wrapped.

    Args:
        steps: how far it went to each moment from the one before: m ahead and to the left of the new heading, and rad turned.
            The first row is not read.
    """
    ahead, left, turned = steps[1:].astype(float).T
    heading = np.cumsum(turned)
    cosine, sine = np.cos(heading), np.sin(heading)
    poses = np.stack([np.cumsum(cosine * ahead - sine * left), np.cumsum(sine * ahead + cosine * left), heading], axis=1)
    return np.concatenate([np.zeros((1, 3)), poses])


def reckoned(episodes: Episodes, name: str) -> Float[np.ndarray, "n 3"]:
    """`reckon` of each episode by this stream, for every row of the store, float32.

    Raises:
        ArmillaryError: there is no such stream, it is not of three numbers, or it has gaps.
    """
    stream = episodes.stream(name)
    if stream.kind != "vector" or stream.shape != (3,):
        raise ArmillaryError(
            f"stream {name!r} is {stream.kind} {stream.shape}; odometry is a vector of 3: m ahead, m to the left, rad turned"
        )
    steps = episodes.read_rows(np.arange(episodes.lengths.sum()), [name])[name]
    poses = np.concatenate([reckon(part) for part in np.split(steps, episodes.starts[1:])])
    if not np.isfinite(poses).all():
        raise ArmillaryError(f"stream {name!r} has gaps, so that it does not tell where the robot is; leave those episodes out")
    return poses.astype(np.float32)
