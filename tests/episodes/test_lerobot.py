"""LeRobot import: every frame at its row, in every version; what is missing or damaged is named; nothing half-written.

The datasets are built here. Each frame shows its own number, so that alignment is asserted exactly, also where one episode ends
and the next begins inside one video.
"""

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from film_fakes import FPS, film, numbers_of, picture

from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.formats.video_frames import frames_at
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

av = pytest.importorskip("av")
lance = pytest.importorskip("lance")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CAMERA = "observation.images.top"
LENGTHS = (12, 9, 15)


def rows_of(episode: int, length: int) -> dict:
    numbers = 50 * episode + np.arange(length)
    return {
        "observation.state": [[float(episode), float(n)] for n in numbers],
        "action": [[float(n), -float(n)] for n in numbers],
        "timestamp": pa.array(np.arange(length) / FPS, pa.float32()),
        "frame_index": list(range(length)),
        "episode_index": [episode] * length,
        "index": [sum(LENGTHS[:episode]) + i for i in range(length)],
        "task_index": [0] * length,
    }


FEATURES = {
    "observation.state": {"dtype": "float32", "shape": [2], "names": {"motors": ["episode", "number"]}},
    "action": {"dtype": "float32", "shape": [2], "names": [["plus", "minus"]]},
    CAMERA: {"dtype": "video", "shape": [3, 64, 64], "names": ["channels", "height", "width"], "info": {"video.fps": FPS}},
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    "frame_index": {"dtype": "int64", "shape": [1], "names": None},
    "episode_index": {"dtype": "int64", "shape": [1], "names": None},
    "index": {"dtype": "int64", "shape": [1], "names": None},
    "task_index": {"dtype": "int64", "shape": [1], "names": None},
}


def write_info(root: Path, version: str, features: dict, **paths: str) -> None:
    info = {"codebase_version": version, "robot_type": "toy", "fps": FPS, "chunks_size": 1000, "features": features, **paths}
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta/info.json").write_text(json.dumps(info))


def save(path: Path, rows: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), path)


