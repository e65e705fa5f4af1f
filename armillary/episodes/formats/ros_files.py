"""Files of ROS messages: which topics there are, when their messages came, and the messages in that order.

What the three formats share: MCAP (mcap_files.py), SQLite of ROS 2 (db3_files.py) and bags of ROS 1 (bag_files.py). Times come
from the index of a file, without reading a message. Of a topic that nobody asks for, the definition is not parsed. Of others,
only the fields are handed to a parser: that of `mcap-ros2-support` has regular expressions of quadratic and exponential cost,
on comments and on the names of constants, neither of which takes part in decoding.
"""

import io
import os
import re
import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from armillary.episodes.faults import _reason
from armillary.errors import ArmillaryError, CorruptFile, require

SOME = 20  # messages at either end of a topic that tell how late it is
DEFINITION = 1 << 18
"""Characters of a message definition, at most; MoveIt's longest has a quarter of that."""
LINE = 1000
_SEPARATOR = re.compile(r"=+|MSG: .*")
_HEADER = re.compile(r"(std_msgs/)?(msg/)?Header +header")
_STANDS_FOR = {"srv": "a service", "action": "an action server"}


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Whatever a reader or decoder raises in here means that the file is damaged."""
    try:
        yield
    except (ArmillaryError, MemoryError):
        raise
    except Exception as error:  # those of MCAP, of SQLite, of three compressions, and of struct have nothing in common
        raise CorruptFile(f"{path.name}: cannot be read ({type(error).__name__}: {_reason(error)})") from error


@dataclass(frozen=True)
class Topic:
    """A topic: the kind of its messages, whether they have a header, and when they were logged, in ns, ascending."""

    name: str
    kind: str
    headed: bool
    times: Int64[np.ndarray, " n"]


class RosFile:
    """A file that is open; a context manager.

    Attributes:
        format: what such a file is called.
        topics: by name, those of ROS that have messages.
        others: name -> why, of what cannot be decoded.
    """

    format: str

    def __init__(self, path: Path):
        self.path, self.topics, self.others = path, {}, {}
        self._fields, self._decoders = {}, {}

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def messages(self, topics: Iterable[str], *, reverse: bool = False) -> Iterator[tuple[int, str, bytes]]:
        """Time, topic and bytes of each message, in the order in which they were logged."""
        raise NotImplementedError

    def decoder(self, kind: str, fields: str) -> Callable[[bytes], Any]:
        """From bytes to a message, of its definition; by default those of ROS 2."""
        schema = require("mcap.records", "ros").Schema(id=1, name=kind, encoding="ros2msg", data=fields.encode())
        return require("mcap_ros2.decoder", "ros").DecoderFactory().decoder_for("cdr", schema)

    def stamp(self, data: bytes) -> int:
        """The time in the header of a message, in ns; 0 where nobody set it."""
        seconds, rest = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
        return seconds * 1_000_000_000 + rest

    def take(self, name: str, kind: str, definition: bytes, times: Int64[np.ndarray, " n"]) -> None:
        """A topic, or more messages of one. What is unfit, is among `others` from then on."""
        if found := re.search("/(srv|action)/", kind):
            self.others[name] = f"its messages are {kind}: calls of {_STANDS_FOR[found[1]]}, not a stream"
            return
        try:
            fields = fields_of(definition)
        except CorruptFile as error:
            self.others[name] = str(error)
            return
        before = self.topics.get(name)
        if before and (before.kind, self._fields[name]) != (kind, fields):
            self.others[name] = f"it has messages of {before.kind} and of {kind}, or two definitions of them"
            return
        self.topics[name] = Topic(
            name, kind, is_headed(fields), np.sort(np.concatenate([times, *([before.times] if before else [])]))
        )
        self._fields[name] = fields

    def finish(self) -> None:
        """All topics have been taken."""
        self.topics = {name: topic for name, topic in sorted(self.topics.items()) if name not in self.others}

    def __enter__(self) -> "RosFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, topic: str, data: bytes) -> Any:
        """A message of its bytes."""
        if topic not in self._decoders:
            self._decoders[topic] = self.decoder(self.topics[topic].kind, self._fields[topic])
        return self._decoders[topic](data)

    def decoded(self, topic: str) -> Iterator[Any]:
        """The messages of a topic, in the order in which they were logged.

        Raises:
            CorruptFile: one cannot be decoded, or is in the index alone.
        """
        listed = left = len(self.topics[topic].times)
        for _, _, data in self.messages([topic]):
            with reading(self.path):
                message = self.decode(topic, data)
            yield message
            left -= 1
        if left > 0:
            raise CorruptFile(
                f"{self.path.name}: its index lists {listed} messages of {topic}, and {left} of them are not there"
            )

    def latency(self, topic: str) -> tuple[float, float] | None:
        """How long after its stamp a message was logged, in seconds, at the beginning and at the end; None without stamps."""
        if not self.topics[topic].headed:
            return None
        ends = []
        for reverse in (False, True):
            with reading(self.path):  # a message may be shorter than a header
                some = [(time, self.stamp(data)) for time, _, data in islice(self.messages([topic], reverse=reverse), SOME)]
            late = [time - stamp for time, stamp in some if stamp]
            ends.append(float(np.median(late)) / 1e9 if late else np.nan)
        return (ends[0], ends[1]) if np.isfinite(ends).all() else None


class Bounded(io.BufferedReader):
    """A file of which nobody asks for more than there is: lengths in it are not trusted with memory."""

    def __init__(self, path: Path):
        super().__init__(path.open("rb", buffering=0))

    def read(self, size: int | None = -1) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(max(0, left) if size is None or size < 0 else min(size, max(0, left)))


def fields_of(definition: bytes) -> str:
    """A message definition with its fields alone, without comments, constants and empty lines.

    Raises:
        CorruptFile: too long, no text, or a field of no size, of which a message could declare any number.
    """
    if len(definition) > DEFINITION:
        raise CorruptFile(f"a message definition has {len(definition):,} bytes, and {DEFINITION:,} at most are read")
    text = definition.decode(errors="replace")  # comments of ROS 1 are of any encoding
    kept = []
    for line in text.replace("\t", " ").splitlines():
        line = line.partition("#")[0].strip()
        if len(line) > LINE:
            raise CorruptFile(f"a message definition has a line of {len(line):,} characters, and {LINE:,} at most are read")
        kind, _, rest = line.partition(" ")
        if re.search(r"\[0*\]$", kind) and not kind.endswith("[]"):
            raise CorruptFile(f"a message definition has the field {line!r}, of no elements")
        if "\ufffd" in line:
            raise CorruptFile(f"a message definition is no text: {line!r}")
        if _SEPARATOR.fullmatch(line) or (line and "=" not in rest):
            kept.append(line)
    return "\n".join(kept)


def is_headed(fields: str) -> bool:
    """Whether messages of a definition, as `fields_of` gives it, begin with a header."""
    return bool(_HEADER.match(fields))
