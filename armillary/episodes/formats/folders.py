"""Which files of a folder are read: never hidden ones, in an order that counts, and only those that are really there.

macOS writes a hidden `._name` beside each file that it copies to a foreign disk: of the same ending, and no recording. Git LFS
leaves a pointer of a few lines where a file was not fetched.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from armillary.errors import ArmillaryError

_POINTER = b"version https://git-lfs.github.com/spec/"
UNFETCHED = "a Git LFS pointer stands in place of the file; run `git lfs pull` in the dataset's folder"


def natural(name: str | Path) -> list[tuple[int, str]]:
    """Key to sort names by, with the numbers in them as numbers: demo_10 comes after demo_9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(name))]


def hidden(file: Path, root: Path) -> bool:
    """Whether a name below `root`, of the file or of a folder on the way to it, begins with a dot."""
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def folders_in(path: Path) -> list[Path]:
    """A folder and all below it that are not hidden, in natural order. Links are followed, to each folder once."""
    real, found, links, waiting, again = path.resolve(), dict[Path, Path](), list[Path](), [path], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop()
        target = folder.resolve()
        if target in found or (folder != path and real.is_relative_to(target)):
            again.append(folder)
            continue
        with suppress(PermissionError):
            inside = [one for one in folder.iterdir() if not one.name.startswith(".") and one.is_dir()]
            found[target] = folder
            links = sorted([*links, *(one for one in inside if one.is_symlink())], key=natural, reverse=True)
            waiting += [one for one in inside if not one.is_symlink()]
    _say_again(again)
    return sorted(found.values(), key=natural)


def once(files: Sequence[Path]) -> list[Path]:
    """The files without links to others of them."""
    targets, kept, again = {file.resolve() for file in files if not file.is_symlink()}, [], []
    for file in files:
        known = file.is_symlink() and file.resolve() in targets
        (again if known else kept).append(file)
        targets.add(file.resolve())
    _say_again(again)
    return kept


def _say_again(links: Sequence[Path]) -> None:
    if links:
        names = ", ".join(map(str, links[:3]))
        warnings.warn(f"{len(links)} links to what is read already are passed over ({names})", stacklevel=3)


def files_in(path: Path, suffixes: Iterable[str], *, deep: bool = True) -> list[Path]:
    """The file itself, or the files in a folder that have one of these endings (lower case), in natural order, none hidden.

    Args:
        deep: search the folders below too.

    Raises:
        ArmillaryError: some of them are Git LFS pointers.
    """
    if path.is_dir():
        endings, folders = tuple(suffixes), folders_in(path) if deep else [path]
        inside = chain.from_iterable(folder.iterdir() for folder in folders)
        found = [file for file in inside if file.suffix.lower() in endings and not hidden(file, path) and file.is_file()]
        found = once(found) if deep else found
    else:
        found = [path] if path.is_file() else []
    if pointers := sum(map(unfetched, found)):
        raise ArmillaryError(f"{path}: {pointers} of {len(found)} files: {UNFETCHED}")
    return sorted(found, key=natural)


def unfetched(file: Path) -> bool:
    """Whether a file is a Git LFS pointer."""
    with file.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER
