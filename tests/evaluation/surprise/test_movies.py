"""IntPhys and IntPhys 2 in small: every frame at its place, every movie under its label, and what is broken named."""

import csv
import json
import shutil

import numpy as np
import pytest
from film_fakes import FPS, film, numbers_of, picture

from armillary.cli import main
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.surprise.evaluate import evaluate_surprise
from armillary.evaluation.surprise.exam import examine_movies
from armillary.evaluation.surprise.intphys import COLUMNS, IMAGES_HZ, TYPES, find_scenes
from armillary.evaluation.surprise.movies import MovieScenes
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream
from armillary.worlds.scenes import Scenes

image = pytest.importorskip("PIL.Image", reason="images are read by Pillow: pip install 'armillary[data]'")
pytest.importorskip("av", reason="videos are read by PyAV: pip install 'armillary[data]'")

SIZE = 16
CAMERA = Stream("camera", "image", (SIZE, SIZE, 3))
EVENT, FRAMES = 5, 12
POSSIBLE = [*range(FRAMES)], [*range(100, 100 + FRAMES)]
IMPOSSIBLE = POSSIBLE[0][:EVENT] + POSSIBLE[1][EVENT:], POSSIBLE[1][:EVENT] + POSSIBLE[0][EVENT:]


def model(rate=IMAGES_HZ, streams=(CAMERA,), action=NO_ACTION, **config):
    small = {"image_size": SIZE, "width": 4, "projector": 8, "latent": 4, "predictor_width": 8}
    return WorldModel(Spec(streams, action, rate), ModelConfig(**(small | config))).eval()


def movie(folder, numbers, possible):
    (folder / "scene").mkdir(parents=True)
    for place, number in enumerate(numbers, start=1):
        image.fromarray(picture(number)).save(folder / "scene" / f"scene_{place:03d}.png")
    (folder / "status.json").write_text(json.dumps({"header": {"is_possible": possible, "camera": {}}, "frames": []}))


def intphys(folder, order=(2, 1, 0, 3), blocks=("O1", "O3"), scenes=1):
    """Scenes whose movies A, B, A then B, and B then A are in the folders of this order, from 1."""
    for block in blocks:
        for scene in range(scenes):
            for name, which in enumerate(order, start=1):
                movie(folder / block / f"{scene:02d}" / str(name), (*POSSIBLE, *IMPOSSIBLE)[which], which < 2)
    return folder


def table(folder, rows):
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS, "Camera"])
        writer.writeheader()
        writer.writerows(rows)


def rows_of(scene, condition, **changes):
    rows = [
        {"SceneIndex": scene, "file_name": f"Videos/{scene}{kind}.mp4", "condition": condition, "type": kind, "Camera": "Fixed"}
        for kind in TYPES
    ]
    return [row | changes for row in rows]


def intphys2(folder, rows=None, lengths=(FRAMES,) * 4):
    """A video per row; videos of one type begin at ten times its place among the types."""
    rows = rows_of("7", "solidity") + rows_of("8", "permanence") if rows is None else rows
    for row in rows:
        kind = TYPES.index(row["type"])
        film(folder / row["file_name"], range(10 * kind, 10 * kind + lengths[kind]))
    table(folder, rows[::-1])
    return folder


def seen(scenes):
    return [[numbers_of(clip) for clip in some.observations["camera"][0]] for some in scenes]


def read(folder, **of_model):
    return list(MovieScenes(model(**of_model), find_scenes(folder)[1], progress=False))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 0, 3), (3, 0, 2, 1)])
