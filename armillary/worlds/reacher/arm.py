"""A two-link arm that turns in a plane, driven by torques: its physics, by MuJoCo.

Design choices:
- lengths, masses, motors and the time step are those of dm_control's reacher (Tunyasuvunakool et al., 2020), so that the same
  torques move it in the same way. The shoulder turns freely, the wrist by 160 degrees to either side; damping stops it;
- links lie one above the other (in `drawing`'s order), which a view from above shows and turning about z does not feel;
- a step depends on angles, velocities and torques alone: nothing of the last one warms the solver up, and no clock runs.
"""

import mujoco
import numpy as np
from jaxtyping import Float
from mujoco import rollout

from armillary.worlds.reacher.drawing import FINGER, FOREARM, RADIUS, ROOT_RADIUS, UPPER, VIEW

TIMESTEP = 0.02  # s
TORQUE, DAMPING = 0.05, 0.01  # of each motor, N m; of each joint, N m s/rad
LIMIT = np.radians(160.0)  # of the wrist, which gives way a little
AHEAD = 0.05  # s; shorter steps aim so far ahead, so that there is time to brake
CAMERA = 10.0  # its height in m: so far away that lines of sight are all but parallel
MJCF = f"""
<mujoco model="arm">
  <option timestep="{TIMESTEP}"><flag contact="disable" gravity="disable" warmstart="disable"/></option>
  <statistic extent="1"/>
  <visual>
    <headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/>
    <map znear="0.1" zfar="20"/>
  </visual>
  <default>
    <joint type="hinge" axis="0 0 1" damping="{DAMPING}"/>
    <geom size="{RADIUS}"/>
    <motor gear="{TORQUE}"/>
  </default>
  <worldbody>
    <camera name="above" pos="0 0 {CAMERA}" fovy="{2 * np.degrees(np.arctan(VIEW / CAMERA))}"/>
    <geom name="floor" type="plane" size="1 1 1"/>
    <geom name="root" type="cylinder" fromto="0 0 0 0 0 0.025" size="{ROOT_RADIUS}"/>
    <body pos="0 0 0.01">
      <joint name="shoulder"/>
      <geom name="upper" type="capsule" fromto="0 0 0 {UPPER} 0 0"/>
      <body pos="{UPPER} 0 0.02">
        <joint name="wrist" limited="true" range="-160 160"/>
        <geom name="forearm" type="capsule" fromto="0 0 0 {FOREARM} 0 0"/>
        <geom name="finger" type="sphere" pos="{FINGER} 0 0.02"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="shoulder"/><motor joint="wrist"/></actuator>
</mujoco>
"""

Motion = Float[np.ndarray, "n 4"]
"""Angles of shoulder and wrist (rad), and their velocities (rad/s)."""


class Arm:
    """The physics of any number of arms, with torques as shares of `TORQUE`."""

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(MJCF)
        self._data = mujoco.MjData(self.model)
        # Stretched out, the arm's inertia tells the three numbers that it depends on (kg m^2).
        mujoco.mj_forward(self.model, self._data)
        inertia = np.zeros((2, 2))
        for column, unit in zip(inertia, np.eye(2), strict=True):
            mujoco.mj_mulM(self.model, self._data, column, unit)
        self._wrist = inertia[1, 1]
        self._coupling = inertia[0, 1] - self._wrist
        self._shoulder = inertia[0, 0] - 2 * self._coupling

    def move(self, motion: Motion, torque: Float[np.ndarray, "n 2"], steps: int) -> Motion:
        """What becomes of arms whose torques are held for so many time steps."""
        state = np.concatenate([np.zeros((len(motion), 1)), motion], axis=1)  # the first number is the time
        states, _ = rollout.rollout(self.model, self._data, state, torque[:, None], nstep=steps)
        return states[:, -1, 1:]

    def inertia(self, wrist: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2 2"]:
        """The mass matrix (kg m^2) at angles of the wrist."""
        bent = self._coupling * np.cos(wrist)
        both = self._wrist + bent
        return np.stack([self._shoulder + 2 * bent, both, both, np.full_like(bent, self._wrist)], axis=1).reshape(-1, 2, 2)

    def momentum(self, motion: Motion) -> Float[np.ndarray, "n 2"]:
        """Generalised momentum plus damping x angle (N m s) of each joint.

        The shoulder's changes at the rate of its motor's torque, the wrist's of that and the centrifugal torque.
        """
        angle, velocity = motion[:, :2], motion[:, 2:]
        before = angle[:, 1] - TIMESTEP * velocity[:, 1]  # MuJoCo's step took the inertia from where the arm was
        return DAMPING * angle + (self.inertia(before) @ velocity[:, :, None])[:, :, 0]

    def towards(
        self, motion: Motion, gap: Float[np.ndarray, "n 2"], seconds: float, pace: float | Float[np.ndarray, "n 1"] = 1.0
    ) -> Float[np.ndarray, "n 2"]:
        """Torques to hold for `seconds` on the way to a posture and to rest there: computed torque.

        With torque enough and a pace of 1, the arm is there after two times `seconds`; with a lower pace, it comes slower.

        Args:
            gap: angles by which the joints have to turn, rad.
            seconds: a step; short ones look `AHEAD` ahead.
            pace: 0.2 to 1.

        Returns:
            Shares of `TORQUE`, without bound.
        """
        wrist, now, seconds = motion[:, 1], motion[:, 2:], max(seconds, AHEAD)
        then = pace * gap / seconds - now / 2
        change = (self.inertia(wrist) @ (then - now)[:, :, None])[:, :, 0] / seconds
        bent = self._coupling * np.sin(wrist)
        turning = np.stack([-bent * now[:, 1] * (2 * now[:, 0] + now[:, 1]), bent * now[:, 0] ** 2], axis=1)
        return (change + turning + DAMPING * (then + now) / 2) / TORQUE
