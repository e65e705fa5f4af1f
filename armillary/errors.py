"""Errors that a user can mend, and the one place that imports what is optional.

An `ArmillaryError` says what was given, what was expected and what to do. The command line prints it as one line and
exits with status 2; in Python it is a `ValueError`.
"""

import importlib
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


class ArmillaryError(ValueError):
    """Bad input, in words that tell its owner how to mend it."""


class SpecMismatch(ArmillaryError):
    """Two specs that have to agree do not; the message names the stream and both shapes."""


class CorruptFile(ArmillaryError):
    """A file or store that is truncated, of another format, or was changed after it was written."""


class NoStore(ArmillaryError):
    """There is no store of episodes at a path or URI."""


class PluginError(ArmillaryError):
    """A name that neither this library nor an installed package registers, or a package that registers it and is broken."""


class OutOfRange(ArmillaryError, IndexError):
    """A number of something that is not there; sequences end with it, as Python asks."""


class MissingExtra(ArmillaryError, ImportError):
    """An optional dependency is needed and absent; the message names the extra that brings it."""


def expect(value: T | None, what: str) -> T:
    """`value`, which must be there.

    Raises:
        ArmillaryError: it is None.
    """
    if value is None:
        raise ArmillaryError(f"expected {what}, got None")
    return value


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or raise `MissingExtra` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(f"this needs the package {module!r}: pip install 'armillary[{extra}]'") from error
