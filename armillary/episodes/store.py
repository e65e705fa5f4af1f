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

import itertools
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np

from armillary.addresses import address, local_path
from armillary.episodes import columns, commits
from armillary.episodes import images as codecs
from armillary.episodes.checksums import Checksums, changed
from armillary.episodes.episode import Episode
from armillary.episodes.faults import reading, writing
from armillary.episodes.reader import FORMAT, UNFINISHED, EpisodeReader
from armillary.episodes.verify import verify as verified
from armillary.errors import ArmillaryError, NoStore
from armillary.interrupts import uninterrupted
from armillary.spec import Spec

_FRAGMENTS = 256  # so many commits are merged into larger files; sooner would cost a recording a third of its time
_ATTEMPTS = 20  # at a commit that others are faster with


class Episodes(EpisodeReader):
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
        chosen = {stream.name: images for stream in spec.streams if stream.is_picture}
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
        if verify and (found := verified(store, bad).damaged):
            raise changed(path, found)
        return store

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

    def _clean(self, age: timedelta) -> None:
        """Drop versions that are older: whoever has read from one for longer opens the store again."""
        with suppress(OSError, RuntimeError):
            self._lance.cleanup_old_versions(older_than=age, error_if_tagged_old_versions=False)
            self.checksums.sync()


def exists(path: str | os.PathLike) -> ArmillaryError:
    """What to say where a new store should be made and something is already."""
    return ArmillaryError(f"{path} exists; a new store needs a new path, or open this one to append to it")


def _none_at(path: str) -> NoStore:
    return NoStore(f"there is no store at {path}; make one with 'armillary record' or 'armillary import'")


def _describe(spec: Spec, images: Mapping[str, str], info: dict[str, Any]) -> str:
    return columns.to_json({"format": FORMAT, "spec": spec.to_json(), "images": images, "info": info}, "store")
