"""What Lance raises, as errors that a user can mend."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from armillary.errors import ArmillaryError, CorruptFile


@contextmanager
def reading(path: str) -> Generator[None]:
    """Whatever goes wrong in here means that the store is damaged: `CorruptFile`."""
    try:
        yield
    except (ArmillaryError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in Lance is no Exception
        raise CorruptFile(f"{path} is no store of episodes, or is truncated or damaged ({_reason(error)})") from error


@contextmanager
def writing(path: str) -> Generator[None]:
    """Whatever goes wrong in here means that the store cannot be written: `ArmillaryError`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise ArmillaryError(f"cannot write to {path}: {_reason(error)}; what was committed before is intact") from error


def _reason(error: BaseException) -> str:
    """What Lance says, without the places in its source where it says so."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"^LanceError\(\w+\): |, /.*$", "", text)
