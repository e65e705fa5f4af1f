"""How an episode is laid out in the columns of a Lance dataset, and the checks that it passes first.

Columns: episode, step; `observation/<stream>` and `truth/<stream>` (a dot, which Lance keeps for nested fields, becomes a
slash), null in every row of an episode that is without an optional stream; action, if the world has any, null in the last row
of an episode; in its first row alone info (JSON), digest and, where streams are optional, the names of those that are absent
(JSON). Pictures are binary, one file or one raw frame a row, everything else is a list of fixed size of the stream's dtype.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from armillary.episodes import images as codecs
from armillary.episodes.episode import Episode
from armillary.errors import ArmillaryError, CorruptFile, require
from armillary.files import as_json
from armillary.spec import Spec, Stream


def column_of(stream: Stream) -> str:
    """The name of a stream's column."""
    return f"{'truth' if stream.truth else 'observation'}/{stream.name.replace('.', '/')}"


def schema_of(spec: Spec, image_codecs: Mapping[str, str] | None = None) -> Any:
    """The pyarrow schema of a store of this spec. Raw images are compressed by Lance, but where their codec is `plain`."""
    pa = require("pyarrow", "data")
    kinds = {"box": lambda: pa.list_(pa.float32(), spec.action.n), "discrete": pa.int64}
    action = [pa.field("action", kinds[spec.action.kind]())] if spec.action.n else []
    fields = [pa.field("episode", pa.int32(), nullable=False), pa.field("step", pa.int32(), nullable=False)]
    for stream in spec.streams:
        metadata = None
        if stream.is_picture:
            plain = (image_codecs or {}).get(stream.name) == "plain"
            metadata = {"lance-encoding:compression": "none" if plain else "lz4"}
        fields.append(pa.field(column_of(stream), _type_of(stream), nullable=stream.optional, metadata=metadata))
    last = ["info", "digest", *["absent"] * any(stream.optional for stream in spec.streams)]
    return pa.schema(fields + action + [pa.field(name, pa.large_string()) for name in last])


def _type_of(stream: Stream) -> Any:
    """The type of a stream's column."""
    pa = require("pyarrow", "data")
    if stream.is_picture:
        return pa.large_binary()
    return pa.list_(pa.from_numpy_dtype(stream.dtype), int(np.prod(stream.shape)))


def to_json(info: dict, what: str) -> str:
    """`info` as JSON, or an `ArmillaryError` that names what it was for."""
    try:
        return as_json(info)
    except TypeError as error:
        raise ArmillaryError(f"{what}: info is kept as JSON, which cannot hold this: {error}") from error


def check(spec: Spec, episode: Episode, what: str) -> None:
    """Require that an episode matches the spec and holds finite numbers.

    Raises:
        ArmillaryError: naming the episode, the stream and the row.
    """
    action, length = spec.action, len(episode)
    expected = (length - 1, *action.shape)
    if episode.actions.shape != expected:
        raise ArmillaryError(f"{what}: actions have shape {episode.actions.shape}, expected {expected}")
    action.check(episode.actions, f"{what}: actions")
    for streams, given, kind in ((spec.observed, episode.observations, "stream"), (spec.truth, episode.truth, "truth")):
        names = {stream.name for stream in streams}
        needed = {stream.name for stream in streams if not stream.optional}
        if not needed <= set(given) <= names or (names and not given):
            optional = f" (optional: {sorted(names - needed)})" if names - needed else ""
            raise ArmillaryError(f"{what}: {kind}s {sorted(given)}, expected {sorted(names)}{optional}")
        for stream in streams:
            if stream.name in given:
                _check_stream(stream, given[stream.name], length, f"{what}: {kind} {stream.name!r}")


def absent_streams(spec: Spec, episode: Episode) -> list[str]:
    """The optional streams that an episode is without."""
    return [stream.name for stream in spec.observed if stream.name not in episode.observations]


def _check_stream(stream: Stream, values: np.ndarray, length: int, what: str) -> None:
    if values.shape != (length, *stream.shape):
        expected = f"{(length, *stream.shape)}: one row more than the {length - 1} actions"
        raise ArmillaryError(f"{what}: shape {values.shape}, expected {expected}")
    if values.dtype != stream.dtype:
        raise ArmillaryError(f"{what}: dtype {values.dtype}, expected {stream.dtype}; convert it with astype")
    if stream.dtype.kind != "f":
        return
    bad = np.isinf(values) if stream.gaps else ~np.isfinite(values)
    if bad.any():
        row, *where = (int(i) for i in np.argwhere(bad)[0])
        raise ArmillaryError(f"{what}: not a finite number in row {row} at {tuple(where)}; remove or repair that row")