def v2(root: Path, version: str = "v2.1", features: dict = FEATURES, extra: dict | None = None, videos: bool = True) -> Path:
    """A parquet and an mp4 an episode; `extra` columns are functions of (episode, length)."""
    data, video = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet", None
    if videos:
        video = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    write_info(root, version, features, data_path=data, video_path=video)
    lines = [json.dumps({"episode_index": e, "tasks": [f"task {e}"], "length": n}) for e, n in enumerate(LENGTHS)]
    (root / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")
    for episode, length in enumerate(LENGTHS):
        more = {name: column(episode, length) for name, column in (extra or {}).items()}
        save(root / data.format(episode_chunk=0, episode_index=episode), {**rows_of(episode, length), **more})
        if videos:
            film(mp4(root, episode), [50 * episode + i for i in range(length)])
    return root


def v3(root: Path, codec: str = "libx264", group: int = 250) -> Path:
    """Episodes 0 and 1 in one parquet and one mp4, episode 2 in the next."""
    data = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    video = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    write_info(root, "v3.0", FEATURES, data_path=data, video_path=video)
    listed = []
    for file, episodes in enumerate(((0, 1), (2,))):
        tables = [pa.table(rows_of(e, LENGTHS[e])) for e in episodes]
        path = root / data.format(chunk_index=0, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), path)
        shown = [50 * e + i for e in episodes for i in range(LENGTHS[e])]
        film(root / video.format(video_key=CAMERA, chunk_index=0, file_index=file), shown, codec=codec, group=group)
        start = 0
        for e in episodes:
            row = {"episode_index": e, "tasks": [f"task {e}"], "length": LENGTHS[e]}
            row |= {"data/chunk_index": 0, "data/file_index": file, "stats/action/max": [1.0]}
            row |= {f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": file}
            row |= {f"videos/{CAMERA}/from_timestamp": start / FPS}
            start += LENGTHS[e]
            listed.append({**row, f"videos/{CAMERA}/to_timestamp": start / FPS})
    save(root / "meta/episodes/chunk-000/file-000.parquet", {name: [row[name] for row in listed] for name in listed[0]})
    return root


def mp4(root: Path, episode: int) -> Path:
    return root / f"videos/chunk-000/{CAMERA}/episode_{episode:06d}.mp4"


def parquet(root: Path, episode: int) -> Path:
    return root / f"data/chunk-000/episode_{episode:06d}.parquet"


def edit(root: Path, episode: int, **columns: list) -> None:
    """Write columns of an episode anew; a double underscore stands for a dot."""
    changed = {name.replace("__", "."): values for name, values in columns.items()}
    rows = {**rows_of(episode, LENGTHS[episode]), **changed}
    shortest = min(map(len, rows.values()))
    save(parquet(root, episode), {name: values[:shortest] for name, values in rows.items()})


def load(root: Path, out: Path, **options: object) -> tuple[object, Episodes]:
    summary = import_lerobot(root, out, progress=False, **options)
    return summary, Episodes.open(out)


def assert_aligned(store: Episodes, episodes: tuple[int, ...]) -> None:
    assert len(store) == len(episodes)
    for number, episode in enumerate(episodes):
        stored, shown = store.episode(number), 50 * episode + np.arange(LENGTHS[episode])
        assert numbers_of(stored.observations[CAMERA]) == list(shown)
        np.testing.assert_array_equal(stored.observations["observation.state"][:, 1], shown)
        np.testing.assert_array_equal(stored.actions, np.stack([shown, -shown], 1)[:-1])
        assert (stored.info["episode"], stored.info["tasks"]) == (episode, [f"task {episode}"])


def make(version: str, root: Path) -> Path:
    return v3(root) if version == "v3.0" else v2(root, version)


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_every_row_has_its_frame_state_and_action(tmp_path: Path, version: str) -> None:
    summary, store = load(make(version, tmp_path / "source"), tmp_path / "out")
    assert_aligned(store, (0, 1, 2))
    assert [(s.name, s.kind, s.shape, s.rate) for s in store.spec.streams] == [
        ("observation.state", "vector", (2,), FPS),
        (CAMERA, "image", (64, 64, 3), FPS),
    ]
    assert store.spec["observation.state"].channels == ("episode", "number")
    assert store.spec.action.channels == ("plus", "minus")
    assert store.spec.action.low == (-np.inf, -np.inf)
    assert store.spec.rate == FPS
    assert (summary.version, summary.episodes, summary.frames) == (version, (0, 1, 2), sum(LENGTHS))
    assert not summary.skipped
    assert "last action of each episode has no next observation" in str(summary)


@pytest.mark.parametrize(("codec", "group"), [("mpeg4", 5), ("mpeg4", 250), ("libx264", 4), ("libsvtav1", 2)])
def test_one_video_of_several_episodes_is_entered_at_the_right_frame(tmp_path: Path, codec: str, group: int) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    _, store = load(v3(tmp_path / "source", codec, group), tmp_path / "out", image_size=16)
    assert_aligned(store, (0, 1, 2))


def test_resized_frames_are_averages_of_areas(tmp_path: Path) -> None:
    path, times = tmp_path / "video.mp4", np.arange(6) / FPS
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        noise = np.random.default_rng(0).integers(80, 180, (16, 24, 3), np.uint8)
        for _ in times:
            smooth = av.VideoFrame.from_ndarray(np.repeat(np.repeat(noise, 4, 0), 4, 1), format="rgb24")
            container.mux(stream.encode(smooth))
        container.mux(stream.encode())
    whole = frames_at(path, times, tolerance=0.01)
    small = frames_at(path, times, size=8, tolerance=0.01)
    assert whole.shape == (6, 64, 96, 3)
    expected = whole.reshape(6, 8, 8, 8, 12, 3).mean(axis=(2, 4))
    assert abs(small - expected).mean() < 2  # of 100 between dark and bright; one pixel of each area would be 20 off


def test_a_dropped_frame_is_an_error_with_its_time(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    film(mp4(root, 1), [50 + i for i in range(10)], drop=(4,))  # nine frames for nine rows: a count would not notice
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (0, 2))
    assert "no frame at 0.4000 s for row 4; the next one is at 0.5000 s" in summary.skipped[1]
    assert "skipped 1 episode (1): " in str(summary)


def damage_length(root: Path) -> None:
    edit(root, 1, timestamp=[i / FPS for i in range(8)])


def damage_nan(root: Path) -> None:
    edit(root, 1, observation__state=[[0.0, np.nan if i == 6 else 1.0] for i in range(9)])


def damage_action(root: Path) -> None:
    edit(root, 1, action=[[0.0, None if i == 3 else 1.0] for i in range(9)])


def damage_width(root: Path) -> None:
    edit(root, 1, observation__state=[[0.0] * (3 if i == 2 else 2) for i in range(9)])


def damage_order(root: Path) -> None:
    edit(root, 1, timestamp=[i / FPS for i in (0, 1, 2, 4, 3, 5, 6, 7, 8)])


def damage_rate(root: Path) -> None:
    edit(root, 1, timestamp=[i / (FPS * 1.03) for i in range(9)])


def damage_parquet(root: Path) -> None:
    parquet(root, 1).write_bytes(parquet(root, 1).read_bytes()[:400])


def damage_video(root: Path) -> None:
    mp4(root, 1).write_bytes(mp4(root, 1).read_bytes()[:300])


def damage_end(root: Path) -> None:
    film(mp4(root, 1), [50 + i for i in range(6)])


def damage_surplus(root: Path) -> None:
    film(mp4(root, 1), [50 + i for i in range(11)])


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (damage_length, "8 rows, where the metadata say 9"),
        (damage_nan, "observation.state: not a finite number in row 6"),
        (damage_action, "action: not a finite number in row 3"),
        (damage_width, "observation.state: rows of different lengths"),
        (damage_order, "row 3 is at 0.4000 s, and at 10 frames a second it has to be at 0.3000 s"),
        (damage_rate, "row 4 is at 0.3883 s, and at 10 frames a second it has to be at 0.4000 s"),
        (damage_parquet, "episode_000001.parquet: cannot be read"),
        (damage_video, "episode_000001.mp4: the video cannot be decoded"),
        (damage_end, "6 frames in the video for 9 rows"),
        (damage_surplus, "11 frames in the video for 9 rows"),
    ],
)
def test_an_unfit_episode_is_named_and_skipped_or_refused(tmp_path: Path, damage, expected: str) -> None:
    root = v2(tmp_path / "source")
    damage(root)
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (0, 2))
    assert list(summary.skipped) == [1]
    assert expected in summary.skipped[1]
    with pytest.raises(ArmillaryError, match="episode 1: ") as error:
        import_lerobot(root, tmp_path / "refused", missing="refuse", progress=False)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "refused").exists()


