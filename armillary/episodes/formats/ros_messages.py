"""Messages of ROS as rows of streams: images, depth, scans, point clouds, inertial units, joints, twists and odometry.

- Depth is 16UC1 in millimetres with 0 as nothing measured, or 32FC1 in metres (REP 118); image files are JPEG or PNG;
- a range outside of the scanner's limits is no measurement. A scan whose beams add up to a full turn says so;
- a cloud keeps up to so many points, evenly from the order in which they came, with colours (0 to 1) or else intensity where it
  has them; points that are not finite are none. What is missing is NaN;
- of an inertial unit what is measured: turn rate and acceleration. Its orientation is somebody's estimate, and stays out;
- joints come in the order of the first message, whatever the order later. Where several publishers name joints of their own, a
  row has the last value of each. A message does not say which joints turn and which slide, so that they have no unit; Twist and
  odometry do;
- any other message of numbers alone is a vector with its fields as channels; a channel that is NaN throughout is left out.
The first message of a topic says the shape of all.

Source: https://github.com/ros2/common_interfaces (sensor_msgs, geometry_msgs, nav_msgs, std_msgs).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from armillary.episodes import images
from armillary.episodes.formats.cells import FLOAT32_MAX
from armillary.episodes.formats.ros_numbers import numbers_in
from armillary.episodes.formats.ros_pixels import ENCODINGS
from armillary.errors import ArmillaryError, CorruptFile
from armillary.kinds.depth import metres
from armillary.spec import Stream

Message = Any  # what the decoder gives: an object with the fields of its definition
XYZ = ("x", "y", "z")
PARTS = ("position", "velocity", "effort")  # of what is said of a joint
_DEPTH = {"16UC1": "u2", "32FC1": "f4"}
_FIELDS = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")  # PointField's numbers, from 1


@dataclass(frozen=True)
class Sense:
    """How the messages of a topic become rows of a stream.

    Args:
        stream: what they become.
        read: a message to a row, stream.shape; raises CorruptFile where it is unlike the first one.
        measured: many samples of one thing that is measured all the time, of which a step has all, not the last one alone.
        merged: where messages are NaN in some channels, how many it usually takes until each has come again; else 0.
        general: no kind that is known, but a message of numbers.
        numbers: of a vector, what `read` checks: a message to its numbers, of which any may be NaN.
    """

    stream: Stream
    read: Callable[[Message], np.ndarray]
    measured: bool = False
    merged: int = 0
    general: bool = False
    numbers: Callable[[Message], Any] | None = None


def sense(
    name: str,
    kind: str,
    first: Message,
    *,
    more: Sequence[Message] = (),
    size: int | None = None,
    points: int = 1024,
    truth: bool = False,
) -> Sense:
    """The sense for a topic.

    Args:
        name: of the stream.
        kind: of its messages, such as sensor_msgs/msg/Image.
        first: its first message.
        more: some that follow, which tell whether several publishers share the topic.
        size: images (by area) and depth (by the nearest pixel) become size x size; None keeps their own.
        points: of a cloud, at most.
        truth: whether it is privileged.

    Raises:
        ArmillaryError: messages of a kind, or an encoding, that has no stream here.
    """
    makers = {
        "sensor_msgs/Image": lambda: _image(name, first, size),
        "sensor_msgs/CompressedImage": lambda: _compressed(name, first, size),
        "sensor_msgs/LaserScan": lambda: _scan(name, first),
        "sensor_msgs/PointCloud2": lambda: _points(name, first, points),
        "sensor_msgs/Imu": lambda: _inertial(name),
        "sensor_msgs/JointState": lambda: _joints(name, first, more),
        "nav_msgs/Odometry": lambda: _odometry(name),
        "geometry_msgs/Twist": lambda: _vector(name, _TWIST, lambda message: _twist(message)),
        "geometry_msgs/TwistStamped": lambda: _vector(name, _TWIST, lambda message: _twist(message.twist)),
    }
    short = kind.replace("/msg/", "/")
    if short.startswith("std_msgs/") and short.endswith("MultiArray"):
        made = _numbers(name, first)
    elif short in makers:
        made = makers[short]()
    else:
        try:
            made = _general(name, first)
        except ArmillaryError as error:
            raise ArmillaryError(f"messages of {kind} have no stream here: {error}") from error
    return replace(made, stream=replace(made.stream, truth=truth))


# ---- images and depth


def _image(name: str, first: Message, size: int | None) -> Sense:
    height, width, encoding = first.height, first.width, first.encoding

    def pixels(message: Message, dtype: str, channels: int) -> np.ndarray:
        if (message.height, message.width, message.encoding) != (height, width, encoding):
            said = f"{message.height}x{message.width} {message.encoding}"
            raise CorruptFile(f"{name}: an image is {said}, and the first is {height}x{width} {encoding}")
        of = np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<")
        rows = np.frombuffer(message.data, np.uint8).reshape(height, message.step)[:, : width * channels * of.itemsize]
        return np.ascontiguousarray(rows).view(of).reshape(height, width, channels)

    if encoding in _DEPTH:
        return _depth(name, (height, width), size, lambda message: pixels(message, _DEPTH[encoding], 1)[..., 0])
    if encoding not in ENCODINGS:
        raise ArmillaryError(f"images of encoding {encoding!r} cannot be read; {', '.join((*ENCODINGS, *_DEPTH))} can")
    how = ENCODINGS[encoding]
    shape = (size or height, size or width, how.channels)

    def read(message: Message) -> np.ndarray:
        frame = how.develop(pixels(message, how.dtype, how.values))
        return images.resize(frame[None], size)[0] if size else frame

    return Sense(Stream(name, "image", shape), read)


def _compressed(name: str, first: Message, size: int | None) -> Sense:
    if "compressedDepth" in first.format:
        if not first.format.startswith("16UC1"):
            raise ArmillaryError(f"depth compressed as {first.format!r} cannot be read; 16UC1 can")
        height, width = _picture(first.data[12:]).shape
        return _depth(name, (height, width), size, lambda message: _picture(message.data[12:]))
    shape = _picture(first.data).shape
    shape = shape if len(shape) == 3 else (*shape, 1)

    def read(message: Message) -> np.ndarray:
        return images.decode([message.data], shape, size)[0]

    return Sense(Stream(name, "image", (size or shape[0], size or shape[1], shape[2])), read)


def _picture(file: bytes) -> np.ndarray:
    """The pixels of an image file, of as many bits as they have; a header of 12 bytes is before those of depth."""
    with images.open_picture(file) as picture:
        return np.asarray(picture)


def _depth(name: str, shape: tuple[int, ...], size: int | None, pixels: Callable[[Message], np.ndarray]) -> Sense:
    def read(message: Message) -> np.ndarray:
        found = pixels(message)
        if found.shape != shape:
            raise CorruptFile(f"{name}: depth is {found.shape}, and the first is {shape}")
        return metres(found[None], size)[0]

    return Sense(Stream(name, "depth", (size, size) if size else shape), read)


# ---- scans and points


def _scan(name: str, first: Message) -> Sense:
    beams, turn = len(first.ranges), abs(len(first.ranges) * first.angle_increment)

    def read(message: Message) -> np.ndarray:
        ranges = np.array(message.ranges, np.float32)
        if len(ranges) != beams:
            raise CorruptFile(f"{name}: a scan has {len(ranges)} beams, and the first has {beams}")
        with np.errstate(invalid="ignore"):
            there = (ranges >= message.range_min) & (ranges <= message.range_max)
        return np.where(there, ranges, np.float32(np.nan))

    full = abs(turn - 2 * np.pi) < 1.5 * abs(first.angle_increment)
    return Sense(Stream(name, "scan", (beams,), full_turn=full), read)


def _points(name: str, first: Message, most: int) -> Sense:
    names = [field.name for field in first.fields]
    if not set(XYZ) <= set(names):
        raise ArmillaryError(f"a cloud of {', '.join(names)} has no x, y and z")
    colour = next((field for field in ("rgb", "rgba") if field in names), None)
    more = ("red", "green", "blue") if colour else ("intensity",) if "intensity" in names else ()

    def read(message: Message) -> np.ndarray:
        order = ">" if message.is_bigendian else "<"
        formats = [f"{order}{_FIELDS[field.datatype - 1]}" for field in message.fields]
        offsets = [field.offset for field in message.fields]
        layout = {"names": [field.name for field in message.fields], "formats": formats, "offsets": offsets}
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.row_step)
        rows = np.ascontiguousarray(rows[:, : message.width * message.point_step])
        cloud: Any = rows.reshape(-1).view(np.dtype({**layout, "itemsize": message.point_step}))
        columns = [cloud[axis].astype(np.float32) for axis in XYZ]
        if colour:
            packed = np.ascontiguousarray(cloud[colour]).view(f"{order}u4")
            columns += [(packed >> shift & 255).astype(np.float32) / 255 for shift in (16, 8, 0)]
        elif more:
            columns.append(cloud["intensity"].astype(np.float32))
        found = np.stack(columns, 1)
        found = found[np.isfinite(found).all(1)]
        if len(found) > most:
            found = found[np.linspace(0, len(found) - 1, most).round().astype(int)]
        result = np.full((most, 3 + len(more)), np.nan, np.float32)
        result[: len(found)] = found
        return result

    return Sense(Stream(name, "points", (most, 3 + len(more))), read)


# ---- numbers


def _vector(name: str, channels: dict[str, str], numbers: Callable[[Message], Any], measured: bool = False) -> Sense:
    """A vector of these channels, each with its unit."""
    unit = tuple(channels.values()) if any(channels.values()) else ()
    stream = Stream(name, "vector", (len(channels),), unit=unit, channels=tuple(channels))

    def read(message: Message) -> np.ndarray:
        row = np.array(numbers(message), np.float64)
        if row.shape != stream.shape:
            raise CorruptFile(f"{name}: {row.size} numbers in a message, and the first has {stream.shape[0]}")
        if not (fit := np.abs(row) <= FLOAT32_MAX).all():
            raise CorruptFile(f"{name}: {stream.channels[int(np.argmin(fit))]} is not a finite number")
        return row

    return Sense(stream, read, measured, numbers=numbers)


def without_nothing(sense: Sense, messages: Iterable[Message]) -> tuple[Sense, tuple[str, ...]]:
    """A vector without the channels that are NaN in every message, and the names of those.

    Args:
        messages: of the topic; read as far as it takes to see a number in each channel.

    Raises:
        ArmillaryError: nothing is left.
    """
    if sense.numbers is None:
        return sense, ()
    empty, numbers = np.ones(sense.stream.shape, bool), sense.numbers
    for message in messages:
        row = np.array(numbers(message), np.float64)
        if row.shape != empty.shape:
            break  # which reading refuses, with the figures
        empty &= np.isnan(row)
        if not empty.any():
            return sense, ()
    channels, kept = sense.stream.channels, np.flatnonzero(~empty)
    if not len(kept):
        raise ArmillaryError("all of its numbers are NaN in every message")
    unit = [sense.stream.unit[at] for at in kept] if sense.stream.unit else [""] * len(kept)

    def rest(message: Message) -> np.ndarray:
        row = np.array(numbers(message), np.float64)
        if row.shape == empty.shape and not np.isnan(row[empty]).all():
            known = channels[int(np.argmax(empty & ~np.isnan(row)))]
            raise CorruptFile(f"{sense.stream.name}: {known} has a number here, and was NaN throughout the first file")
        return row[kept] if row.shape == empty.shape else row

    named = dict(zip((channels[at] for at in kept), unit, strict=True))
    if sense.merged:
        return sense, ()
    fewer = _vector(sense.stream.name, named, rest, sense.measured)
    fewer = replace(fewer, stream=replace(fewer.stream, truth=sense.stream.truth), general=sense.general)
    return fewer, tuple(channel for channel, nothing in zip(channels, empty, strict=True) if nothing)


def _axes(vector: Message) -> list[float]:
    return [vector.x, vector.y, vector.z]


def _twist(twist: Message) -> list[float]:
    return _axes(twist.linear) + _axes(twist.angular)


_TWIST = {f"linear.{axis}": "m/s" for axis in XYZ} | {f"angular.{axis}": "rad/s" for axis in XYZ}


def _inertial(name: str) -> Sense:
    channels = {f"angular_velocity.{axis}": "rad/s" for axis in XYZ} | {f"linear_acceleration.{axis}": "m/s^2" for axis in XYZ}
    return _vector(name, channels, lambda m: _axes(m.angular_velocity) + _axes(m.linear_acceleration), measured=True)


def _odometry(name: str) -> Sense:
    channels = {f"position.{axis}": "m" for axis in XYZ} | dict.fromkeys((f"orientation.{axis}" for axis in (*XYZ, "w")), "")

    def numbers(message: Message) -> list[float]:
        pose, turn = message.pose.pose, message.pose.pose.orientation
        return [*_axes(pose.position), *_axes(turn), turn.w, *_twist(message.twist.twist)]

    return _vector(name, channels | _TWIST, numbers)


def _joints(name: str, first: Message, more: Sequence[Message]) -> Sense:
    names = list(first.name)
    if any(set(message.name) != set(names) for message in more):
        return _merged_joints(name, [first, *more])
    parts = [part for part in PARTS if len(getattr(first, part))]
    if not names or not parts:
        raise ArmillaryError("its first message names no joints, or says nothing of them")

    def numbers(message: Message) -> list[float]:
        if set(message.name) != set(names):
            raise CorruptFile(f"{name}: joints {', '.join(message.name)} in a message, and {', '.join(names)} in the first")
        found = _of_joints(name, message)
        for part in parts:
            if not len(getattr(message, part)):
                raise CorruptFile(f"{name}: 0 numbers of {part} for {len(names)} joints")
        return [found[f"{joint}.{part}"] for part in parts for joint in names]

    return _vector(name, {f"{joint}.{part}": "" for part in parts for joint in names}, numbers)


def _of_joints(name: str, message: Message) -> dict[str, float]:
    """What a message says, by joint and part."""
    found = {}
    for part in PARTS:
        values = getattr(message, part)
        if len(values) not in (0, len(message.name)):
            raise CorruptFile(f"{name}: {len(values)} numbers of {part} for {len(message.name)} joints")
        found |= {f"{joint}.{part}": value for joint, value in zip(message.name, values, strict=False)}
    return found


def _merged_joints(name: str, messages: Sequence[Message]) -> Sense:
    """Joints of several publishers, all in one row."""
    there = [_of_joints(name, message) for message in messages]
    joints = dict.fromkeys(joint for message in messages for joint in message.name)
    channels = [f"{joint}.{part}" for part in PARTS for joint in joints if any(f"{joint}.{part}" in some for some in there)]
    if not channels:
        raise ArmillaryError("its messages name no joints, or say nothing of them")

    def numbers(message: Message) -> list[float]:
        found = _of_joints(name, message)
        if unknown := sorted(found.keys() - set(channels)):
            raise CorruptFile(f"{name}: {', '.join(unknown)} in a message, which none of the first {len(messages)} has")
        return [found.get(channel, np.nan) for channel in channels]

    came = [np.flatnonzero([channel in some for some in there]) for channel in channels]
    every = max(round(np.median(np.diff(times))) if len(times) > 1 else len(there) for times in came)
    made = _vector(name, dict.fromkeys(channels, ""), numbers)
    return replace(made, read=lambda message: np.array(numbers(message), np.float64), merged=every)


def _numbers(name: str, first: Message) -> Sense:
    if not len(first.data):
        raise ArmillaryError("its first message holds no numbers")
    return _vector(name, {str(i): "" for i in range(len(first.data))}, lambda message: message.data)


def _general(name: str, first: Message) -> Sense:
    made = _vector(name, dict.fromkeys(numbers_in(first), ""), lambda message: list(numbers_in(message).values()))
    return replace(made, general=True)
