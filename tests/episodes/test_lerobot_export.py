"""LeRobot export: what was stored comes back through the reader; what has no place is named; nothing half-written."""

import json
from pathlib import Path

import numpy as np
import pytest
from episode_fakes import random_episode
from film_fakes import film, numbers_of, picture

from armillary.cli import main
from armillary.episodes.commits import alone
from armillary.episodes.formats import export_folder, lerobot_files
from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.formats.lerobot_export import ExportSummary, export_lerobot
from armillary.episodes.formats.lerobot_stats import picture_statistics_of, statistics_of, together
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

pytest.importorskip("av", reason="videos are written by PyAV: pip install 'armillary[data]'")
pytest.importorskip("lance")
pq = pytest.importorskip("pyarrow.parquet")

LENGTHS = (7, 2, 5)
SPEC = Spec(
    (
        Stream("image", "image", (64, 64, 3)),
        Stream("observation.images.wrist", "image", (20, 31, 1)),
        Stream("state", "vector", (3,), unit=("m", "m", "rad"), channels=("x", "y", "turn")),
        Stream("observation.force", "vector", (1,)),
        Stream("imu", "signal", (4, 2), unit=("m/s2", "rad/s")),
        Stream("position", "vector", (2,), truth=True),
    ),
    ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0), unit=("m/s", "rad/s"), channels=("go", "turn")),
    rate=10.0,
)


def recorded(path: Path, spec: Spec = SPEC, lengths: tuple[int, ...] = LENGTHS) -> tuple[Path, list[Episode]]:
    """A store in which the frames of `image` show their number, counted over all episodes."""
    rng, episodes = np.random.default_rng(0), []
    for number, length in enumerate(lengths):
        episode = random_episode(spec, length, rng, **({"tasks": [f"task {number % 2}"]} if number else {}))
        if "image" in episode.observations:
            first = sum(lengths[:number])
            episode.observations["image"] = np.stack([picture(first + row) for row in range(length)])
        if "observation.images.wrist" in episode.observations:
            episode.observations["observation.images.wrist"][:] = 40 * number
        episodes.append(episode)
    with Episodes.create(path, spec, info={"robot": "toy"}) as store:
        store.append(*episodes)
    return path, episodes


def exported(path: Path, out: Path, **options: object) -> ExportSummary:
    return export_lerobot(path, out, progress=False, **options)


def back(path: Path, out: Path) -> Episodes:
    import_lerobot(path, out, missing="refuse", progress=False)
    return Episodes.open(out)


def test_what_was_stored_comes_back(tmp_path):
    store, episodes = recorded(tmp_path / "store")
    summary = exported(store, tmp_path / "out", task="pick it up")
    again = back(tmp_path / "out", tmp_path / "again")
    assert again.lengths.tolist() == list(LENGTHS)
    for number, episode in enumerate(episodes):
        seen, first = again.read(number), sum(LENGTHS[:number])
        np.testing.assert_array_equal(seen["observation.state"], episode.observations["state"])
        np.testing.assert_array_equal(seen["observation.force"], episode.observations["observation.force"])
        np.testing.assert_array_equal(seen["observation.imu"].reshape(-1, 4, 2), episode.observations["imu"])
        np.testing.assert_array_equal(again.actions(number), episode.actions)
        assert numbers_of(seen["observation.images.image"]) == list(range(first, first + LENGTHS[number]))
        assert abs(seen["observation.images.wrist"] - episode.observations["observation.images.wrist"].astype(int)).max() <= 2
    assert [info["tasks"] for info in again.infos] == [["pick it up"], ["task 1"], ["task 0"]]
    assert (again.spec.rate, again.info["robot"]) == (10, "toy")
    state, action = again.spec["observation.state"], again.spec.action
    assert (state.unit, state.channels) == (("m", "m", "rad"), ("x", "y", "turn"))
    assert (action.unit, action.channels) == (("m/s", "rad/s"), ("go", "turn"))
    assert (summary.episodes, summary.frames) == (3, sum(LENGTHS))
    assert summary.left_out == {"position": "ground truth, which a policy would see"}
    for words in (
        "the last row of each episode repeats",
        "the bounds of actions",
        "wrist is grey",
        "imu is signal (4, 2), flattened",
    ):
        assert words in str(summary)


