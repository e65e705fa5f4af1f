"""Random numbers of planners: each problem has its own stream, so that it has the same plan alone or among others.

Numbers are drawn on the CPU, so that a plan does not depend on the device.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.arguments import seed_of
from armillary.imagination import Rows


class RandomStreams:
    """One independent random generator for each problem, which goes on from decision to decision.

    Args:
        seed: of the whole experiment.
        problems: a whole number that names each problem; (seed, problem) fixes its stream.
    """

    def __init__(self, seed: int, problems: Iterable[int]) -> None:
        self.seed = seed_of(seed)
        self.streams = [_Stream(seed, problem) for problem in problems]

    def __len__(self) -> int:
        return len(self.streams)

    def take(self, rows: Rows) -> "RandomStreams":
        """The streams of these problems, not copied: drawing from them moves them on."""
        taken = RandomStreams(self.seed, ())
        taken.streams = [self.streams[i] for i in rows]
        return taken

    def restart(self, index: int, *problem: int) -> None:
        """Give place `index`, or a new one at the end, to a problem from its beginning; more numbers may name it than one."""
        self.streams[index : index + 1] = [_Stream(self.seed, *problem)]

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Standard normal numbers (B, *shape), float32."""
        numbers = np.empty((len(self), *shape), np.float32)
        for stream, row in zip(self.streams, numbers, strict=True):
            stream.normal(row)
        return torch.from_numpy(numbers)

    def draw_ahead(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """Get ready for calls of `normal` with these shapes, while there is time. What they give does not change by it."""
        shapes = list(shapes)
        for stream in self.streams:
            stream.draw_ahead(shapes)


class _Stream:
    """The random numbers of one problem, some of which may be drawn before they are asked for."""

    def __init__(self, seed: int, *problem: int) -> None:
        self._generator = np.random.default_rng((seed, *problem))
        self._ahead: deque[tuple[Any, np.ndarray]] = deque()  # with the generator's state before each

    def normal(self, out: np.ndarray) -> None:
        if self._ahead:
            state, numbers = self._ahead.popleft()
            if numbers.shape == out.shape:
                out[:] = numbers
                return
            self._generator.bit_generator.state = state
            self._ahead.clear()
        self._generator.standard_normal(out=out, dtype=np.float32)

    def draw_ahead(self, shapes: Sequence[tuple[int, ...]]) -> None:
        if not self._ahead:
            for shape in shapes:
                state = self._generator.bit_generator.state
                self._ahead.append((state, self._generator.standard_normal(shape, np.float32)))