def digest(spec: Spec, episode: Episode) -> str:
    """A hash of an episode's observed streams and actions."""
    hasher = hashlib.sha256(str(len(episode)).encode())
    for stream in spec.observed:
        there = stream.name in episode.observations
        hasher.update(np.ascontiguousarray(episode.observations[stream.name]).data if there else b"absent")
    hasher.update(np.ascontiguousarray(episode.actions.astype(spec.action.dtype, copy=False)).data)
    return hasher.hexdigest()[:32]


def to_arrow(spec: Spec, episodes: Sequence[Episode], first: int, image_codecs: dict[str, str], schema: Any) -> Any:
    """Episodes, numbered from `first` on, as one table in one piece, which Lance writes 3x as fast as many small ones."""
    pa = require("pyarrow", "data")
    lengths = [len(episode) for episode in episodes]
    ends = np.cumsum(lengths)
    numbers = np.repeat(np.arange(first, first + len(episodes), dtype=np.int32), lengths)
    columns = [numbers, np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])]
    for stream in spec.streams:
        kept = [(e.truth if stream.truth else e.observations).get(stream.name) for e in episodes]
        columns.append(pa.chunked_array([_to_arrow(v, n, stream, image_codecs) for v, n in zip(kept, lengths, strict=True)]))
    none = np.zeros((1, *spec.action.shape), spec.action.dtype)
    actions = np.concatenate([part for e in episodes for part in (e.actions.astype(none.dtype, copy=False), none)])
    absent = np.zeros(len(actions), bool)
    absent[ends - 1] = True
    if spec.action.kind == "box":
        columns.append(pa.FixedSizeListArray.from_arrays(pa.array(actions.reshape(-1)), spec.action.n, mask=pa.array(absent)))
    elif spec.action.kind == "discrete":
        columns.append(pa.array(actions, mask=absent))
    for texts in (
        [to_json(e.info, f"episode {first + i}") for i, e in enumerate(episodes)],
        [digest(spec, e) for e in episodes],
        *[[json.dumps(absent_streams(spec, e)) for e in episodes]] * ("absent" in schema.names),
    ):
        sparse = np.full(len(actions), None)
        sparse[ends - lengths] = texts
        columns.append(pa.array(sparse, pa.large_string()))
    return pa.table(columns, schema=schema).combine_chunks()


def _to_arrow(values: np.ndarray | None, rows: int, stream: Stream, image_codecs: dict[str, str]) -> Any:
    """A stream's rows of one episode; nulls where it is absent."""
    pa = require("pyarrow", "data")
    if values is None:
        return pa.nulls(rows, _type_of(stream))
    if stream.is_picture:
        return _images_to_arrow(values, stream, image_codecs[stream.name])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), int(np.prod(stream.shape)))


def _images_to_arrow(frames: np.ndarray, stream: Stream, codec: str) -> Any:
    pa = require("pyarrow", "data")
    if codec not in codecs.PIXELS_AS_THEY_ARE:
        return pa.array(codecs.encode(frames, codec), pa.large_binary())
    offsets = np.arange(len(frames) + 1, dtype=np.int64) * stream.nbytes
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(frames))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(frames), buffers)


def from_arrow(column: Any, stream: Stream, codec: str | None, size: int | None) -> np.ndarray:
    """The values (rows, *shape) of a stream's column; pictures at (size, size) if that is given. NaN, or 0, where it is null.

    Raises:
        CorruptFile: a row that is not what the spec says.
    """
    if column.null_count:
        there = column.is_valid().to_numpy(zero_copy_only=False)
        known = from_arrow(column.drop_null(), stream, codec, size) if there.any() else None
        shape = stream.shape if size is None else (size, size, stream.shape[-1])
        values = np.full((len(column), *shape), np.nan if stream.dtype.kind == "f" else 0, stream.dtype)
        if known is not None:
            values[there] = known
        return values
    if not stream.is_picture:
        return column.flatten().to_numpy().reshape(-1, *stream.shape)
    if codec not in codecs.PIXELS_AS_THEY_ARE:
        return codecs.decode([value.as_buffer() for value in column], stream.shape, size)
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    if (np.diff(offsets) != stream.nbytes).any():
        raise CorruptFile(f"stream {stream.name!r}: a raw image is not {stream.nbytes} bytes long")
    frames = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(-1, *stream.shape)
    return frames if size is None else codecs.resize(frames, size)


def actions_from_arrow(column: Any, spec: Spec) -> np.ndarray:
    """Actions (rows, n) float32 with NaN, or (rows,) int64 with -1, where the column is null."""
    action = spec.action
    if action.kind == "discrete":
        return column.fill_null(-1).to_numpy()
    present = column.is_valid().to_numpy(zero_copy_only=False)
    values = np.full((len(column), action.n), np.nan, np.float32)
    values[present] = column.flatten().to_numpy().reshape(-1, action.n)  # flatten leaves out what is null
    return values