def test_the_layout_is_that_of_version_3(tmp_path):
    store, episodes = recorded(tmp_path / "store")
    exported(store, tmp_path / "out")
    camera, files = "observation.images.image", [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "out")) for path in files} == {
        "meta/armillary.json",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-000.parquet",
        f"videos/{camera}/chunk-000/file-000.mp4",
        "videos/observation.images.wrist/chunk-000/file-000.mp4",
    }
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"], info["fps"]) == (3, 14, 3, 10)
    assert info["features"][camera]["shape"] == [64, 64, 3]
    assert info["features"][camera]["info"]["video.codec"] == "h264"
    data = pq.ParquetFile(tmp_path / "out/data/chunk-000/file-000.parquet")
    assert data.num_row_groups == 3
    rows = data.read()
    assert rows["index"].to_pylist() == list(range(14))
    assert rows["frame_index"].to_pylist() == [*range(7), *range(2), *range(5)]
    assert rows["task_index"].to_pylist() == [0] * 7 + [1] * 2 + [2] * 5
    np.testing.assert_allclose(rows["timestamp"].to_numpy()[:3], [0, 0.1, 0.2])
    np.testing.assert_array_equal(rows["action"].to_pylist()[6], episodes[0].actions[-1])  # nobody knows what was done there
    listed = pq.read_table(tmp_path / "out/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in listed] == [(0, 7), (7, 9), (9, 14)]
    assert [row[f"videos/{camera}/from_timestamp"] for row in listed] == [0, 0.7, 0.9]
    tasks = pq.read_table(tmp_path / "out/meta/tasks.parquet")
    assert tasks["task"].to_pylist() == ["no task was given", "task 1", "task 0"]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_an_arm_is_written_as_lerobot_wrote_it(tmp_path, recording):
    source = recording("so101")
    import_lerobot(source, tmp_path / "store", progress=False)
    exported(tmp_path / "store", tmp_path / "out")
    for file in ("data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"):
        theirs, ours = (pq.read_table(root / file, partitioning=None) for root in (source, tmp_path / "out"))
        names = [name for name in theirs.column_names if "images" not in name]  # its videos are missing
        assert [ours.schema.field(name).type for name in names] == [theirs.schema.field(name).type for name in names]
        for name in (name for name in names if not name.startswith("stats/")):
            assert ours[name].to_pylist() == theirs[name].to_pylist(), name
    theirs, ours = (json.loads((root / "meta/stats.json").read_text()) for root in (source, tmp_path / "out"))
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(ours["action"][name], theirs["action"][name], atol=1e-3)


def test_colour_has_half_the_resolution_where_that_can_be_afforded():
    sizes = {(480, 640): "yuv420p", (481, 640): "yuv444p", (480, 641): "yuv444p", (64, 640): "yuv444p"}
    assert {size: lerobot_files.pixel_format(*size) for size in sizes} == sizes


def test_what_the_codec_loses_can_be_chosen(tmp_path):
    spec, rng = Spec((Stream("image", "image", (32, 32, 3)),), ActionSpace("box", 1), 5), np.random.default_rng(0)
    with Episodes.create(tmp_path / "store", spec) as store:
        store.append(episode := random_episode(spec, 4, rng))
    errors = []
    for crf in (0, 30):
        exported(tmp_path / "store", tmp_path / f"crf {crf}", crf=crf)
        shown = back(tmp_path / f"crf {crf}", tmp_path / f"again {crf}").read(0)["observation.images.image"]
        errors.append(abs(shown - episode.observations["image"].astype(int)).max())
    assert errors[0] <= 3 < errors[1]


def test_statistics_are_those_of_all_rows(tmp_path):
    store, episodes = recorded(tmp_path / "store")
    exported(store, tmp_path / "out")
    found = json.loads((tmp_path / "out/meta/stats.json").read_text())
    everything = np.concatenate([episode.observations["state"] for episode in episodes])
    for name, expected in {"mean": everything.mean(0), "std": everything.std(0), "min": everything.min(0)}.items():
        np.testing.assert_allclose(found["observation.state"][name], expected, atol=1e-6)
    assert found["observation.state"]["count"] == [14]
    np.testing.assert_allclose(found["observation.images.wrist"]["max"], np.full((3, 1, 1), 80 / 255))
    one = pq.read_table(tmp_path / "out/meta/episodes/chunk-000/file-000.parquet").to_pylist()[1]
    np.testing.assert_allclose(one["stats/action/q50"], np.repeat(episodes[1].actions, 2, 0).mean(0), atol=1e-6)


def test_statistics_of_parts_make_those_of_the_whole():
    rng = np.random.default_rng(0)
    parts = [rng.normal(mean, 1 + mean, (size, 2)) for mean, size in ((0, 5), (2, 40), (1, 11))]
    found, whole = together([statistics_of(part) for part in parts]), statistics_of(np.concatenate(parts))
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(found[name], whole[name])
    frames = rng.integers(0, 256, (4, 300, 10, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        picture_statistics_of(frames)["max"], frames[:, ::2, ::2].max((0, 1, 2)).reshape(3, 1, 1) / 255
    )


def test_files_are_ended_between_episodes(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_files, "DATA_MB", 0)
    monkeypatch.setattr(lerobot_files, "VIDEO_MB", 0)
    monkeypatch.setattr(lerobot_files, "CHUNK", 2)
    store, episodes = recorded(tmp_path / "store")
    exported(store, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/data/chunk-000").iterdir()) == ["file-000.parquet", "file-001.parquet"]
    assert (tmp_path / "out/videos/observation.images.image/chunk-001/file-000.mp4").is_file()
    again = back(tmp_path / "out", tmp_path / "again")
    assert numbers_of(again.read(2)["observation.images.image"]) == [9, 10, 11, 12, 13]
    np.testing.assert_array_equal(again.actions(2), episodes[2].actions)


def test_what_may_hold_nan_takes_a_number_to_fill_it_with(tmp_path):
    kinds = {"depth": (3, 4), "scan": (6,), "points": (5, 3)}
    spec = Spec(
        (*(Stream(kind, kind, shape) for kind, shape in kinds.items()), Stream("state", "vector", (2,))), SPEC.action, 5
    )
    store, episodes = recorded(tmp_path / "store", spec)
    summary = exported(store, tmp_path / "out")
    assert list(summary.left_out) == ["depth", "scan", "points"]
    assert "left out depth: depth may hold NaN" in str(summary)
    with Episodes.open(store) as held:
        episodes[0].observations["scan"][1, 2] = np.nan
        held.append(episodes[0])
    exported(store, tmp_path / "filled", fill=-1)
    again = back(tmp_path / "filled", tmp_path / "again")
    seen = again.read(3)
    assert seen["observation.scan"][1, 2] == -1
    np.testing.assert_array_equal(seen["observation.depth"].reshape(-1, 3, 4), episodes[0].observations["depth"])


def test_choices_and_recordings_without_actions(tmp_path):
    state = (Stream("state", "vector", (2,)),)
    store, episodes = recorded(tmp_path / "choices", Spec(state, ActionSpace("discrete", 3), 5))
    assert "the 3 choices are whole numbers" in str(exported(store, tmp_path / "out"))
    np.testing.assert_array_equal(back(tmp_path / "out", tmp_path / "again").actions(0)[:, 0], episodes[0].actions)
    store, _ = recorded(tmp_path / "none", Spec(state, NO_ACTION, 5))
    assert "there are no actions" in str(exported(store, tmp_path / "watched"))
    assert "action" not in json.loads((tmp_path / "watched/meta/info.json").read_text())["features"]


def test_rates_that_are_no_whole_number(tmp_path):
    store, _ = recorded(tmp_path / "store")
    exported(store, tmp_path / "out", rate=30000 / 1001, max_episodes=2)
    again = back(tmp_path / "out", tmp_path / "again")
    assert again.spec.rate == pytest.approx(29.97, abs=1e-3)
    assert numbers_of(again.read(1)["observation.images.image"]) == [7, 8]


def test_what_cannot_be_exported_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    depth = Spec((Stream("depth", "depth", (2, 2)),), SPEC.action, 5)
    twins = Spec((Stream("state", "vector", (2,)), Stream("observation.state", "vector", (2,))), SPEC.action, 5)
    still = Spec((Stream("state", "vector", (2,)),), SPEC.action)
    for name, spec, lengths, message in [
        ("depth", depth, LENGTHS, "nothing of it has a place in LeRobot: depth: depth may hold NaN"),
        ("twins", twins, LENGTHS, "two streams would have one name"),
        ("still", still, LENGTHS, "has no rate, and LeRobot needs one"),
    ]:
        with pytest.raises(ArmillaryError, match=message):
            exported(recorded(tmp_path / name, spec, lengths)[0], tmp_path / "out")
    store, _ = recorded(tmp_path / "store")
    with pytest.raises(ArmillaryError, match="crf is 0 to 51"):
        exported(store, tmp_path / "out", crf=60)
    with pytest.raises(ArmillaryError, match="exists, and no export has written it"):
        exported(store, tmp_path / "still")
    monkeypatch.setattr(lerobot_files.Film, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        exported(store, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def cut_short(monkeypatch, store, out, frames=11, error=KeyboardInterrupt, **options):
    """An export that ends after so many frames."""
    number, write = iter(range(frames)), lerobot_files.frame_of

    def shown(pixels):
        if next(number, None) is None:
            raise error
        return write(pixels)

    with monkeypatch.context() as patched:
        patched.setattr(lerobot_files, "frame_of", shown)
        with pytest.raises(error) as ended:
            exported(store, out, **options)
    return str(ended.value)


def contents(out: Path) -> dict:
    """What describes a dataset and all its numbers, whatever files they are in."""
    listed = pq.read_table(out / "meta/episodes").to_pylist()
    places = ("chunk_index", "file_index", "_timestamp")
    about = [{name: value for name, value in row.items() if not name.endswith(places)} for row in listed]
    stats = json.loads((out / "meta/stats.json").read_text())
    return {"episodes": about, "stats": stats, "rows": pq.read_table(out / "data").to_pylist()}


def test_one_that_was_interrupted_is_resumed(tmp_path, monkeypatch):
    store, _ = recorded(tmp_path / "store")
    exported(store, tmp_path / "whole")
    out, part = tmp_path / "out", tmp_path / "out.part"
    # Frames of `image` and of `wrist` come in turn: the second interrupt falls into the second episode.
    assert cut_short(monkeypatch, store, out, 5) == ""
    assert not part.exists()
    assert cut_short(monkeypatch, store, out, 17).endswith("out is unfinished, with 1 episodes so far; go on with --resume")
    assert not out.exists()
    with pytest.raises(ArmillaryError, match="unfinished, with 1 episodes so far; go on with --resume, or replace it with"):
        exported(store, out)
    with pytest.raises(ArmillaryError, match="crf was 18 and is 20"):
        exported(store, out, crf=20, resume=True)
    (part / "data/chunk-000/file-001.parquet").write_text("begun by one that was killed")
    assert "2 episodes so far" in cut_short(monkeypatch, store, out, 6, resume=True)
    assert exported(store, out, resume=True).frames == 14
    assert not part.exists()
    assert contents(out) == contents(tmp_path / "whole")
    again, whole = back(out, tmp_path / "again"), back(tmp_path / "whole", tmp_path / "whole again")
    for number in range(3):
        for camera in ("observation.images.image", "observation.images.wrist"):
            np.testing.assert_allclose(again.read(number)[camera], whole.read(number)[camera], atol=3)
    assert "it was there and finished" in str(exported(store, out, resume=True))


def test_one_that_fails_leaves_nothing_but_what_was_kept_before(tmp_path, monkeypatch):
    store, _ = recorded(tmp_path / "store")
    out = tmp_path / "out"
    assert cut_short(monkeypatch, store, out, 17, ArmillaryError) == ""
    assert not list(tmp_path.glob("out*"))
    cut_short(monkeypatch, store, out, 17)
    said = cut_short(monkeypatch, store, out, 6, ArmillaryError, resume=True)
    assert said.endswith("out is unfinished, with 1 episodes so far; go on with --resume")
    assert exported(store, out, resume=True).frames == 14


def test_one_that_was_killed_is_not_in_the_way(tmp_path, monkeypatch):
    store, _ = recorded(tmp_path / "store")
    with monkeypatch.context() as patched:
        patched.setattr(export_folder, "_remove", lambda *_: None)
        cut_short(monkeypatch, store, tmp_path / "out", 17, error=MemoryError)
    assert len(list((tmp_path / "out.part").rglob("*.mp4"))) == 2
    exported(store, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


def test_only_what_an_export_has_written_is_overwritten(tmp_path, monkeypatch):
    store, _ = recorded(tmp_path / "store")
    out = tmp_path / "out"
    exported(store, out)
    with pytest.raises(ArmillaryError, match="exists; take another path, or replace it with --overwrite"):
        exported(store, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ArmillaryError, match=r"holds what no export has written there \(notes.txt\)"):
        exported(store, out, overwrite=True)
    (out / "notes.txt").unlink()
    (tmp_path / "thesis/meta").mkdir(parents=True)
    (tmp_path / "thesis/meta/info.json").write_text("mine")
    for name in ("thesis", "thesis.part"):
        with pytest.raises(ArmillaryError, match="no export has written it"):
            exported(store, tmp_path / "thesis", overwrite=True)
        (tmp_path / "thesis").rename(tmp_path / "thesis.part") if name == "thesis" else None
    assert (tmp_path / "thesis.part/meta/info.json").read_text() == "mine"
    assert "1 episodes so far" in cut_short(monkeypatch, store, out, 17, overwrite=True, task="lift")
    assert contents(out)["episodes"][0]["tasks"] == ["no task was given"]
    exported(store, out, resume=True, task="lift")
    assert contents(out)["episodes"][0]["tasks"] == ["lift"]
    exported(store, out, overwrite=True, max_episodes=1)
    assert len(contents(out)["episodes"]) == 1
    with pytest.raises(ArmillaryError, match="give one of them"):
        exported(store, out, resume=True, overwrite=True)


def test_two_exports_to_one_folder(tmp_path):
    store, _ = recorded(tmp_path / "store")
    (tmp_path / "out.part").mkdir()
    with alone(tmp_path / "out.part"), pytest.raises(ArmillaryError, match="another process writes there"):
        exported(store, tmp_path / "out")


def test_the_verb(tmp_path, capsys):
    store, _ = recorded(tmp_path / "store")
    main(["export", "lerobot", str(store), str(tmp_path / "out"), "--max-episodes", "1"])
    assert "1 episodes, 7 frames" in capsys.readouterr().out
    film(tmp_path / "a.mp4", range(4))
    main(["import", "video", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "watched")])
    main(["export", "lerobot", str(tmp_path / "watched"), str(tmp_path / "again")])
    assert "there are no actions" in capsys.readouterr().out
