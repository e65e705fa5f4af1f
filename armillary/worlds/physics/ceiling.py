"""The ceiling of the physics exam: a particle filter that knows the mechanics, and the true state at the first frame.

Friction and restitution it does not know, since they cannot be seen; all things are as dense as is usual in the exam.
Particles are simulated on; the surprise of a frame is its negative log-likelihood under their mixture, with Gaussian noise on
pixels. They are drawn anew by weight (Gordon et al., 1993), with a little noise, so that they keep to what is seen.

An item on which this scorer is not near 100% is flawed: knowing physics does not help there.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from scipy.special import logsumexp

from armillary.errors import expect
from armillary.worlds.physics.passages import DENSITY
from armillary.worlds.physics.state import OBJECTS, part
from armillary.worlds.scenes import Scenes

if TYPE_CHECKING:
    from armillary.worlds.physics.world import Physics

PARTICLES = 64
BLOCK = 4  # frames after which particles are drawn anew
PIXEL_NOISE = 30.0  # standard deviation, of 255
VELOCITY_NOISE, SPIN_NOISE = 0.02, 0.1  # m/s and rad/s, standard deviations, added at each draw
FRICTION, FRICTION_NOISE = (0.005, 0.6), 0.3  # drawn between, in its logarithm, to which noise is added at each draw
RESTITUTION, REDRAWN = (0.05, 0.95), 0.2  # drawn between, and the share that is drawn again at each draw: only bounces show it


def ceiling(world: "Physics", scenes: Scenes) -> Float[np.ndarray, "n 4 _"]:
    """The surprise at the clips of scenes. A clip of two parts begins in the state that its first part began in.

    Raises:
        ArmillaryError: the scenes do not say in what states they begin.
    """
    start = expect(scenes.start, "scenes that say in what states their clips begin")
    return np.array(
        [
            [surprise(world, start[i, c % 2], clip, np.random.default_rng((i, c % 2))) for c, clip in enumerate(clips)]
            for i, clips in enumerate(scenes.observations["image"])
        ]
    )


def surprise(
    world: "Physics", start: Float[np.ndarray, " s"], frames: UInt8[np.ndarray, "t h w 3"], rng: np.random.Generator
) -> Float[np.ndarray, " _"]:
    """The negative log-likelihood of every frame but the first, in nats, up to a constant.

    Args:
        start: the true state at the first frame; no hand.
    """
    particles, found = np.repeat(start[None], PARTICLES, axis=0), []
    part(particles, "mass")[...] = DENSITY * np.pi * part(particles, "size") ** 2
    size = PARTICLES, OBJECTS
    part(particles, "friction")[...] = np.exp(rng.uniform(*np.log(FRICTION), size))
    part(particles, "restitution")[...] = rng.uniform(*RESTITUTION, size)
    _blur(particles, rng)
    for begin in range(1, len(frames), BLOCK):
        seen = frames[begin : begin + BLOCK].astype(np.float32)
        states = world.simulate(particles, len(seen))[:, 1:]
        shown = world.render_states(states.reshape(-1, states.shape[-1]))["image"].reshape(PARTICLES, *seen.shape)
        error = np.square(shown - seen).sum(axis=(2, 3, 4), dtype=np.float64)
        # log of the joint likelihood of the frames of this block up to each, by particle
        known = np.cumsum(np.pad(-error / (2 * PIXEL_NOISE**2), ((0, 0), (1, 0))), axis=1)
        found.append(-np.diff(logsumexp(known, axis=0)))
        weight = np.exp(known[:, -1] - logsumexp(known[:, -1]))
        particles = states[rng.choice(PARTICLES, PARTICLES, p=weight / weight.sum()), -1]
        _blur(particles, rng)
    return np.concatenate(found)


def _blur(particles: Float[np.ndarray, "p s"], rng: np.random.Generator) -> None:
    """Add noise to particles, in place."""
    for name, noise in (("velocity", VELOCITY_NOISE), ("spin", SPIN_NOISE)):
        part(particles, name)[...] += rng.normal(0, noise, part(particles, name).shape)
    friction, restitution = part(particles, "friction"), part(particles, "restitution")
    friction[...] = np.clip(friction * np.exp(rng.normal(0, FRICTION_NOISE, friction.shape)), *FRICTION)
    again = rng.random(restitution.shape) < REDRAWN
    restitution[again] = rng.uniform(*RESTITUTION, again.sum())
