"""Kinds of stream: one file a kind says all that the library knows of it.

Spec, store, doctor, perception, reports and importers know no kind by name: they ask `kinds.of(stream)`. Six are built in. A
package adds one with a class (see `Kind`) and an entry point, which needs no change here:

    [project.entry-points."armillary.kinds"]
    tactile = "my_package.tactile:Tactile"

Importing this imports no encoder, nor torch, nor jaxtyping (half as long to import as NumPy); an added kind is imported when it
is first asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from armillary import plugins
from armillary.errors import PluginError
from armillary.kinds.depth import Depth
from armillary.kinds.image import Image
from armillary.kinds.kind import Kind
from armillary.kinds.points import Points
from armillary.kinds.scan import Scan
from armillary.kinds.signal import Signal
from armillary.kinds.vector import Vector

GROUP = "armillary.kinds"
BUILT_IN: dict[str, Kind] = {kind.name: kind for kind in (Image(), Depth(), Scan(), Points(), Vector(), Signal())}
_added: dict[type, Kind] = {}


def names() -> tuple[str, ...]:
    """All kinds that there are: the built-in ones, and those that installed packages register."""
    return plugins.names(GROUP, BUILT_IN)


def get(name: str) -> Kind:
    """The kind of this name.

    Raises:
        PluginError: there is none, or the package that registers it is broken.
    """
    found = plugins.find(GROUP, name, BUILT_IN, Kind)
    if isinstance(found, Kind):
        return found
    if found.name != name:
        raise PluginError(f"{GROUP}: {name!r} is registered as {found!r}, whose name is {found.name!r}; expected {name!r}")
    if found not in _added:
        _added[found] = found()
    return _added[found]


def of(stream: Any) -> Kind:
    """The kind of a `Stream`."""
    return get(stream.kind)


def recognise(name: str, shape: Sequence[int], dtype: np.dtype) -> str | None:
    """The kind of an array, by its type, its shape and, where these leave it open, its name; None where it has to be said.

    One rule for recordings and for environments, so that a model of one can act in the other. Vectors are what is left.

    Args:
        name: the last part of what the array is called.
        shape: of one row.
    """

    def asked() -> Iterator[Kind]:
        yield from (BUILT_IN[kind] for kind in ("depth", "image", "points", "scan"))
        yield from (get(kind) for kind in names() if kind not in BUILT_IN)
        yield BUILT_IN["vector"]

    return next((kind.name for kind in asked() if kind.matches(name.lower(), tuple(shape), dtype)), None)
