"""Which files of a folder are read: never hidden ones, in an order that counts, and only those that are really there.

macOS writes a hidden `._name` beside each file that it copies to a foreign disk: of the same ending, and no recording. Git LFS
leaves a pointer of a few lines where a file was not fetched.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from armillary.errors import ArmillaryError

_POINTER = b"version https://git-lfs.github.com/spec/"
UNFETCHED = "a Git LFS pointer stands in place of the file; run `git lfs pull` in the dataset's folder"


def natural(name: str | Path) -> list[tuple[int, str]]:
    """Key to sort names by, with the numbers in them as numbers: demo_10 comes after demo_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(name))]


def hidden(file: Path, root: Path) -> bool:
    """Whether a name below `root`, of the file or of a folder on the way to it, begins with a dot."""
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def files_in(path: Path, suffixes: Iterable[str], *, deep: bool = True) -> list[Path]:
    """The file itself, or the files in a folder that have one of these endings (lower case), in natural order, none hidden.

    Args:
        deep: search the folders below too.

    Raises:
        ArmillaryError: some of them are Git LFS pointers.
    """
    if path.is_dir():
        endings, inside = tuple(suffixes), path.rglob("*") if deep else path.iterdir()
        found = [file for file in inside if file.suffix.lower() in endings and not hidden(file, path) and file.is_file()]
    else:
        found = [path] if path.is_file() else []
    if pointers := sum(map(unfetched, found)):
        raise ArmillaryError(f"{path}: {pointers} of {len(found)} files: {UNFETCHED}")
    return sorted(found, key=natural)


def unfetched(file: Path) -> bool:
    """Whether a file is a Git LFS pointer."""
    with file.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER
