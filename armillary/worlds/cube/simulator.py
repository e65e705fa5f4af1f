"""OGBench's single cube on a table before a UR5e arm, as functions of its state: what the world `cube` steps, senses and draws.

The arm, its controller, the cube, the table and the camera are those of OGBench's package. Design choices:
- one simulator serves any number of environments and worlds. A state goes in before each step and comes out after it, so that
  what follows depends on the state alone, bit for bit;
- a state is MuJoCo's positions, velocities, warm start and controls. OGBench's target is left out: it is a marker without
  contact, which its pixels do not show;
- an env step is five of OGBench's control steps of 0.05 s, with one action;
- images are of OGBench's camera and in its colours, drawn at twice the size and averaged. Meshes, the floor and the map of
  shadows are no finer than such small images show (`coarse`): 7 ms a frame on one core in software, in place of 86.
Source: Park et al., "OGBench: Benchmarking Offline Goal-Conditioned RL" (arXiv 2410.20092), `ogbench.manipspace`.
"""

from functools import cache

import mujoco
import numpy as np
from jaxtyping import Float, UInt8
from ogbench.manipspace.envs.cube_env import CubeEnv

from armillary.episodes.images import resize
from armillary.worlds.cube.coarse import coarse
from armillary.worlds.opengl import no_opengl, renderer

KEPT = int(sum(getattr(mujoco.mjtState, f"mjSTATE_{part}") for part in ("QPOS", "QVEL", "WARMSTART", "CTRL")))
STATE_SIZE = 68
# Columns of a state: place (m), quaternion and velocity (m/s) of the cube.
PLACE, QUATERNION, VELOCITY = slice(14, 17), slice(17, 21), slice(35, 38)
CONTROL_STEP, REPEAT = 0.05, 5  # s; control steps of an env step
CAMERA = "front_pixels"
DETAIL = 0.01  # m; a pixel of 64 shows about as much
LYING = 0.02  # height of the centre of a cube on the table, m


class Simulator:
    """OGBench's `CubeEnv`, without the tasks and rewards around it.

    Args:
        size: height and width of images in px.
    """

    def __init__(self, size: int) -> None:
        self.size, self._renderer = size, None
        # `data_collection` has OGBench's random starts; `pixels` has the colours that its images have.
        self._env = _Unseen("single", ob_type="pixels", mode="data_collection", visualize_info=False, terminate_at_goal=False)
        self._env.reset(seed=0)
        self._model, self._data = self._env.model, self._env.data
        self._substeps = round(CONTROL_STEP / self._env.physics_timestep())
        self._hand = self._model.site("ur5e/robotiq/pinch").id
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[: len(self._env._home_qpos)] = self._env._home_qpos
        self._home = self._get()

    @property
    def table(self) -> Float[np.ndarray, "2 2"]:
        """Lowest and highest x and y (m) at which OGBench puts a cube."""
        return self._env._object_sampling_bounds

    @property
    def reach(self) -> Float[np.ndarray, "2 3"]:
        """Lowest and highest x, y and z (m) at which OGBench lets the hand begin an episode."""
        return self._env._arm_sampling_bounds

    def new_state(self, seed: int) -> Float[np.ndarray, " s"]:
        """How an episode of OGBench's play begins: the hand somewhere above the table, the cube somewhere on it."""
        self._env.reset(seed=seed)
        return self._get()

    def at_home(self, place: Float[np.ndarray, " 2"], yaw: float) -> Float[np.ndarray, " s"]:
        """The arm at home and at rest, and the cube on the table at `place` (m), turned by `yaw` (rad)."""
        state = self._home.copy()
        state[PLACE] = *place, LYING
        state[QUATERNION] = np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
        return state

    def advance(self, state: Float[np.ndarray, " s"], action: Float[np.ndarray, " 5"]) -> Float[np.ndarray, " s"]:
        """The state after an env step: OGBench's controller gets the same action five times."""
        self._put(state)
        for _ in range(REPEAT):
            self._env.set_control(action)
            mujoco.mj_step(self._model, self._data, nstep=self._substeps)
        return self._get()

    def hand(self, state: Float[np.ndarray, " s"]) -> Float[np.ndarray, " 3"]:
        """Where the point between the fingertips is (m)."""
        mujoco.mj_setState(self._model, self._data, state, KEPT)
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.site_xpos[self._hand].copy()

    def truth(self, state: Float[np.ndarray, " s"]) -> dict[str, np.ndarray]:
        """What OGBench tells of a state, by stream of the world; a cube looks the same after a quarter turn."""
        self._put(state)
        mujoco.mj_rnePostConstraint(self._model, self._data)  # contact forces
        info = self._env.compute_ob_info()
        yaw, quarter = info["proprio/effector_yaw"], 4 * info["privileged/block_0_yaw"]
        return {
            "cube": info["privileged/block_0_pos"],
            "cube_turn": np.concatenate([np.cos(quarter), np.sin(quarter)]),
            "hand": info["proprio/effector_pos"],
            "hand_turn": np.concatenate([np.cos(yaw), np.sin(yaw)]),
            "gripper": np.concatenate([info["proprio/gripper_opening"], info["proprio/gripper_contact"]]),
        }

    def render(self, state: Float[np.ndarray, " s"]) -> UInt8[np.ndarray, "size size 3"]:
        """The image of a state.

        Raises:
            ArmillaryError: there is no OpenGL; the message says how to get it.
        """
        self._put(state)
        if self._renderer is None:
            self._renderer = self._new_renderer()
        self._renderer.update_scene(self._data, CAMERA, self._env._scene_option)
        return resize(self._renderer.render()[None], self.size)[0]

    def _new_renderer(self) -> "mujoco.Renderer":
        model = coarse(self._model, DETAIL)
        model.vis.quality.offsamples, model.vis.quality.shadowsize = 0, 256
        model.vis.global_.offwidth = model.vis.global_.offheight = 2 * self.size
        try:
            return renderer(model, 2 * self.size)
        except Exception as error:
            raise no_opengl("cube", error) from error

    def _get(self) -> Float[np.ndarray, " s"]:
        state = np.empty(STATE_SIZE)
        mujoco.mj_getState(self._model, self._data, state, KEPT)
        return state

    def _put(self, state: Float[np.ndarray, " s"]) -> None:
        mujoco.mj_setState(self._model, self._data, state, KEPT)
        mujoco.mj_forward(self._model, self._data)


simulator = cache(Simulator)
"""The simulator that draws at a size; to make one takes a second."""


class _Unseen(CubeEnv):
    """The environment without its own observations, each of which would be drawn."""

    def compute_observation(self) -> None:
        return None
