"""Episodes: what was seen and done, on disk or on an object store, as one Lance dataset.

Row t of an episode holds o[t] and the action a[t] that was taken on seeing it and led to o[t+1]; the last row has none.
Design choices:
- one row a step, one column a stream. Truth has columns of its own (`truth/...`), which are read only when asked for;
- everything that describes the store is inside it: spec, codecs and info in the schema's metadata, and the info and the
  digest of an episode in its first row. So one append is one commit of Lance, also on an object store, and whatever
  kills the writer, all that was committed stays and nothing half-written shows;
- episodes begin where `step` is 0, so opening reads one column of small integers, and a row is found by its offset;
- an optional stream is there in the whole of an episode or not at all, which is kept beside the digest; the rest is null;
- the digest of an episode covers what a model learns from (observed streams and actions): it finds exact duplicates
  and makes the content hash of a store without reading the store. Whether files are still what was written is another
  question, which their checksums answer (checksums.py, verify.py);
- a store that a command is filling is marked as unfinished until the last commit (filling.py).
Any number of processes read and append; those that append take turns (commits.py). Format: Lance, https://lance.org.
"""

import hashlib
import itertools
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np

from armillary.addresses import address, local_path
from armillary.arguments import whole_numbers
from armillary.episodes import columns, commits
from armillary.episodes import images as codecs
from armillary.episodes.checksums import Checksums, changed
from armillary.episodes.faults import reading, writing
from armillary.errors import ArmillaryError, CorruptFile, NoStore, OutOfRange, require
from armillary.interrupts import uninterrupted
from armillary.spec import Spec, Stream

FORMAT = "armillary episodes 1"
UNFINISHED = "armillary/unfinished"  # key in the schema's metadata
_FRAGMENTS = 256  # so many commits are merged into larger files; sooner would cost a recording a third of its time
_ATTEMPTS = 20  # at a commit that others are faster with
_CHUNK = 8 << 20  # bytes of one column that are read at a time: more of them only cost memory


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


