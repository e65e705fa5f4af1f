"""One episode in memory."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Episode:
    """One episode in memory. `actions[t]` was taken on seeing row t and led to row t + 1.

    Args:
        observations: name -> (T, *shape) in the dtype of the stream, observed streams alone; optional ones may be left out.
        actions: (T-1, n) float32 for a box, (T-1,) int64 for choices, (T-1, 0) float32 where there are none.
        truth: name -> (T, *shape), the privileged streams.
        info: whatever JSON holds: seed, source, policy.
    """

    observations: dict[str, np.ndarray]
    actions: np.ndarray
    truth: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.actions) + 1
