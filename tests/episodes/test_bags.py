"""Bags of ROS 1 (.bag) and SQLite files of ROS 2 (.db3) give what an MCAP file of the same messages gives, or are refused."""

import sqlite3
import struct
import sys

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are written by rosbags in these tests: pip install 'armillary[ros]'")
pytest.importorskip("mcap_ros2")
pytest.importorskip("lance")

from ros_fakes import axes, cloud, image, scan, write_mcap, write_rosbag

from armillary.episodes.formats import bag_files, db3_files
from armillary.episodes.formats.bag_files import BagFile
from armillary.episodes.formats.db3_files import Db3File
from armillary.episodes.formats.mcap import import_mcap
from armillary.episodes.formats.ros1_messages import ros1_decoder
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile, MissingExtra

POINT = np.dtype([(axis, "<f4") for axis in "xyz"])


def every(hertz, content, kind, seconds=3.0):
    times = 100 + np.arange(int(seconds * hertz)) / hertz
    return kind, [(float(time), content(round(hertz * (time - 100)))) for time in times]


def turn(i):
    still = {"orientation": {**axes(0), "w": 1.0}}
    return {**still, "angular_velocity": axes(i / 10), "linear_acceleration": axes(0, i, 9.8)}


ROBOT = {
    "/camera": every(15, lambda i: image(np.full((4, 6, 3), 3 * i, np.uint8), "rgb8"), "sensor_msgs/Image"),
    "/scan": every(10, lambda i: scan(np.array([1 + i / 100, 5.0, np.inf]), 2 * np.pi / 3), "sensor_msgs/LaserScan"),
    "/points": every(5, lambda i: cloud(np.full(3, i, POINT)), "sensor_msgs/PointCloud2"),
    "/joints": every(
        50, lambda i: {"name": ["a", "b"], "position": [i / 7, 0.5], "velocity": [], "effort": []}, "sensor_msgs/JointState"
    ),
    "/imu": every(100, turn, "sensor_msgs/Imu"),
    "/goal": every(
        10, lambda i: {"pose": {"position": axes(i / 3), "orientation": {**axes(0), "w": 1.0}}}, "geometry_msgs/PoseStamped"
    ),
    "/said": every(10, lambda i: {"data": "hello"}, "std_msgs/String"),
    "/cmd_vel": every(10, lambda i: {"linear": axes(i), "angular": axes(0, 0, -i)}, "geometry_msgs/Twist"),
}


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    return write_mcap(tmp_path_factory.mktemp("mcap") / "robot.mcap", ROBOT)


