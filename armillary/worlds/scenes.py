"""Clips of what can happen in a world, matched with clips of what cannot: what a world offers for violations of expectation.

A scene is four clips: two possible ones, and two impossible ones, each of which is the same as one of the possible clips up to
the event. Where it can be, the impossible clips are spliced from the possible ones, so that the four have the same frames
between them and the appearance of single frames gives nothing away.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass
class Scenes:
    """n scenes of one property.

    Args:
        name: what is violated.
        observations: name -> (n, 4, T, *shape): two possible clips, then the impossible one that begins like each.
        actions: (n, 4, T - 1, A) raw action blocks.
        difficulty: of those that a property is asked in; "" where there is one.
    """

    name: str
    observations: dict[str, np.ndarray]
    actions: np.ndarray
    difficulty: str = ""

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def label(self) -> str:
        """What is violated, and how difficult it is to see."""
        return f"{self.name}, {self.difficulty}" if self.difficulty else self.name

    def first(self, n: int) -> "Scenes":
        """The first n of them."""
        return replace(self, observations={name: x[:n] for name, x in self.observations.items()}, actions=self.actions[:n])


def splice(clips: np.ndarray, event: int) -> np.ndarray:
    """Clips A and B (n, 2, T, ...) to four (n, 4, T, ...): A, B, A then B, B then A; `event` is the first frame changed."""
    return np.concatenate([clips, np.concatenate([clips[:, :, :event], clips[:, ::-1, event:]], axis=2)], axis=1)
