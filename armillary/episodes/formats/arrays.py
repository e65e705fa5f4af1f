"""Arrays of somebody's recording as streams: which kind each is, and its rows in the form of that kind, a block at a time.

The kind follows from type, shape and, where these leave it open, the name:
- uint8 (H, W, 1, 3 or 4) and (H, W) are images, and so are JPEG and PNG files, one a row;
- (H, W) or (H, W, 1) is depth where the name says so: floats are metres, whole numbers millimetres with 0 as nothing measured;
- (beams,) is a scan where the name says scan, lidar or laser; (N, 3 or more) are points where it says points or cloud;
- everything else of up to `FLAT` numbers a row, and any plain list, is a vector. What is larger has to be named.
Arrays are those of h5py or NumPy: whatever has a shape, a dtype and slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Any

import numpy as np

from armillary.episodes import images
from armillary.episodes.formats.depth import metres
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.spec import ActionSpace, Kind, Stream

BLOCK = 8 << 20  # bytes of an array that are read at once
FLAT = 64
_SAID = {"depth": ("depth",), "scan": ("scan", "lidar", "laser"), "points": ("points", "cloud")}
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG")


@dataclass(frozen=True)
class Column:
    """How an array is read as a stream.

    Args:
        path: what the recording calls the array.
        stream: what it becomes.
        shape: of one row in the recording, as its kind has it.
        row: shape of a row of the array itself; None where a row is a JPEG or PNG file.
        said: how its kind was found, for a person.
    """

    path: str
    stream: Stream
    shape: tuple[int, ...]
    row: tuple[int, ...] | None
    said: str

    @classmethod
    def of(
        cls, path: str, array: Any, name: str, *, kind: Kind | None = None, size: int | None = None, truth: bool = False
    ) -> "Column":
        """The column for an array.

        Args:
            path, array: the array, one row a step, and what it is called.
            name: of the stream.
            kind: of the stream; None finds it.
            size: images and depth become size x size; None keeps their own.
            truth: whether it is privileged.

        Raises:
            ArmillaryError: an array of another type, of no kind, or that does not fit the kind that was given.
        """
        picture = _picture(array)
        shape, dtype = (picture, np.dtype(np.uint8)) if picture else (tuple(array.shape[1:]), array.dtype)
        if dtype.kind not in "biuf":
            raise ArmillaryError(f"is of type {dtype}, not numbers")
        found = kind or _kind(path, shape, dtype)
        if found is None:
            raise ArmillaryError(f"{dtype} {shape} is of no kind by itself; say which")
        said = "" if picture is None else " (files)"
        if found in ("vector", "scan"):
            said = f" (from {shape})" * (len(shape) > 1)
            shape = (int(np.prod(shape)),)
        elif found == "depth":
            shape = shape[:-1] if shape[-1:] == (1,) else shape
            said = " (millimetres, 0 as nothing)" if dtype.kind in "iu" else " (metres)"
        elif len(shape) == {"image": 2, "signal": 1}.get(found):
            shape = (*shape, 1)
        if found == "image" and dtype != np.uint8:
            raise ArmillaryError(f"{dtype} {shape} is no image: images are uint8 (height, width, channels)")
        stream = Stream(name, found, shape, truth=truth)  # which refuses a shape that does not fit
        if size and found in ("image", "depth"):
            stream = Stream(name, found, (size, size, *shape[2:]), truth=truth)
        return cls(path, stream, shape, None if picture else tuple(array.shape[1:]), f"{found}{said}")

    def read(self, array: Any, start: int, stop: int) -> np.ndarray:
        """Rows of the array as the stream has them, (stop - start, *stream.shape); blocks follow the chunks of the file.

        Raises:
            CorruptFile: rows that are not there or of another shape, no image where there should be one, or no finite number in
                a vector or signal.
        """
        if self.row not in (None, tuple(array.shape[1:])):
            raise CorruptFile(f"{self.path}: a row is {tuple(array.shape[1:])}, and {self.row} in the first episode")
        if self.row is not None and self.stream.kind == "image" and array.dtype != np.uint8:
            raise CorruptFile(f"{self.path}: images of {array.dtype}, and of uint8 in the first episode")
        if len(array) < stop:
            raise CorruptFile(f"{self.path}: the file has {max(len(array) - start, 0)} rows where {stop - start} are needed")
        rows = np.empty((stop - start, *self.stream.shape), self.stream.dtype)
        step = _rows_at_once(array)
        for at in range(start, stop, step):
            block = array[at : min(at + step, stop)]
            rows[at - start : at - start + len(block)] = self._converted(block)
        if rows.dtype == np.float32 and not self.stream.gaps:
            for row, *_ in np.argwhere(~np.isfinite(rows))[:1]:
                raise CorruptFile(f"{self.path}: not a finite number in row {row} of {stop - start}")
        return rows

    def _converted(self, block: np.ndarray) -> np.ndarray:
        size = self.stream.shape[0] if self.stream.shape[:2] != self.shape[:2] else None
        if self.row is None:
            return images.decode(list(block), self.shape, size)
        block = block.reshape(-1, *self.shape)
        if self.stream.kind == "image":
            return images.resize(block, size) if size else block
        if self.stream.kind == "depth":
            return metres(block, size)
        with np.errstate(over="ignore"):
            numbers = block.astype(np.float32)
        return np.where(np.isinf(numbers), np.nan, numbers) if self.stream.gaps else numbers


def action_space(arrays: Iterator[Any]) -> ActionSpace:
    """A box of floats, or the choices of lone whole numbers: as many as the largest in any of the arrays (T, ...) needs.

    Files say no bounds, and the range that was seen is none. Only choices are read to the end.

    Raises:
        ArmillaryError: these are no numbers.
    """
    first = next(arrays)
    if first.dtype.kind not in "biuf":
        raise ArmillaryError(f"actions are of type {first.dtype}, not numbers")
    if first.dtype.kind == "f" or tuple(first.shape[1:]) not in ((), (1,)):
        return ActionSpace("box", int(np.prod(first.shape[1:])))
    return ActionSpace("discrete", 1 + max(int(np.max(array[:], initial=0)) for array in chain([first], arrays)))


def read_actions(array: Any, start: int, stop: int, space: ActionSpace) -> np.ndarray:
    """Rows of an array of actions in the dtype of their space, (stop - start, n) or (stop - start,) for choices.

    Raises:
        CorruptFile: no finite number.
    """
    actions = np.asarray(array[start:stop])
    for row, *_ in np.argwhere(~np.isfinite(actions))[:1]:
        raise CorruptFile(f"actions: not a finite number in row {start + row}")
    return actions.reshape(stop - start, *space.shape).astype(space.dtype)


def _kind(path: str, shape: tuple[int, ...], dtype: np.dtype) -> Kind | None:
    def said(kind: str) -> bool:
        return any(word in path.lower() for word in _SAID[kind])

    flat = len(shape) - (shape[-1:] == (1,))
    if said("depth") and flat == 2 and dtype != np.uint8:
        return "depth"
    if dtype == np.uint8 and (len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3, 4))):
        return "image"
    if said("points") and len(shape) == 2 and shape[-1] >= 3 and dtype.kind == "f":
        return "points"
    if said("scan") and flat == 1:
        return "scan"
    return "vector" if len(shape) < 2 or np.prod(shape) <= FLAT else None


def _picture(array: Any) -> tuple[int, ...] | None:
    """Shape of the images where the rows of an array are JPEG or PNG files, padded or of varying length."""
    loose = array.dtype == object or array.dtype.kind == "S"
    if not len(array) or not (loose or (array.dtype == np.uint8 and len(array.shape) == 2)):
        return None
    first = array[0]
    content = first if isinstance(first, bytes) else first.tobytes() if isinstance(first, np.ndarray) else b""
    if not content.startswith(_MAGIC):
        return None
    with require("PIL.Image", "data").open(BytesIO(content)) as image:
        return (image.height, image.width, len(image.getbands()))


def _rows_at_once(array: Any) -> int:
    """So many that a block has `BLOCK` bytes, in whole chunks, so that no chunk is decompressed twice."""
    row = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
    chunk = (getattr(array, "chunks", None) or (1,))[0]
    return -(-max(1, BLOCK // row) // chunk) * chunk if array.dtype != object else 64
