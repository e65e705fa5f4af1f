"""Messages of ROS, and files of them (MCAP, .bag and .db3), for the tests of their readers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

FIELDS = {
    "builtin_interfaces/Time": "int32 sec; uint32 nanosec",
    "std_msgs/Header": "builtin_interfaces/Time stamp; string frame_id",
    "std_msgs/String": "string data",
    "std_msgs/Float64": "float64 data",
    "demo/srv/Add_Event": "int64 a; int64 b",
    "geometry_msgs/PoseStamped": "std_msgs/Header header; geometry_msgs/Pose pose",
    "geometry_msgs/Pose": "geometry_msgs/Vector3 position; geometry_msgs/Quaternion orientation",
    "std_msgs/Float64MultiArray": "float64[] data",
    "geometry_msgs/Vector3": "float64 x; float64 y; float64 z",
    "geometry_msgs/Quaternion": "float64 x; float64 y; float64 z; float64 w",
    "geometry_msgs/Twist": "geometry_msgs/Vector3 linear; geometry_msgs/Vector3 angular",
    "sensor_msgs/Image": "std_msgs/Header header; uint32 height; uint32 width; string encoding; uint8 is_bigendian; "
    "uint32 step; uint8[] data",
    "sensor_msgs/CompressedImage": "std_msgs/Header header; string format; uint8[] data",
    "sensor_msgs/LaserScan": "std_msgs/Header header; float32 angle_min; float32 angle_max; float32 angle_increment; "
    "float32 range_min; float32 range_max; float32[] ranges",
    "sensor_msgs/PointField": "string name; uint32 offset; uint8 datatype; uint32 count",
    "sensor_msgs/PointCloud2": "std_msgs/Header header; uint32 height; uint32 width; sensor_msgs/PointField[] fields; "
    "bool is_bigendian; uint32 point_step; uint32 row_step; uint8[] data; bool is_dense",
    "sensor_msgs/Imu": "std_msgs/Header header; geometry_msgs/Quaternion orientation; geometry_msgs/Vector3 angular_velocity; "
    "geometry_msgs/Vector3 linear_acceleration",
    "sensor_msgs/JointState": "std_msgs/Header header; string[] name; float64[] position; float64[] velocity; float64[] effort",
}


def definition(kind: str) -> str:
    """The text that a file keeps of a kind of message: its fields, and those of every kind in it."""
    wanted, text = [kind], ""
    for one in wanted:
        text += ("=" * 80 + f"\nMSG: {one}\n") * bool(text) + FIELDS[one].replace("; ", "\n") + "\n"
        wanted += [
            part
            for part in (line.split()[0].rstrip("[]") for line in FIELDS[one].split("; "))
            if part not in wanted and part in FIELDS
        ]
    return text


def message(**fields: Any) -> SimpleNamespace:
    """What a decoder gives."""
    return SimpleNamespace(**{n: message(**v) if isinstance(v, dict) else v for n, v in fields.items()})


def axes(x: float, y: float = 0.0, z: float = 0.0) -> dict[str, float]:
    return {"x": float(x), "y": float(y), "z": float(z)}


def image(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> dict[str, Any]:
    """An image (H, W, ...) with some bytes after each row."""
    rows = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    size = {"height": pixels.shape[0], "width": pixels.shape[1], "step": rows.shape[1]}
    return {**size, "encoding": encoding, "is_bigendian": int(big), "data": rows.tobytes()}


def scan(ranges: np.ndarray, increment: float) -> dict[str, Any]:
    angles = {"angle_min": 0.0, "angle_max": increment * (len(ranges) - 1), "angle_increment": increment}
    return {**angles, "range_min": 0.1, "range_max": 10.0, "ranges": [float(r) for r in ranges]}


def cloud(points: np.ndarray) -> dict[str, Any]:
    """A cloud in one row, of a structured array."""
    codes = {"f4": 7, "f8": 8, "u4": 6, "u2": 4}
    fields = [
        {"name": name, "offset": offset, "datatype": codes[kind.str[1:]], "count": 1}
        for name, (kind, offset) in points.dtype.fields.items()
    ]
    step = points.dtype.itemsize
    size = {"height": 1, "width": len(points), "point_step": step, "row_step": step * len(points)}
    return {**size, "fields": fields, "is_bigendian": False, "data": points.tobytes(), "is_dense": True}


def write_mcap(
    path: Path, topics: dict[str, tuple[str, list[tuple[float, dict]]]], *, late: Any = None, **options: Any
) -> Path:
    """A file of messages: topic -> kind, and time in s and message of each.

    Args:
        late: of a topic and a time, how long before that its header was stamped, in s; 0 by default.
        options: of the writer.
    """
    from mcap_ros2.writer import Writer

    with path.open("wb") as file, Writer(file, **options) as writer:
        kinds = {kind: kind if kind.count("/") > 1 else kind.replace("/", "/msg/") for kind, _ in topics.values()}
        schemas = {kind: writer.register_msgdef(name, definition(kind)) for kind, name in kinds.items()}
        for time, topic, kind, content in _in_order(topics, late):
            writer.write_message(topic, schemas[kind], content, log_time=time)
    return path


def write_rosbag(
    path: Path, topics: dict[str, tuple[str, list[tuple[float, dict]]]], *, late: Any = None, compression: str | None = None
) -> Path:
    """The same as `write_mcap`, as a bag of ROS 1 (.bag), or a SQLite file of ROS 2 (.db3), written by `rosbags`.

    Args:
        compression: of a bag, bz2 or lz4; of a SQLite file, "message".
    """
    from rosbags import rosbag1, rosbag2
    from rosbags.typesys import Stores, get_typestore

    if path.suffix == ".bag":
        store, writer = get_typestore(Stores.ROS1_NOETIC), rosbag1.Writer(path)
        if compression:
            writer.set_compression(rosbag1.Writer.CompressionFormat[compression.upper()])
        serialize = store.serialize_ros1
    else:
        store, writer = get_typestore(Stores.ROS2_HUMBLE), rosbag2.Writer(path.with_suffix(""), version=9)
        if compression:
            writer.set_compression(rosbag2.CompressionMode.MESSAGE, rosbag2.CompressionFormat.ZSTD)
        serialize = store.serialize_cdr
    with writer:
        kinds = {kind: kind.replace("/", "/msg/") for kind, _ in topics.values()}
        connections = {topic: writer.add_connection(topic, kinds[kind], typestore=store) for topic, (kind, _) in topics.items()}
        for time, topic, kind, content in _in_order(topics, late):
            writer.write(connections[topic], time, serialize(_typed(store, kinds[kind], content), kinds[kind]))
    if path.suffix == ".db3":
        (path.with_suffix("") / path.name).rename(path)
    return path


def _in_order(topics: dict[str, tuple[str, list[tuple[float, dict]]]], late: Any) -> list[tuple[int, str, str, dict]]:
    """Time in ns, topic, kind and content of each message, with headers, in the order of their times."""
    found = []
    for topic, (kind, some) in topics.items():
        for time, content in some:
            stamp = round(1e9 * (time - (late(topic, time) if late else 0)))
            header = {"stamp": {"sec": stamp // 10**9, "nanosec": stamp % 10**9}, "frame_id": ""}
            headed = {"header": header} if FIELDS[kind].startswith("std_msgs/Header") else {}
            found.append((round(1e9 * time), topic, kind, {**headed, **content}))
    return sorted(found, key=lambda one: one[0])


def _typed(store: Any, kind: str, content: dict[str, Any]) -> Any:
    """A message of `rosbags`; what is not said is zero, or empty."""
    return store.types[kind](**{name: _valued(store, content.get(name), *desc) for name, desc in store.fielddefs[kind][1]})


def _valued(store: Any, value: Any, node: int, about: Any) -> Any:
    if node == 2:  # a message
        return _typed(store, about, value or {})
    if node == 1:  # text, or a number
        return value if value is not None else "" if about[0] == "string" else 0
    (inner, of), count = about
    if inner == 2:
        return [_typed(store, of, one) for one in value or ()]
    if of[0] == "string":
        return list(value or ())
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    return np.array(np.zeros(count) if value is None else value, of[0])
