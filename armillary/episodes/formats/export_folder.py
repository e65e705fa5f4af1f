"""The folder that an export fills: it appears under its name when it is whole, and is `NAME.part` before.

- An export that is interrupted keeps its part, and `resume` goes on behind the episodes that are written. One that fails leaves
  nothing; one that is killed leaves a part that the next one clears;
- `overwrite` replaces an export and nothing else: a folder with the mark, in which every file is as the export has left it.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from armillary.episodes.commits import alone
from armillary.episodes.filling import require_same_job, say_unfinished
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import as_json, parse_json, write_whole
from armillary.interrupts import uninterrupted

MARK = "meta/armillary.json"


class ExportFolder:
    """See above.

    Args:
        path: where the export will be.
        job: what determines it, as JSON holds it; an export is only resumed by the same.
        layout: patterns of the names of all files that such exports write, as `Path.match` takes them.

    Attributes:
        part: the folder to write into.
        rows: what `keep` was given: a row for each episode that is written already.
        done: the export is there and finished, and `resume` was given.
    """

    def __init__(self, path: str | Path, job: dict[str, Any], layout: Sequence[str]):
        self.path = Path(path)
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.rows: list[dict[str, Any]] = []
        self.done, self._job, self._layout = False, parse_json(as_json(job)), layout

    @contextmanager
    def filled(self, *, resume: bool = False, overwrite: bool = False) -> Generator[None]:
        """Write into `part` in this block; at its end that takes the export's name.

        Args:
            resume: go on with an export of the same that was interrupted; begin if there is none.
            overwrite: replace the export that is there, whether it is finished or not.

        Raises:
            ArmillaryError: something is there, and neither option or the wrong one was given; another process writes there.
        """
        if resume and overwrite:
            raise ArmillaryError("--resume goes on with an export and --overwrite replaces it; give one of them")
        self._replaces = overwrite or (resume and self._left().get("replaces", False))
        if self.path.exists():
            mark = self._mark(self.path)
            if self._replaces:
                self._require_unchanged(mark)
            elif resume:
                require_same_job(self.path, mark["job"], self._job)
                self.done = True
                yield
                return
            else:
                raise ArmillaryError(f"{self.path} exists; take another path, or replace it with --overwrite")
        self.part.mkdir(parents=True, exist_ok=True)
        with alone(self.part, wait=False):
            self._begin(resume, overwrite)
            try:
                yield
            except BaseException as error:
                if not self.rows:
                    with uninterrupted():
                        _remove(self.part, [*_sizes(self.part), MARK])
                else:
                    say_unfinished(error, self.path, len(self.rows))
                raise
            with uninterrupted():
                self._appear()

    def keep(self, rows: list[dict[str, Any]]) -> None:
        """All files are closed, and hold the episodes of these rows: from here on the export can be resumed."""
        self._write_mark({"episodes": rows})
        self.rows = rows

    def _left(self) -> dict[str, Any]:
        """The mark of the part that an earlier export has left; of none, or an empty one, nothing."""
        return self._mark(self.part) if self.part.exists() and any(self.part.iterdir()) else {}

    def _begin(self, resume: bool, overwrite: bool) -> None:
        """Take over what an earlier export has left, or remove it."""
        mark, sizes = self._left(), _sizes(self.part)
        if strange := [name for name in sizes if not any(Path("/", name).match(f"/{pattern}") for pattern in self._layout)]:
            raise _not_ours(self.part, strange)
        rows = mark.get("episodes", [])
        if rows and not resume and not overwrite:
            remedy = "go on with --resume, or replace it with --overwrite"
            raise ArmillaryError(f"{self.path} is unfinished, with {len(rows)} episodes so far; {remedy}")
        if rows and resume:
            require_same_job(self.path, mark["job"], self._job)
            if changed := [name for name, size in mark["files"].items() if sizes.get(name) != size]:
                raise CorruptFile(f"{self.part}: {changed[0]} is not as it was written; begin again with --overwrite")
            _remove(self.part, sizes.keys() - mark["files"].keys())
            self.rows = rows
        else:
            with uninterrupted():
                _remove(self.part, sizes)
                self._write_mark({"episodes": []})

    def _appear(self) -> None:
        old = self._mark(self.path) if self.path.exists() else None
        if old:
            self._require_unchanged(old)
        self._write_mark({})
        if old:
            _remove(self.path, [*old["files"], MARK])
        self.part.rename(self.path)

    def _write_mark(self, more: dict[str, Any]) -> None:
        about = {"made_by": "armillary export", "job": self._job, "replaces": self._replaces}
        mark = {**about, "files": _sizes(self.part), **more}
        (self.part / MARK).parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.part / MARK, as_json(mark))

    def _mark(self, folder: Path) -> dict[str, Any]:
        try:
            mark = parse_json((folder / MARK).read_bytes())
            if {"job", "files"} <= mark.keys():
                return mark
        except (OSError, CorruptFile, AttributeError):
            pass
        raise ArmillaryError(
            f"{folder} exists, and no export has written it, so that nothing here replaces it; take another path"
        )

    def _require_unchanged(self, mark: dict[str, Any]) -> None:
        if strange := [name for name, size in _sizes(self.path).items() if mark["files"].get(name) != size]:
            raise _not_ours(self.path, strange)


def _not_ours(folder: Path, names: Sequence[str]) -> ArmillaryError:
    return ArmillaryError(f"{folder} holds what no export has written there ({names[0]}); move it away, or take another path")


def _sizes(folder: Path) -> dict[str, int]:
    """The size of each file in a folder by its name there; the mark, and what is being written to become it, are left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    sizes = {path.relative_to(folder).as_posix(): path.lstat().st_size for path in files}
    return {name: size for name, size in sizes.items() if name not in (MARK, f"{MARK}.part")}


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Remove these files of a folder, and the folders that nothing is left in."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # something is in it
            for parent in (folder / name).parents:
                parent.rmdir()
                if parent == folder:
                    break