def load(path, out, **options):
    summary = import_mcap(path, out, action="/cmd_vel", progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store.spec, [store.episode(number) for number in range(len(store))]


@pytest.mark.parametrize(
    ("name", "compression"),
    [("robot.bag", None), ("robot.bag", "bz2"), ("robot.bag", "lz4"), ("robot.db3", None), ("robot.db3", "message")],
)
def test_the_same_messages_give_the_same_store(name, compression, robot, tmp_path):
    expected, spec, (episode,) = load(robot, tmp_path / "expected")
    path = write_rosbag(tmp_path / name, ROBOT, compression=compression)
    summary, found_spec, (found,) = load(path, tmp_path / "store")
    assert found_spec == spec
    assert (len(spec.streams), spec["imu"].kind, spec["joints"].channels) == (6, "signal", ("a.position", "b.position"))
    for stream in spec.streams:
        np.testing.assert_array_equal(found.observations[stream.name], episode.observations[stream.name])
    np.testing.assert_array_equal(found.actions, episode.actions)
    assert (summary.rules, summary.late) == (expected.rules, expected.late)
    assert list(summary.ignored) == ["/said"]


@pytest.mark.parametrize("name", ["robot.bag", "robot.db3"])
def test_stamps_that_drift_are_found(name, tmp_path):
    path = write_rosbag(tmp_path / name, ROBOT, late=lambda topic, time: 0.2 * (time - 100) if topic == "/imu" else 0.0)
    with pytest.raises(CorruptFile, match=r"/imu is logged 0\.0\d\d s after its stamps at the beginning and 0\.5\d\d s"):
        load(path, tmp_path / "store")


@pytest.mark.parametrize("name", ["robot.bag", "robot.db3"])
def test_several_publishers_and_files(name, tmp_path):
    """Joints of two publishers on one topic; and a second file in the folder, which begins an episode."""
    ends = "." + name.partition(".")[2]
    hand = {"name": ["c"], "position": [0.1], "velocity": [], "effort": []}
    joints = sorted([*ROBOT["/joints"][1], *((time + 0.004, hand) for time, _ in ROBOT["/joints"][1])], key=lambda one: one[0])
    topics = {"/joints": ("sensor_msgs/JointState", joints), "/cmd_vel": ROBOT["/cmd_vel"]}
    (tmp_path / "bag").mkdir()
    for number in (0, 1):
        write_rosbag(tmp_path / f"bag/part_{number}{ends}", topics)
    _, spec, episodes = load(tmp_path / "bag", tmp_path / "store")
    assert (spec["joints"].channels, len(episodes)) == (("a.position", "b.position", "c.position"), 2)
    write_mcap(tmp_path / "bag/part_0.mcap", topics)
    with pytest.raises(ArmillaryError, match=f"there are {ends} and .mcap files"):
        load(tmp_path / "bag", tmp_path / "other")


# ---- bags


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.97])
@pytest.mark.parametrize("name", ["robot.bag", "robot.db3"])
def test_truncated(name, share, tmp_path):
    whole = write_rosbag(tmp_path / name, ROBOT).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptFile, match="rosbag reindex" if name.endswith("bag") else name):
        load(tmp_path / name, tmp_path / "store")


def test_what_a_chunk_unpacks_to_is_checked(tmp_path):
    path = write_rosbag(tmp_path / "robot.bag", ROBOT, compression="bz2")
    whole = bytearray(path.read_bytes())
    at = whole.index(b"size=") + 5
    (size,) = struct.unpack_from("<I", whole, at)
    for lie, words in (
        (size - 100, "unpacks to .* or more"),
        (size + 100, "unpacks to"),
        (2**32 - 1, "declares 4,294,967,295"),
    ):
        struct.pack_into("<I", whole, at, lie)
        path.write_bytes(whole)
        with pytest.raises(ArmillaryError, match=words):
            load(path, tmp_path / "store")


def test_chunks_that_are_mixed_cost_no_more_than_a_few_passes(tmp_path, monkeypatch):
    path = write_rosbag(tmp_path / "robot.bag", {"/cmd_vel": ROBOT["/cmd_vel"]})
    with BagFile(path) as bag:
        times, _, offsets = bag._entries["/cmd_vel"][0]
        bag._chunks *= 6
        bag._entries["/cmd_vel"] = [(times, np.arange(len(times), dtype=np.int32) % 6, offsets)]
        monkeypatch.setattr(bag_files, "AGAIN", 2)
        with pytest.raises(CorruptFile, match="messages of many chunks are mixed"):
            list(bag.messages(["/cmd_vel"]))
        monkeypatch.setattr(bag_files, "UNPACKED", 6)
        assert len(list(bag.messages(["/cmd_vel"]))) == 30


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("a/B b", "no definition of a/B"),
        ("wstring x", "no definition of a/wstring"),
        ("float64 a-b", "which is none of ROS 1"),
        ("a/A next", "deeper than"),
        ("a/Empty nothing\n===\nMSG: a/Empty", "of no bytes"),
        ("a/Empty[] many\n===\nMSG: a/Empty", "of no bytes"),
    ],
)
def test_definitions_that_are_none(fields, words):
    with pytest.raises(CorruptFile, match=words):
        ros1_decoder("a/A", fields)(b"\xff" * 8)