def test_impossible_movies_of_intphys_follow_the_possible_ones_that_they_begin_like(tmp_path, order):
    scenes = read(intphys(tmp_path / "dev", order))
    assert [some.label for some in scenes] == ["O1 object permanence", "O3 continuity"]
    for a, b, like_a, like_b in seen(scenes):
        assert sorted([a, b]) == sorted(POSSIBLE)
        assert (like_a[:EVENT], like_b[:EVENT]) == (a[:EVENT], b[:EVENT])
        assert (like_a[EVENT:], like_b[EVENT:]) == (b[EVENT:], a[EVENT:])
    assert scenes[0].observations["camera"].shape == (1, 4, FRAMES, SIZE, SIZE, 3)
    assert scenes[0].actions.shape == (1, 4, FRAMES - 1, 0)


def test_movies_of_intphys_2_are_paired_by_the_metadata(tmp_path):
    scenes = read(intphys2(tmp_path / "Main"), rate=float(FPS))
    assert [some.label for some in scenes] == ["permanence", "solidity"]
    assert seen(scenes) == [[[*range(start, start + FRAMES)] for start in (0, 10, 20, 30)]] * 2


def test_videos_in_the_hugging_face_cache_are_links(tmp_path):
    folder, blobs = intphys2(tmp_path / "snapshots" / "a077a2f" / "Main", rows_of("7", "solidity")), tmp_path / "blobs"
    (folder / "Videos").rename(blobs)
    (folder / "Videos").mkdir()
    for video in blobs.iterdir():
        (folder / "Videos" / video.name).symlink_to(video)
    assert len(find_scenes(folder)[1]) == 1
    (tmp_path / "snapshots").rename(tmp_path / "elsewhere")
    with pytest.raises(CorruptFile, match="leads out of the dataset"):
        find_scenes(tmp_path / "elsewhere" / "a077a2f" / "Main")


def test_a_scene_rendered_twice_is_two_scenes(tmp_path):
    again = [row | {"file_name": f"Videos/again{row['type']}.mp4"} for row in rows_of("7", "solidity")]
    assert len(read(intphys2(tmp_path, rows_of("7", "solidity") + again), rate=float(FPS))) == 2


@pytest.mark.parametrize(("rate", "skip", "every"), [(10.0, 1, 1), (10.0, 4, 4), (5.0, 1, 2), (4.0, 1, 2), (30.0, 1, 1)])
def test_frames_come_near_the_rate_of_the_model(tmp_path, rate, skip, every):
    scenes = MovieScenes(model(rate, skip=skip), find_scenes(intphys2(tmp_path, rows_of("1", "solidity")))[1], progress=False)
    assert seen(scenes) == [[[*range(start, start + FRAMES, every)] for start in (0, 10, 20, 30)]]
    taken = "every frame" if every == 1 else f"1 frame in {every}"
    assert scenes.shown_as == f"{taken} of 10 Hz (1 scenes), for a model of {rate / skip:g} Hz and 16 px, no actions"


def test_actions_of_a_box_are_zero(tmp_path):
    box = ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0))
    (some,) = read(intphys(tmp_path, blocks=("O2",)), action=box, skip=3)
    assert some.actions.shape == (1, 4, 3, 6)
    assert not some.actions.any()


@pytest.mark.parametrize(
    ("of_model", "said"),
    [
        ({"rate": None}, "has no rate"),
        ({"streams": (Stream("camera", "image", (SIZE, SIZE, 1)),)}, r"one RGB image, got camera \(image \(16, 16, 1\)\)"),
        ({"streams": (CAMERA, Stream("joints", "vector", (2,)))}, r"joints \(vector \(2,\)\)"),
        ({"streams": (Stream("camera", "image", (16, 24, 3)),), "image_size": None}, "square image"),
        ({"action": ActionSpace("discrete", 3)}, r"\(discrete\) cannot be 0"),
        ({"action": ActionSpace("box", 1, (0.5,), (1.0,))}, r"\(box\) cannot be 0"),
    ],
)
def test_models_that_cannot_see_movies_are_refused(of_model, said):
    with pytest.raises(ArmillaryError, match=said):
        MovieScenes(model(**of_model), [])


