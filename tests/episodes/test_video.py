"""Videos and folders of images: every frame at its row, every action at its frame; what is cut, held or broken."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from film_fakes import FPS, film, numbers_of, picture, remux

from armillary.cli import main
from armillary.episodes.formats import video
from armillary.episodes.formats.video import import_video
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION

pytest.importorskip("av", reason="videos are read by PyAV: pip install 'armillary[data]'")
pytest.importorskip("lance")
image = pytest.importorskip("PIL.Image")

COUNT = 12


def table(path: Path, columns: dict[str, list]) -> Path:
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def frames_in(folder: Path, numbers: Iterable[int], suffix: str = ".png") -> Path:
    return named_frames(folder, [f"frame_{number}{suffix}" for number in numbers], numbers)


def named_frames(folder: Path, names: Iterable[str], numbers: Iterable[int] | None = None) -> Path:
    """Pictures of these names, which show their places, or these numbers."""
    folder.mkdir(parents=True)
    for name, number in zip(names, itertools.count() if numbers is None else numbers, strict=False):
        image.fromarray(picture(number)).save(folder / name)
    return folder


def imported(path: Path, out: Path, **options: object) -> tuple[video.VideoSummary, Episodes]:
    return import_video(path, out, progress=False, **options), Episodes.open(out)


def shown(store: Episodes) -> list[list[int]]:
    return [numbers_of(store.read(episode)["image"]) for episode in range(len(store))]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_a_video_is_an_episode_without_actions(tmp_path, name):
    codec = "mpeg4" if name == "a.avi" else "libx264"
    summary, store = imported(film(tmp_path / name, range(COUNT), codec=codec, group=4), tmp_path / "out")
    assert shown(store) == [list(range(COUNT))]
    assert (store.spec.action, store.spec.rate, store.spec["image"].shape) == (NO_ACTION, FPS, (64, 64, 3))
    assert (summary.episodes, summary.frames, summary.uneven) == ((name,), COUNT, 0)
    assert (store.info["clock"], store.info["actions"]) == ("frames as they come", "none")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_folder_of_images_in_the_order_of_their_numbers(tmp_path, suffix):
    folder = frames_in(tmp_path / "run", range(8, 13), suffix)
    _, store = imported(folder, tmp_path / "out", rate=5, image_size=16)
    assert shown(store) == [[8, 9, 10, 11, 12]]
    assert (store.spec.rate, store.spec["image"].shape) == (5, (16, 16, 3))
    assert imported(folder, tmp_path / "no clock")[1].spec.rate is None


@pytest.mark.parametrize(
    ("names", "episodes", "said"),
    [
        (
            "f_0 f_1 f_2 f_3 f_7 f_8 f_12 f_20 f_21",
            [[0, 1, 2, 3], [4, 5], [7, 8]],
            r"jumps in the numbers of images.*: 3 .* f_3\.png, f_7\.png",
        ),
        ("f_00 f_05 f_10 f_15 f_25 f_30", [[0, 1, 2, 3], [4, 5]], "ends: 1"),
        ("left_0 left_1 right_0 right_1 right_2", [[0, 1], [2, 3, 4]], r"several forms.*: 1 .*left_#, right_#"),
        ("0_left 0_right 1_left 1_right", [[0, 2], [1, 3]], "several forms"),
        ("run_1_frame_0 run_1_frame_1 run_2_frame_0 run_2_frame_1 run_2_frame_2", [[0, 1], [2, 3, 4]], "ends: 1"),
        ("a_0 a_1 a_2 cover", [[0, 1, 2]], "several forms"),
        ("f_0_640x480 f_1_640x480 f_2_640x480 f_4_640x480 f_5_640x480", [[0, 1, 2], [3, 4]], "ends: 1"),
        ("20210304_123358 20210304_123359 20210304_123400 20210304_123401", [[0, 1, 2, 3]], None),
        ("t_2021-03-04_12-33-59.967 t_2021-03-04_12-34-00.000 t_2021-03-04_12-34-00.034", [[0, 1, 2]], None),
        ("2021-03-04_12-00-00 2021-03-04_12-00-01 2021-03-04_13-00-00 2021-03-04_13-00-01", [[0, 1], [2, 3]], "ends: 1"),
        ("1614861224_966000000 1614861225_000000000 1614861225_033000000 1614861225_070000000", [[0, 1, 2, 3]], None),
        ("1403636579763555584 1403636579813555456 1403636579863555584 1403636579913555456", [[0, 1, 2, 3]], None),
        ("1305031102.9053 1305031102.9413 1305031102.9732 1305031103.0110", [[0, 1, 2, 3]], None),
        ("rec_12-59-59-000 rec_12-59-59-500 rec_13-00-00-000 rec_13-00-00-500", [[0, 1, 2, 3]], None),
        ("at_12h59m58s at_12h59m59s at_13h00m00s", [[0, 1, 2]], None),
        ("0.0 0.05 0.1 0.15 0.2 0.25", [[0, 1, 2, 3, 4, 5]], None),
        ("1.8 1.9 1.10 1.11", [[0, 1, 2, 3]], None),
        ("rec_20210304_123344_8 rec_20210304_123344_9 rec_20210304_123344_10 rec_20210304_123344_12", [[0, 1, 2]], "ends: 1"),
        ("20210304_123344567 20210304_123344600 20210304_123344634", [[0, 1, 2]], None),
        ("2021-19-35_1 2021-19-35_2 2021-19-36_1 2021-19-36_2", [[0, 1, 2, 3]], None),
        ("1614861224_0 1614861224_1 1614861225_0 1614861225_1 1614861226_0", [[0, 1, 2, 3, 4]], None),
        ("0000000001 0000000002 0000000004 0000000005", [[0, 1], [2, 3]], "ends: 1"),
        ("1\u00b23 1\u00b24", [[0, 1]], None),
        ("0 7 9 33 48 60", [[0, 1, 2, 3, 4, 5]], None),
        ("a b c", [[0, 1, 2]], None),
        ("3f0a 71bc a9ff c001", [[0, 1, 2, 3]], None),
    ],
)
def test_images_are_an_episode_as_far_as_their_names_go_on(tmp_path, names, episodes, said):
    summary, store = imported(named_frames(tmp_path / "run", [f"{name}.png" for name in names.split()]), tmp_path / "out")
    assert shown(store) == episodes
    assert bool(said) == bool(summary.remarks)
    assert said is None or re.search(said, str(summary))


def test_actions_stay_with_their_images_where_some_are_missing(tmp_path):
    folder = frames_in(tmp_path / "run", [0, 1, 2, 5, 6])
    table(tmp_path / "run.csv", {"t": [0, 0.5, 1, 1.5, 2, 2.5, 3], "go": range(7)})
    np.testing.assert_array_equal(imported(folder, tmp_path / "timed", rate=2, time="t")[1].actions(1)[:, 0], [5])
    table(tmp_path / "run.csv", {"go": range(5)})
    np.testing.assert_array_equal(imported(folder, tmp_path / "rows")[1].actions(1)[:, 0], [3])


def test_an_image_that_cannot_be_read_is_left_out_and_named(tmp_path):
    folder = frames_in(tmp_path / "run", range(8))
    content = (folder / "frame_3.png").read_bytes()
    (folder / "frame_3.png").write_bytes(content[: len(content) // 2])
    (folder / "frame_6.png").write_bytes(b"")
    table(tmp_path / "run.csv", {"go": range(8)})
    summary, store = imported(folder, tmp_path / "out")
    assert shown(store) == [[0, 1, 2], [4, 5]]
    np.testing.assert_array_equal(store.actions(1)[:, 0], [4])
    assert summary.left_out == {
        "run: frames that cannot be decoded (frame_3.png, frame_6.png)": 2,
        "run: alone between such frames": 1,
    }
    with pytest.raises(CorruptFile, match=r"frame_3\.png: an image cannot be decoded"):
        imported(folder, tmp_path / "refused", missing="refuse")


def test_alpha_of_images_is_left_out_and_said(tmp_path):
    folder = frames_in(tmp_path / "run", range(2))
    for file in folder.iterdir():
        image.open(file).convert("RGBA").save(file)
    summary, store = imported(folder, tmp_path / "out")
    assert shown(store) == [[0, 1]]
    assert "left out of the images of 1 folders: alpha" in str(summary)


def test_pages_after_the_first_are_left_out_and_said(tmp_path):
    folder = frames_in(tmp_path / "run", range(2), ".tif")
    for file in folder.iterdir():
        page = image.open(file).copy()
        page.save(file, save_all=True, append_images=[image.fromarray(picture(9))])
    summary, store = imported(folder, tmp_path / "out")
    assert shown(store) == [[0, 1]]
    assert "left out of the images of 1 folders: pages after the first" in str(summary)


def test_a_folder_with_many_of_both(tmp_path):
    film(tmp_path / "in/take 10.mp4", range(20, 26))
    film(tmp_path / "in/take 9.mp4", range(10, 16))
    frames_in(tmp_path / "in/frames", range(5))
    summary, store = imported(tmp_path / "in", tmp_path / "out", rate=FPS)
    assert shown(store) == [list(range(10, 16)), list(range(20, 26)), list(range(5))]
    assert summary.episodes == ("take 9.mp4", "take 10.mp4", "frames")
    assert shown(imported(tmp_path / "in", tmp_path / "one", rate=FPS, max_episodes=1)[1]) == [list(range(10, 16))]


@pytest.mark.parametrize("rows", [COUNT, COUNT - 1])
def test_row_i_of_the_table_beside_it_is_the_action_of_frame_i(tmp_path, rows):
    path = film(tmp_path / "a.mp4", range(COUNT))
    table(tmp_path / "a.csv", {"turn [rad]": [i / 8 for i in range(rows)], "go": range(rows), "note": ["x"] * rows})
    summary, store = imported(path, tmp_path / "out", longest=7)
    assert shown(store) == [list(range(7)), list(range(6, 12))]  # the row between two parts is in both
    assert (store.spec.action.channels, store.spec.action.unit) == (("turn [rad]", "go"), ("rad", ""))
    np.testing.assert_array_equal(store.actions(0)[:, 1], [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(store.actions(1)[:, 1], [6, 7, 8, 9, 10])
    assert summary.ignored == {"note": "not numbers"}
    assert imported(path, tmp_path / "one", controls=["go"])[1].spec.action.channels == ("go",)
    assert imported(path, tmp_path / "none", controls=[])[1].spec.action == NO_ACTION


@pytest.mark.parametrize("where", ["run/actions.csv", "run.csv"])
def test_the_table_of_a_folder_of_images(tmp_path, where):
    folder = frames_in(tmp_path / "run", range(5))
    table(tmp_path / where, {"t": [0, 0.5, 1.5], "go": [1, 2, 3]})
    _, store = imported(folder, tmp_path / "out", rate=2, time="t", drift=0.5)
    np.testing.assert_array_equal(store.actions(0)[:, 0], [1, 2, 2, 3])


def test_a_frame_has_the_last_action_at_or_before_it(tmp_path):
    path = film(tmp_path / "a.mp4", range(6))
    table(tmp_path / "actions.csv", {"t": [0, 0.15, 0.2, 0.45], "go": [1, 2, 3, 4]})
    summary, store = imported(path, tmp_path / "out", time="t")
    np.testing.assert_array_equal(store.actions(0)[:, 0], [1, 1, 3, 3, 3])
    assert summary.apart == pytest.approx(0.05)
    assert "clocks end at most 0.050 s apart" in str(summary)
    assert store.info["actions"] == "the last at or before a frame"


def test_a_clock_that_is_rounded_to_milliseconds_is_none_that_is_late(tmp_path):
    path = film(tmp_path / "a.mkv", range(7), times=[i / 30 for i in range(7)])
    table(tmp_path / "a.csv", {"t": [round(i / 30, 3) for i in range(7)], "go": range(7)})
    for name, options in (("frames", {}), ("even", {"rate": 30})):
        _, store = imported(path, tmp_path / name, time="t", **options)
        np.testing.assert_array_equal(store.actions(0)[:, 0], range(6))
        assert shown(store) == [list(range(7))]


@pytest.mark.parametrize(
    ("times", "options"),
    [
        (["2026-01-02 03:04:05.0", "2026-01-02 03:04:05.2", "2026-01-02 03:04:05.5"], {}),
        ([100.0, 100.2, 100.5], {"begins": 100}),
        ([0, 0.2, 0.9], {"drift": 0.35}),
    ],
)
def test_clocks_that_begin_elsewhere_or_end_further_apart_than_usual(tmp_path, times, options):
    path = film(tmp_path / "a.mp4", range(6))
    table(tmp_path / "a.csv", {"t": times, "go": [1, 2, 3]})
    _, store = imported(path, tmp_path / "out", time="t", **options)
    np.testing.assert_array_equal(store.actions(0)[:, 0], [1, 1, 2, 2, 2])


def test_frames_are_held_on_an_even_clock(tmp_path):
    times = [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.74, 0.8]
    path = film(tmp_path / "a.mkv", range(8), times=times)
    table(tmp_path / "a.csv", {"t": [0, 0.3, 0.8], "go": [1, 2, 3]})
    _, store = imported(path, tmp_path / "out", rate=10, time="t")
    assert shown(store) == [[0, 1, 2, 2, 2, 3, 4, 5, 7]]
    np.testing.assert_array_equal(store.actions(0)[:, 0], [1, 1, 1, 2, 2, 2, 2, 2])
    assert shown(imported(path, tmp_path / "slow", rate=2.5, controls=[])[1]) == [[0, 2, 7]]
    assert shown(imported(path, tmp_path / "fast", rate=20, controls=[])[1])[0][:5] == [0, 0, 1, 1, 2]
    assert store.info["clock"] == "held at 10 Hz"


def test_a_row_of_a_table_without_a_clock_stays_with_its_frame(tmp_path):
    path = film(tmp_path / "a.mp4", range(6))
    table(tmp_path / "a.csv", {"go": range(6)})
    _, store = imported(path, tmp_path / "out", rate=5)
    assert shown(store) == [[0, 2, 4]]
    np.testing.assert_array_equal(store.actions(0)[:, 0], [0, 2])


def test_a_clock_that_jumps_ends_an_episode_and_one_that_stutters_is_reported(tmp_path):
    times = [0, 0.1, 0.2, 0.35, 0.45, 3, 5, 5.1]
    summary, store = imported(film(tmp_path / "a.mkv", range(8), times=times), tmp_path / "out")
    assert shown(store) == [[0, 1, 2, 3, 4], [6, 7]]
    assert summary.uneven == pytest.approx(3 / 7)
    assert summary.left_out == {"alone between two jumps of the clock": 1}
    assert [info["begins"] for info in store.infos] == [0, 5]


def test_an_episode_is_cut_where_it_would_not_fit_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "EPISODE_BYTES", 5 * 64 * 64 * 3)
    summary, store = imported(film(tmp_path / "a.mp4", range(11)), tmp_path / "out")
    assert shown(store) == [list(range(5)), list(range(4, 9)), [8, 9, 10]]
    assert summary.longest == 5


def test_what_was_filmed_on_its_side_comes_upright(tmp_path):
    _, plain = imported(film(tmp_path / "a.mp4", range(4)), tmp_path / "plain")
    _, turned = imported(film(tmp_path / "b.mp4", range(4), rotation=90), tmp_path / "turned")
    np.testing.assert_array_equal(turned.read(0)["image"], np.rot90(plain.read(0)["image"], 1, (1, 2)))


def test_what_is_damaged_or_unfit_is_skipped_or_refused(tmp_path):
    folder = tmp_path / "in"
    film(folder / "a.mp4", range(COUNT))
    whole = film(folder / "b.mp4", range(COUNT), group=2)
    (folder / "c.mp4").write_text("no video")
    image.new("RGB", (4, 4)).save(frames_in(folder / "d", range(2)) / "frame_2.png")
    film(folder / "e.mp4", range(1))
    film(folder / "f.mp4", range(5), times=[0, 0.2, 0.4, 0.6, 0.8])
    content = whole.read_bytes()
    middle = content.index(b"mdat") + 6000
    whole.write_bytes(content[:middle] + bytes(500) + content[middle + 500 :])
    summary, store = imported(folder, tmp_path / "out", longest=4)
    assert shown(store)[:4] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [9, 10, 11]]
    for name, message in {
        "c.mp4": "the video cannot be decoded",
        "d": "it has no clock, and the first 10.000 frames a second; give a rate",
        "e.mp4": "1 frames, and an episode needs 2",
        "f.mp4": "it has 5.000 frames a second, and the first 10.000",
    }.items():
        assert message in summary.skipped[name]
    assert "skipped 1 file (c.mp4): " in str(summary)
    with pytest.raises(CorruptFile, match=r"c\.mp4: the video cannot be decoded"):
        imported(folder, tmp_path / "refused", missing="refuse", longest=4)
    assert not (tmp_path / "refused").exists()
    assert "give an image size for all" in imported(folder, tmp_path / "held", rate=FPS)[0].skipped["d"]


def test_a_packet_of_a_stream_that_was_never_announced_is_damage(tmp_path):
    path = film(tmp_path / "a.ts", range(6), codec="mpeg4")
    content = bytearray(path.read_bytes())
    content[-188 + 2] = 0xFF  # of the last packet, the low byte of the stream's number
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"a\.ts: the video cannot be decoded"):
        imported(path, tmp_path / "store", missing="refuse")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"go": range(4)}, {}, "4 rows of actions for 6 frames, of which each has one, or each but the last"),
        ({"t": [0, 1.5], "go": [1, 2]}, {"time": "t"}, "runs from 0.000 to 1.500 s and the video's from 0 to 0.500 s"),
        ({"t": [0.3, 0.4, 0.5], "go": [1, 2, 3]}, {"time": "t"}, "they are 0.300 s apart, more than 0.1 s"),
        ({"t": [0, 0.3, 0.2, 0.5], "go": range(4)}, {"time": "t"}, "the clock runs backwards in line 4"),
        ({"go": [0, 1, "", 3, 4, 5], "up": range(6)}, {}, "line 4: a number is missing in column 'go'"),
        ({"go": range(6)}, {"controls": ["turn"]}, "no column 'turn' of numbers; there are go"),
        ({"go": ["x"] * 6}, {}, "no column of numbers is left for actions"),
        ({"go": range(6)}, {"time": "t"}, "no column 't'"),
        ({"go": range(6)}, {"longest": 1}, "longest is 2 rows or more"),
        ({"go": range(6)}, {"rate": 1.0}, "at 1 Hz its 0.500 s are one row"),
        ({"go": range(6)}, {"rate": 0}, "rate is a positive number"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_left(tmp_path, columns, options, message):
    path = film(tmp_path / "a.mp4", range(6))
    table(tmp_path / "a.csv", columns)
    with pytest.raises(ArmillaryError) as error:
        imported(path, tmp_path / "out", **options)
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_tables_that_are_missing_or_too_many(tmp_path):
    for name in ("a", "b"):
        film(tmp_path / f"in/{name}.mp4", range(6))
    table(tmp_path / "in/b.csv", {"go": range(6)})
    table(tmp_path / "in/actions.csv", {"go": range(6)})  # of which of them?
    summary, store = imported(tmp_path / "in", tmp_path / "out")
    assert (summary.episodes, len(store)) == (("b.mp4",), 1)
    assert "no table of actions beside it, as there is beside others" in summary.skipped["a.mp4"]
    (tmp_path / "in/b.tsv").write_text("go\n1\n")
    with pytest.raises(CorruptFile, match=r"two tables of actions are beside it, b\.csv and b\.tsv"):
        imported(tmp_path / "in", tmp_path / "two")


def test_paths_that_are_no_video(tmp_path):
    frames_in(tmp_path / "frames", range(2))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/text.mp4").write_text("")
    image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "depth.png")
    for path, options, message in [
        (tmp_path / "nowhere.mp4", {}, "no such file or folder"),
        (tmp_path / "frames/frame_0.png", {}, "one image is no episode"),
        (tmp_path / "empty", {}, "none of 1 videos can be read: .*text.mp4"),
        (tmp_path / "frames", {"controls": ["go"]}, "no table of actions beside any video"),
    ]:
        with pytest.raises(ArmillaryError, match=message):
            imported(path, tmp_path / "out", **options)
    (tmp_path / "frames/frame_2.png").write_bytes((tmp_path / "depth.png").read_bytes())
    with pytest.raises(ArmillaryError, match=r"frame_2\.png: I;16 is no picture of 8 bits"):
        imported(tmp_path / "frames", tmp_path / "out")
    table(tmp_path / "frames.csv", {"t": [0, 1], "go": [1, 2]})
    with pytest.raises(ArmillaryError, match="images have no clock that the column 't' could be held against"):
        imported(tmp_path / "frames", tmp_path / "out", time="t")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".h264", ".h265"])
def test_raw_streams_have_the_rate_that_is_given(tmp_path, suffix):
    path = film(tmp_path / f"in/a{suffix}", range(COUNT), codec="libx264" if suffix == ".h264" else "libx265", group=4)
    for source in (path, path.parent):
        _, store = imported(source, tmp_path / "out", rate=20, overwrite=True)
        assert (shown(store), store.spec.rate) == ([list(range(COUNT))], 20)
    with pytest.raises(ArmillaryError, match=r"a raw stream has no clock; give .*--rate"):
        imported(path, tmp_path / "no rate")


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_of_avi_come_in_the_order_in_which_they_are_shown(tmp_path, codec):
    _, store = imported(film(tmp_path / "a.avi", range(COUNT), codec=codec, group=6, between=2), tmp_path / "out")
    assert (shown(store), store.spec.rate) == ([list(range(COUNT))], FPS)


def test_every_video_stream_of_a_file_is_a_stream_or_is_said_to_be_left_out(tmp_path):
    stereo = film(tmp_path / "in/b.mkv", range(6), tracks=2)
    _, store = imported(stereo, tmp_path / "both")
    images = store.read(0)
    assert {name: numbers_of(frames) for name, frames in images.items()} == {
        "image": list(range(6)),
        "image_2": list(range(100, 106)),
    }
    _, second = imported(stereo, tmp_path / "second", tracks=[1])
    assert shown(second) == [list(range(100, 106))]
    with pytest.raises(ArmillaryError, match="there is no video stream 2 in it; it has 2"):
        imported(stereo, tmp_path / "third", tracks=[2])
    with pytest.raises(ArmillaryError, match="tracks are different numbers"):
        imported(stereo, tmp_path / "twice", tracks=[1, 1])
    film(tmp_path / "in/a.mkv", range(6))
    summary, store = imported(tmp_path / "in", tmp_path / "folder")
    assert (len(store), len(store.spec.streams)) == (2, 1)
    assert summary.ignored == {"b.mkv: 1 more video streams": "the first video does not have as many"}
    (tmp_path / "in/a.mkv").rename(tmp_path / "in/c.mkv")
    assert "there is no video stream 1" in imported(tmp_path / "in", tmp_path / "other")[0].skipped["c.mkv"]


@pytest.mark.parametrize("options", [{}, {"rate": FPS}])
def test_a_recording_that_begins_inside_a_group_of_pictures_loses_only_what_cannot_be_decoded(tmp_path, options):
    path = remux(film(tmp_path / "whole.ts", range(COUNT), group=4, between=0), tmp_path / "a.ts", lambda at, _: at > 1)
    table(tmp_path / "a.csv", {"go": range(2, COUNT)})
    summary, store = imported(path, tmp_path / "out", **options)
    assert shown(store) == [list(range(4, COUNT))]
    np.testing.assert_array_equal(store.actions(0)[:, 0], range(4, COUNT - 1))
    assert summary.left_out == {"a.ts: frames that cannot be decoded": 2}
    with pytest.raises(CorruptFile, match=r"no frame at .* for row 0"):
        imported(path, tmp_path / "refused", missing="refuse")


def test_of_two_frames_at_one_moment_one_is_left_out(tmp_path):
    def change(at: int, packet: object) -> bool:
        if at == 5:
            packet.pts = packet.dts = 4 * round(0.1 / packet.time_base)
        return True

    path = remux(film(tmp_path / "whole.mkv", range(COUNT), group=1, between=0), tmp_path / "a.mkv", change)
    table(tmp_path / "a.csv", {"go": range(COUNT)})
    summary, store = imported(path, tmp_path / "out")
    assert shown(store) == [[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]]
    np.testing.assert_array_equal(store.actions(0)[5:, 0], range(6, 11))
    assert summary.left_out == {"a.mkv: another frame has the same time": 1}
    with pytest.raises(CorruptFile, match=r"two frames of the video are at 0\.4000 s"):
        imported(path, tmp_path / "refused", missing="refuse")


def test_what_comes_after_damage_is_used_from_the_next_key_frame_on(tmp_path):
    whole, spoilt = film(tmp_path / "whole.mp4", range(COUNT), group=4, between=0), tmp_path / "a.mp4"
    content = bytearray(whole.read_bytes())
    at = [picture_at(whole, number) for number in (5, 6)]
    content[at[0] + 4 : at[1]] = b"\xff" * (at[1] - at[0] - 4)
    spoilt.write_bytes(content)
    summary, store = imported(spoilt, tmp_path / "out")
    assert shown(store) == [[0, 1, 2, 3, 4], [8, 9, 10, 11]]
    assert summary.left_out == {"a.mp4: frames that cannot be decoded": 3}


def picture_at(path: Path, number: int) -> int:
    """Where in a file the packet of a frame begins."""
    import av

    with av.open(str(path)) as container:
        return [packet.pos for packet in container.demux(video=0)][number]


def test_names_with_a_colon_are_no_urls(tmp_path, monkeypatch):
    film(tmp_path / "take 12:30:05.mp4", range(6))
    monkeypatch.chdir(tmp_path)
    assert shown(imported(Path("take 12:30:05.mp4"), tmp_path / "out")[1]) == [list(range(6))]


def test_the_verb(tmp_path, capsys):
    path = film(tmp_path / "a.mp4", range(6))
    table(tmp_path / "a.csv", {"t": [0, 0.2, 0.5], "go": [1, 2, 3], "up": [1, 2, 3]})
    verb = ["import", "video", str(path), "--out"]
    main([*verb, str(tmp_path / "out"), "--time", "t", "--image-size", "16", "--controls", "go"])
    assert "1 episodes, 6 rows at 10 Hz, actions of 1" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "out").spec["image"].shape == (16, 16, 3)
    main([*verb, str(tmp_path / "plain"), "--controls"])
    assert "no actions" in capsys.readouterr().out
