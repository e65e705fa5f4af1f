"""What each step of training needs, read and prepared while the device is at the step before, where that helps.

`waiting` in the metrics is the share of the time in which training waited for data.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from armillary.training.stages import Stage


class Prefetch:
    """What each step needs, by its number alone."""

    def __init__(self, stage: Stage, seeds: list[int]) -> None:
        self._stage, self._seeds = stage, seeds
        self._pool = ThreadPoolExecutor(1, "armillary-step") if stage.ahead else None
        self._next: Future | None = None
        self._waited, self._since = 0.0, time.perf_counter()

    def take(self, step: int) -> tuple[int, Any]:
        """A seed for all else that is random in the step, and what the stage has prepared; steps come in order."""
        began = time.perf_counter()
        taken = self._make(step) if self._next is None else self._next.result()
        if self._pool:
            self._next = self._pool.submit(self._make, step + 1)
        self._waited += time.perf_counter() - began
        return taken

    def _make(self, step: int) -> tuple[int, Any]:
        rng = np.random.default_rng([*self._seeds, step])
        return int(rng.integers(2**31)), self._stage.prepare(rng)

    def waiting(self) -> float:
        """The share of the time, since this was last asked, in which training waited for data."""
        now = time.perf_counter()
        share, self._waited, self._since = self._waited / max(now - self._since, 1e-9), 0.0, now
        return round(share, 4)

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(self, *failure: object) -> None:
        """What was made ahead in vain is dropped."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
