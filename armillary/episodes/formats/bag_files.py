"""Bags of ROS 1 (version 2.0): records of chunks, each with an index of its messages behind it.

Messages are read a chunk at a time, and what a chunk unpacks to is checked first. A bag without an index (its recorder was
killed) has to get one first. The package `rosbags` is not used to read them: it keeps an object for each message in memory, and
unpacks chunks to any size.

Source: https://wiki.ros.org/Bags/Format/2.0.
"""

import bz2
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats.declared import check_declared
from armillary.episodes.formats.ros1_messages import ros1_decoder
from armillary.episodes.formats.ros_files import Bounded, RosFile, reading
from armillary.errors import CorruptFile, require

MAGIC = b"#ROSBAG V2.0\n"
MESSAGE, INDEX, CHUNK, CONNECTION = 2, 4, 5, 7
_ENTRY = np.dtype([("seconds", "<u4"), ("rest", "<u4"), ("offset", "<u4")])  # of an index
UNPACKED = 4  # chunks in memory
AGAIN = 10  # times that chunks are unpacked in one pass, where their messages are mixed
REINDEX = "'rosbag reindex' makes an index for a bag that was cut off"


class BagFile(RosFile):
    """A bag of ROS 1 that is open."""

    format = "ROS 1 bag"

    def __init__(self, path: Path):
        """Open it and read its index.

        Raises:
            CorruptFile: it is no bag, damaged, or without an index.
        """
        super().__init__(path)
        self._stream = Bounded(path)
        try:
            with reading(path):
                self._read_index()
        except CorruptFile as error:
            self._stream.close()
            raise CorruptFile(f"{error}; {REINDEX}") from error

    def close(self) -> None:
        self._stream.close()

    def decoder(self, kind: str, fields: str) -> Callable[[bytes], Any]:
        return ros1_decoder(kind, fields)

    def stamp(self, data: bytes) -> int:
        seconds, rest = struct.unpack_from("<II", data, 4)
        return seconds * 1_000_000_000 + rest

    def _record(self) -> tuple[dict[str, bytes], int]:
        """The header of the record here, and the length of its data, which is read next."""
        header = _fields_of(self._stream.read(*struct.unpack("<I", self._stream.read(4))))
        return header, *struct.unpack("<I", self._stream.read(4))

    def _read_index(self) -> None:
        if self._stream.readline(len(MAGIC)) != MAGIC:
            raise CorruptFile(f"{self.path.name}: it does not begin as a bag of ROS 1, version 2.0, does")
        header, _ = self._record()
        begin, wanted = _number(header, "index_pos"), (_number(header, "conn_count"), _number(header, "chunk_count"))
        if not begin:
            raise CorruptFile(f"{self.path.name}: there is no index in it")
        self._stream.seek(begin)
        connections, starts, size = {}, [], self.path.stat().st_size
        while self._stream.tell() < size:
            header, length = self._record()
            data = self._stream.read(length)
            if header["op"] == bytes([CONNECTION]):
                connections[_number(header, "conn")] = header["topic"].decode(), _fields_of(data)
            else:
                starts.append(_number(header, "chunk_pos"))
        if (len(connections), len(starts)) != wanted:
            raise CorruptFile(f"{self.path.name}: its index is cut off")
        self._chunks, entries, end = [], {}, 0
        for start in sorted(starts):
            if start < end:
                raise CorruptFile(f"{self.path.name}: two chunks in its index overlap")
            end = self._read_chunk(start, begin, entries)
        self._entries = {}
        for number, found in entries.items():
            topic, about = connections[number]
            times, chunks, offsets = (np.concatenate(column) for column in zip(*found, strict=True))
            self._entries.setdefault(topic, []).append((times, chunks, offsets))
            self.take(topic, about["type"].decode(), about["message_definition"], times)
        self.finish()

    def _read_chunk(self, start: int, stop: int, entries: dict[int, list[tuple[np.ndarray, ...]]]) -> int:
        """Add what the index of a chunk says, by connection: times, number of the chunk, and offsets in it. Where it ends."""
        self._stream.seek(start)
        header, length = self._record()
        if header["op"] != bytes([CHUNK]):
            raise CorruptFile(f"{self.path.name}: there is no chunk at {start:,}")
        unpacked = _number(header, "size")
        check_declared(f"{self.path.name}: a chunk", unpacked, length)
        number, end = len(self._chunks), self._stream.tell() + length
        self._chunks.append((self._stream.tell(), length, unpacked, header["compression"]))
        self._stream.seek(end)
        while end < stop:
            header, length = self._record()
            if header["op"] != bytes([INDEX]):
                break
            found: Any = np.frombuffer(self._stream.read(length), _ENTRY)
            times = found["seconds"].astype(np.int64) * 1_000_000_000 + found["rest"]
            entry = times, np.full(len(found), number, np.int32), found["offset"]
            entries.setdefault(_number(header, "conn"), []).append(entry)
            end = self._stream.tell()
        return end

    def messages(self, topics: Iterable[str], *, reverse: bool = False) -> Iterator[tuple[int, str, bytes]]:
        names, unpacked, left = list(topics), OrderedDict(), AGAIN * len(self._chunks)
        found = [(*entry, np.full(len(entry[0]), i)) for i, name in enumerate(names) for entry in self._entries[name]]
        times, chunks, offsets, which = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(times, kind="stable")
        with reading(self.path):
            for at in order[::-1] if reverse else order:
                chunk = int(chunks[at])
                if chunk not in unpacked:
                    left -= 1
                    if left < 0:
                        raise CorruptFile(f"{self.path.name}: messages of many chunks are mixed; 'rosbag filter' sorts them")
                    if len(unpacked) == UNPACKED:
                        unpacked.popitem(last=False)
                    unpacked[chunk] = self._unpack(*self._chunks[chunk])
                unpacked.move_to_end(chunk)
                yield int(times[at]), names[which[at]], _message_at(unpacked[chunk], int(offsets[at]))

    def _unpack(self, place: int, length: int, size: int, compression: bytes) -> bytes:
        """What is in a chunk: `size` bytes, or it is refused."""
        self._stream.seek(place)
        data = self._stream.read(length)
        if compression != b"none":
            if compression not in (b"bz2", b"lz4"):
                raise CorruptFile(f"a chunk is compressed as {compression[:20]!r}, and not by bz2 or lz4")
            lz4 = compression == b"lz4"
            decompressor = require("lz4.frame", "ros").LZ4FrameDecompressor() if lz4 else bz2.BZ2Decompressor()
            data = decompressor.decompress(data, max_length=size + 1)
        if len(data) != size:
            raise CorruptFile(f"a chunk of {size:,} bytes unpacks to {len(data):,}{' or more' * (len(data) > size)}")
        return data


def _message_at(chunk: bytes, at: int) -> bytes:
    """The data of the message whose record begins there, or after those of connections."""
    while True:
        (length,) = struct.unpack_from("<I", chunk, at)
        header, at = _fields_of(chunk[at + 4 : at + 4 + length]), at + 4 + length
        (length,) = struct.unpack_from("<I", chunk, at)
        if header["op"] == bytes([MESSAGE]):
            if at + 4 + length > len(chunk):
                raise CorruptFile("a message is longer than its chunk")
            return chunk[at + 4 : at + 4 + length]
        if header["op"] != bytes([CONNECTION]):
            raise CorruptFile("the index of a chunk points to what is no message")
        at += 4 + length


def _fields_of(header: bytes) -> dict[str, bytes]:
    """The fields of a header by name."""
    found, at = {}, 0
    while at < len(header):
        (length,) = struct.unpack_from("<I", header, at)
        name, _, value = header[at + 4 : at + 4 + length].partition(b"=")
        found[name.decode()] = value
        at += 4 + length
    return found


def _number(header: dict[str, bytes], name: str) -> int:
    return int.from_bytes(header[name], "little")
