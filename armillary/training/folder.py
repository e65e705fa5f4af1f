"""A run's folder has one writer: a lock that the system releases with the process that holds it, however that ends."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from armillary import distributed
from armillary.errors import ArmillaryError

LOCK = "training.lock"


@contextmanager
def one_writer(out: Path, lock: str = LOCK, does: str = "trains") -> Generator[None]:
    """Make the folder, and hold its lock. Of several processes of one run, the first holds it.

    Args:
        out: the folder.
        lock: name of the file that is locked in it, and removed at the end.
        does: what a process does that holds it, in words.

    Raises:
        ArmillaryError: another process holds the lock, or the folder cannot be written to.
    """
    if distributed.rank() > 0:
        yield
        return
    fresh = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = _take(out / lock, does)
    except OSError as error:
        raise ArmillaryError(f"{out}: cannot write there ({error.strerror})") from error
    try:
        yield
    finally:
        (out / lock).unlink(missing_ok=True)
        os.close(file)
        if fresh:
            with suppress(OSError):  # something is in it
                out.rmdir()


def _take(path: Path, does: str) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 20).decode(errors="replace")
            os.close(file)
            raise ArmillaryError(
                f"{path.parent}: another process ({holder or 'unknown'}) {does} there; wait until it ends, or take a new folder"
            ) from error
        except OSError:
            pass  # a file system without locks
        try:
            if os.path.samestat(os.fstat(file), os.stat(path)):
                os.ftruncate(file, 0)
                with suppress(OSError):  # a full disk
                    os.write(file, str(os.getpid()).encode())
                return file
        except FileNotFoundError:
            pass
        os.close(file)  # whoever held it has removed it in the meantime
