"""Messages of ROS 2 as rows: pixels, metres and numbers to the last one, and what is unlike the first message."""

import io

import numpy as np
import pytest
from ros_fakes import axes, cloud, image, message, scan

from armillary.episodes.formats.ros_messages import sense, without_nothing
from armillary.episodes.odometry import PLACE, QUATERNION
from armillary.errors import ArmillaryError, CorruptFile

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def first(kind, fields, **options):
    """The stream of a topic, and its first row."""
    found = sense("it", kind, message(**fields), **options)
    return found.stream, found.read(message(**fields)), found


@pytest.mark.parametrize(
    ("encoding", "pixels", "wanted"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB, RGB[..., ::-1]),
        ("bgra8", np.dstack([RGB, RGB[..., 0]]), RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, RGB[..., 0]]), RGB),
        ("mono8", RGB[..., :1], RGB[..., :1]),
        ("mono16", RGB[..., :1].astype(np.uint16) * 256 + 7, RGB[..., :1]),
    ],
)
def test_images(encoding, pixels, wanted):
    for padding in (0, 5):
        stream, row, _ = first("sensor_msgs/msg/Image", image(pixels, encoding, padding))
        assert (stream.kind, stream.shape) == ("image", wanted.shape)
        np.testing.assert_array_equal(row, wanted)
    stream, row, found = first("sensor_msgs/Image", image(pixels, encoding), size=2)
    assert stream.shape == row.shape == (2, 2, wanted.shape[-1])
    with pytest.raises(CorruptFile, match=f"an image is 3x8 {encoding}, and the first is 6x8 {encoding}"):
        found.read(message(**image(pixels[:3], encoding)))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns(pattern):
    colour = np.array([200, 100, 50], np.uint8)
    mosaic = np.tile(colour[["rgb".index(letter) for letter in pattern]].reshape(2, 2), (3, 4))
    stream, row, _ = first("sensor_msgs/msg/Image", image(mosaic, f"bayer_{pattern}8"))
    assert stream.shape == (6, 8, 3)
    np.testing.assert_array_equal(row, np.broadcast_to(colour, (6, 8, 3)))
    edge = np.where(np.arange(8) < 4, mosaic, 0).astype(np.uint8)
    row = first("sensor_msgs/msg/Image", image(edge, f"bayer_{pattern}8"))[1]
    assert (row[:, :3] == colour).all()
    assert (row[:, 5:] == 0).all()


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_of_two_bytes_a_pixel(encoding):
    left, right = np.array([81, 90, 240]), np.array([145, 54, 34])  # red and green in Y, U and V
    rows = np.stack([np.concatenate([(y, u, y, v) for y, u, v in (left, right)])] * 2).reshape(2, 4, 2).astype(np.uint8)
    stream, row, _ = first("sensor_msgs/msg/Image", image(rows if "yuy" in encoding else rows[..., ::-1], encoding))
    assert stream.shape == (2, 4, 3)
    np.testing.assert_allclose(row[0, [0, 1]], [[255, 0, 0]] * 2, atol=2)
    np.testing.assert_allclose(row[0, [2, 3]], [[0, 255, 0]] * 2, atol=2)


def test_depth():
    millimetres = np.array([[0, 500], [65535, 1]], np.uint16)
    metres = np.float32([[np.nan, 0.5], [65.535, 0.001]])
    for big in (False, True):
        stream, row, _ = first("sensor_msgs/msg/Image", image(millimetres, "16UC1", 2, big))
        assert (stream.kind, stream.shape) == ("depth", (2, 2))
        np.testing.assert_array_equal(row, metres)
    floats = np.float32([[1.5, np.inf], [np.nan, -np.inf]])
    np.testing.assert_array_equal(
        first("sensor_msgs/msg/Image", image(floats, "32FC1"))[1], np.float32([[1.5, np.nan], [np.nan, np.nan]])
    )
    edge = np.repeat(np.float32([[1, 1, 9, 9]]), 4, 0)  # whose average would be nowhere
    np.testing.assert_array_equal(first("sensor_msgs/msg/Image", image(edge, "32FC1"), size=2)[1], [[1, 9], [1, 9]])


