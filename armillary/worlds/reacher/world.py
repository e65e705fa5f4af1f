"""A two-link arm that is driven by torques, seen from above: the world in which velocity matters.

The goal is a posture, at rest. An image shows angles alone, so that a model needs at least two to know how the arm moves.

Design choices:
- the arm is that of dm_control's reacher, without its target (`arm`); physics is MuJoCo's, 70,000 env steps/s on one core;
- a step holds two torques for 0.1 s: within that, the wrist gets up to speed and the shoulder half-way, which coasts by up to
  0.7 rad. A random goal is then up to 8 steps away, within the horizon of a planner;
- episodes begin at rest, so that a first frame tells the whole state;
- success is both joints within 0.05 rad, as stable-worldmodel judges LeWM (arXiv 2603.19312). There, a touch is enough; here,
  the judge asks that it be held. 0.05 rad of the wrist move the finger by 0.7 px of 64: an encoder has to see parts of a pixel;
- images come from a rasteriser of our own, which needs no OpenGL (`drawing`), or from MuJoCo's (`opengl`);
- the state vector holds the layout beside the motion, so that any state can be rendered and any episode replayed, bit for bit.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.native import NativeWorld
from armillary.worlds.reacher.arm import DAMPING, LIMIT, TIMESTEP, TORQUE, Arm
from armillary.worlds.reacher.drawing import VIEW, draw_arm, joints
from armillary.worlds.reacher.opengl import OpenGL
from armillary.worlds.reacher.play import ArmPlay
from armillary.worlds.single import single_of

VERSION = "1"  # of physics and rendering
THRESHOLD = 0.05  # rad
TURNED = 1e6  # rad; the shoulder is not expected to go farther
FASTEST = 20.0  # rad/s; torques bring a joint to 10, and from 50 on MuJoCo's integration is unstable
UPPER_COLOUR, FOREARM_COLOUR, FLOOR_COLOUR = (60, 90, 170), (225, 120, 40), (230, 230, 225)

# Columns of the state vector; all but the motion is the layout, which lasts an episode.
ANGLE, VELOCITY, MOTION, LAYOUT = slice(0, 2), slice(2, 4), slice(0, 4), slice(4, 18)
STRENGTH = 4  # of the motors, 1 by default
LINKS, FLOOR = slice(5, 11), slice(11, 18)  # what is drawn of them: see `drawing`
UPPER_RGB, FOREARM_RGB, FLOOR_RGB, WAVE = slice(5, 8), slice(8, 11), slice(11, 14), slice(14, 18)

# factor -> the columns that it draws, uniformly from low to high
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "strength": (STRENGTH, 0.7, 1.3),
    "link_colours": (LINKS, 0.0, 140.0),
    "floor_colour": (FLOOR_RGB, 170.0, 250.0),
    "background": (WAVE, (0.0, -4.0, -4.0, 0.0), (30.0, 4.0, 4.0, 2 * np.pi)),
}

# What changes momentum beside the motors (see `shortest_path`), as a share of what they do at a strength of 1: for the shoulder
# the error of integration, for the wrist the centrifugal torque, too. Above the most that was found with any `action_repeat`.
EXCESS = np.array([0.03, 0.36])


class Reacher(NativeWorld):
    """The reacher world, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2) in [-1, 1], clipped: torques of shoulder and wrist as shares of 0.05 N m, held for a step.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `angle` (N, 2) in rad (the shoulder's is counted on
    past full turns), `velocity` (N, 2) in rad/s and `fingertip` (N, 2), x and y (up) in m from the shoulder.

    Args:
        size: height and width of the image in px, at least 16.
        factors: what else is drawn for each episode (factors of variation): "strength" of the motors (which no single image
            shows), "link_colours", "floor_colour", "background" (a plane wave: a gradient or stripes on the floor).
        action_repeat: time steps of 0.02 s that a step holds its torques for.
        threshold: success is a distance below this of each joint, rad.
        renderer: "numpy", or "mujoco" for MuJoCo's own, which needs OpenGL and draws no background.
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`.

    Raises:
        ArmillaryError: an option out of its range, or no OpenGL where it is asked for.
        MissingExtra: mujoco is not installed.
    """

    name = "reacher"
    factors_of_variation = FACTORS
    layout = LAYOUT

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        factors: Sequence[str] = (),
        action_repeat: int = 5,
        max_steps: int | None = 50,
        threshold: float = THRESHOLD,
        renderer: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 16)
        self._whole("action_repeat", action_repeat, 1)
        if not isinstance(threshold, int | float | np.number) or not threshold > 0:
            raise ArmillaryError(f"reacher: threshold is a positive number of rad, not {threshold!r}")
        if renderer not in ("numpy", "mujoco"):
            raise ArmillaryError(f"reacher: renderer is 'numpy' or 'mujoco', not {renderer!r}")
        self.size, self.action_repeat, self.threshold = size, action_repeat, float(threshold)
        self.seconds = action_repeat * TIMESTEP  # of a step
        self.version = f"{VERSION}/{size}px/repeat{action_repeat}/threshold{threshold:g}"
        names = "shoulder", "wrist"
        spec = Spec(
            (
                Stream("image", "image", (size, size, 3)),
                Stream("angle", "vector", (2,), unit=("rad",) * 2, channels=names, truth=True),
                Stream("velocity", "vector", (2,), unit=("rad/s",) * 2, channels=names, truth=True),
                Stream("fingertip", "vector", (2,), unit=("m", "m"), channels=("x", "y"), truth=True),
            ),
            ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0), unit=(f"{TORQUE:g} N m",) * 2, channels=names),
            rate=1 / self.seconds,
        )
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        bounds = {"angle": (-TURNED, TURNED), "velocity": (-FASTEST, FASTEST), "fingertip": (-VIEW, VIEW)}
        super().__init__(num_envs, spec, LAYOUT.stop, bounds=bounds, **common)
        self._arm = Arm()
        self._draw = partial(draw_arm, size)
        if renderer == "mujoco":
            self._draw = OpenGL(self._arm, size).draw
            self.version += "/mujoco"

    def play(self) -> Actor:
        """Behaviour to learn from: the arm visits all postures, at all speeds, and comes to rest often."""
        return ArmPlay(self.seconds)

    # How it goes

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        state = np.zeros((n, LAYOUT.stop))
        state[:, STRENGTH] = 1
        state[:, UPPER_RGB], state[:, FOREARM_RGB], state[:, FLOOR_RGB] = UPPER_COLOUR, FOREARM_COLOUR, FLOOR_COLOUR
        self._vary(state, rng.random(state.shape))
        return self._postures(state, rng)

    def _advance(self, actions: np.ndarray) -> None:
        torque = actions * self._state[:, [STRENGTH]]
        self._state[:, MOTION] = self._arm.move(self._state[:, MOTION], torque, self.action_repeat)

    # The judge's side

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, min_distance: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, 18) each, that share a layout; both at rest, their angles uniform.

        Args:
            min_distance: least `shortest_path` of a pair, in env steps. Default: as many as 0.2 s has, at least 2. That
                bound leaves out the time to get up to speed and to brake, of which the way to nearer goals mostly consists.

        Raises:
            ArmillaryError: no two postures are so far apart.
        """
        start = self._new_states(n, rng)
        goal = start.copy()
        missing, min_distance = np.ones(n, bool), max(0.2 / self.seconds, 2) if min_distance is None else min_distance
        for _ in range(1000):
            drawn = [self._postures(start, rng) for _ in range(2)]
            right = self.shortest_path(*drawn) >= min_distance
            for state, posture in zip((start, goal), drawn, strict=True):
                state[missing & right] = posture[missing & right]
            missing &= ~right
            if not missing.any():
                return start, goal
        raise ArmillaryError(f"reacher: found no pairs with min_distance={min_distance} steps; lower it")

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Fewest env steps from start to goal states (n, 18), as a real number that no motion beats; (n,).

        The sum of a joint's momentum and damping x angle (`Arm.momentum`) is changed by its motor, so at most by torque x time:
        from rest to rest, a joint turns by 5 rad a second and no more, whatever its speed on the way. `EXCESS` is allowed for
        the rest, which grows with the square of the strength. The joint that takes longer counts. The shoulder takes the
        shorter way round; the wrist has but one.
        """
        start, goal = self._pair(start, goal)
        gap, turn = self._arm.momentum(goal[:, MOTION]) - self._arm.momentum(start[:, MOTION]), 2 * np.pi * DAMPING
        gap[:, 0] -= turn * np.round(gap[:, 0] / turn)
        strength = start[:, [STRENGTH]]
        return (np.abs(gap) / (TORQUE * self.seconds * strength * (1 + strength * EXCESS))).max(axis=1)

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) that take states to goals (n, 18), about as fast as torques allow, and keep them there."""
        state, goal = self._pair(state, goal)
        torque = self._arm.towards(state[:, MOTION], self._gap(state, goal), self.seconds)
        return np.clip(torque / state[:, [STRENGTH]], -1, 1).astype(np.float32)

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether each joint is less than `threshold` rad from the goal, in states (n, 18); (n,) bool."""
        return np.asarray((np.abs(self._gap(*self._pair(state, goal))) < self.threshold).all(axis=1))

    # What both share

    def _postures(self, layouts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The same layouts, at rest at random angles."""
        state = layouts.copy()
        state[:, ANGLE], state[:, VELOCITY] = rng.uniform(-1, 1, (len(state), 2)) * (np.pi, LIMIT), 0
        return state

    def _gap(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Angles (n, 2) by which the joints have to turn: the shoulder by half a turn at most, the wrist past no limit."""
        gap = goal[:, ANGLE] - state[:, ANGLE]
        gap[:, 0] = np.arctan2(np.sin(gap[:, 0]), np.cos(gap[:, 0]))
        return gap

    def _sense(self, state: np.ndarray) -> dict[str, np.ndarray]:
        angle, colours = state[:, ANGLE], state[:, LINKS].reshape(-1, 2, 3)
        return {
            "image": self._draw(angle, colours, state[:, FLOOR]),
            "angle": angle.astype(np.float32),
            "velocity": state[:, VELOCITY].astype(np.float32),
            "fingertip": joints(angle)[:, 2].astype(np.float32),
        }

    def _possible(self, states: np.ndarray) -> np.ndarray:
        good = np.isfinite(states).all(axis=1) & (states[:, STRENGTH] > 0)
        good &= (np.abs(states[:, MOTION]) < (TURNED, np.pi, FASTEST, FASTEST)).all(axis=1)
        if not good.all():
            i = int((~good).argmax())
            raise ArmillaryError(
                f"reacher: state {i} cannot be: angles {states[i, ANGLE].tolist()} rad (the wrist turns by 160 degrees "
                f"and gives way a little), velocities {states[i, VELOCITY].tolist()} rad/s, strength {states[i, STRENGTH]}"
            )
        return states


single = single_of(Reacher)