def broken(folder, how):
    """A scene of IntPhys, and what is wrong with it."""
    scene = intphys(folder, blocks=("O1",)) / "O1" / "00"
    if how == "three movies":
        shutil.rmtree(scene / "4")
    elif how == "five movies":
        shutil.copytree(scene / "4", scene / "5")
    elif how == "no status":
        (scene / "2" / "status.json").unlink()
    elif how == "no header":
        (scene / "2" / "status.json").write_text('{"is_possible": true}')
    elif how == "no JSON":
        (scene / "2" / "status.json").write_text("possible")
    elif how == "a number":
        (scene / "2" / "status.json").write_text('{"header": {"is_possible": 1}}')
    elif how == "three possible":
        (scene / "1" / "status.json").write_text('{"header": {"is_possible": true}}')
    elif how == "no frames":
        shutil.rmtree(scene / "3" / "scene")
    elif how == "a gap":
        (scene / "3" / "scene" / "scene_004.png").unlink()
    elif how == "short":
        for place in range(9, FRAMES + 1):
            (scene / "3" / "scene" / f"scene_{place:03d}.png").unlink()
    elif how == "damaged":
        (scene / "3" / "scene" / "scene_004.png").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("three movies", r"00: expected the movies 1, 2, 3 and 4, got 1, 2, 3$"),
        ("five movies", r"got 1, 2, 3, 4, 5$"),
        ("no status", r"2: no status\.json .* test set secret"),
        ("no header", r"status\.json: expected true or false as is_possible"),
        ("no JSON", r"status\.json: not JSON"),
        ("a number", r"status\.json: expected true or false"),
        ("three possible", r"expected 2 possible movies, got 3"),
        ("no frames", r"scene: expected scene_001\.png and so on, got no images"),
        ("a gap", r"expected scene_004\.png, got scene_005\.png"),
        ("short", r"O1/00: its movies have different lengths: 12, 8, 12, 12 frames"),
        ("damaged", r"scene_004\.png: an image cannot be decoded"),
    ],
)
def test_a_broken_scene_of_intphys_is_named(tmp_path, how, said):
    with pytest.raises(ArmillaryError, match=said):
        read(broken(tmp_path, how))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:-1], r"scene 7: expected as many videos of each type, got 1 1_Possible, .*0 2_Impossible"),
        (lambda rows: [*rows[:-1], rows[-1] | {"type": "3_Possible"}], r"type is one of .* not '3_Possible'"),
        (lambda rows: [*rows[:-1], rows[-1] | {"type": ""}], r"a row has no type; the videos of HeldOut have no labels"),
        (lambda rows: [*rows[:-1], rows[-1] | {"condition": "solid"}], "different conditions"),
        (lambda rows: [*rows[:-1], rows[-1] | {"file_name": "Videos/absent.mp4"}], r"'Videos/absent\.mp4', which is not there"),
        (lambda rows: [*rows[:-1], rows[-1] | {"file_name": "../secret.mp4"}], "leads out of the dataset"),
        (lambda rows: [*rows[:-1], rows[-1] | {"file_name": rows[0]["file_name"]}], "two rows name the same video"),
        (lambda rows: [], "no scenes of IntPhys 2"),
    ],
)
def test_metadata_that_cannot_be_are_refused(tmp_path, change, said):
    folder = intphys2(tmp_path / "Main", rows_of("7", "solidity"))
    film(tmp_path / "secret.mp4", range(3))
    table(folder, change(rows_of("7", "solidity")))
    with pytest.raises(CorruptFile, match=said):
        find_scenes(folder)


