"""MCAP files from strangers: what they declare is checked, and of message definitions only fields are handed to the parser.

The parser of `mcap-ros2-support` has regular expressions of quadratic and exponential cost, on comments and on the names of
constants. Neither takes part in decoding, so that both are taken out first. Compressed chunks could unpack to any size.
"""

import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from armillary.episodes.formats.declared import check_declared
from armillary.errors import CorruptFile, require

DEFINITION = 1 << 18
"""Characters of a message definition, at most; MoveIt's longest has a quarter of that."""
LINE = 1000
BLOCK = 1 << 20
_SEPARATOR = re.compile(r"=+|MSG: .*")
_HEADER = re.compile(r"(std_msgs/)?(msg/)?Header +header")


def fields_of(definition: bytes) -> str:
    """A message definition with its fields alone, without comments, constants and empty lines.

    Raises:
        CorruptFile: too long, no text, or a field of no size, of which a message could declare any number.
    """
    if len(definition) > DEFINITION:
        raise CorruptFile(f"a message definition has {len(definition):,} bytes, and {DEFINITION:,} at most are read")
    try:
        text = definition.decode()
    except UnicodeDecodeError as error:
        raise CorruptFile(f"a message definition is no text ({error})") from error
    kept = []
    for line in text.replace("\t", " ").splitlines():
        line = line.partition("#")[0].strip()
        if len(line) > LINE:
            raise CorruptFile(f"a message definition has a line of {len(line):,} characters, and {LINE:,} at most are read")
        kind, _, rest = line.partition(" ")
        if re.search(r"\[0*\]$", kind) and not kind.endswith("[]"):
            raise CorruptFile(f"a message definition has the field {line!r}, of no elements")
        if _SEPARATOR.fullmatch(line) or (line and "=" not in rest):
            kept.append(line)
    return "\n".join(kept)


def is_headed(fields: str) -> bool:
    """Whether messages of a definition, as `fields_of` gives it, begin with a header."""
    return bool(_HEADER.match(fields))


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
