"""Messages of ROS 2, and MCAP files of them, for the tests of their readers."""

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
        late: of a topic and a time, how long before that its header was stamped, in s; 0 unless given.
        options: of the writer.
    """
    from mcap_ros2.writer import Writer

    flat = [(time, topic, kind, content) for topic, (kind, some) in topics.items() for time, content in some]
    with path.open("wb") as file, Writer(file, **options) as writer:
        kinds = {kind: kind if kind.count("/") > 1 else kind.replace("/", "/msg/") for kind, _ in topics.values()}
        schemas = {kind: writer.register_msgdef(name, definition(kind)) for kind, name in kinds.items()}
        for time, topic, kind, content in sorted(flat, key=lambda one: one[0]):
            stamp = round(1e9 * (time - (late(topic, time) if late else 0)))
            header = {"stamp": {"sec": stamp // 10**9, "nanosec": stamp % 10**9}, "frame_id": ""}
            headed = {"header": header} if FIELDS[kind].startswith("std_msgs/Header") else {}
            writer.write_message(topic, schemas[kind], {**headed, **content}, log_time=round(1e9 * time))
    return path