def test_a_v3_video_that_ends_early_names_the_row(tmp_path: Path) -> None:
    root = v3(tmp_path / "source")
    film(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", [*range(12), *range(50, 55)])
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (0, 2))
    assert "no frame at 1.7000 s for row 5; the video ends before that" in summary.skipped[1]


def test_a_nan_in_the_last_action_does_no_harm(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    edit(root, 1, action=[[50.0 + i, -50.0 - i] for i in range(8)] + [[np.nan, np.nan]])
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (0, 1, 2))
    assert not summary.skipped


def test_missing_files_are_listed_and_refused_as_asked(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    parquet(root, 0).unlink()
    mp4(root, 2).unlink()
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (1,))
    assert summary.skipped == {0: "no data file", 2: f"no video of {CAMERA}"}
    with pytest.raises(ArmillaryError, match=r"1 episode \(0\): no data file; 1 episode \(2\): no video of"):
        import_lerobot(root, tmp_path / "refused", missing="refuse", progress=False)
    assert not (tmp_path / "refused").exists()


def test_a_camera_without_any_video_is_left_out_and_said_so(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    shutil.rmtree(root / "videos")
    summary, store = load(root, tmp_path / "out")
    assert [stream.name for stream in store.spec.streams] == ["observation.state"]
    assert len(store) == 3
    assert summary.missing_cameras == (CAMERA,)
    assert f"without camera {CAMERA}" in str(summary)
    with pytest.raises(ArmillaryError, match=f"every video of {CAMERA}"):
        import_lerobot(root, tmp_path / "refused", missing="refuse", progress=False)
    asked, _ = load(root, tmp_path / "none", cameras=(), missing="refuse")
    assert asked.missing_cameras == ()


def test_nothing_left_to_import_is_an_error(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    shutil.rmtree(root / "data")
    with pytest.raises(ArmillaryError, match=r"no episode to import; skipped 3 episodes \(0-2\): no data file"):
        import_lerobot(root, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_max_episodes_counts_what_is_there(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    parquet(root, 0).unlink()
    summary, store = load(root, tmp_path / "out", max_episodes=1)
    assert_aligned(store, (1,))
    assert summary.episodes == (1,)
    edit(root, 0)
    assert_aligned(load(root, tmp_path / "two", max_episodes=2, missing="refuse", cameras=["top"])[1], (0, 1))


def test_dtypes_pictures_in_parquet_and_what_is_ignored(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")

    def png(number: int) -> dict:
        file = io.BytesIO()
        image.fromarray(picture(number)).save(file, "png")
        return {"bytes": file.getvalue(), "path": None}

    features = {name: feature for name, feature in FEATURES.items() if name != CAMERA}
    features |= {
        CAMERA: {"dtype": "image", "shape": [64, 64, 3], "names": ["height", "width", "channel"]},
        "observation.depth": {"dtype": "video", "shape": [64, 64, 1], "names": None, "info": {"video.is_depth_map": True}},
        "observation.force": {"dtype": "float64", "shape": [1], "names": None},
        "observation.contact": {"dtype": "bool", "shape": [1], "names": None},
        "observation.said": {"dtype": "string", "shape": [1], "names": None},
        "observation.grid": {"dtype": "float32", "shape": [2, 2], "names": None},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "next.done": {"dtype": "bool", "shape": [1], "names": None},
    }
    extra = {
        CAMERA: lambda episode, length: [png(50 * episode + i) for i in range(length)],
        "observation.force": lambda _, length: [0.5 * i for i in range(length)],
        "observation.contact": lambda _, length: [i % 2 == 1 for i in range(length)],
        "next.reward": lambda _, length: [1.0] * length,
        "next.done": lambda _, length: [False] * length,
    }
    root = v2(tmp_path / "source", features=features, extra=extra)
    summary, store = load(root, tmp_path / "out")
    assert_aligned(store, (0, 1, 2))
    seen = store.read(1)
    np.testing.assert_array_equal(seen["observation.force"], 0.5 * np.arange(9, dtype=np.float32)[:, None])
    np.testing.assert_array_equal(seen["observation.contact"][:, 0], np.arange(9) % 2)
    assert {name for name in summary.ignored if "." in name} == {
        "observation.depth",
        "observation.said",
        "observation.grid",
        "next.reward",
        "next.done",
    }
    assert "ignored (not an observation): next.reward, next.done" in str(summary)
    assert load(root, tmp_path / "small", image_size=16)[1].spec[CAMERA].shape == (16, 16, 3)


def test_frames_of_another_size_than_the_metadata_say(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    features = {**FEATURES, CAMERA: {**FEATURES[CAMERA], "shape": [3, 48, 64]}}
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "features": features}))
    with pytest.raises(ArmillaryError, match=r"frames are \(64, 64, 3\), the metadata say \(48, 64, 3\)"):
        import_lerobot(root, tmp_path / "out", progress=False)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"codebase_version": "v9.1"}, "LeRobot v9.1 is not supported, only v2.0, v2.1, v3.0"),
        ({"features": {"action": {"dtype": "float32"}}}, "not LeRobot metadata, or they are damaged"),
        ({"features": {"observation.state": FEATURES["observation.state"]}}, "no feature 'action' or 'actions' of numbers"),
        ({"features": {"action": FEATURES["action"]}}, "nothing observed is left to import"),
        ({"data_path": "data/{nonsense}"}, "not LeRobot metadata, or they are damaged"),
        ({"fps": 0}, "a rate is a positive number"),
    ],
)
def test_metadata_that_cannot_be_used(tmp_path: Path, change: dict, expected: str) -> None:
    root = v2(tmp_path / "source", videos=False, features={n: f for n, f in FEATURES.items() if n != CAMERA})
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, **change}))
    with pytest.raises(ArmillaryError) as error:
        import_lerobot(root, tmp_path / "out", progress=False)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    def fails(root: Path, expected: str, **options: object) -> None:
        with pytest.raises(ArmillaryError, match=expected):
            import_lerobot(root, tmp_path / "out", progress=False, **options)
        assert not (tmp_path / "out").exists()

    fails(tmp_path / "nowhere", "there is no such folder")
    fails(tmp_path, "not a LeRobot dataset, there is no meta/info.json")
    old = tmp_path / "old"
    (old / "meta_data").mkdir(parents=True)
    (old / "meta_data/info.json").write_text('{"codebase_version": "v1.6", "fps": 50}')
    fails(old, "LeRobot v1.6 is not supported, only v2.0, v2.1, v3.0")
    root = v2(tmp_path / "source")
    fails(root, "no camera 'side'; there are observation.images.top", cameras=["side"])
    fails(root, "missing is 'skip' or 'refuse', not 'ask'", missing="ask")
    fails(root, "image_size is a positive number", image_size=0)
    (root / "meta/info.json").write_text("{")
    fails(root, "not LeRobot metadata, or they are damaged")


