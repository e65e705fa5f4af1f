"""Is a store still what was written to it? Every file is compared with its checksum (checksums.py).

Files without one were written by an earlier version, or by something else, or lie on an object store. Of the episodes in them
the digests are computed anew, which cover observations and actions, unless images are lossy: those were digested as they were
before. What neither covers is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from armillary.episodes import columns, commits
from armillary.episodes.checksums import NAME
from armillary.episodes.reader import EpisodeReader
from armillary.errors import CorruptFile


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Args:
        files: how many are what was written.
        damaged: what is not, with the episodes in it.
        unsure: what could not be verified, and why.
    """

    files: int
    damaged: tuple[str, ...]
    unsure: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.files} files are what was written", *self.unsure]
        return "; ".join([f"damaged: {', '.join(self.damaged)}"] * bool(self.damaged) + lines)


def verify(store: EpisodeReader, bad: Sequence[str] | None = None) -> Verification:
    """Read a whole store, and compare it with what was written; see above.

    Args:
        bad: the files that are not what their checksums say, if they were compared already.
    """
    kept, torn = store.checksums.read()
    inside, needed = _episodes_of_files(store), commits.manifest(store.version)
    bad = store.checksums.damaged() if bad is None else bad
    damaged = [f"{file}{_named(inside.get(file, ()))}" for file in bad]
    unlisted = [file for file in inside if file not in kept]
    if not _same_columns(store):
        damaged.append("the columns, which are not those of its streams")
    unsure = [f"{torn} lines of {NAME} cannot be read"] * bool(torn)
    if store.version != commits.hinted(store.checksums.root, store.version):
        unsure.append(f"{commits.HINT} names another version than the newest, which does no harm")
    if kept and needed not in kept:
        unsure.append(f"there is no checksum of {needed}, the list of all files; its writer was killed, or is another program")
    if unlisted:
        again = sorted({number for file in unlisted for number in inside[file]})
        lossy = "jpeg" in store.codecs.values()
        changed = [] if lossy else [number for number in again if not _same_digest(store, number)]
        damaged += [f"the digest of{_named(changed)}"] * bool(changed)
        what = "nothing of them could be verified" if lossy else "their digests were verified, truth and info were not"
        unsure.append(
            f"{len(unlisted)} of {len(inside)} data files have no checksum, such as those of an earlier version: {what}"
        )
    return Verification(len(kept) - len(bad), tuple(damaged), tuple(unsure))


def _episodes_of_files(store: EpisodeReader) -> dict[str, range]:
    """The episodes that have rows in each data file."""
    fragments = store.fragments()
    ends = np.cumsum([fragment.physical_rows for fragment in fragments])
    first = np.searchsorted(store.starts, ends - [fragment.physical_rows for fragment in fragments], "right") - 1
    after = np.searchsorted(store.starts, ends)
    parts = [range(int(a), int(b)) for a, b in zip(first, after, strict=True)]
    return {file: part for fragment, part in zip(fragments, parts, strict=True) for file in commits.data_files([fragment])}


def _same_digest(store: EpisodeReader, number: int) -> bool:
    try:
        return columns.digest(store.spec, store.episode(number)) == store.digests[number]
    except CorruptFile:
        return False


def _same_columns(store: EpisodeReader) -> bool:
    return store.schema.equals(columns.schema_of(store.spec, store.codecs))


def _named(episodes: Iterable[int]) -> str:
    """Episodes in words, in brackets."""
    numbers = list(episodes)
    if not numbers:
        return ""
    shown = ", ".join(map(str, numbers[:8])) + ", ..." * (len(numbers) > 8)
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        shown = f"{numbers[0]} to {numbers[-1]}"
    return f" (episode{'s' * (len(numbers) > 1)} {shown})"
