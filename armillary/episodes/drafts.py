"""The episodes that the environments of a recording are in, row by row, until they end."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from armillary.episodes.episode import Episode
from armillary.spec import Spec, Stream

ROWS = 128  # of an episode, for which there is room at first


class Drafts:
    """The episodes that n environments are in. Rows are copied, since an environment may use its arrays again.

    Attributes:
        steps: (n,) taken in each so far.
        count: (n,) episodes of the same environment before it.
        row: (n,) its first row in the whole episode, of which it may be a part.
    """

    def __init__(self, spec: Spec, observation: dict[str, np.ndarray], n: int):
        self.spec, self.steps, self.count, self.row = spec, np.zeros(n, int), np.full(n, -1), np.zeros(n, int)
        self._rows = {name: np.empty((n, ROWS, *values.shape[1:]), values.dtype) for name, values in observation.items()}
        self._actions = np.empty((n, ROWS, *spec.action.shape), spec.action.dtype)
        self.begin(np.ones(n, bool), observation)

    def begin(self, which: np.ndarray, observation: dict[str, np.ndarray]) -> None:
        """New episodes in `which` (n,) environments."""
        if which.any():
            self.count[which] += 1
            self.steps[which] = self.row[which] = 0
            self._see(which, observation)

    def go_on(self, which: np.ndarray, observation: dict[str, np.ndarray]) -> None:
        """New parts of the same episodes."""
        if which.any():
            self.row[which] += self.steps[which]
            self.steps[which] = 0
            self._see(which, observation)

    def add(self, which: np.ndarray, actions: np.ndarray, observation: dict[str, np.ndarray]) -> None:
        """A step of `which` (n,) environments: the action, and what it led to."""
        if self.steps.max() + 1 == self._actions.shape[1]:
            self._rows = {name: self._with_room(rows) for name, rows in self._rows.items()}
            self._actions = self._with_room(self._actions)
        self._actions[which, self.steps[which]] = actions[which]
        self.steps[which] += 1
        self._see(which, observation)

    def _see(self, which: np.ndarray, observation: dict[str, np.ndarray]) -> None:
        for name, rows in self._rows.items():
            rows[which, self.steps[which]] = observation[name] if which.all() else observation[name][which]

    def _with_room(self, rows: np.ndarray) -> np.ndarray:
        """Twice as much, of which what nobody has written to takes no memory."""
        more = np.empty((len(rows), 2 * rows.shape[1], *rows.shape[2:]), rows.dtype)
        for i, steps in enumerate(self.steps):
            more[i, : steps + 1] = rows[i, : steps + 1]
        return more

    def episode(self, i: int, info: dict[str, Any]) -> Episode:
        """The episode of environment `i`, so far."""
        steps = self.steps[i]

        def seen(streams: Sequence[Stream]) -> dict[str, np.ndarray]:
            return {
                stream.name: self._rows[stream.name][i, : steps + 1].copy() for stream in streams if stream.name in self._rows
            }

        info = {**info, "count": int(self.count[i]), "row": int(self.row[i])}
        return Episode(seen(self.spec.observed), self._actions[i, :steps].copy(), seen(self.spec.truth), info)