@pytest.mark.parametrize("fields", ["uint8[] x", "float64[] x", "string x", "string[] x", "time[] x", "float64 x", "uint16 x"])
def test_bytes_that_are_not_of_the_definition(fields):
    with pytest.raises((CorruptFile, struct.error)):
        ros1_decoder("a/A", fields)(b"\xff" * 5)


def test_nested_lists_cost_no_more_than_their_bytes():
    """Each definition holds a million of the next: a message would hold 10**30 numbers."""
    fields = (
        "a/B0[1000000] x" + "".join(f"\n===\nMSG: a/B{i}\na/B{i + 1}[1000000] x" for i in range(4)) + "\n===\nMSG: a/B4\nint8 x"
    )
    with pytest.raises(CorruptFile, match="a part of it ends after 1000000000000000000000000000000"):
        ros1_decoder("a/A", fields)(bytes(100))


def test_a_message_of_ros1():
    fields = "Header header\nB[2] pair\nbool yes\nstring[] names\ntime at\n===\nMSG: a/B\nuint16[3] x\n===\n"
    fields += "MSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id"
    data = struct.pack("<IIII2s6H?II1sI0sII", 7, 8, 9, 2, b"ab", 1, 2, 3, 4, 5, 6, True, 2, 1, b"c", 0, b"", 10, 11)
    message = ros1_decoder("a/A", fields)(data)
    assert (message.header.seq, message.header.stamp.nsecs, message.header.frame_id) == (7, 9, "ab")
    assert ([one.x.tolist() for one in message.pair], message.yes) == ([[1, 2, 3], [4, 5, 6]], True)
    assert (message.names, message.at.secs) == (["c", ""], 10)


# ---- SQLite


def change(path, *statements):
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    return path


def test_files_without_definitions_are_read_by_those_of_ros2(robot, tmp_path, monkeypatch):
    path = change(write_rosbag(tmp_path / "robot.db3", ROBOT), "DROP TABLE message_definitions")
    _, spec, _ = load(path, tmp_path / "store")
    assert spec == load(robot, tmp_path / "expected")[1]
    change(path, "UPDATE topics SET type = 'my_robot/msg/State' WHERE name = '/scan'")
    summary, _, _ = load(path, tmp_path / "other")
    assert "the file has no definition of my_robot/msg/State" in summary.ignored["/scan"]
    monkeypatch.setitem(sys.modules, "rosbags.typesys", None)
    db3_files._standard.cache_clear()
    db3_files._kinds_of_ros2.cache_clear()
    with pytest.raises(MissingExtra, match=r"armillary\[ros\]"):
        load(path, tmp_path / "third")


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE messages",),
        ("ALTER TABLE messages RENAME TO others", "CREATE VIEW messages AS SELECT id, topic_id, timestamp, data FROM others"),
        (
            "DROP TABLE messages",
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id, timestamp, data GENERATED ALWAYS AS (zeroblob(9)))",
        ),
    ],
)
def test_databases_that_are_not_plain_tables(statements, tmp_path):
    path = change(write_rosbag(tmp_path / "robot.db3", {"/cmd_vel": ROBOT["/cmd_vel"]}), *statements)
    with pytest.raises(CorruptFile, match="no tables of topics and messages as rosbag2 makes them"):
        Db3File(path)


@pytest.mark.parametrize("value", ["'text'", "1.5", "x'00'"])
@pytest.mark.parametrize("column", ["timestamp", "data"])
def test_cells_that_are_something_else(column, value, tmp_path):
    path = write_rosbag(tmp_path / "robot.db3", {name: ROBOT[name] for name in ("/goal", "/cmd_vel")})
    change(path, f"UPDATE messages SET {column} = {value} WHERE id = 3")
    with pytest.raises(CorruptFile, match="cannot be read"):
        load(path, tmp_path / "store")


def test_a_recorder_that_was_killed(tmp_path):
    path = write_rosbag(tmp_path / "robot.db3", {"/cmd_vel": ROBOT["/cmd_vel"]})
    (tmp_path / "robot.db3-wal").write_bytes(b"pages")
    with pytest.raises(CorruptFile, match="wal_checkpoint"):
        Db3File(path)