def as_file(pixels, kind):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_compressed_images_and_depth():
    stream, row, found = first("sensor_msgs/msg/CompressedImage", {"format": "png", "data": as_file(RGB, "PNG")})
    np.testing.assert_array_equal(row, RGB)
    smooth = np.broadcast_to(np.arange(64, 96, dtype=np.uint8)[:, None, None], (32, 32, 3)).copy()
    fields = {"format": "rgb8; jpeg compressed bgr8", "data": as_file(smooth, "JPEG")}
    stream, row, _ = first("sensor_msgs/msg/CompressedImage", fields, size=8)
    assert stream.shape == (8, 8, 3)
    assert abs(row[:, 3, 0].astype(float) - smooth.reshape(8, 4, 32, 3)[:, :, 0, 0].mean(1)).max() <= 2
    depth = np.array([[0, 500], [7000, 1]], np.uint16)
    fields = {"format": "16UC1; compressedDepth png", "data": bytes(12) + as_file(depth, "PNG")}
    stream, row, _ = first("sensor_msgs/msg/CompressedImage", fields)
    assert stream.kind == "depth"
    np.testing.assert_array_equal(row, np.float32([[np.nan, 0.5], [7, 0.001]]))
    with pytest.raises(CorruptFile, match="an image is 3x8 RGB"):
        found.read(message(format="png", data=as_file(RGB[:3], "PNG")))
    with pytest.raises(CorruptFile, match="cannot be decoded"):
        found.read(message(format="png", data=b"nothing"))
    with pytest.raises(ArmillaryError, match="32FC1; compressedDepth"):
        first("sensor_msgs/msg/CompressedImage", {**fields, "format": "32FC1; compressedDepth png"})


def test_scans():
    ranges = np.float32([1, 0.05, 11, np.inf, np.nan, 10, 2, 3])
    stream, row, found = first("sensor_msgs/msg/LaserScan", scan(ranges, np.pi / 4))
    assert (stream.kind, stream.shape, stream.full_turn) == ("scan", (8,), True)
    np.testing.assert_array_equal(row, np.float32([1, np.nan, np.nan, np.nan, np.nan, 10, 2, 3]))
    assert not first("sensor_msgs/msg/LaserScan", scan(ranges, np.pi / 8))[0].full_turn
    with pytest.raises(CorruptFile, match="a scan has 5 beams, and the first has 8"):
        found.read(message(**scan(ranges[:5], 1)))


def points(count, *more):
    """x is the number of the point; there are four bytes that nobody names."""
    names = ["x", "y", "z", *(name for name, _ in more)]
    kinds = ["<f4", "<f4", "<f4", *(kind for _, kind in more)]
    layout = np.dtype({"names": names, "formats": kinds, "offsets": [0, 4, 8, 16][: len(names)], "itemsize": 24})
    made = np.zeros(count, layout)
    made["x"], made["y"] = np.arange(count), 1
    return made


def read_cloud(made, most=1024):
    fields = cloud(made)
    fields["fields"] = [message(**field) for field in fields["fields"]]
    return first("sensor_msgs/msg/PointCloud2", fields, points=most)


def test_clouds_of_varying_size():
    made = points(5)
    made["z"][2] = np.nan
    stream, row, found = read_cloud(made, 6)
    assert (stream.kind, stream.shape) == ("points", (6, 3))
    np.testing.assert_array_equal(row[:, 0], np.float32([0, 1, 3, 4, np.nan, np.nan]))
    fields = cloud(points(101))
    fields["fields"] = [message(**field) for field in fields["fields"]]
    np.testing.assert_array_equal(found.read(message(**fields))[:, 0], [0, 20, 40, 60, 80, 100])  # evenly
    nothing = found.read(message(**{**fields, "width": 0, "row_step": 0, "data": b""}))
    assert np.isnan(nothing).all()


def test_colours_and_intensity_of_points():
    for kind in ("<u4", "<f4"):
        made = points(2, ("rgb", kind))
        made["rgb"] = np.array([0xFF0000, 0x0000FF], np.uint32).view(kind)
        stream, row, _ = read_cloud(made, 2)
        assert stream.shape == (2, 6)
        np.testing.assert_array_equal(row[:, 3:], [[1, 0, 0], [0, 0, 1]])
    made = points(2, ("intensity", "<f4"))
    made["intensity"] = [7, 8]
    np.testing.assert_array_equal(read_cloud(made, 2)[1][:, 3], [7, 8])
    with pytest.raises(ArmillaryError, match="no x, y and z"):
        read_cloud(made[["x", "y"]].copy())


def test_joints_are_in_the_order_of_the_first_message():
    fields = {"name": ["a", "b"], "position": [1.0, 2.0], "velocity": [3.0, 4.0], "effort": []}
    stream, row, found = first("sensor_msgs/msg/JointState", fields)
    assert stream.channels == ("a.position", "b.position", "a.velocity", "b.velocity")
    np.testing.assert_array_equal(row, [1, 2, 3, 4])
    turned = found.read(message(name=["b", "a"], position=[2.0, 1.0], velocity=[4.0, 3.0], effort=[]))
    np.testing.assert_array_equal(turned, row)
    with pytest.raises(CorruptFile, match="joints a, c in a message, and a, b in the first"):
        found.read(message(**{**fields, "name": ["a", "c"]}))
    with pytest.raises(CorruptFile, match="0 numbers of velocity for 2 joints"):
        found.read(message(**{**fields, "velocity": []}))
    with pytest.raises(CorruptFile, match=r"b\.velocity is not a finite number"):
        found.read(message(**{**fields, "velocity": [0.0, np.nan]}))


def joints(**position):
    return message(name=list(position), position=list(position.values()), velocity=[], effort=[])


