"""What two rooms, the maze and the apartment share: a disc that moves among walls, and goals that are places."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from armillary.errors import ArmillaryError
from armillary.worlds.native import NativeWorld

POSITION = slice(0, 2)  # the columns of a state that the disc's place is in
Draw = Callable[[np.random.Generator, str], np.ndarray]
"""A layout of a part of all: "random", "seen" or "unseen"."""


class DiscWorld(NativeWorld):
    """Base class. States begin with the disc's position."""

    unit: ClassVar[str] = "px"
    """Of lengths."""
    obstacles: ClassVar[str] = "walls"
    threshold: float
    """Success is a distance below this."""

    @abstractmethod
    def free_space(self, state: np.ndarray) -> Any:
        """Where the disc is free to move in states (n, S): it can `sample` positions (n, 2), and tell the `nearest_free`."""

    @abstractmethod
    def _steps_between(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Length of the shortest paths between states (n, S), in env steps."""

    def _place(self, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The states, which are written on, at random places."""
        states[:, POSITION] = self.free_space(states).sample(rng)
        return states

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Fewest env steps from start to goal states (n, S), as a real number; (n,). Infinite where there is no way.

        The length of the shortest path by the greatest length of a step. Counted to the goal itself, not to its threshold.
        """
        return self._steps_between(*self._pair(start, goal))

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether the disc is less than `threshold` from the goal, in states (n, S); (n,) bool.

        Nothing else counts, such as which way it looks, or a wall between the two.
        """
        state, goal = self._pair(state, goal)
        return np.hypot(*(state - goal)[:, POSITION].T) < self.threshold

    def _possible(self, states: np.ndarray) -> np.ndarray:
        """States as (n, S) float64, moved out of walls by no more than rounding to float32 puts them in."""
        free = self.free_space(states).nearest_free(states[:, POSITION])
        outside = ~(np.abs(free - states[:, POSITION]).max(axis=1) < 1e-3)
        if outside.any():
            i = int(outside.argmax())
            where = f"{states[i, POSITION].tolist()} {self.unit}"
            raise ArmillaryError(f"{self.name}: state {i} at {where} is not clear of {self.obstacles}")
        states[:, POSITION] = free
        return states

    def _threshold(self, given: Any, unit: str) -> float:
        if not isinstance(given, int | float | np.number):
            raise ArmillaryError(f"{self.name}: threshold is a number of {unit}, not {given!r}")
        return given


class LaidOutWorld(DiscWorld):
    """Base class of those whose layout is drawn anew for each episode.

    Attributes:
        layouts: the part of all layouts that is drawn from, or those (k, ...) that there are.
    """

    rounds: ClassVar[int]
    """Tries to find pairs."""

    def _lay_out(self, layouts: str | int | Sequence[int], draw: Draw) -> None:
        """Set `layouts`, of what the option says."""
        self._draw_layout = draw
        if isinstance(layouts, str) and layouts in ("random", "seen", "unseen"):
            self.layouts: str | np.ndarray = layouts
            return
        seeds = np.arange(layouts) if isinstance(layouts, int | np.integer) else np.asarray(layouts)
        if seeds.ndim != 1 or not seeds.size or seeds.dtype.kind not in "iu" or (seeds < 0).any():
            raise ArmillaryError(f"{self.name}: layouts is 'random', 'seen', 'unseen', how many, or seeds, not {layouts!r}")
        self.layouts = np.stack([draw(np.random.default_rng(seed), "seen") for seed in seeds])

    def _draw_layouts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        if isinstance(self.layouts, str):
            return np.stack([self._draw_layout(rng, self.layouts) for _ in range(n)])
        return self.layouts[rng.integers(len(self.layouts), size=n)]

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, min_distance: float = 1.0, max_distance: float = np.inf
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, S) each, that share a layout; both uniform over free space, within the constraints.

        Args:
            min_distance, max_distance: least and greatest `shortest_path` of a pair, in env steps.

        Raises:
            ArmillaryError: the constraints leave next to nothing.
        """
        pairs, found = [np.empty((2, 0, self._state.shape[1]))], 0
        for _ in range(self.rounds):
            start = self._new_states(max(n - found, 16), rng)
            goal = self._place(start.copy(), rng)
            steps = self._steps_between(start, goal)
            pairs.append(np.stack([start, goal])[:, (steps >= min_distance) & (steps <= max_distance)])
            found += pairs[-1].shape[1]
            if found >= n:
                start, goal = np.concatenate(pairs, axis=1)[:, :n]
                return start, goal
        raise ArmillaryError(
            f"{self.name}: found {found} of {n} pairs with min_distance={min_distance} and max_distance={max_distance} steps; "
            "ask for nearer goals, or for a wider range"
        )
