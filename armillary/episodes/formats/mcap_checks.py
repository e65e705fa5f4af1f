"""MCAP files from strangers: what the index declares of chunks is checked. Compressed chunks could unpack to any size."""

import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from armillary.episodes.formats.declared import check_declared
from armillary.errors import CorruptFile, require

BLOCK = 1 << 20


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
