"""SQLite files of ROS 2 (.db3), as rosbag2 writes them.

Files from before ROS 2 Iron have no message definitions in them; of the kinds that come with ROS 2, the package `rosbags` knows
them. The database of a stranger may only hold plain tables: no views, virtual tables or computed columns, which run queries of
their author.

Source: https://github.com/ros2/rosbag2 (rosbag2_storage_sqlite3).
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from armillary.episodes.formats.declared import check_declared
from armillary.episodes.formats.ros_files import RosFile, reading
from armillary.errors import CorruptFile, require

ZSTD = b"\x28\xb5\x2f\xfd"  # begins a message that is compressed, as no message of ROS 2 does
COLUMNS = {"id", "topic_id", "timestamp", "data"}
ENTRY = 3  # bytes that a message takes at least, with its blob


class Db3File(RosFile):
    """A SQLite file of ROS 2 that is open."""

    format = "ROS 2 SQLite"

    def __init__(self, path: Path):
        """Open it and read its index.

        Raises:
            CorruptFile: it is no such file, damaged, or was not closed by its recorder.
        """
        super().__init__(path)
        journal = path.with_name(f"{path.name}-wal")
        if journal.is_file() and journal.stat().st_size:
            how = f"sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            raise CorruptFile(f"{path}: its last messages are in {journal.name}, since its recorder was killed; run {how}")
        self._database = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)
        try:
            with reading(path):
                self._read_index()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._database.close()

    def _read_index(self) -> None:
        self._database.execute("PRAGMA trusted_schema = OFF")
        if self._columns("messages") != COLUMNS or not {"id", "name", "type"} <= self._columns("topics"):
            raise CorruptFile(f"{self.path.name}: it has no tables of topics and messages as rosbag2 makes them")
        rows, size = array("q"), 0  # which takes whole numbers alone
        blob = "CASE typeof(data) WHEN 'blob' THEN length(data) END"
        for row in self._database.execute(f"SELECT rowid, topic_id, timestamp, {blob} FROM messages NOT INDEXED"):
            rows.extend(row[:3])
            size += row[3] + ENTRY
            if size > self.path.stat().st_size:
                raise CorruptFile(f"{self.path.name}: its messages are larger than the file; parts of it are listed twice")
        index = np.frombuffer(rows, np.int64).reshape(-1, 3)
        index = index[np.argsort(index[:, 2], kind="stable")]
        definitions, self._rows = self._definitions(), {}
        for number, name, kind, encoding in self._database.execute(
            "SELECT id, name, type, serialization_format FROM topics LIMIT 10000"
        ):
            there = index[index[:, 1] == number]
            if not len(there):
                continue
            if encoding != "cdr" or definitions.get(kind, ("ros2msg",))[0] != "ros2msg":
                self.others[name] = f"it is encoded as {encoding}, {definitions.get(kind, ['ros2msg'])[0]}, not as cdr, ros2msg"
                continue
            self._rows.setdefault(name, []).append(there[:, [2, 0]])
            definition = definitions[kind][1] if kind in definitions else _standard(kind)
            if definition is None:
                self.others[name] = f"the file has no definition of {kind}, and it is no kind that comes with ROS 2"
                continue
            self.take(name, kind, definition, there[:, 2])
        self.finish()

    def _columns(self, table: str) -> set[str]:
        """The names of the columns of a plain table, or none."""
        kinds = self._database.execute("SELECT type, rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchall()
        columns = self._database.execute(f"PRAGMA table_xinfo({table})").fetchall()
        plain = all(kind == "table" and rootpage for kind, rootpage in kinds) and not any(column[6] for column in columns)
        return {column[1] for column in columns} if plain else set()

    def _definitions(self) -> dict[str, tuple[str, bytes]]:
        """By kind of message, how its definition is written, and the definition, as far as the file has them."""
        wanted = {"topic_type", "encoding", "encoded_message_definition"}
        if not wanted <= self._columns("message_definitions"):
            return {}
        query = "SELECT topic_type, encoding, CAST(encoded_message_definition AS BLOB) FROM message_definitions LIMIT 10000"
        return {kind: (encoding, text) for kind, encoding, text in self._database.execute(query) if text}

    def messages(self, topics: Iterable[str], *, reverse: bool = False) -> Iterator[tuple[int, str, bytes]]:
        names = list(topics)
        found = [(rows, i) for i, name in enumerate(names) for rows in self._rows[name]]
        index = np.concatenate([np.insert(rows, 2, i, axis=1) for rows, i in found])
        index = index[np.argsort(index[:, 0], kind="stable")]
        with reading(self.path):
            for time, row, which in (index[::-1] if reverse else index).tolist():
                (data,) = self._database.execute("SELECT data FROM messages WHERE rowid = ?", (row,)).fetchone()
                yield time, names[which], self._plain(data)

    def _plain(self, data: bytes) -> bytes:
        """A message as it was before it was compressed."""
        if data[:4] != ZSTD:
            return data
        zstd = require("zstandard", "ros")
        size = zstd.frame_content_size(data)
        check_declared(f"{self.path.name}: a message", size, len(data))
        return zstd.ZstdDecompressor().decompress(data, max_output_size=size)


@cache
def _standard(kind: str) -> bytes | None:
    """The definition of a kind of message that comes with ROS 2, or None."""
    found = _kinds_of_ros2()
    return found.generate_msgdef(kind, ros_version=2)[0].encode() if kind in found.fielddefs else None


@cache
def _kinds_of_ros2() -> Any:
    typesys = require("rosbags.typesys", "ros")
    return typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)  # the last whose files have no definitions
