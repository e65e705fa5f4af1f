"""What two rooms, the maze, Push-T and the physics world share: images drawn over base images, which last like layouts."""

from abc import abstractmethod
from typing import Any

import numpy as np

from armillary.spec import Spec
from armillary.worlds.drawing import distinct
from armillary.worlds.native import NativeWorld


class DrawnOverBase(NativeWorld):
    """Base class; see `NativeWorld` for its arguments."""

    def __init__(self, num_envs: int, spec: Spec, state_size: int, **settings: Any) -> None:
        super().__init__(num_envs, spec, state_size, **settings)
        self._base = np.empty((num_envs, *spec["image"].shape), np.uint8)

    @abstractmethod
    def _base_images(self, state: np.ndarray) -> np.ndarray:
        """What does not move in states (n, S): (n, size, size, 3) uint8."""

    @abstractmethod
    def _sense_over(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        """What is sensed in states (n, S), drawn over a copy of the base images `base[index]`."""

    def _sense(self, state: np.ndarray) -> dict[str, np.ndarray]:
        which, index = distinct(state[:, self.layout])
        return self._sense_over(state, self._base_images(state[which]), index)

    def _begun(self, mask: np.ndarray) -> None:
        self._base[mask] = self._base_images(self._state[mask])

    def _observe(self) -> dict[str, np.ndarray]:
        return self._sense_over(self._state, self._base, np.arange(self.num_envs))