def test_a_path_that_exists_is_left_alone(tmp_path: Path) -> None:
    root = v2(tmp_path / "source")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("kept")
    with pytest.raises(ArmillaryError, match="exists"):
        import_lerobot(root, tmp_path / "out", progress=False)
    assert (tmp_path / "out/mine").read_text() == "kept"


def test_a_full_disk_leaves_what_was_committed_to_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = lance.write_dataset, []

    def full(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 3:  # the store is created, the first group is committed
            raise OSError("No space left on device (os error 28)")
        return write(*arguments, **options)

    monkeypatch.setattr("armillary.episodes.formats.importing.COMMIT_BYTES", 1)
    monkeypatch.setattr(lance, "write_dataset", full)
    root = v2(tmp_path / "source")
    with pytest.raises(
        ArmillaryError, match=r"No space left on device .*unfinished, with 1 episodes so far; go on with --resume"
    ):
        import_lerobot(root, tmp_path / "out", progress=False)
    assert len(Episodes.open(tmp_path / "out")) == 1
    with pytest.raises(ArmillaryError, match="unfinished and holds 1 episodes; go on with --resume"):
        import_lerobot(root, tmp_path / "out", progress=False)
    import_lerobot(root, tmp_path / "out", resume=True, progress=False)
    import_lerobot(root, tmp_path / "whole", progress=False)
    assert Episodes.open(tmp_path / "out").unfinished is None
    assert Episodes.open(tmp_path / "out").digests == Episodes.open(tmp_path / "whole").digests


def test_a_killed_import_leaves_a_store_that_opens(tmp_path: Path) -> None:
    v2(tmp_path / "source")
    script = """
import os, signal, sys
from armillary.episodes.formats import importing, lerobot
from armillary.episodes.store import Episodes
importing.COMMIT_BYTES, append = 1, Episodes.append
def twice(store, *episodes):
    if len(store) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    append(store, *episodes)
Episodes.append = twice
lerobot.import_lerobot(sys.argv[1], sys.argv[2], progress=False)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "source"), str(tmp_path / "out")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert_aligned(Episodes.open(tmp_path / "out"), (0, 1))


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(CorruptFile, match="cannot be decoded"):
        frames_at(tmp_path / "text.mp4", np.zeros(1), tolerance=0.01)


def test_a_humanoid_in_av1(tmp_path: Path, recording) -> None:
    source = recording("unitree_g1")
    camera = "observation.images.cam_high"
    listed = [json.loads(line)["episode_index"] for line in (source / "meta/episodes.jsonl").read_text().splitlines()]
    folders = "data/chunk-000", f"videos/chunk-000/{camera}"
    data, films = ({int(file.stem[-6:]) for file in (source / folder).iterdir()} for folder in folders)
    there = [number for number in listed if number in data & films]
    summary, store = load(source, tmp_path / "out", image_size=32, max_episodes=1)
    assert summary.episodes == (there[0],)
    assert sorted(summary.skipped) == sorted(set(listed) - set(there))
    assert store.spec[camera].shape == (32, 32, 3)
    assert store.spec["observation.state"].channels[0] == "kLeftShoulderPitch"
    assert (store.spec.action.n, store.spec.rate) == (26, 30)
    rows = pq.read_table(source / f"data/chunk-000/episode_{there[0]:06d}.parquet")
    stored = store.episode(0)
    np.testing.assert_array_equal(stored.observations["observation.state"], np.stack(rows["observation.state"].to_numpy()))
    np.testing.assert_array_equal(stored.actions, np.stack(rows["action"].to_numpy())[:-1])
    # This video has one frame a row, so that counting them, which the import never does, is an independent reference.
    with av.open(str(source / f"videos/chunk-000/{camera}/episode_{there[0]:06d}.mp4")) as container:
        near = [frame.to_ndarray(format="rgb24") for _, frame in zip(range(40), container.decode(video=0), strict=False)]
    counted = np.stack([frame.reshape(32, 15, 32, 20, 3).mean(axis=(1, 3)) for frame in near])
    for row in (0, 1, 20, 39):
        distances = abs(counted - stored.observations[camera][row]).mean(axis=(1, 2, 3))
        assert distances[row] == distances.min() < 1.5
    with pytest.raises(ArmillaryError, match=f"missing: {len(set(listed) - data)} episodes .*: no data file"):
        import_lerobot(source, tmp_path / "refused", missing="refuse", progress=False)


def test_an_arm_without_its_videos(tmp_path: Path, recording) -> None:
    source = recording("so101")
    summary, store = load(source, tmp_path / "out")
    assert store.lengths.tolist() == [373, 374, 372, 373]
    assert summary.missing_cameras == ("observation.images.front", "observation.images.top")
    assert store.spec["observation.state"].channels[-1] == "gripper.pos"
    rows = pq.read_table(source / "data/chunk-000/file-000.parquet")
    np.testing.assert_array_equal(store.episode(1).actions, np.stack(rows["action"].to_numpy())[373:746])
