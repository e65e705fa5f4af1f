"""MCAP files of ROS 2.

Messages are read a chunk at a time: memory is bounded by the chunks. What the index declares of chunks is checked first, since
compressed ones could unpack to any size. A file without an index (its recorder was killed, or wrote
fast) has to get one first.

Source: https://mcap.dev/spec; the packages mcap and mcap-ros2-support.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.declared import check_declared
from armillary.episodes.formats.ros_files import Bounded, RosFile, reading
from armillary.errors import CorruptFile, require

BLOCK = 1 << 20  # bytes that are unpacked at a time


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


def check_chunks(path: Path, summary: Any) -> None:
    """Require that the chunks of a file are in it once, and unpack to what its index declares, which has to be plausible.

    Raises:
        CorruptFile: they do not.
    """
    status, end = path.stat(), 0
    for chunk in sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset):
        start = chunk.chunk_start_offset
        if start < end or start + chunk.chunk_length > status.st_size:
            raise CorruptFile(f"{path.name}: two chunks in its index overlap, or one is beyond the end of the file")
        end = start + chunk.chunk_length
        check_declared(f"{path.name}: a chunk", chunk.uncompressed_size, chunk.compressed_size)
        _check_unpacked(path, start, chunk.uncompressed_size, status.st_mtime_ns)


@lru_cache(maxsize=1_000_000)
def _check_unpacked(path: Path, start: int, declared: int, changed_ns: int) -> None:
    """Require that a chunk unpacks to no more than `declared` bytes. A file is opened several times, and checked once."""
    with path.open("rb") as file:
        file.seek(start + 9 + 16)  # after the opcode, the length of the record, and two times
        unpacked, _, length = struct.unpack("<QII", file.read(16))
        if length > 32:
            raise CorruptFile(f"{path.name}: a chunk names its compression by {length:,} bytes")
        compression = file.read(length)
        (size,) = struct.unpack("<Q", file.read(8))
        if compression == b"zstd":
            unpacked = max(unpacked, require("zstandard", "ros").frame_content_size(file.read(32)))
        elif compression == b"lz4" and 255 * size > declared:  # to which LZ4 unpacks at most
            unpacked = max(unpacked, _unpacked_lz4(file.read(min(size, path.stat().st_size)), declared))
    if unpacked > declared:
        raise CorruptFile(f"{path.name}: a chunk unpacks to more than the {declared:,} bytes that the index declares")


def _unpacked_lz4(data: bytes, most: int) -> int:
    """How many bytes LZ4 data unpacks to, as far as to `most` and a block beyond, a block at a time."""
    decompressor, count = require("lz4.frame", "ros").LZ4FrameDecompressor(), 0
    while count <= most and not decompressor.eof:
        block = decompressor.decompress(data, max_length=BLOCK)
        data = b""
        count += len(block)
        if not block:
            break
    return count
