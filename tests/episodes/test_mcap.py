"""Import of MCAP: what each row holds of topics with rates of their own, where it is refused, and what is left out.

A robot at 10 Hz of commands: the shade of its camera (30 Hz), the turn rate of its inertial unit (100 Hz), the first range of
its scan (15 Hz) and the position of its joints (50 Hz) tell when they were logged, in hundredths of a second.
"""

import sys

import numpy as np
import pytest

pytest.importorskip("mcap_ros2", reason="MCAP files are read by mcap-ros2-support: pip install 'armillary[ros]'")
pytest.importorskip("lance")

import ros_fakes
from mcap.writer import CompressionType
from ros_fakes import axes, cloud, image, scan, write_mcap

from armillary.cli import main
from armillary.episodes.formats import importing
from armillary.episodes.formats.mcap import import_mcap
from armillary.episodes.formats.mcap_files import McapFile
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile, MissingExtra
from armillary.spec import NO_ACTION

START = 1000.0  # s


def hundredths(time):
    return round(100 * (time - START), 3)


MESSAGES = {
    "sensor_msgs/Image": lambda t: image(np.full((4, 6, 3), int(hundredths(t)) % 256, np.uint8), "rgb8"),
    "sensor_msgs/Imu": lambda t: {
        "orientation": {**axes(0), "w": 1.0},
        "angular_velocity": axes(hundredths(t)),
        "linear_acceleration": axes(0, 0, 9.8),
    },
    "sensor_msgs/LaserScan": lambda t: scan(np.array([hundredths(t) / 1000 + 1, 5.0, np.inf]), 2 * np.pi / 3),
    "sensor_msgs/JointState": lambda t: {"name": ["a", "b"], "position": [hundredths(t), 0.5], "velocity": [], "effort": []},
    "sensor_msgs/PointCloud2": lambda t: cloud(np.full(3, hundredths(t), np.dtype([(axis, "<f4") for axis in "xyz"]))),
    "geometry_msgs/Twist": lambda t: {"linear": axes(hundredths(t)), "angular": axes(0, 0, -hundredths(t))},
    "std_msgs/String": lambda t: {"data": "hello"},
}
ROBOT = {  # topic -> kind, rate, first time after START
    "/camera/image_raw": ("sensor_msgs/Image", 30, 0.005),
    "/imu": ("sensor_msgs/Imu", 100, 0.0),
    "/scan": ("sensor_msgs/LaserScan", 15, 0.02),
    "/joint_states": ("sensor_msgs/JointState", 50, 0.001),
    "/cmd_vel": ("geometry_msgs/Twist", 10, 0.1),
    "/rosout": ("std_msgs/String", 1, 0.0),
}


FEW = {name: ROBOT[name] for name in ("/camera/image_raw", "/imu", "/cmd_vel")}


def times_of(topic, robot=ROBOT, seconds=2.0):
    _, rate, first = robot[topic]
    return START + first + np.arange(int(round((seconds - first) * rate, 6)) + 1) / rate


def write(path, robot=ROBOT, seconds=2.0, silent=(), **options):
    """The robot's file; `silent` are topic, first and last time after START of messages that did not come."""
    topics = {}
    for topic, (kind, _, _) in robot.items():
        times = times_of(topic, robot, seconds)
        for name, since, until in silent:
            times = times[(times < START + since) | (times > START + until)] if name == topic else times
        topics[topic] = kind, [(time, MESSAGES[kind](time)) for time in times.tolist()]
    return write_mcap(path, topics, **options)


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    return write(tmp_path_factory.mktemp("mcap") / "robot.mcap")


