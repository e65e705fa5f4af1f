"""What a kind of stream is: the base class, with what holds unless a kind says otherwise.

A kind is code without state. All that differs between two streams of one kind is in the `Stream`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from armillary.errors import ArmillaryError
from armillary.kinds.check import Row

if TYPE_CHECKING:
    from armillary.model.config import ModelConfig
    from armillary.model.perception.encoder import Encoder
    from armillary.spec import Stream

STILL = 0.9  # share of rows that are equal to the one before, from which on the doctor warns
OUTLINE = 64  # numbers
SPARSE = 0.9  # share of numbers that are NaN, from which on the doctor warns


class Kind:
    """Base class of kinds of stream.

    Raises:
        ArmillaryError: when made, if what the class says of itself does not fit together.
    """

    name: ClassVar[str]
    """As recordings and specs call it."""
    axes: ClassVar[tuple[str, ...]]
    """The axes of one observation, in words."""
    dtype: ClassVar[Literal["uint8", "float32"]] = "float32"
    """Of its arrays. A store keeps numbers of it as they are, a list of fixed size a row."""
    gaps: ClassVar[bool] = False
    """Whether it may hold NaN, where nothing was measured."""
    is_picture: ClassVar[bool] = False
    """(height, width, channels) uint8: stores keep it by an image codec, `ModelConfig.image_size` resizes it, training may
    augment it, and LeRobot has it as video."""
    is_tabular: ClassVar[bool] = False
    """(channels,): each number is a channel by itself, as a column of a table, which monitors watch and probes read off."""
    is_distance: ClassVar[bool] = False
    """Metres from the sensor."""
    resizes: ClassVar[bool] = False
    """Whether importers can take it at another height and width, see `take`."""
    may_turn: ClassVar[bool] = False
    """Whether `Stream.full_turn` may be said of it."""
    is_drawn: ClassVar[bool] = False
    """Whether `draw` shows it."""

    def __init__(self) -> None:
        wanted = {"is_picture": ("uint8", 3), "is_tabular": ("float32", 1)}
        if self.dtype not in ("uint8", "float32") or not self.axes:
            raise ArmillaryError(f"kind {self.name}: expected dtype uint8 or float32 and an axis or more, got {self.dtype}")
        for flag, (dtype, axes) in wanted.items():
            if getattr(self, flag) and (self.dtype, len(self.axes)) != (dtype, axes):
                raise ArmillaryError(f"kind {self.name}: {flag} takes {dtype} and {axes} axes, got {self.dtype}, {self.axes}")

    # Shape

    def fault(self, shape: tuple[int, ...]) -> str | None:
        """What is wrong with the shape of one observation, in words; None if nothing is."""
        if len(shape) != len(self.axes) or min(shape) < 1:
            return f"kind {self.name} has shape ({', '.join(self.axes)}), not {shape}"
        return None

    def scale_groups(self, stream: "Stream") -> tuple[int, ...] | None:
        """For each channel (of the last axis) a number, where channels without units do not all share a scale."""
        return None

    # Perception

    def encoder(self, stream: "Stream", config: "ModelConfig") -> "Encoder":
        """A fresh encoder: (N, *shape) in the stream's own unit to (N, features), each row by itself.

        One that scales its input by statistics of the training part is a `perception.standard.Standardised`. Import torch in
        here, so that a recording does not need it.
        """
        raise NotImplementedError

    # Arrays of other people

    def matches(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether rows of this shape and type are of this kind, in an array whose name (in lower case) this is."""
        return False

    def read_as(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], str]:
        """The shape that a stream of such rows has, and a remark on how they are read, for a person."""
        return shape, ""

    def take(self, stream: "Stream", values: np.ndarray, size: int | None = None) -> np.ndarray:
        """Rows (n, ...) of an array that `read_as` was asked of, as (n, *stream.shape); others are given back as they are.

        Args:
            size: of a kind that `resizes`, the height and width to take them at.
        """
        return values

    # What people see

    def checks(self, streams: Sequence["Stream"], runs: Sequence[dict[str, np.ndarray]]) -> Iterator[Row]:
        """What the doctor says of all observed streams of this kind.

        Args:
            runs: of each sampled episode, consecutive rows by stream, (T, *shape); without optional ones that are absent.
        """
        for stream in streams:
            rows = [run[stream.name] for run in runs if stream.name in run]
            same = np.concatenate([_equal(part[1:], part[:-1]) for part in rows] or [np.empty(0, bool)])
            share = float(same.mean()) if len(same) else 0.0
            advice = "the sensor stalls, is unplugged or is slower than the actions; check it, or take a larger frame skip"
            yield Row.of(f"frozen {stream.name}", f"{share:.0%} of rows equal the one before", share >= STILL, advice)
            if self.gaps:
                sparse = float(np.mean([np.isnan(part).mean() for part in rows])) if rows else 0.0
                advice = "next to nothing was measured; check range and mounting of the sensor, or leave the stream out"
                yield Row.of(f"measured {stream.name}", f"{1 - sparse:.0%} of numbers", sparse >= SPARSE, advice)

    def outline(self, values: np.ndarray) -> np.ndarray:
        """A few numbers for each row (T, *shape), (T, k): means of equal parts, in which neighbours should be alike.

        The doctor asks it of recordings without vectors and images: does the action explain how it changes, does it jump?
        Numbers that are missing count as 0.
        """
        flat = np.nan_to_num(values.reshape(len(values), -1).astype(np.float64))
        return np.stack([part.mean(1) for part in np.array_split(flat, min(OUTLINE, flat.shape[1]), axis=1)], axis=1)

    def draw(self, stream: "Stream", values: np.ndarray) -> np.ndarray:
        """Rows (T, *shape) as pictures (T, H, W, C) uint8 for reports, on a scale that is the same for all rows."""
        raise NotImplementedError


def _equal(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Which rows are equal, (T,) bool; NaN equals NaN."""
    same = (after == before) | ((after != after) & (before != before))
    return same.reshape(len(same), -1).all(1)
