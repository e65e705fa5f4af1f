"""What a store of episodes holds, to read: its description, its episodes and their rows (store.py says how they are kept)."""

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from armillary.addresses import local_path
from armillary.arguments import whole_numbers
from armillary.episodes import columns, commits
from armillary.episodes import images as codecs
from armillary.episodes.checksums import Checksums
from armillary.episodes.episode import Episode
from armillary.episodes.faults import reading
from armillary.errors import ArmillaryError, CorruptFile, OutOfRange, PluginError, require
from armillary.spec import Spec, Stream

FORMAT = "armillary episodes 1"
UNFINISHED = "armillary/unfinished"  # key in the schema's metadata
_CHUNK = 8 << 20  # bytes of one column that are read at a time: more of them only cost memory


class EpisodeReader:
    """The part of `Episodes`, which see, that writes nothing."""

    def __init__(self, path: str, dataset: Any):
        self.path, self._dataset = path, dataset
        commits.hold(path, dataset)
        self._folder = local_path(path)
        self.checksums = Checksums(self._folder)
        self._read_description()
        self._shifts: dict[str, np.ndarray] = {}
        self._find_episodes()

    def relative_to(self, spec: Spec) -> Self:
        """The same store to read, its vectors with the offsets (`Stream.offset`) of another spec, such as a model's."""
        wanted = self.spec.with_offsets(spec)
        if wanted == self.spec:
            return self
        read = copy.copy(self)
        read.spec, read._shifts = wanted, {}
        for own, other in zip(self._described.streams, wanted.streams, strict=True):
            if own.offset != other.offset:
                read._shifts[own.name] = own.offsets - other.offsets
        return read

    def _read_description(self) -> None:
        try:
            metadata = self.schema.metadata
            meta = json.loads(metadata[b"armillary"])
            known = meta["format"] == FORMAT
            self.spec, self.codecs, self._info = Spec.from_json(meta["spec"]), meta["images"], meta["info"]
            self._described = self.spec
            self.unfinished = json.loads(metadata.get(UNFINISHED.encode(), b"null"))
        except PluginError as error:
            raise PluginError(f"{self.path}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{self.path} is a Lance dataset, but not a store of episodes") from error
        if not known:
            raise CorruptFile(f"{self.path} has the format {meta['format']!r}, and this version reads {FORMAT!r}")

    def _find_episodes(self) -> None:
        step = self._values("step")
        self.starts = np.flatnonzero(step == 0)
        self.lengths = np.diff(self.starts, append=len(step))
        if not np.array_equal(step, np.arange(len(step)) - np.repeat(self.starts, self.lengths)):
            raise CorruptFile(f"{self.path}: the steps of its episodes are not in order")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files. Everything appended is committed already."""
        self._dataset = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"Episodes({self.path!r}, {len(self)} episodes, {int(self.lengths.sum())} rows)"

    @property
    def info(self) -> dict[str, Any]:
        """What the maker said of the store; under `images` the codec of each image stream; `unfinished` if it is."""
        described = {"images": {name: codecs.DESCRIBED[codec] for name, codec in self.codecs.items()}}
        return self._info | described | ({} if self.unfinished is None else {"unfinished": self.unfinished})

    def require_some(self) -> Self:
        """This store, or an `ArmillaryError` that says that it is empty."""
        if len(self) == 0:
            raise ArmillaryError(f"{self.path} is an empty store; record or import episodes into it first")
        return self

    def stream(self, name: str, *, truth: bool = False) -> Stream:
        """The observed (or, as asked, the privileged) stream of this name.

        Raises:
            ArmillaryError: there is none, or it is of the other sort, so that truth never gets in by mistake.
        """
        stream = self.spec[name]
        if stream.truth != truth:
            raise ArmillaryError(f"stream {name!r} is {'ground truth; ask for it as truth' if stream.truth else 'no truth'}")
        return stream

    @property
    def version(self) -> int:
        """Lance's number of the last commit that this object has seen."""
        return self._lance.version

    @property
    def schema(self) -> Any:
        """The columns, as pyarrow's schema."""
        return self._lance.schema

    def fragments(self) -> list[Any]:
        """What Lance says of each part of the store: its files, and its rows."""
        return [fragment.metadata for fragment in self._lance.get_fragments()]

    def _forget(self) -> None:
        for known in ("infos", "digests", "present"):
            self.__dict__.pop(known, None)

    def read(
        self, episode: int, rows: Any = None, streams: Sequence[str] | None = None, *, truth: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Streams of one episode.

        Args:
            episode: its number, from 0.
            rows: which of its rows, as an index, a slice or an array of indices; all of them by default.
            streams: names of observed streams; all that it has by default.
            truth: names of truth streams to read too.

        Returns:
            name -> (rows, *shape).

        Raises:
            ArmillaryError: no such episode or stream, or a stream that it is without.
        """
        start = self.starts[self._number(episode)]
        absent = {name for name, there in self.present.items() if not there[episode]}
        if streams is None:
            streams = [stream.name for stream in self.spec.observed if stream.name not in absent]
        elif missing := absent & set(streams):
            raise ArmillaryError(f"episode {episode} is without the optional stream {', '.join(sorted(missing))}")
        chosen = np.arange(self.lengths[episode])
        try:
            chosen = chosen if rows is None else chosen[rows if isinstance(rows, slice) else np.asarray(rows)]
        except (IndexError, TypeError, ValueError) as error:
            raise OutOfRange(f"episode {episode} has {len(chosen)} rows, and rows {rows} are none of them ({error})") from error
        return self.read_rows(start + np.atleast_1d(chosen), streams, truth=truth)

    def read_rows(
        self,
        rows: np.ndarray,
        streams: Sequence[str] | None = None,
        *,
        truth: Sequence[str] = (),
        image_size: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Streams at these rows of the whole store (`starts[episode] + step`), in any order; see `read`.

        Where an optional stream is absent (`presence` says where), it is NaN, and an image is black (0).

        Args:
            image_size: images come as (image_size, image_size), by the average of each area.
        """
        chosen = [self.stream(name) for name in streams] if streams is not None else list(self.spec.observed)
        chosen += [self.stream(name, truth=True) for name in truth]
        rows, back = np.unique(whole_numbers(rows, "rows"), return_inverse=True)
        if len(rows) and not 0 <= rows[0] <= rows[-1] < self.lengths.sum():
            raise OutOfRange(f"{self.path} has rows 0 to {self.lengths.sum() - 1}, and {rows[0]} to {rows[-1]} were asked for")
        return {stream.name: self._read_stream(stream, rows, back, image_size) for stream in chosen}

    def actions(self, episode: int | None = None) -> np.ndarray:
        """Actions (T-1, ...) of one episode; or of the whole store, (rows, ...) with NaN or -1 where there is none."""
        rows = None if episode is None else self._rows(episode)[:-1]
        if not self.spec.action.n:
            return np.empty((int(self.lengths.sum()) if rows is None else len(rows), 0), np.float32)
        return columns.actions_from_arrow(self._table("action", rows).column(0).combine_chunks(), self.spec)

    def episode(self, number: int, *, truth: bool = False) -> Episode:
        """One episode in memory, without its truth unless that is asked for."""
        names = [stream.name for stream in self.spec.truth] if truth else []
        values = self.read(number, truth=names)
        privileged = {name: values.pop(name) for name in names}
        return Episode(values, self.actions(number), privileged, self.infos[number])

    @cached_property
    def present(self) -> dict[str, np.ndarray]:
        """Of each optional stream: (E,) bool, which episodes have it."""
        optional = [stream.name for stream in self.spec.observed if stream.optional]
        absent = [json.loads(text) for text in self._values("absent", self.starts)] if optional else []
        return {name: np.array([name not in names for names in absent], bool) for name in optional}

    def presence(self, rows: np.ndarray, streams: Sequence[str]) -> dict[str, np.ndarray]:
        """Of each optional one among these streams: (rows,) bool, whether it is there in these rows of the whole store."""
        episode = np.searchsorted(self.starts, rows, "right") - 1
        return {name: self.present[name][episode] for name in streams if name in self.present}

    def complete(self, which: Iterable[int], streams: Iterable[str]) -> list[int]:
        """Those of some episodes that have all of these streams."""
        needed = [self.present[name] for name in streams if name in self.present]
        return [int(number) for number in which if all(there[number] for there in needed)]

    @cached_property
    def infos(self) -> list[dict[str, Any]]:
        """The info of each episode."""
        return [json.loads(text) for text in self._values("info", self.starts)]

    @cached_property
    def digests(self) -> list[str]:
        """A digest of each episode's observed streams and actions: two that are equal are duplicates."""
        return list(self._values("digest", self.starts))

    def content_hash(self) -> str:
        """A short hash of all that a model could learn from this store: spec, codecs, every episode in order."""
        parts = [self._described.to_json(), json.dumps(self.codecs, sort_keys=True), *self.digests]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _number(self, episode: int) -> int:
        if isinstance(episode, bool) or not isinstance(episode, int | np.integer) or not 0 <= episode < len(self):
            raise OutOfRange(f"{self.path} has {len(self)} episodes, counted from 0; there is no episode {episode}")
        return int(episode)

    def _rows(self, episode: int) -> np.ndarray:
        return self.starts[self._number(episode)] + np.arange(self.lengths[episode])

    @property
    def _lance(self) -> Any:
        if self._dataset is None:
            raise ArmillaryError(f"the store {self.path} is closed")
        return self._dataset

    def _table(self, column: str, rows: np.ndarray | None = None) -> Any:
        dataset = self._lance
        with reading(self.path):
            if rows is None:
                return dataset.to_table(columns=[column])
            return dataset.take(require("pyarrow", "data").array(rows), columns=[column])

    def _values(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        return self._table(column, rows).column(0).to_numpy()

    def _read_stream(self, stream: Stream, rows: np.ndarray, back: np.ndarray, size: int | None) -> np.ndarray:
        """Values at `rows[back]`; `rows` are sorted and different, so that each is read once, and goes where it belongs."""
        size = size if stream.is_picture else None
        shape = stream.shape if size is None else (size, size, stream.shape[-1])
        values, order = np.empty((len(back), *shape), stream.dtype), np.argsort(back, kind="stable")
        some = max(1, _CHUNK // stream.nbytes)
        for at in range(0, len(rows), some):
            column = self._table(columns.column_of(stream), rows[at : at + some]).column(0).combine_chunks()
            first, end = np.searchsorted(back, [at, at + some], sorter=order)
            where = order[first:end]
            with reading(self.path):
                found = columns.from_arrow(column, stream, self.codecs.get(stream.name), size)
            if stream.name in self._shifts:
                found = (found + self._shifts[stream.name]).astype(stream.dtype)
            values[where] = found if len(where) == len(found) else found[back[where] - at]
        return values