def load(path, out, **options):
    summary = import_mcap(path, out, progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store, [store.episode(number, truth=True) for number in range(len(store))]


def held(topic, ticks, **options):
    """Hundredths of the last message of a topic at each tick."""
    times = times_of(topic, **options)
    return np.array([hundredths(times[times <= tick + 1e-9][-1]) for tick in ticks])


def test_every_topic_on_the_clock_of_the_commands(robot, tmp_path):
    summary, store, episodes = load(robot, tmp_path / "store", action="/cmd_vel")
    assert [(s.name, s.kind, s.shape, s.rate) for s in store.spec.streams] == [
        ("camera.image_raw", "image", (4, 6, 3), 30),
        ("imu", "signal", (10, 6), 100),
        ("joint_states", "vector", (2,), 50),
        ("scan", "scan", (3,), 15),
    ]
    assert (store.spec.rate, store.spec["scan"].full_turn, store.spec["imu"].unit[0]) == (10, True, "rad/s")
    assert store.spec.action.channels[0] == "linear.x"
    (episode,) = episodes
    ticks = START + 0.1 + np.arange(20) / 10
    assert len(episode) == len(ticks)
    np.testing.assert_array_equal(
        episode.observations["camera.image_raw"][:, 1, 2, 0], held("/camera/image_raw", ticks).astype(int)
    )
    np.testing.assert_allclose(episode.observations["joint_states"][:, 0], held("/joint_states", ticks), atol=1e-4)
    np.testing.assert_allclose(episode.observations["scan"][:, 0], held("/scan", ticks) / 1000 + 1, rtol=1e-6)
    assert np.isnan(episode.observations["scan"][:, 2]).all()
    samples = np.round(10 * (1 + np.arange(20))[:, None] + np.arange(-9, 1))
    np.testing.assert_allclose(episode.observations["imu"][..., 0], samples, atol=1e-3)
    np.testing.assert_array_equal(episode.actions[:, 0], np.float32([10 * (1 + k) for k in range(19)]))
    assert summary.ignored == {"/rosout": "messages of std_msgs/msg/String have no stream here: data is text"}
    assert store.info["clock"] == "/cmd_vel at 10 Hz"
    assert store.info["streams"]["imu"] == "/imu at 100 Hz, the last 10 messages"
    for words in (
        "1.9 s of 2.0 s have every topic",
        "joint_states: /joint_states at 50 Hz, the last message",
        "ignored (messages",
    ):
        assert words in str(summary)


def joints(*names):
    return {"name": list(names), "position": [float(ord(name)) for name in names], "velocity": [], "effort": []}


def test_what_is_not_asked_for_costs_nothing_and_says_why(tmp_path):
    times = [START + i / 10 for i in range(21)]
    twists = [(time, MESSAGES["geometry_msgs/Twist"](time)) for time in times]
    pose = {"position": axes(1, 2, 3), "orientation": {**axes(0), "w": 1.0}}
    effort = {**joints("a", "b"), "effort": [np.nan, np.nan]}
    topics = {
        "/cmd_vel": ("geometry_msgs/Twist", twists),
        "/joint_states": ("sensor_msgs/JointState", [(time, effort) for time in times]),
        "/target": ("geometry_msgs/PoseStamped", [(time, {"pose": pose}) for time in times]),
        "/grip": ("std_msgs/Float64", [(time, {"data": 0.5}) for time in times[::15]]),
        "/gains": ("std_msgs/Float64MultiArray", [(time, {"data": [1.0, 2.0]}) for time in times]),
        "/add/_service_event": ("demo/srv/Add_Event", [(times[3], {"a": 1, "b": 2})]),
    }
    path = write_mcap(tmp_path / "robot.mcap", {name: topics[name] for name in topics if "service" not in name})
    summary, store, _ = load(path, tmp_path / "store", action="/target")
    assert store.spec.action.channels[:3] == ("pose.position.x", "pose.position.y", "pose.position.z")
    assert [stream.name for stream in store.spec.streams] == ["cmd_vel", "gains", "joint_states"]
    assert store.spec["joint_states"].channels == ("a.position", "b.position")
    assert summary.ignored == {
        "/joint_states a.effort": "it is NaN in every message",
        "/joint_states b.effort": "it is NaN in every message",
        "/grip": "its messages come now and then; name the topic to take it",
    }
    path = with_service(write_mcap, tmp_path / "service.mcap", topics)
    for streams in (None, ("/joint_states",)):
        summary, store, (episode,) = load(path, tmp_path / "again", action="/cmd_vel", streams=streams, overwrite=True)
        assert (len(episode), summary.ignored["/add/_service_event"]) == (
            21,
            "its messages are demo/srv/Add_Event: calls of a service, not a stream",
        )
    with pytest.raises(ArmillaryError, match="/add/_service_event: its messages are demo/srv/Add_Event: calls of a service"):
        load(path, tmp_path / "asked", streams=("/add/_service_event",))


def with_service(write_mcap, path, topics):
    """The package refuses to write the definition of a service, so that another kind of the same length is renamed."""
    kind, name = "demo/srv/Add_Event", "demo/msg/AddXEvent"
    ros_fakes.FIELDS[name] = ros_fakes.FIELDS[kind]
    some = {topic: (name if of == kind else of, messages) for topic, (of, messages) in topics.items()}
    write_mcap(path, some, enable_crcs=False, compression=CompressionType.NONE)
    path.write_bytes(path.read_bytes().replace(name.encode(), kind.encode()))
    return path


def test_joints_of_several_publishers(tmp_path):
    times = [START + i / 10 for i in range(21)]
    arm = [(time, joints("a", "b")) for time in times]
    hand = [(time + 0.01, joints("c")) for time in times[2:]]
    path = write_mcap(tmp_path / "robot.mcap", {"/joint_states": ("sensor_msgs/JointState", [*arm, *hand])})
    summary, store, (episode,) = load(path, tmp_path / "store", rate=10.0)
    assert store.spec["joint_states"].channels == ("a.position", "b.position", "c.position")
    np.testing.assert_array_equal(episode.observations["joint_states"], np.tile(np.float32([97, 98, 99]), (len(episode), 1)))
    assert len(episode) == 19  # from the first message of the hand on
    assert "the last value of each joint" in summary.rules["joint_states"]
    arm = [(START + i / 10, joints("a", "b")) for i in range(60)]
    silent = write_mcap(tmp_path / "silent.mcap", {"/joint_states": ("sensor_msgs/JointState", [*arm, *hand[:3]])})
    with pytest.raises(CorruptFile, match=r"channel 2 of a topic of several publishers is silent for"):
        load(silent, tmp_path / "silent", rate=10.0)
    assert len(load(silent, tmp_path / "held", rate=10.0, gap=9.0)[2]) == 1


def test_an_even_clock_and_ratios_that_are_not_whole(robot, tmp_path):
    options = {"rate": 8.0, "streams": ("/imu", "/joint_states"), "action": "/cmd_vel", "truth": ("/scan",)}
    _, store, (episode,) = load(robot, tmp_path / "store", **options)
    assert [(s.name, s.kind, s.truth) for s in store.spec.streams] == [
        ("imu", "vector", False),  # 12.5 samples a step
        ("joint_states", "vector", False),
        ("scan", "scan", True),
    ]
    assert store.info["streams"]["imu"] == "/imu at 100 Hz, the mean since the row before"
    ticks = START + 0.1 + np.arange(len(episode)) / 8
    moments = times_of("/imu")
    since = [moments[(moments > tick - 1 / 8 + 1e-9) & (moments <= tick + 1e-9)] for tick in ticks[1:]]
    np.testing.assert_allclose(
        episode.observations["imu"][1:, 0], [np.mean([hundredths(t) for t in some]) for some in since], rtol=1e-5
    )
    np.testing.assert_allclose(episode.truth["scan"][:, 0], held("/scan", ticks) / 1000 + 1, rtol=1e-6)
    fine = START + 0.1 + np.arange(8 * 125 * len(episode)) / 8000  # of a step's commands, the mean over the step
    inside = held("/cmd_vel", fine).reshape(-1, 1000)
    np.testing.assert_allclose(episode.actions[:, 0], inside[: len(episode) - 1].mean(1), rtol=2e-3)


def test_without_actions_the_slowest_topic_is_the_clock(robot, tmp_path):
    _, store, (episode,) = load(robot, tmp_path / "store", streams=("/camera/image_raw", "/scan"), image_size=2)
    assert (store.spec.action, store.info["clock"]) == (NO_ACTION, "/scan at 15 Hz")
    assert store.spec["camera.image_raw"].shape == (2, 2, 3)
    np.testing.assert_allclose(
        episode.observations["scan"][:, 0], [hundredths(t) / 1000 + 1 for t in times_of("/scan")], rtol=1e-6
    )
    _, store, _ = load(robot, tmp_path / "other", streams=("/imu",), clock="/joint_states")  # which is not in the store
    assert (store.spec.rate, store.spec["imu"].shape) == (50, (2, 6))


def test_points_of_varying_number(tmp_path):
    robot = {"/points": ("sensor_msgs/PointCloud2", 10, 0.0)}
    _, store, (episode,) = load(write(tmp_path / "robot.mcap", robot), tmp_path / "store", points=5)
    assert (store.spec["points"].kind, store.spec["points"].shape) == ("points", (5, 3))
    np.testing.assert_array_equal(np.isnan(episode.observations["points"][..., 0]).sum(1), 2)


# ---- silence, drift, many files


def test_a_topic_that_falls_silent_is_refused_or_its_rows_left_out(tmp_path):
    path = write(tmp_path / "robot.mcap", FEW, 4.0, silent=[("/camera/image_raw", 1.5, 2.2)])
    with pytest.raises(
        CorruptFile, match=r"/camera/image_raw is silent for 0\.7\d s from 1\.4\d s on, and 0\.33 s at most is held"
    ):
        import_mcap(path, tmp_path / "store", action="/cmd_vel", progress=False)
    assert not (tmp_path / "store").exists()
    summary, store, episodes = load(path, tmp_path / "store", action="/cmd_vel", missing="skip")
    assert summary.left_out == {"/camera/image_raw is silent": 4}  # 1.9 to 2.2
    assert store.lengths.tolist() == [18, 18]
    np.testing.assert_array_equal(episodes[1].actions[0], np.float32([230, 0, 0, 0, 0, -230]))
    np.testing.assert_array_equal(episodes[1].observations["imu"][0, :, 0].round(2), np.arange(221, 231))
    assert load(path, tmp_path / "other", action="/cmd_vel", gap=1.0)[1].lengths.tolist() == [40]


def test_a_clock_that_falls_silent(tmp_path):
    some = {name: ROBOT[name] for name in ("/joint_states", "/cmd_vel")}
    path = write(tmp_path / "robot.mcap", some, 4.0, silent=[("/cmd_vel", 1.05, 2.55)])
    options = {"action": "/cmd_vel"}
    with pytest.raises(CorruptFile, match=r"/cmd_vel is silent for 1\.60 s from 1\.00 s on, and 1\.00 s at most"):
        import_mcap(path, tmp_path / "store", **options)
    summary, store, episodes = load(path, tmp_path / "store", missing="skip", **options)
    assert store.lengths.tolist() == [10, 15]
    assert episodes[1].observations["joint_states"][0, 0] == pytest.approx(258.1)
    assert summary.uneven == 0
    summary, store, _ = load(path, tmp_path / "other", gap=2.0, **options)
    assert (store.lengths.tolist(), summary.uneven) == ([25], 1)


def test_rows_begin_and_end_where_every_topic_does(tmp_path):
    late = {"/scan": ("sensor_msgs/LaserScan", 15, 1.02), "/imu": ("sensor_msgs/Imu", 100, 0.5)}
    late["/joint_states"] = ROBOT["/joint_states"]
    path = write(tmp_path / "robot.mcap", late, 4.0, silent=[("/joint_states", 3.0, 9.0)])
    summary, _, (episode,) = load(path, tmp_path / "store", rate=10.0)
    assert len(episode) == 20  # 1.02 to 3.0
    assert (summary.on_clock, summary.in_files) == pytest.approx((1.9, 4.0), abs=2e-3)


@pytest.mark.parametrize(("drift", "figures"), [(0.1, ("0.022", "0.118")), (-0.1, ("0.018", "-0.078"))])
def test_a_clock_that_drifts_is_refused_with_the_figure(drift, figures, tmp_path):
    def late(topic, time):
        return 0.02 + (drift * (time - START) / 4 if topic == "/imu" else 0)

    some = {name: ROBOT[name] for name in ("/imu", "/scan", "/cmd_vel")}
    path = write(tmp_path / "robot.mcap", some, 4.0, late=late)
    first, last = figures
    words = f"/imu is logged {first} s after its stamps at the beginning and {last} s at the end: .* the tolerance of 0.050 s"
    with pytest.raises(CorruptFile, match=words):
        import_mcap(path, tmp_path / "store", action="/cmd_vel")
    summary, _, _ = load(path, tmp_path / "store", action="/cmd_vel", tolerance=0.2)
    assert summary.late["/scan"] == pytest.approx(0.02)
    assert "/scan 0.020 s" in str(summary)


def test_a_bag_of_several_files(tmp_path):
    some = {name: ROBOT[name] for name in ("/scan", "/cmd_vel")}
    for number in (0, 1, 2, 10):
        write(tmp_path / f"bag_{number}.mcap", some, 0.5 + 0.1 * number)
    (tmp_path / "bag_2.mcap").write_bytes((tmp_path / "bag_2.mcap").read_bytes()[:-99])
    write(tmp_path / "bag_3.mcap", FEW)
    options = {"action": "/cmd_vel"}
    with pytest.raises(CorruptFile, match=r"bag_2\.mcap"):
        import_mcap(tmp_path, tmp_path / "store", **options)
    summary, store, _ = load(tmp_path, tmp_path / "store", missing="skip", **options)
    assert [info["source"] for info in store.infos] == ["bag_0.mcap", "bag_1.mcap", "bag_10.mcap"]
    assert store.lengths.tolist() == [5, 6, 15]
    assert summary.skipped[str(tmp_path / "bag_3.mcap")].endswith("there is no topic /scan, which the first file has")
    assert "mcap recover" in summary.skipped[str(tmp_path / "bag_2.mcap")]


def test_long_files_are_cut_and_read_as_far_as_they_are_needed(tmp_path, monkeypatch):
    path = write(tmp_path / "robot.mcap", FEW, 4.0, chunk_size=2000)
    whole = load(path, tmp_path / "whole", action="/cmd_vel")[2][0]
    taken, seen, read, append = [], [], McapFile.messages, Episodes.append
    monkeypatch.setattr(McapFile, "messages", lambda *a, **k: (taken.append(1) or message for message in read(*a, **k)))
    monkeypatch.setattr(Episodes, "append", lambda *a: (seen.append(len(taken)), append(*a)))
    monkeypatch.setattr(importing, "COMMIT_BYTES", 1)
    _, store, episodes = load(path, tmp_path / "store", action="/cmd_vel", longest=11)
    assert store.lengths.tolist() == [11, 11, 11, 10]
    for name in whole.observations:
        rows = np.concatenate([one.observations[name][i > 0 :] for i, one in enumerate(episodes)])
        np.testing.assert_array_equal(rows, whole.observations[name])
    np.testing.assert_array_equal(np.concatenate([one.actions for one in episodes]), whole.actions)
    assert seen[0] < 0.5 * len(taken)


# ---- what cannot be imported


def test_topics_that_are_not_there_or_do_not_fit(tmp_path):
    path = write(tmp_path / "robot.mcap", {**ROBOT, "/once": ("sensor_msgs/Imu", 0.1, 0.0)}, 1.0)
    for options, words in (
        ({"streams": ("/cam",)}, r"no topic '/cam' of ROS; there are /camera/image_raw \(sensor_msgs/msg/Image, 30\)"),
        ({"streams": ("/rosout",)}, "/rosout: messages of std_msgs/msg/String have no stream"),
        ({"streams": ("/once",)}, "/once: it has no rate"),
        ({"streams": ("/imu",), "truth": ("/imu",)}, "'/imu' is named twice"),
        ({"action": "/scan"}, "an action is numbers, not scan"),
        ({"streams": ()}, "no topic is left to be seen"),
        ({"clock": "/tick"}, "no topic '/tick' that could be a clock"),
        ({"clock": "/once"}, "no topic '/once' that could be a clock"),
        ({"clock": "/imu", "rate": 10.0}, "not both"),
        ({"rate": 0.0}, "rate"),
        ({"longest": 1}, "longest"),
        ({"rate": 0.1, "streams": ("/scan",)}, "no two rows"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            import_mcap(path, tmp_path / "store", **options)
    (tmp_path / "empty").mkdir()
    (tmp_path / "robot.mcap.zstd").write_bytes(b"")
    for name in ("nowhere.mcap", "empty", "robot.mcap.zstd"):
        with pytest.raises(ArmillaryError, match=f"{name}: there is no recording of ROS"):
            import_mcap(tmp_path / name, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_message_unlike_the_first(tmp_path):
    path = tmp_path / "robot.mcap"
    frames = [(START + i / 10, image(np.zeros((4, 6 + (i == 7), 3), np.uint8), "rgb8")) for i in range(10)]
    write_mcap(path, {"/camera": ("sensor_msgs/Image", frames)})
    with pytest.raises(CorruptFile, match=r"robot\.mcap, 0\.70 s after its first row: camera: an image is 4x7 rgb8"):
        import_mcap(path, tmp_path / "store", progress=False)
    assert not (tmp_path / "store").exists()
    summary, store, _ = load(path, tmp_path / "store", missing="skip", longest=4)
    assert store.lengths.tolist() == [4, 4]
    assert list(summary.skipped) == [str(path)]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_truncated(share, robot, tmp_path):
    path, whole = tmp_path / "robot.mcap", robot.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptFile, match=r"cannot be read.*recover"):
        import_mcap(path, tmp_path / "store")


def test_damage_within(tmp_path):
    path = write(tmp_path / "robot.mcap", chunk_size=20_000)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 3
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(whole))
    with pytest.raises(CorruptFile, match="cannot be read"):
        import_mcap(path, tmp_path / "store", action="/cmd_vel", progress=False)
    assert not (tmp_path / "store").exists()


def test_messages_that_are_in_the_index_alone(tmp_path):
    poses = [(START + i / 10, axes(i)) for i in range(10)]
    topics = {"/one": ("geometry_msgs/Vector3", poses), "/two": ("geometry_msgs/Vector3", poses)}
    path = write_mcap(tmp_path / "robot.mcap", topics, compression=CompressionType.NONE, enable_crcs=False)
    message = b"\x05" + (22 + 28).to_bytes(8, "little")
    content = path.read_bytes()
    first, second = (message + channel.to_bytes(2, "little") for channel in (1, 2))
    assert content.count(first) == content.count(second) == 10
    path.write_bytes(content.replace(first, second))
    with pytest.raises(ArmillaryError, match="its index lists 10 messages of /one, and 10 of them are not there"):
        import_mcap(path, tmp_path / "store", streams=("/one",), progress=False)


def test_a_definition_without_the_fields_of_its_kind(tmp_path, monkeypatch):
    monkeypatch.setitem(ros_fakes.FIELDS, "geometry_msgs/Twist", "geometry_msgs/Vector3 angular")
    turns = [(START + i / 10, {"angular": axes(i)}) for i in range(10)]
    path = write_mcap(tmp_path / "robot.mcap", {"/turn": ("geometry_msgs/Twist", turns)})
    with pytest.raises(ArmillaryError, match=r"/turn.*no attribute 'linear'"):
        import_mcap(path, tmp_path / "store", action="/turn", progress=False)


def test_a_message_shorter_than_its_header(tmp_path):
    path = write_mcap(tmp_path / "robot.mcap", {"/scan": ("sensor_msgs/LaserScan", [(START, scan(np.ones(4), 0.1))] * 2)})
    with McapFile(path) as file:
        file.messages = lambda topics, reverse: iter([(1, "/scan", bytes(3))])
        with pytest.raises(CorruptFile, match="cannot be read"):
            file.latency("/scan")


def test_messages_in_another_encoding_are_listed(tmp_path):
    writer = pytest.importorskip("mcap.writer")
    with (tmp_path / "json.mcap").open("wb") as file:
        plain = writer.Writer(file)
        plain.start()
        schema = plain.register_schema("pose", "jsonschema", b"{}")
        channel = plain.register_channel("/pose", "json", schema)
        plain.add_message(channel, log_time=1, publish_time=1, data=b"{}")
        plain.finish()
    with pytest.raises(ArmillaryError, match=r"no topic is left to be seen; there are none; /pose: .* as json, jsonschema"):
        import_mcap(tmp_path / "json.mcap", tmp_path / "store")


def test_files_without_an_index(tmp_path):
    writer = pytest.importorskip("mcap.writer")
    with (tmp_path / "plain.mcap").open("wb") as file:
        plain = writer.Writer(file, index_types=writer.IndexType.NONE, use_chunking=False)
        plain.start()
        plain.finish()
    with pytest.raises(CorruptFile, match="no index in it; write it anew"):
        import_mcap(tmp_path / "plain.mcap", tmp_path / "store")


def test_without_the_package_it_says_which_extra_brings_it(robot, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcap.reader", None)
    with pytest.raises(MissingExtra, match=r"armillary\[ros\]"):
        import_mcap(robot, tmp_path / "store")


def test_the_verb(robot, tmp_path, capsys):
    main(["import", "mcap", str(robot), "--out", str(tmp_path / "store"), "--action", "/cmd_vel", "--image-size", "2"])
    assert "1 episodes, 20 rows at 10 Hz, actions of 6" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "store").spec["camera.image_raw"].shape == (2, 2, 3)
    with pytest.raises(SystemExit):
        main(["import", "mcap", str(robot), "--out", str(tmp_path / "other"), "--action", "/cmd"])
    assert "no topic '/cmd'" in capsys.readouterr().err