class Episodes:
    """A store of episodes. Make one with `Episodes.create` or `Episodes.open`; a context manager.

    Attributes:
        spec: the Spec of every episode in it.
        info: what its maker said of it, and `images`: the codec of each image stream and whether it is lossy.
        codecs: the codec of each image stream: raw, plain, png or jpeg; auto until it is chosen.
        checksums: of its files.
        unfinished: what is filling it, or was when it was interrupted; None of a store that is finished.
        lengths: (E,) int64 rows of each episode.
        starts: (E,) int64 first row of each episode, counted over the whole store.
    """

    def __init__(self, path: str, dataset: Any):
        self.path, self._dataset = path, dataset
        commits.hold(path, dataset)
        self._folder = local_path(path)
        self.checksums = Checksums(self._folder)
        self._read_description()
        self._find_episodes()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike,
        spec: Spec,
        *,
        images: codecs.Codec = "auto",
        info: dict | None = None,
        unfinished: dict | None = None,
        overwrite: bool = False,
    ) -> "Episodes":
        """A new, empty store.

        Args:
            path: a folder that does not exist yet, or the URI of an object store (s3://, gs://, az://).
            spec: the streams and actions of every episode to come.
            images: codec of all image streams; "auto" chooses for each from the first frames appended (images.py).
            info: whatever JSON holds, about the store as a whole.
            unfinished: what is going to fill it, as JSON holds it: the store says that it is unfinished until `finish`.
            overwrite: replace the store that is there. It stays readable for whoever has it open, until `finish`.

        Raises:
            ArmillaryError: the path exists (or, to overwrite, holds no store), or images cannot be kept in this codec.
        """
        lance, path = commits.lance(), address(path)
        chosen = {stream.name: images for stream in spec.streams if stream.kind == "image"}
        for name, codec in chosen.items():
            codecs.check_codec(codec, spec[name])
        names = [columns.column_of(stream) for stream in spec.streams]
        if len(set(names)) < len(names):
            raise ArmillaryError(f"two streams would share one column: {sorted(names)}; rename one")
        kept = {name: said for name, said in (info or {}).items() if name not in ("images", "unfinished")}
        described = {"armillary": _describe(spec, chosen, kept)}
        if unfinished is not None:
            described[UNFINISHED] = columns.to_json(unfinished, "store")
        schema = columns.schema_of(spec, chosen).with_metadata(described)
        if overwrite:
            cls.open(path).close()  # nothing but a store is replaced
        folder, mode = local_path(path), "overwrite" if overwrite else "create"
        with uninterrupted(), writing(path):
            if folder is not None and not overwrite:
                folder.parent.mkdir(parents=True, exist_ok=True)
                try:
                    folder.mkdir()  # of two that would create one store, one gets here
                except FileExistsError as error:
                    raise exists(path) from error
            try:
                options = {"data_storage_version": "2.1", **commits.options(path)}
                dataset = lance.write_dataset(schema.empty_table(), path, schema=schema, mode=mode, **options)
            except BaseException:
                if folder is not None and not overwrite:
                    shutil.rmtree(folder, ignore_errors=True)  # made above, by nobody else
                raise
            store = cls(path, dataset)
            store.checksums.sync()
            return store

    @classmethod
    def open(cls, path: str | os.PathLike, *, verify: bool = False) -> "Episodes":
        """A store that exists, to read and to append to.

        Args:
            verify: first read all of it, and require that its files are what was written (verify.py).

        Raises:
            NoStore: nothing is there.
            CorruptFile: it is something else, truncated or damaged.
        """
        lance, path = commits.lance(), address(path)
        if (folder := local_path(path)) is not None and not folder.exists():
            raise _none_at(path)
        bad = Checksums(folder).damaged() if verify else []
        if bad:  # Lance need not see it
            raise changed(path, bad)
        Checksums(folder).require_newest()
        with reading(path):
            try:
                dataset = lance.dataset(path, **commits.options(path))
            except ValueError as error:
                if folder is None and "was not found" in str(error):
                    raise _none_at(path) from error
                raise
            store = cls(path, dataset)
        if verify:
            from armillary.episodes.verify import verify as verified

            if found := verified(store, bad).damaged:
                raise changed(path, found)
        return store

    def _read_description(self) -> None:
        try:
            metadata = self.schema.metadata
            meta = json.loads(metadata[b"armillary"])
            known = meta["format"] == FORMAT
            self.spec, self.codecs, self._info = Spec.from_json(meta["spec"]), meta["images"], meta["info"]
            self.unfinished = json.loads(metadata.get(UNFINISHED.encode(), b"null"))
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

    def __enter__(self) -> "Episodes":
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

    def require_some(self) -> "Episodes":
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

    def append(self, *episodes: Episode) -> None:
        """Add episodes in one atomic commit: all of them are in the store when this returns, or none.

        An interrupt (SIGINT, SIGTERM) during the commit is delivered when it is done, so that it happens exactly once.

        Raises:
            ArmillaryError: an episode that does not match the spec, has none of its streams, holds NaN or infinite numbers, or
                could not be written (disk full). The store stays as it was.
        """
        if not episodes:
            return
        for number, episode in enumerate(episodes, len(self)):
            columns.check(self.spec, episode, f"episode {number}")
        with uninterrupted(), writing(self.path), commits.alone(self._folder):
            self._on_newest(lambda: self._append(episodes))
            self._compact()

    def finish(self) -> None:
        """Take the mark off that says that the store is unfinished, and let go of what it replaced."""
        if self.unfinished is None:
            return
        with uninterrupted(), writing(self.path), commits.alone(self._folder):
            self._on_newest(lambda: self._set_metadata({UNFINISHED: None}))
            self._clean(timedelta(0))
        self.unfinished = None

    def _on_newest(self, change: Callable[[], None]) -> None:
        """Make a change on the newest version, and once more if somebody else was faster."""
        for attempt in itertools.count(1):
            self._refresh()
            try:
                return change()
            except OSError as error:
                if attempt == _ATTEMPTS or not commits.is_conflict(error):
                    raise

    def _refresh(self) -> None:
        """Take in what others have committed."""
        if self._lance.latest_version == self._lance.version:
            return
        spec = self.spec
        with reading(self.path):
            self._dataset = commits.lance().dataset(self.path, **commits.options(self.path))
            self._read_description()
        if self.spec != spec:
            raise ArmillaryError(f"{self.path} was overwritten meanwhile by a store of other streams or actions; open it again")
        self._find_episodes()
        self._forget()

    def _append(self, episodes: Sequence[Episode]) -> None:
        self._choose_codecs(episodes)
        table = columns.to_arrow(self.spec, episodes, len(self), self.codecs, columns.schema_of(self.spec, self.codecs))
        before, parts = self.version, {part.fragment_id for part in self._lance.get_fragments()}
        self._dataset = commits.append(self._lance, table)
        new = [part.metadata for part in self._lance.get_fragments() if part.fragment_id not in parts]
        self.checksums.add([*commits.data_files(new), *commits.commit_files(self._lance)])
        if self.version == before + 1:
            lengths = np.array([len(episode) for episode in episodes])
            self.starts = np.append(self.starts, self.lengths.sum() + np.cumsum(lengths) - lengths)
            self.lengths = np.append(self.lengths, lengths)
        else:  # somebody else appended too, on another machine
            self._find_episodes()
        self._forget()

    def _forget(self) -> None:
        for known in ("infos", "digests", "present"):
            self.__dict__.pop(known, None)

    def _set_metadata(self, values: dict[str, str | None]) -> None:
        self._dataset = commits.set_metadata(self._lance, values)
        self.checksums.add(commits.commit_files(self._lance))

    def _choose_codecs(self, episodes: Sequence[Episode]) -> None:
        first: dict[str, np.ndarray] = {}
        for episode in reversed(episodes):
            first |= {**episode.observations, **episode.truth}
        open_ = [name for name, codec in self.codecs.items() if codec == "auto" and name in first]
        chosen = self.codecs | {name: codecs.choose(first[name]) for name in open_}
        if chosen != self.codecs:
            self._set_metadata({"armillary": _describe(self.spec, chosen, self._info)})
            self.codecs = chosen

    def _compact(self) -> None:
        """Merge small files once there are many; sizes grow as powers of four, so that a row is rewritten log(E) times.

        Files that are damaged stay as they are, since what is written anew gets a new checksum. It is only tidiness, so that
        a failure costs nothing.
        """
        if len(self._lance.get_fragments()) % _FRAGMENTS == 0:
            before = self.fragments()
            target = 4 ** max(3, int(math.log(self.lengths.sum() / 8 + 1, 4)))
            merged = commits.data_files(fragment for fragment in before if fragment.physical_rows < target)
            known = self.checksums.known(merged)
            with suppress(OSError, RuntimeError):
                if not self.checksums.damaged(known):
                    self._lance.optimize.compact_files(target_rows_per_fragment=target)
                    new = set(commits.data_files(self.fragments())) - set(commits.data_files(before))
                    self.checksums.add(sorted(new) if len(known) == len(merged) else ())
                self._clean(timedelta(hours=1))

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

    def _clean(self, age: timedelta) -> None:
        """Drop versions that are older: whoever has read from one for longer opens the store again."""
        with suppress(OSError, RuntimeError):
            self._lance.cleanup_old_versions(older_than=age, error_if_tagged_old_versions=False)
            self.checksums.sync()

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

        Where an optional stream is absent (`presence` says where), it is NaN, and an image is black.

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
        parts = [self.spec.to_json(), json.dumps(self.codecs, sort_keys=True), *self.digests]
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
        size = size if stream.kind == "image" else None
        shape = stream.shape if size is None else (size, size, stream.shape[-1])
        values, order = np.empty((len(back), *shape), stream.dtype), np.argsort(back, kind="stable")
        some = max(1, _CHUNK // stream.nbytes)
        for at in range(0, len(rows), some):
            column = self._table(columns.column_of(stream), rows[at : at + some]).column(0).combine_chunks()
            first, end = np.searchsorted(back, [at, at + some], sorter=order)
            where = order[first:end]
            with reading(self.path):
                found = columns.from_arrow(column, stream, self.codecs.get(stream.name), size)
            values[where] = found if len(where) == len(found) else found[back[where] - at]
        return values


def exists(path: str | os.PathLike) -> ArmillaryError:
    """What to say where a new store should be made and something is already."""
    return ArmillaryError(f"{path} exists; a new store needs a new path, or open this one to append to it")


def _none_at(path: str) -> NoStore:
    return NoStore(f"there is no store at {path}; make one with 'armillary record' or 'armillary import'")


def _describe(spec: Spec, images: dict[str, str], info: dict[str, Any]) -> str:
    return columns.to_json({"format": FORMAT, "spec": spec.to_json(), "images": images, "info": info}, "store")