def test_videos_of_a_scene_may_differ_by_a_frame_and_no_more(tmp_path):
    rows = rows_of("7", "solidity")
    (scene,) = read(intphys2(tmp_path / "a", rows, lengths=(12, 11, 12, 12)), rate=float(FPS))
    assert scene.observations["camera"].shape[2] == 11
    with pytest.raises(CorruptFile, match=r"scene 7: its movies have different lengths: 12, 12, 12, 9 frames"):
        read(intphys2(tmp_path / "b", rows, lengths=(12, 12, 12, 9)), rate=float(FPS))
    film(tmp_path / "a" / rows[2]["file_name"], range(12), times=[0.2 * row for row in range(12)])
    with pytest.raises(CorruptFile, match=r"scene 7: its movies have different rates, 5 to 10 Hz"):
        read(tmp_path / "a", rate=float(FPS))
    film(tmp_path / "a" / rows[2]["file_name"], range(12), drop=(4,))
    with pytest.raises(CorruptFile, match=r"1_Impossible\.mp4: a frame is missing: two are 0\.2000 s apart"):
        read(tmp_path / "a", rate=float(FPS))


@pytest.mark.parametrize(
    "where", ["armillary.evaluation.surprise.movies.SCENE_BYTES", "armillary.episodes.formats.video_frames.PIXELS"]
)
def test_frames_that_declare_too_much_are_refused(tmp_path, monkeypatch, where):
    monkeypatch.setattr(where, 100)
    with pytest.raises(CorruptFile, match=r"at most are read"):
        read(intphys2(tmp_path, rows_of("7", "solidity")), rate=float(FPS))


def test_folders_without_labels_are_refused(tmp_path):
    film(tmp_path / "HeldOut" / "Videos" / "a.mp4", range(3))
    for folder in (tmp_path, tmp_path / "HeldOut", tmp_path / "absent"):
        with pytest.raises(ArmillaryError, match=r"expected the folder dev of IntPhys.*HeldOut has no labels"):
            find_scenes(folder)


def test_scenes_in_parts_score_as_in_one():
    """Also where clips of one label are of different lengths."""
    rng = np.random.default_rng(0)

    def noise(n, t):
        frames = rng.integers(0, 255, (n, 4, t, SIZE, SIZE, 3)).astype(np.uint8)
        return Scenes("noise", {"camera": frames}, np.zeros((n, 4, t - 1, 0), np.float32))

    def score(*parts):
        return evaluate_surprise(model(), iter(parts), untrained=0).rows["frame difference"]["noise"]

    whole, longer = noise(3, 9), noise(2, 12)
    parts = [
        Scenes("noise", {"camera": x[None]}, a[None]) for x, a in zip(whole.observations["camera"], whole.actions, strict=True)
    ]
    assert score(*parts) == score(whole)
    expected = (3 * score(whole).relative.value + 2 * score(longer).relative.value) / 5
    assert score(*parts, longer).relative.value == pytest.approx(expected)
    result = evaluate_surprise(model(), [whole, longer], untrained=2)
    assert (result.scenes, set(result.rows) >= {"untrained", "angle, untrained"}) == ({"noise": 5}, True)


def test_a_run_is_examined_on_movies(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    model().save(run / "model.safetensors", {"recording_hash": "abc"})
    data = intphys(tmp_path / "dev", scenes=2)
    main(["bench", "physics", str(run), "--data", str(data), "--untrained", "1", "--out", str(tmp_path / "exam.json")])
    printed = capsys.readouterr().out
    assert "O1 object permanence" in printed
    assert "Movies: every frame of 15 Hz (4 scenes)" in printed
    exam = json.loads((tmp_path / "exam.json").read_text())
    assert (exam["benchmark"], exam["folder"], exam["recording_hash"]) == ("IntPhys", "dev", "abc")
    assert exam["scenes"] == {"O1 object permanence": 2, "O3 continuity": 2}
    assert exam["rows"]["frame difference"]["O3 continuity"]["relative"]["value"] == 1
    first = examine_movies(run, data, scenes=1, untrained=0, progress=False)
    assert first.result.scenes == {"O1 object permanence": 1, "O3 continuity": 1}


def test_options_of_a_world_do_not_go_with_movies(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["bench", "physics", str(tmp_path), "--data", str(tmp_path), "--development"])
    assert "--human are not for --data" in capsys.readouterr().err
