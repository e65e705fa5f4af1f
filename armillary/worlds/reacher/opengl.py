"""Draws a two-link arm by MuJoCo's own OpenGL renderer: the same scene as `drawing`, from the geometry that physics has.

Light is the same everywhere and the camera is so far away that lines of sight are parallel, so that both draw the same image,
but for the edges. This one needs OpenGL and is fifty times slower; it is there to check the other one by, and to build on.
"""

import mujoco
import numpy as np
from jaxtyping import Float, UInt8

from armillary.errors import ArmillaryError
from armillary.worlds.opengl import ADVICE, renderer
from armillary.worlds.reacher.arm import Arm
from armillary.worlds.reacher.drawing import FINGER_COLOUR, ROOT_COLOUR

PARTS = "upper", "forearm", "floor", "finger", "root"


class OpenGL:
    """Draws with what `drawing.draw_arm` is told.

    Args:
        arm: whose model is drawn; its colours are set here.
        size: height and width in pixels.

    Raises:
        ArmillaryError: there is no OpenGL; the message says how to get it.
    """

    def __init__(self, arm: Arm, size: int) -> None:
        self._model, self._data = arm.model, mujoco.MjData(arm.model)
        self._model.vis.global_.offwidth = self._model.vis.global_.offheight = size
        try:
            self._renderer = renderer(self._model, size)
        except Exception as error:
            advice = f"{ADVICE}; or leave out the option: the default renderer needs no OpenGL"
            raise ArmillaryError(f"renderer='mujoco' needs OpenGL, and there is none ({error}); {advice}") from error

    def draw(
        self, angle: Float[np.ndarray, "n 2"], colours: Float[np.ndarray, "n 2 3"], floor: Float[np.ndarray, "n 7"]
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """Frames of the arm, as `drawing.draw_arm`.

        Raises:
            ArmillaryError: a floor with a wave on it.
        """
        if floor[:, 3].any():
            raise ArmillaryError("renderer='mujoco' draws plain floors: leave out the factor background")
        frames = np.empty((len(angle), self._renderer.height, self._renderer.width, 3), np.uint8)
        for i in range(len(angle)):
            for part, colour in zip(PARTS, (*colours[i], floor[i, :3], FINGER_COLOUR, ROOT_COLOUR), strict=True):
                self._model.geom(part).rgba[:3] = np.divide(colour, 255)
            self._data.qpos[:] = angle[i]
            mujoco.mj_forward(self._model, self._data)
            self._renderer.update_scene(self._data, "above")
            self._renderer.render(out=frames[i])
        return frames
