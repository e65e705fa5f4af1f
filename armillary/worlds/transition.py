"""What Push-T and the house share: a step is a function of state and action, so that any states can be carried on."""

from abc import abstractmethod

import numpy as np

from armillary.worlds.native import NativeWorld


class TransitionWorld(NativeWorld):
    """Base class; see `NativeWorld` for its arguments."""

    @abstractmethod
    def _moved(self, state: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """States (n, S) a step later, under actions (n, A)."""

    def _advance(self, actions: np.ndarray) -> None:
        self._state = self._moved(self._state, actions)

    def simulate(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """States (n, k + 1, S) that follow states (n, S), which are the first, under actions (n, k, A).

        Raises:
            ArmillaryError: states that cannot be.
        """
        history = [self._checked(states)]
        for action in np.asarray(actions, float).swapaxes(0, 1):
            history.append(self._moved(history[-1], action))
        return np.stack(history, axis=1)
