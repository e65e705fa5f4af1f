"""The numbers of a message, whatever its kind: a channel for each, by the names of its fields.

Headers and times are left out. Text has no channel, so that a message with text in it has none.
"""

from array import array
from collections.abc import Iterator
from numbers import Number
from typing import Any

import numpy as np

from armillary.errors import ArmillaryError

MOST = 256
"""Channels of a message, at most: what has more is a grid or a picture, not a vector."""


def numbers_in(message: Any) -> dict[str, float]:
    """By channel, such as pose.position.x or axes.0, the numbers of a message in order.

    Raises:
        ArmillaryError: there is text in it, or no number, or too many.
    """
    found = dict(_leaves(message))
    if len(found) > MOST:
        raise ArmillaryError(f"there are {len(found)} numbers in it, and {MOST} at most become a vector")
    if not found:
        raise ArmillaryError("there are no numbers in it")
    return found


def has_lists(message: Any) -> bool:
    """Whether some of the numbers are in a list, which could be longer in the next message."""
    return any(part.isdigit() for channel in numbers_in(message) for part in channel.split("."))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, str):
        raise ArmillaryError(f"{name} is text")
    if isinstance(value, Number | np.bool_):
        yield name, float(value)
        return
    if isinstance(fields := _fields(value), dict):
        if _is_time(fields) or {"stamp", "frame_id"} <= set(fields):
            return
    elif len(fields) > MOST:
        raise ArmillaryError(f"{name} has {len(fields)} numbers, and {MOST} at most become a vector")
    else:
        fields = {str(at): one for at, one in enumerate(fields)}
    for field, inner in fields.items():
        yield from _leaves(inner, f"{name}.{field}" if name else field)


def _fields(value: Any) -> Any:
    """The fields of a message by name; a list as it is."""
    if isinstance(value, list | tuple | bytes | bytearray | memoryview | array | np.ndarray):
        return value
    return {name: getattr(value, name) for name in (getattr(type(value), "__slots__", None) or vars(value))}


def _is_time(fields: dict[str, Any]) -> bool:
    return set(fields) in ({"sec", "nanosec"}, {"secs", "nsecs"})
