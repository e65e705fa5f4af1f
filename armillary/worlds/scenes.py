"""Clips of what can happen in a world, matched with clips of what cannot: what a world offers for violations of expectation.

A scene is four clips: two possible ones, and an impossible one made of each. In a world, these are the same up to the event.
Where it can be, the impossible clips are spliced from the possible ones, so that the four have the same frames between them and
the appearance of single frames gives nothing away.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from armillary.errors import ArmillaryError

ROUNDS = 40
"""Draws of candidates, at most, of which those are kept that are as stated."""


@dataclass
class Scenes:
    """n scenes of one property.

    Args:
        name: what is violated.
        observations: name -> (n, 4, T, *shape): two possible clips, then the impossible one of each.
        actions: (n, 4, T - 1, A) raw action blocks.
        difficulty: of those that a property is asked in; "" where there is one.
        start: (n, 2, S) states of the world in which the possible clips begin, where it has a ceiling. No model sees them.
    """

    name: str
    observations: dict[str, np.ndarray]
    actions: np.ndarray
    difficulty: str = ""
    start: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def label(self) -> str:
        """What is violated, and how difficult it is to see."""
        return f"{self.name}, {self.difficulty}" if self.difficulty else self.name

    def first(self, n: int) -> "Scenes":
        """The first n of them."""
        observations = {name: x[:n] for name, x in self.observations.items()}
        start = None if self.start is None else self.start[:n]
        return replace(self, observations=observations, actions=self.actions[:n], start=start)


def splice(clips: np.ndarray, event: int) -> np.ndarray:
    """Clips A and B (n, 2, T, ...) to four (n, 4, T, ...): A, B, A then B, B then A; `event` is the first frame changed."""
    return np.concatenate([clips, np.concatenate([clips[:, :, :event], clips[:, ::-1, event:]], axis=2)], axis=1)


def gather(n: int, draw: Callable[[], tuple[np.ndarray, ...]], what: str) -> tuple[np.ndarray, ...]:
    """The first n of what draw after draw finds: arrays whose first axes are as long as much was found.

    Raises:
        ArmillaryError: next to nothing is found.
    """
    found = []
    for _ in range(ROUNDS):
        found.append(draw())
        if sum(len(parts[0]) for parts in found) >= n:
            return tuple(np.concatenate(parts)[:n] for parts in zip(*found, strict=True))
    count = sum(len(parts[0]) for parts in found)
    raise ArmillaryError(f"{what}: only {count} of {n} found in {ROUNDS} draws of candidates; the options may leave no room")


def shown(world: Any, name: str, states: np.ndarray, actions: np.ndarray, skip: int) -> Scenes:
    """Scenes of a world from states (n, 4, T, S) and the actions (n, 2, T - 1, A) of possible clips, held for `skip` steps."""
    frames = world.render_states(states.reshape(-1, states.shape[-1]))
    observed = {s.name: frames[s.name].reshape(*states.shape[:3], *s.shape) for s in world.stream_spec.observed}
    return Scenes(name, observed, np.tile(actions, (1, 2, 1, skip)).astype(np.float32))
