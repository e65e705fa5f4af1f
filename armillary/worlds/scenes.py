"""Clips of what can happen in a world, matched with clips of what cannot: what a world offers for violations of expectation.

A scene is four clips: two possible ones, and two impossible ones, each of which is the same as one of the possible clips up to
the event. Where it can be, the impossible clips are spliced from the possible ones, so that the four have the same frames
between them and the appearance of single frames gives nothing away.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Scenes:
    """n scenes of one property.

    Args:
        name: what is violated.
        observations: name -> (n, 4, T, *shape): two possible clips, then the impossible one that begins like each.
        actions: (n, 4, T - 1, A) raw action blocks.
    """

    name: str
    observations: dict[str, np.ndarray]
    actions: np.ndarray

    def __len__(self) -> int:
        return len(self.actions)


def splice(clips: np.ndarray, event: int) -> np.ndarray:
    """Clips A and B (n, 2, T, ...) to four (n, 4, T, ...): A, B, A then B, B then A; `event` is the first frame changed."""
    return np.concatenate([clips, np.concatenate([clips[:, :, :event], clips[:, ::-1, event:]], axis=2)], axis=1)
