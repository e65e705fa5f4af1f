"""Arrays of somebody's recording as streams: which kind each is, and its rows in the form of that kind, a block at a time.

The kind follows from type, shape and the last part of the name (`kinds.recognise`). Beside that,
- JPEG and PNG files, one a row, are images, without alpha, or depth where they have 16 bits. Of an array, a fourth channel that
  is 255 all over the first row is alpha too; else it is a frame of a stack. Colours are RGB unless the caller says BGR: a file
  does not tell;
- depth in floats is in metres, in whole numbers in millimetres, with 0 where nothing was measured.
Arrays are those of h5py or NumPy: whatever has a shape, a dtype and slices.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from armillary import kinds
from armillary.axes import check_axes, picture_shape, to_pictures
from armillary.episodes import images
from armillary.episodes.formats.depth import DEPTH, decode_depth
from armillary.episodes.formats.importing import ImportSummary
from armillary.episodes.offsets import exact
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import ActionSpace, Stream

BLOCK = 8 << 20  # bytes of an array that are read at once
EIGHT_BITS = "pixels have to be scaled to 0 to 255 and stored as uint8 first"
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG")


@dataclass(frozen=True)
class Hints:
    """What the owner of a recording says of its arrays, by their names.

    Args:
        kinds: the kind, where the one that is found is not right.
        axes: the order of the axes of an image, such as chw, where it is not found.
        bgr: arrays of images whose colours are blue, green, red.
    """

    kinds: Mapping[str, str]
    axes: Mapping[str, str]
    bgr: Sequence[str] = ()

    @classmethod
    def of(cls, kinds: Mapping[str, str] | None, axes: Mapping[str, str] | None, bgr: Sequence[str]) -> "Hints":
        """From options that may be None."""
        return cls(kinds or {}, axes or {}, bgr)

    @property
    def names(self) -> list[str]:
        """All arrays that are named."""
        return [*dict.fromkeys((*self.kinds, *self.axes, *self.bgr))]

    def renamed(self, names: Mapping[str, str]) -> "Hints":
        """The same of arrays that are called by their values in `names`."""
        kinds, axes = ({names[name]: value for name, value in some.items()} for some in (self.kinds, self.axes))
        return Hints(kinds, axes, [names[name] for name in self.bgr])


@dataclass(frozen=True)
class Column:
    """How an array is read as a stream.

    Args:
        path: what the recording calls the array.
        stream: what it becomes.
        shape: of one row in the recording, as its kind has it.
        row: shape of a row of the array itself; None where a row is a JPEG or PNG file.
        said: how its kind was found, for a person.
        axes: of an image in an array, the order of the axes of a row.
        bgr: whether colours are blue, green, red.
    """

    path: str
    stream: Stream
    shape: tuple[int, ...]
    row: tuple[int, ...] | None
    said: str
    axes: str = ""
    bgr: bool = False

    @classmethod
    def of(
        cls, path: str, array: Any, name: str, hints: Hints | None = None, *, size: int | None = None, truth: bool = False
    ) -> "Column":
        """The column for an array.

        Args:
            path, array: the array, one row a step, and what it is called.
            name: of the stream.
            hints: what was said of arrays by their paths; None finds everything.
            size: images and depth become size x size; None keeps their own.
            truth: whether it is privileged.

        Raises:
            ArmillaryError: an array of another type, of no kind, or that does not fit what was said of it.
        """
        hints = hints or Hints({}, {})
        kind, axes, bgr = hints.kinds.get(path), hints.axes.get(path), path in hints.bgr
        if picture := _picture(array):
            found, shape, said = picture
            if kind not in (None, found) or axes:
                raise ArmillaryError(f"its rows are image files, which are {found}; they have no other kind or axes")
            row, dtype = None, np.dtype(np.uint8)
        else:
            shape, dtype = tuple(array.shape[1:]), array.dtype
            row, said = shape, ""
            if dtype.kind not in "biuf":
                raise ArmillaryError(f"is of type {dtype}, not numbers")
            found = kind or ("image" if axes or bgr else kinds.recognise(path.rsplit("/", 1)[-1], shape, dtype))
        if found is None:
            which = "say its kind, and of images the order of their axes" if dtype == np.uint8 else f"say which; {EIGHT_BITS}"
            raise ArmillaryError(f"{dtype} {shape} is of no kind by itself; {which}")
        of = kinds.get(found)
        if row is not None and of.dtype == "uint8" != dtype:
            raise ArmillaryError(f"{dtype} {shape} is no {found}: its numbers are uint8 ({', '.join(of.axes)}); {EIGHT_BITS}")
        if row is not None and of.is_picture:
            axes = check_axes(axes, shape)
            said = f" (axes {axes} of {shape})" * (axes not in ("hw", "hwc"))
            shape = picture_shape(shape, axes)
            if shape[-1] == 4 and len(array) and (to_pictures(array[0], axes)[..., 3] == 255).all():
                shape, said = (*shape[:2], 3), f"{said} (without alpha)"
        elif row is not None:
            shape, said = of.read_as(shape, dtype)
        if bgr:
            if not of.is_picture or shape[-1] % 3:
                raise ArmillaryError(f"bgr is said of images with three colours, and this is {found} {shape}")
            said += " (BGR to RGB)"
        stream = Stream(name, found, shape, truth=truth)  # which refuses a shape that does not fit
        if size and of.resizes:
            stream = Stream(name, found, (size, size, *shape[2:]), truth=truth)
        return cls(path, stream, shape, row, f"{found}{said}", axes or "", bgr)

    @property
    def coloured(self) -> bool:
        """Whether it holds colours that nobody said the order of."""
        return self.stream.is_picture and self.stream.shape[-1] % 3 == 0 and not self.bgr

    def read(self, array: Any, start: int, stop: int) -> np.ndarray:
        """Rows of the array as the stream has them, (stop - start, *stream.shape); blocks follow the chunks of the
        file. Vectors come as of `exact` where the array has more digits than float32.

        Raises:
            CorruptFile: rows that are not there or of another shape, no image where there should be one, or no finite number in
                a vector or signal.
        """
        if self.row not in (None, tuple(array.shape[1:])):
            raise CorruptFile(f"{self.path}: a row is {tuple(array.shape[1:])}, and {self.row} in the first episode")
        if self.row is not None and self.stream.dtype == np.uint8 != array.dtype:
            raise CorruptFile(f"{self.path}: {self.stream.kind} of {array.dtype}, and of uint8 in the first episode")
        if len(array) < stop:
            raise CorruptFile(f"{self.path}: the file has {max(len(array) - start, 0)} rows where {stop - start} are needed")
        wide = self.stream.is_tabular and array.dtype.itemsize > 2 and array.dtype != np.float32
        whole = wide and array.dtype.kind in "iu"
        dtype = array.dtype.newbyteorder("=") if whole else np.float64 if wide else self.stream.dtype
        rows = np.empty((stop - start, *self.stream.shape), dtype)
        step = _rows_at_once(array)
        for at in range(start, stop, step):
            block = array[at : min(at + step, stop)]
            rows[at - start : at - start + len(block)] = self._converted(block)
        rows = exact(rows) if whole else rows
        if rows.dtype.kind == "f" and not self.stream.gaps:
            for row, *_ in np.argwhere(~np.isfinite(rows))[:1]:
                raise CorruptFile(f"{self.path}: not a finite number in row {row} of {stop - start}")
        return rows

    def _converted(self, block: np.ndarray) -> np.ndarray:
        size = self.stream.shape[0] if self.stream.shape[:2] != self.shape[:2] else None
        if self.stream.is_picture:
            if self.row is None:
                frames = images.decode(list(block), self.shape, size, convert=True)
            else:
                frames = to_pictures(block, self.axes)[..., : self.shape[-1]]
                frames = images.resize(frames, size) if size else frames
            return frames.reshape(*frames.shape[:3], -1, 3)[..., ::-1].reshape(frames.shape) if self.bgr else frames
        if self.row is None:
            return decode_depth([_content(file) for file in block], self.shape, size)
        with np.errstate(over="ignore"):
            taken = kinds.of(self.stream).take(self.stream, block, size)
            numbers = taken.astype(self.stream.dtype)
        if self.stream.is_tabular and taken.dtype.kind in "iu":
            return taken
        if self.stream.is_tabular:
            return np.where(np.isfinite(numbers), taken, numbers)
        return np.where(np.isinf(numbers), np.nan, numbers) if self.stream.gaps else numbers


@dataclass(kw_only=True)
class ArraySummary(ImportSummary):
    """What an import of arrays did: also how the kind of each stream was found, and a line where colours were not said."""

    kinds: dict[str, str]
    colours: list[str]

    def notes(self) -> list[str]:
        kinds = ", ".join(f"{name} {said}" for name, said in self.kinds.items())
        return [f"kinds: {kinds}; give another as --kinds NAME=KIND", *self.colours]


def colour_notes(columns: Iterable[Column]) -> list[str]:
    """A line for the summary where there are images whose order of colours is taken as it is."""
    return colours([column.stream.name for column in columns if column.coloured])


def colours(names: Sequence[str]) -> list[str]:
    """The line, of streams by name; none where there are none."""
    said = f"colours are taken as RGB: {', '.join(names)}; if red and blue are exchanged in them, import with --bgr NAME"
    return [said] if names else []


def action_space(arrays: Iterator[Any], kind: Literal["box", "discrete"] | None = None) -> ActionSpace:
    """A box of floats, or the choices of lone whole numbers: as many as the largest in any of the arrays (T, ...) needs.

    Files say no bounds, and the range that was seen is none. Only choices are read to the end.

    Args:
        kind: "box" takes lone whole numbers as amounts; None finds it.

    Raises:
        ArmillaryError: these are no numbers, or no choices where "discrete" says so.
    """
    first = next(arrays)
    if first.dtype.kind not in "biuf":
        raise ArmillaryError(f"actions are of type {first.dtype}, not numbers")
    lone, whole = tuple(first.shape[1:]) in ((), (1,)), first.dtype.kind in "biu"
    if (kind or ("discrete" if lone and whole else "box")) == "box":
        return ActionSpace("box", int(np.prod(first.shape[1:])), whole=whole)
    most = 0
    for array in chain([first], arrays):
        numbers = np.asarray(array[:])
        if not lone or (numbers != np.floor(numbers)).any() or (numbers < 0).any():
            raise ArmillaryError(
                "actions are no choices (one whole number a row, from 0 up); take them as amounts with --action-kind box"
            )
        most = max(most, int(np.max(numbers, initial=0)))
    return ActionSpace("discrete", 1 + most)


def read_actions(array: Any, start: int, stop: int, space: ActionSpace) -> np.ndarray:
    """Rows of an array of actions, (stop - start, n), or (stop - start,) for choices, which are int64.

    Raises:
        CorruptFile: no finite number.
    """
    actions = np.asarray(array[start:stop])
    for row, *_ in np.argwhere(~np.isfinite(actions))[:1]:
        raise CorruptFile(f"actions: not a finite number in row {start + row}")
    actions = actions.reshape(stop - start, *space.shape)
    return actions.astype(space.dtype) if space.kind == "discrete" or actions.dtype.itemsize < 4 else actions


def _picture(array: Any) -> tuple[str, tuple[int, ...], str] | None:
    """Kind, shape and a remark where the rows of an array are JPEG or PNG files, padded or of varying length."""
    loose = array.dtype == object or array.dtype.kind == "S"
    if not len(array) or not (loose or (array.dtype == np.uint8 and len(array.shape) == 2)):
        return None
    content = _content(array[0])
    if not content.startswith(_MAGIC):
        return None
    with images.open_picture(content) as image:
        sides = (image.height, image.width)
        if image.mode in DEPTH:
            return "depth", sides, " (files of 16 bits, in millimetres, 0 as nothing)"
        grey = image.mode in images.GREY
        return "image", (*sides, 1 if grey else 3), " (files, without alpha)" if image.mode.endswith("A") else " (files)"


def _content(row: Any) -> bytes:
    """The file in a row of an array."""
    return row if isinstance(row, bytes) else row.tobytes() if isinstance(row, np.ndarray) else b""


def _rows_at_once(array: Any) -> int:
    """So many that a block has `BLOCK` bytes, in whole chunks, so that no chunk is decompressed twice."""
    row = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
    chunk = (getattr(array, "chunks", None) or (1,))[0]
    return -(-max(1, BLOCK // row) // chunk) * chunk if array.dtype != object else 64
