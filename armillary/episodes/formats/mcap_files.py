"""MCAP files of ROS 2: which topics there are, when their messages came, and the messages in that order.

Times come from the index of the file, without reading a message, and messages a chunk at a time: memory is bounded by the
chunks. A file without an index (its recorder was killed, or wrote fast) has to get one first.

Source: https://mcap.dev/spec; the packages mcap and mcap-ros2-support.
"""

import io
import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from armillary.episodes.faults import _reason
from armillary.episodes.formats.mcap_checks import check_chunks, fields_of, is_headed
from armillary.errors import ArmillaryError, CorruptFile, require

SOME = 20  # messages at either end of a topic that tell how late it is


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a reader or decoder raises in here means that the file is damaged."""
    try:
        yield
    except (ArmillaryError, MemoryError):
        raise
    except Exception as error:  # those of MCAP, of two compressions, and of struct have nothing in common
        raise CorruptFile(f"{path.name}: cannot be read ({type(error).__name__}: {_reason(error)})") from error


@dataclass(frozen=True)
class Topic:
    """A topic: the kind of its messages, whether they have a header, and when they were logged, in ns, ascending."""

    name: str
    kind: str
    headed: bool
    times: Int64[np.ndarray, " n"]


class McapFile:
    """An MCAP file that is open; a context manager.

    Attributes:
        topics: by name, those of ROS 2 that have messages.
        others: name -> why, of what cannot be decoded.
    """

    def __init__(self, path: Path):
        """Open it and read its index.

        Raises:
            ArmillaryError: no such file.
            CorruptFile: it is no MCAP file, damaged, or without an index.
        """
        reader = require("mcap.reader", "ros")
        if not path.is_file():
            raise ArmillaryError(f"{path}: there is no MCAP file there")
        self.path, self._stream = path, _Bounded(path.open("rb", buffering=0))
        try:
            with reading(path):
                self._reader = reader.make_reader(self._stream, validate_crcs=True)
                summary = self._reader.get_summary()
            if summary is None or not any(chunk.message_index_offsets for chunk in summary.chunk_indexes):
                raise CorruptFile(f"{path}: there is no index in it; write it anew with one, as 'mcap recover' does")
            with reading(path):
                check_chunks(path, summary)
                self._read_index(summary)
        except CorruptFile as error:
            self._stream.close()
            advice = "; 'mcap recover' saves what is whole in a file that was cut off" if "recover" not in str(error) else ""
            raise CorruptFile(f"{error}{advice}") from error
        self._factory, self._decoders = require("mcap_ros2.decoder", "ros").DecoderFactory(), {}

    def _read_index(self, summary: Any) -> None:
        self.topics, self.others, self._schemas, times = {}, {}, {}, {}
        left = self.path.stat().st_size
        for chunk in summary.chunk_indexes:
            for channel, offset in chunk.message_index_offsets.items():
                self._stream.seek(offset + 11)  # after the opcode, the length of the record, and the channel
                (size,) = struct.unpack("<I", self._stream.read(4))
                left -= size
                if left < 0:
                    raise CorruptFile(f"{self.path}: its index is larger than the file; parts of it are listed twice")
                times.setdefault(channel, []).append(np.frombuffer(self._stream.read(size), "<i8")[::2])
        for number, moments in times.items():
            channel = summary.channels[number]
            schema = summary.schemas.get(channel.schema_id)
            if channel.message_encoding != "cdr" or schema is None or schema.encoding != "ros2msg":
                said = f"{channel.message_encoding}, {schema.encoding if schema else 'no schema'}"
                self.others[channel.topic] = f"it is encoded as {said}, not as cdr, ros2msg"
                continue
            if kind := re.search("/(srv|action)/", schema.name):
                what = {"srv": "a service", "action": "an action server"}[kind[1]]
                self.others[channel.topic] = f"its messages are {schema.name}: calls of {what}, not a stream"
                continue
            try:
                fields = fields_of(schema.data)
            except CorruptFile as error:
                self.others[channel.topic] = str(error)
                continue
            before, schema = self.topics.get(channel.topic), replace(schema, data=fields.encode())
            if before and (before.kind, self._schemas[channel.topic].data) != (schema.name, schema.data):
                self.others[channel.topic] = (
                    f"it has messages of {before.kind} and of {schema.name}, or two definitions of them"
                )
                continue
            moments = np.sort(np.concatenate([*moments, *([before.times] if before else [])]).astype(np.int64))
            self.topics[channel.topic] = Topic(channel.topic, schema.name, is_headed(fields), moments)
            self._schemas[channel.topic] = schema
        self.topics = {name: topic for name, topic in sorted(self.topics.items()) if name not in self.others}

    def __enter__(self) -> "McapFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def messages(self, topics: Iterable[str], *, reverse: bool = False) -> Iterator[tuple[int, str, bytes]]:
        """Time, topic and bytes of each message, in the order in which they were logged."""
        with reading(self.path):
            for _, channel, message in self._reader.iter_messages(list(topics), reverse=reverse):
                yield message.log_time, channel.topic, message.data

    def decode(self, topic: str, data: bytes) -> Any:
        """A message of its bytes. Of a topic that nobody asks for, the definition is not parsed."""
        if topic not in self._decoders:
            self._decoders[topic] = self._factory.decoder_for("cdr", self._schemas[topic])
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
                first = islice(self.messages([topic], reverse=reverse), SOME)
                some = [time - _stamp(data) for time, _, data in first if _stamp(data)]
            ends.append(float(np.median(some)) / 1e9 if some else np.nan)
        return (ends[0], ends[1]) if np.isfinite(ends).all() else None


class _Bounded(io.BufferedReader):
    """A file of which nobody asks for more than there is: lengths in it are not trusted with memory."""

    def read(self, size: int | None = -1) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(max(0, left) if size is None or size < 0 else min(size, max(0, left)))


def _stamp(data: bytes) -> int:
    """The time in the header of a message, in ns; 0 where nobody set it."""
    seconds, rest = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return seconds * 1_000_000_000 + rest