def test_joints_of_several_publishers_share_a_row():
    arm, hand = joints(a=1.0, b=2.0), joints(c=3.0)
    found = sense("it", "sensor_msgs/JointState", arm, more=[hand, arm, arm, hand])
    assert (found.stream.channels, found.merged) == (("a.position", "b.position", "c.position"), 3)
    np.testing.assert_array_equal(found.read(hand), [np.nan, np.nan, 3])
    with pytest.raises(CorruptFile, match=r"d\.position in a message, which none of the first 2 has"):
        sense("it", "sensor_msgs/JointState", arm, more=[hand]).read(joints(d=0.0))


def test_any_message_of_numbers_is_a_vector():
    stamp = {"stamp": {"sec": 1, "nanosec": 2}, "frame_id": "map"}
    fields = {"header": stamp, "pose": {"position": axes(1, 2, 3), "on": True}, "gains": np.array([4.0, 5.0])}
    stream, row, found = first("my_msgs/msg/Target", fields)
    assert found.general
    assert stream.channels == ("pose.position.x", "pose.position.y", "pose.position.z", "pose.on", "gains.0", "gains.1")
    np.testing.assert_array_equal(row, [1, 2, 3, 1, 4, 5])
    with pytest.raises(CorruptFile, match="5 numbers in a message, and the first has 6"):
        found.read(message(**{**fields, "gains": [4.0]}))


def test_channels_without_a_number_are_left_out_by_name():
    few = {"name": ["a", "b"], "position": [1.0, 2.0], "velocity": [], "effort": [np.nan, np.nan]}
    found = sense("it", "sensor_msgs/JointState", message(**few), truth=True)
    full = message(**{**few, "effort": [np.nan, 4.0]})
    less, empty = without_nothing(found, [message(**few)] * 3)
    assert (less.stream.channels, empty) == (("a.position", "b.position"), ("a.effort", "b.effort"))
    assert less.stream.truth
    np.testing.assert_array_equal(less.read(message(**few)), [1, 2])
    with pytest.raises(CorruptFile, match=r"b\.effort has a number here, and was NaN throughout"):
        less.read(full)
    less, empty = without_nothing(found, [message(**few), full])
    assert (less.stream.channels, empty) == (("a.position", "b.position", "b.effort"), ("a.effort",))
    whole = message(**{**few, "effort": [3.0, 4.0]})
    assert without_nothing(found, [message(**few), whole]) == (found, ())
    with pytest.raises(ArmillaryError, match="NaN in every message"):
        without_nothing(sense("it", "std_msgs/Float64", message(data=np.nan)), [message(data=np.nan)])


def test_other_numbers():
    inertial = {"angular_velocity": axes(1, 2, 3), "linear_acceleration": axes(4, 5, 6)}
    stream, row, found = first("sensor_msgs/msg/Imu", inertial)
    assert (stream.unit, found.measured) == (("rad/s",) * 3 + ("m/s^2",) * 3, True)
    np.testing.assert_array_equal(row, [1, 2, 3, 4, 5, 6])
    twist = {"linear": axes(1, 2, 3), "angular": axes(4, 5, 6)}
    np.testing.assert_array_equal(first("geometry_msgs/msg/Twist", twist)[1], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(first("geometry_msgs/msg/TwistStamped", {"twist": twist})[1], [1, 2, 3, 4, 5, 6])
    pose = {"position": axes(7, 8, 9), "orientation": {**axes(0), "w": 1.0}}
    stream, row, _ = first("nav_msgs/msg/Odometry", {"pose": {"pose": pose}, "twist": {"twist": twist}})
    np.testing.assert_array_equal(row, [7, 8, 9, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6])
    assert stream.unit[:3] == ("m", "m", "m")
    assert {*PLACE, *QUATERNION} <= set(stream.channels)  # what egomotion learns from
    _, row, found = first("std_msgs/msg/Float64MultiArray", {"data": [1.0, 2.0]}, truth=True)
    assert found.stream.truth
    with pytest.raises(CorruptFile, match="3 numbers in a message, and the first has 2"):
        found.read(message(data=[1.0, 2.0, 3.0]))


def test_what_has_no_stream():
    for kind, fields, words in (
        ("std_msgs/msg/String", {"data": ""}, "messages of std_msgs/msg/String have no stream"),
        ("sensor_msgs/msg/Image", image(RGB[..., 0], "bayer_rggb16"), "encoding 'bayer_rggb16' cannot be read; rgb8"),
        ("my_msgs/msg/Stamp", {"at": {"sec": 1, "nanosec": 2}}, "have no stream here: there are no numbers in it"),
        ("my_msgs/msg/Grid", {"cells": bytes(300)}, "have no stream here: cells has 300 numbers, and 256 at most"),
        ("sensor_msgs/msg/JointState", {"name": [], "position": [], "velocity": [], "effort": []}, "names no joints"),
        ("std_msgs/msg/Float64MultiArray", {"data": []}, "no numbers"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            first(kind, fields)
