"""What each file of a store held when it was written: the file SHA256SUMS in it, which `sha256sum -c` reads, too.

Files get their lines right after they are committed: where the writer was killed in between, some are without. Every line
belongs to a file that is there: lines go with their files. Object stores keep checksums of their own; there is none here.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from armillary.errors import CorruptFile, expect
from armillary.files import write_whole

NAME = "SHA256SUMS"
_COMMITS = "_versions/*.manifest", "_transactions/*.txn"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def changed(path: str | Path, files: Iterable[str]) -> CorruptFile:
    """What to say of files that are not what was written."""
    return CorruptFile(f"{path} is damaged: not what was written: {', '.join(files)}; restore it from a copy, or record again")


class Checksums:
    """The checksums of a store in a local folder; of any other (None), there are none and nothing is done.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path | None):
        self.root = root

    def add(self, files: Iterable[str]) -> None:
        """Keep the checksums of these files, paths in the store, as they are now; those that do not exist are left out."""
        if self.root is not None and (lines := [f"{self._hash(file)}  {file}\n" for file in files if self._there(file)]):
            with open(self.root / NAME, "a+b") as opened:
                if end := opened.seek(0, os.SEEK_END):
                    opened.seek(end - 1)
                    lines[:0] = ["\n"] * (opened.read() != b"\n")  # a power cut left half a line
                opened.write("".join(lines).encode())

    def read(self) -> tuple[dict[str, str], int]:
        """Checksums by file, and how many lines are none."""
        if self.root is None or not self._there(NAME):
            return {}, 0
        lines = (self.root / NAME).read_text(errors="replace").splitlines()
        found = [_LINE.fullmatch(line) for line in lines]
        return {match[2]: match[1] for match in found if match}, found.count(None)

    def damaged(self, files: Iterable[str] | None = None) -> list[str]:
        """Those of these files, or of all, that have a checksum and are not what was written, or gone."""
        kept, _ = self.read()
        chosen = kept if files is None else [file for file in files if file in kept]
        return [file for file in chosen if not self._there(file) or self._hash(file) != kept[file]]

    def require_newest(self) -> None:
        """Require that the newest version's list of files, which is small, is what was written, or has no checksum.

        Raises:
            CorruptFile: it is not.
        """
        if self.root is not None:
            newest = min(self.root.glob(_COMMITS[0]), default=None)  # they count down
            if newest is not None and (bad := self.damaged([newest.relative_to(self.root).as_posix()])):
                raise changed(self.root, bad)

    def known(self, files: Iterable[str]) -> list[str]:
        """Those of these files that have a checksum."""
        kept, _ = self.read()
        return [file for file in files if file in kept]

    def sync(self) -> None:
        """Drop the lines of files that are gone, and add those of versions and transactions that have none yet."""
        if self.root is not None:
            kept, _ = self.read()
            write_whole(self.root / NAME, "".join(f"{kept[file]}  {file}\n" for file in kept if self._there(file)))
            there = [path.relative_to(self.root).as_posix() for pattern in _COMMITS for path in self.root.glob(pattern)]
            self.add(sorted(set(there) - set(kept)))

    def _there(self, file: str) -> bool:
        return (expect(self.root, "a local store") / file).is_file()

    def _hash(self, file: str) -> str:
        with open(expect(self.root, "a local store") / file, "rb") as opened:
            hasher = hashlib.sha256()
            while block := opened.read(1 << 20):
                hasher.update(block)
        return hasher.hexdigest()
