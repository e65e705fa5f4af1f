"""Messages of ROS 1 from their bytes, by the definition that a bag keeps of them.

Numbers are little-endian and stand one after the other without padding; text and lists begin with their length. What a stranger
defines is never run as code, and costs no more than the bytes of a message: every part of one takes a byte or more.

Source: https://wiki.ros.org/msg and https://wiki.ros.org/roscpp/Overview/MessagesSerializationAndAdaptingTypes.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from armillary.errors import CorruptFile

_NUMBERS = {"bool": "?", "byte": "b", "char": "B", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i"}
_NUMBERS |= {"uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d"}
_FIELD = re.compile(r"([A-Za-z]\w*(?:/\w+)?)(\[(\d*)\])? +([A-Za-z]\w*)")
_LENGTH = struct.Struct("<I")
DEEPEST = 50  # messages within messages


@dataclass(frozen=True)
class _Part:
    """Reads a part at a place in the bytes of a message, and says where it ends; it takes `least` bytes at least."""

    read: Callable[[bytes, int], tuple[Any, int]]
    least: int


def ros1_decoder(kind: str, fields: str) -> Callable[[bytes], SimpleNamespace]:
    """From the bytes of a message to its fields; lists of numbers are arrays, those of uint8 are bytes.

    Args:
        kind: of the messages, such as sensor_msgs/Image.
        fields: their definition as `fields_of` gives it, with those of the kinds in it.

    Raises:
        CorruptFile: no such definition; of the result, bytes that are not of this kind.
    """
    own, *others = re.split(r"^={3,}$\s*^MSG: +(\S+)$", fields, flags=re.MULTILINE)
    definitions = {kind: own, **dict(zip(others[::2], others[1::2], strict=True))}
    part = _Definitions(definitions).message(kind)

    def decode(data: bytes) -> SimpleNamespace:
        message, end = part.read(data, 0)
        if end != len(data):
            raise CorruptFile(f"a message of {kind} has {len(data)} bytes, and its definition has {end}")
        return message

    return decode


class _Definitions:
    """Definitions of messages by their names, each made to a part once."""

    def __init__(self, texts: dict[str, str]):
        self._texts, self._made = texts, {}

    def message(self, kind: str, depth: int = 0) -> _Part:
        if kind not in self._texts:
            raise CorruptFile(f"there is no definition of {kind}")
        if depth > DEEPEST:
            raise CorruptFile(f"messages of {kind} are in one another, deeper than {DEEPEST}")
        if kind not in self._made:
            self._made[kind] = _message(dict(self._fields(kind, depth)))
        return self._made[kind]

    def _fields(self, kind: str, depth: int) -> list[tuple[str, _Part]]:
        found = []
        for line in filter(str.strip, self._texts[kind].splitlines()):
            field = _FIELD.fullmatch(line)
            if field is None:
                raise CorruptFile(f"the definition of {kind} has the field {line!r}, which is none of ROS 1")
            type_, is_list, number, name = field.groups()
            count = int(number) if number else None
            if is_list and type_ in _NUMBERS:
                found.append((name, _numbers(_NUMBERS[type_], count)))
                continue
            one = self._one(kind, type_, depth)
            if not one.least:
                raise CorruptFile(f"the definition of {kind} has the field {line!r}, of no bytes")
            found.append((name, _list(one, count) if is_list else one))
        return found

    def _one(self, kind: str, type_: str, depth: int) -> _Part:
        if type_ in _NUMBERS:
            return _number(_NUMBERS[type_])
        if type_ == "string":
            return _Part(_text, 4)
        if type_ in ("time", "duration"):
            return _message({name: _number("I" if type_ == "time" else "i") for name in ("secs", "nsecs")})
        if type_ == "Header":
            return self.message("std_msgs/Header", depth + 1)
        return self.message(type_ if "/" in type_ else f"{kind.partition('/')[0]}/{type_}", depth + 1)


def _message(parts: dict[str, _Part]) -> _Part:
    def read(data: bytes, at: int) -> tuple[SimpleNamespace, int]:
        found = {}
        for name, part in parts.items():
            found[name], at = part.read(data, at)
        return SimpleNamespace(**found), at

    return _Part(read, sum(part.least for part in parts.values()))


def _number(code: str) -> _Part:
    one = struct.Struct(f"<{code}")
    return _Part(lambda data, at: (one.unpack_from(data, at)[0], at + one.size), one.size)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _LENGTH.unpack_from(data, at)[0]
    _check_end(data, end)
    return data[at + 4 : end].decode(errors="replace"), end


def _numbers(code: str, count: int | None) -> _Part:
    dtype = np.dtype(code).newbyteorder("<")

    def read(data: bytes, at: int) -> tuple[Any, int]:
        number, at = (count, at) if count is not None else (_LENGTH.unpack_from(data, at)[0], at + 4)
        end = at + number * dtype.itemsize
        _check_end(data, end)
        return data[at:end] if code == "B" else np.frombuffer(data, dtype, number, at), end

    return _Part(read, 4 if count is None else count * dtype.itemsize)


def _list(part: _Part, count: int | None) -> _Part:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        number, at = (count, at) if count is not None else (_LENGTH.unpack_from(data, at)[0], at + 4)
        _check_end(data, at + number * part.least)
        found = []
        for _ in range(number):
            value, at = part.read(data, at)
            found.append(value)
        return found, at

    return _Part(read, 4 if count is None else count * part.least)


def _check_end(data: bytes, end: int) -> None:
    if end > len(data):
        raise CorruptFile(f"a message has {len(data)} bytes, and a part of it ends after {end}")
