"""The door to Lance, and commits to it that happen exactly once.

- A commit has an identity, among the properties of its transaction. When one fails with its outcome unknown, such as a
  connection that was lost after the request, it is looked for in the versions since, so that nothing is written twice;
- writers on one machine take turns (`alone`), so that episodes are numbered without gaps. Lance itself keeps writers anywhere
  from losing each other's commits; one that it refuses (`is_conflict`) is tried again on the newest version;
- Lance does not survive a fork: its threads are gone in the child, which then hangs or crashes. That is refused.
"""

import json
import os
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from armillary.errors import ArmillaryError, require

with suppress(ImportError):  # not on Windows, where only the numbers of episodes could be ambiguous
    import fcntl

HINT = "_versions/latest_version_hint.json"
_in_memory: dict[str, Any] = {}
_user: int | None = None  # the process that used Lance


def lance() -> ModuleType:
    """The module, to be used in the process that called this first, and not in its forks.

    Raises:
        ArmillaryError: this process was forked from one that had used Lance.
    """
    global _user
    module = require("lance", "data")
    if _user not in (None, os.getpid()):
        raise ArmillaryError(
            "this process was forked from one that had read or written a store, and Lance does not survive a fork; start "
            "workers with multiprocessing.get_context('spawn'), or fork before any store is opened"
        )
    _user = os.getpid()
    return module


def hold(path: str, dataset: Any) -> None:
    """Keep what is stored at memory:// until the process ends; Lance would drop it with the last object that refers to it."""
    if path.startswith("memory://"):
        _in_memory[path] = dataset


def options(path: str) -> dict[str, Any]:
    """What Lance needs to know beside the path: stores in memory are those of one session."""
    return {"session": _session()} if path.startswith("memory://") else {}


@cache
def _session() -> Any:
    return lance().Session()


def append(dataset: Any, table: Any) -> Any:
    """The dataset with the rows of `table` appended; see `_once` for errors."""
    keep = {"schema": table.schema, "mode": "append"}
    return _once(dataset, lambda identity: lance().write_dataset(table, dataset, **keep, transaction_properties=identity))


def set_metadata(dataset: Any, values: dict[str, str | None]) -> Any:
    """The dataset with these keys of its schema's metadata set, or deleted where None; see `_once` for errors."""
    module = lance()
    change = module.LanceOperation.UpdateConfig(schema_metadata_updates=module.LanceOperation.UpdateMap(values))

    def commit(identity: dict[str, str]) -> Any:
        transaction = module.Transaction(dataset.version, change, transaction_properties=identity)
        return module.LanceDataset.commit(dataset, transaction)

    return _once(dataset, commit)


def _once(dataset: Any, commit: Callable[[dict[str, str]], Any]) -> Any:
    """What `commit` gives, or what it has committed although it failed.

    Raises:
        OSError: nothing was committed; see `is_conflict`.
    """
    identity = {"armillary/commit": uuid.uuid4().hex}
    try:
        return commit(identity)
    except BaseException:
        with suppress(Exception):
            newest = lance().dataset(dataset.uri, **options(dataset.uri))
            since = newest.get_transactions(newest.version - dataset.version)
            if any(known is not None and identity.items() <= known.transaction_properties.items() for known in since):
                return newest
        raise


def is_conflict(error: BaseException) -> bool:
    """Whether a commit failed because somebody else's came first, so that it can be tried again on the newest version."""
    return "ncompatible transaction" in str(error) or "conflict" in str(error).lower()


def commit_files(dataset: Any) -> list[str]:
    """The names of the files, in the dataset's folder, that its newest commit has written beside the data."""
    known = dataset.read_transaction(dataset.version)
    return [manifest(dataset.version), *([f"_transactions/{known.read_version}-{known.uuid}.txn"] if known else [])]


def manifest(version: int) -> str:
    """The name of the file, in the dataset's folder, that lists the files of a version."""
    return f"_versions/{2**64 - 1 - version:020d}.manifest"


def hinted(folder: Path | None, newest: int) -> int | None:
    """The newest version by Lance's hint, from which it searches on; `newest` where there is no hint, None if unreadable."""
    if folder is None or not (folder / HINT).exists():
        return newest
    try:
        return json.loads((folder / HINT).read_bytes())["version"]
    except (ValueError, KeyError, TypeError):
        return None


def data_files(fragments: Any) -> list[str]:
    """The names of the files, in the dataset's folder, that hold the fragments with this metadata."""
    return [f"data/{file.path}" for fragment in fragments for file in fragment.files]


@contextmanager
def alone(folder: Path | None, *, wait: bool = True) -> Generator[None]:
    """No other writer of this folder, on this machine, is in such a block meanwhile. None, one elsewhere, keeps nobody out.

    Raises:
        ArmillaryError: another one is, and this is not to wait.
    """
    if folder is None or "fcntl" not in globals():
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArmillaryError(f"{folder}: another process writes there; wait until it ends") from error
        yield
    finally:
        os.close(descriptor)  # which ends the lock, too
