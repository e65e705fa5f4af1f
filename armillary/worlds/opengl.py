"""MuJoCo's renderer, and what to say where it finds no OpenGL to draw with."""

import re
import warnings
from typing import Any

from armillary.errors import ArmillaryError

ADVICE = (
    "without a display, set MUJOCO_GL=egl (Debian: apt-get install libegl1 libopengl0 libgl1-mesa-dri) or MUJOCO_GL=osmesa "
    "(apt-get install libosmesa6) before Python starts"
)


def renderer(model: Any, size: int) -> Any:
    """MuJoCo's renderer of images (size, size); it raises where there is no OpenGL, and GLFW does not warn of that before."""
    import mujoco

    with warnings.catch_warnings(action="ignore"):
        return mujoco.Renderer(model, size, size)


def no_opengl(world: str, error: BaseException) -> ArmillaryError:
    """The error to raise for a world whose images cannot be drawn."""
    return ArmillaryError(f"{world}: its images need OpenGL, and there is none ({error}); {ADVICE}")


def advised(error: BaseException) -> str:
    """An error of an environment, with advice where it is about OpenGL."""
    about = re.search(r"gl\b|glfw|osmesa|display", f"{type(error).__name__} {error}", re.IGNORECASE)
    return f"{error}; {ADVICE}" if about else str(error)
