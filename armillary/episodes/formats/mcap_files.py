"""MCAP files of ROS 2.

Messages are read a chunk at a time: memory is bounded by the chunks. A file without an index (its recorder was killed, or wrote
fast) has to get one first.

Source: https://mcap.dev/spec; the packages mcap and mcap-ros2-support.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.mcap_checks import check_chunks
from armillary.episodes.formats.ros_files import Bounded, RosFile, reading
from armillary.errors import CorruptFile, require


class McapFile(RosFile):
    """An MCAP file that is open."""

    format = "MCAP"

    def __init__(self, path: Path):
        """Open it and read its index.

        Raises:
            CorruptFile: it is no MCAP file, damaged, or without an index.
        """
        super().__init__(path)
        reader = require("mcap.reader", "ros")
        self._stream = Bounded(path)
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

    def close(self) -> None:
        self._stream.close()

    def _read_index(self, summary: Any) -> None:
        times, left = {}, self.path.stat().st_size
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
            self.take(channel.topic, schema.name, schema.data, np.concatenate(moments).astype(np.int64))
        self.finish()

    def messages(self, topics: Iterable[str], *, reverse: bool = False) -> Iterator[tuple[int, str, bytes]]:
        with reading(self.path):
            for _, channel, message in self._reader.iter_messages(list(topics), reverse=reverse):
                yield message.log_time, channel.topic, message.data
