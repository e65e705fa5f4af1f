"""What other packages add: entry points, such as those of the group `armillary.kinds`.

A package that is installed registers names in its metadata, and a name is imported when it is first asked for. Files name what
they need and nothing else: no text of a file is ever taken for the path of a module.
"""

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from armillary.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def registered(group: str) -> tuple[str, ...]:
    """The names that installed packages register in a group, in alphabetical order."""
    return tuple(sorted(_entries(group, tuple(sys.path))))


def names(group: str, built_in: Iterable[str]) -> tuple[str, ...]:
    """The names that there are in a group: those of the library, then those that installed packages register."""
    return tuple(dict.fromkeys((*built_in, *registered(group))))


def find(group: str, name: str, built_in: Mapping[str, Any], base: type | None = None, remedy: str = "") -> Any:
    """What the library has under this name, or else an installed package.

    Args:
        built_in: what the library has, by name.
        base: an entry point of the group names a class of this; None: anything.
        remedy: what helps beside a package, for the error.

    Raises:
        PluginError: there is none, or the package that registers it is broken.
    """
    if name in built_in:
        return built_in[name]
    found = load(group, name)
    if found is None:
        what, known = group.rpartition(".")[2].removesuffix("s"), ", ".join(names(group, built_in))
        remedy = f"{remedy}, or install" if remedy else "install"
        raise PluginError(
            f"{what} {name[:100]!r} is none of {known}; {remedy} a package that registers it as an entry point of {group}"
        )
    if base is not None and not (isinstance(found, type) and issubclass(found, base)):
        raise PluginError(f"{group}: {name!r} is registered as {found!r}; expected a class of {base.__name__}")
    return found


def load(group: str, name: str) -> Any:
    """What an installed package registers under this name; None if none does.

    Raises:
        PluginError: two packages register it, or it cannot be imported; the message names the packages.
    """
    entries = _entries(group, tuple(sys.path)).get(name, ())
    if len(entries) > 1:
        packages = ", ".join(sorted(_package(entry) for entry in entries))
        raise PluginError(f"{group}: {name!r} is registered by {packages}; uninstall all but one")
    for entry in entries:
        try:
            return entry.load()
        except Exception as error:  # whatever the package does when it is imported
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(f"{group}: {name!r} of {_package(entry)} cannot be imported ({reason})") from error
    return None


def _package(entry: "EntryPoint") -> str:
    return entry.dist.name if entry.dist else entry.value


@lru_cache(maxsize=16)
def _entries(group: str, path: tuple[str, ...]) -> dict[str, tuple["EntryPoint", ...]]:
    """The entry points of a group by name, as `sys.path` is now; reading them takes milliseconds a package."""
    from importlib.metadata import entry_points  # a tenth of the time that a spec takes to import

    found = entry_points(group=group)
    return {name: tuple({entry for entry in found if entry.name == name}) for name in found.names}
