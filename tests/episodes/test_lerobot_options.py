"""LeRobot datasets as people write them: stamps that drift, films a frame short, pictures in columns, other names, pointers."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from film_fakes import FPS, film, numbers_of, picture
from test_lerobot import CAMERA, FEATURES, LENGTHS, assert_aligned, load, mp4, parquet, v2, v3

from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.formats.lerobot_metadata import Feature
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError

pq = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("av")
pytest.importorskip("lance")
Image = pytest.importorskip("PIL.Image")

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * b"0" + b"\nsize 9000\n"


def packed(
    root: Path, lengths: list[int], drift: float = 0.0, frames: list[int] | None = None, shown: list | None = None
) -> Path:
    """v3 with all episodes in one file: from_timestamp runs `drift` seconds an episode ahead."""
    v3(root)
    for file in [*root.glob("data/**/*.parquet"), *root.glob("videos/**/*.mp4")]:
        file.unlink()
    frames, rows, listed, at = frames or lengths, [], [], 0
    for episode, length in enumerate(lengths):
        start, numbers = sum(frames[:episode]) / FPS + drift * episode, at + np.arange(length)
        listed.append({"episode_index": episode, "tasks": ["t"], "length": length, "data/chunk_index": 0, "data/file_index": 0})
        listed[-1] |= {f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": 0}
        listed[-1] |= {f"videos/{CAMERA}/from_timestamp": start, f"videos/{CAMERA}/to_timestamp": start + frames[episode] / FPS}
        columns = {
            "observation.state": [[float(episode), float(n)] for n in numbers],
            "action": [[float(n), 0.0] for n in numbers],
        }
        times = np.arange(length) / FPS
        rows.append(pa.table({**columns, "timestamp": pa.array(times, pa.float32()), "episode_index": [episode] * length}))
        at += length
    (root / "data/chunk-000").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(rows), root / "data/chunk-000/file-000.parquet")
    pq.write_table(pa.Table.from_pylist(listed), root / "meta/episodes/chunk-000/file-000.parquet")
    film(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", range(at) if shown is None else shown)
    return root


def every(store: Episodes) -> list[Episode]:
    return [store.episode(number) for number in range(len(store))]


def assert_own_frames(store: Episodes) -> None:
    for episode in every(store):
        assert numbers_of(episode.observations[CAMERA]) == episode.observations["observation.state"][:, 1].tolist()


@pytest.mark.parametrize("drift", [0.009, -0.009])
def test_episodes_are_counted_where_stamps_drift(tmp_path: Path, drift: float) -> None:
    summary, store = load(packed(tmp_path / "in", [4] * 24, drift), tmp_path / "out")  # up to 2.1 frames off
    assert len(store) == 24
    assert not summary.skipped
    assert_own_frames(store)


def test_where_frames_cannot_be_counted_no_episode_gets_those_of_another(tmp_path: Path) -> None:
    summary, store = load(packed(tmp_path / "in", [4] * 8, 0.006, shown=range(37)), tmp_path / "out")
    assert_own_frames(store)
    assert summary.episodes == (0, 1)  # 0.1 frames are within the tolerance, and what follows is not
    assert "0.1 frames off the count of those before it, and the film has 37 frames for 32 rows" in summary.skipped[2]


def test_frames_between_episodes_are_passed_over(tmp_path: Path) -> None:
    root = packed(tmp_path / "in", [4, 4, 4])
    listed = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    del listed[1]  # as datasets are from which an episode was deleted
    pq.write_table(pa.Table.from_pylist(listed), root / "meta/episodes/chunk-000/file-000.parquet")
    summary, store = load(root, tmp_path / "out")
    assert summary.episodes == (0, 2)
    assert_own_frames(store)


def test_a_film_of_v2_that_is_one_frame_short(tmp_path: Path) -> None:
    root = v2(tmp_path / "in")
    film(mp4(root, 1), [50 + i for i in range(LENGTHS[1] - 1)])
    summary, store = load(root, tmp_path / "out")
    assert store.lengths.tolist() == [LENGTHS[0], LENGTHS[1] - 1, LENGTHS[2]]
    assert numbers_of(store.read(1)[CAMERA]) == [50 + i for i in range(LENGTHS[1] - 1)]
    assert "1 rows left out: the film of a camera is a frame short" in str(summary)


def test_a_film_of_v3_whose_stamps_say_that_an_episode_is_one_frame_short(tmp_path: Path) -> None:
    shown = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]  # without the last frame of episode 1
    summary, store = load(packed(tmp_path / "in", [4, 4, 4], frames=[4, 3, 4], shown=shown), tmp_path / "out")
    assert store.lengths.tolist() == [4, 3, 4]
    assert_own_frames(store)
    assert summary.left_out.total() == 1


def test_a_film_without_a_frame(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("armillary.episodes.formats.lerobot_videos.frame_times", lambda path: np.empty(0))
    with pytest.raises(ArmillaryError, match=r"file-000\.mp4: there is no frame in it"):
        load(packed(tmp_path / "in", [4, 4], shown=[0]), tmp_path / "out")


def test_long_episodes_are_cut_without_losing_a_step(tmp_path: Path) -> None:
    root = v2(tmp_path / "in")
    summary, store = load(root, tmp_path / "out", longest=6)
    assert summary.episodes == (0, 0, 0, 1, 1, 2, 2, 2)
    assert_aligned(load(root, tmp_path / "whole")[1], (0, 1, 2))
    firsts = [episode.info.get("row", 0) for episode in every(store)]
    assert firsts == [0, 5, 10, 0, 5, 0, 5, 10]
    for episode, first in zip(every(store), firsts, strict=True):
        numbers = episode.observations["observation.state"][:, 1]
        assert numbers_of(episode.observations[CAMERA]) == numbers.tolist()
        assert numbers[0] == 50 * episode.info["episode"] + first
        assert len(episode.actions) == len(numbers) - 1
    film(mp4(root, 1), [50 + i for i in range(LENGTHS[1] - 1)])
    summary, store = load(root, tmp_path / "short", longest=8)
    assert store.lengths.sum() == sum(LENGTHS) + 2 - 1
    with pytest.raises(ArmillaryError, match="longest is 2 rows or more"):
        import_lerobot(root, tmp_path / "no", longest=1)


# ---- names


def test_actions_and_streams_by_name(tmp_path: Path) -> None:
    features = {("actions" if n == "action" else n): f for n, f in FEATURES.items() if n != CAMERA}
    features |= {
        "gripper": {"dtype": "float32", "shape": [1], "names": ["width"]},
        "effort": {"dtype": "float32", "shape": [2], "names": None},
    }
    root = v2(tmp_path / "in", features=features, videos=False)
    for episode, length in enumerate(LENGTHS):
        table = pq.read_table(parquet(root, episode))
        more = pa.table({"gripper": [[float(i)] for i in range(length)], "effort": [[1.0, float(i)] for i in range(length)]})
        pq.write_table(
            pa.Table.from_arrays(
                [*table.columns, *more.columns],
                ["actions" if name == "action" else name for name in (*table.column_names, *more.column_names)],
            ),
            parquet(root, episode),
        )
    summary, store = load(root, tmp_path / "found")
    assert store.spec.action.channels == ("plus", "minus")
    assert "actions are actions" in str(summary)
    assert summary.ignored["effort"] == "not an observation"
    summary, store = load(root, tmp_path / "named", action=("gripper", "actions"), streams=("state", "effort"))
    assert [s.name for s in store.spec.streams] == ["observation.state", "effort"]
    assert store.spec.action.channels == ("width", "plus", "minus")
    np.testing.assert_array_equal(store.episode(0).actions[3], [3, 3, -3])
    with pytest.raises(ArmillaryError, match=r"no feature of numbers 'torque'; there are .*gripper"):
        import_lerobot(root, tmp_path / "no", action=("torque",))
    with pytest.raises(ArmillaryError, match="no feature 'actions'; there are"):
        import_lerobot(root, tmp_path / "no", streams=("actions",))


# ---- pictures in columns


def png(pixels: np.ndarray, form: str = "png") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def grey(number: int) -> np.ndarray:
    return picture(number)[..., 0]


def with_alpha(number: int) -> np.ndarray:
    return np.concatenate([picture(number), np.full((64, 64, 1), 77, np.uint8)], -1)


def in_structure(files: list[bytes]) -> list:
    return [{"bytes": file, "path": "x.png"} for file in files]


@pytest.mark.parametrize(
    ("draw", "shape", "put", "expected"),
    [
        (picture, (64, 64, 3), list, (64, 64, 3)),
        (picture, (3, 64, 64), in_structure, (64, 64, 3)),
        (with_alpha, (64, 64, 4), in_structure, (64, 64, 3)),
        (grey, (64, 64, 1), in_structure, (64, 64, 1)),
        (grey, (64, 64), list, (64, 64, 1)),
        (grey, (64, 64, 3), in_structure, (64, 64, 3)),
    ],
)
def test_pictures_in_columns(tmp_path: Path, draw, shape: tuple, put, expected: tuple) -> None:
    features = {**FEATURES, CAMERA: {"dtype": "image", "shape": list(shape), "names": None}}
    column = {CAMERA: lambda e, n: put([png(draw(50 * e + i)) for i in range(n)])}
    summary, store = load(v2(tmp_path / "in", features=features, videos=False, extra=column), tmp_path / "out")
    assert store.spec[CAMERA].shape == expected
    assert_aligned(store, (0, 1, 2))
    assert (f"{CAMERA} is stored without alpha" in str(summary)) == (draw is with_alpha)


def test_pictures_by_their_path_and_none_of_the_readers_own(tmp_path: Path) -> None:
    features = {**FEATURES, CAMERA: {"dtype": "image", "shape": [64, 64, 3], "names": None}}

    def paths(episode: int, length: int) -> list:
        names = [f"images/{episode}_{i}.png" for i in range(length)]
        (tmp_path / "in/images").mkdir(exist_ok=True)
        for i, name in enumerate(names):
            (tmp_path / "in" / name).write_bytes(png(picture(50 * episode + i)))
        return (
            [{"bytes": None, "path": "../secret.png"}] * length
            if episode == 2
            else names
            if episode
            else [{"bytes": None, "path": n} for n in names]
        )

    (tmp_path / "secret.png").write_bytes(png(picture(1)))
    summary, store = load(v2(tmp_path / "in", features=features, videos=False, extra={CAMERA: paths}), tmp_path / "out")
    assert_aligned(store, (0, 1))
    assert "leads out of the dataset" in summary.skipped[2]
    (tmp_path / "in/images/1_3.png").unlink()
    assert "no picture in row 3" in load(tmp_path / "in", tmp_path / "other")[0].skipped[1]


def test_files_of_16_bits_are_depth_and_colours_are_exchanged_on_request(tmp_path: Path) -> None:
    depth, front = "observation.images.depth", "observation.images.front"
    image = {"dtype": "image", "names": None}
    features = {n: f for n, f in FEATURES.items() if n != CAMERA}
    features |= {depth: {**image, "shape": [6, 8, 1]}, front: {**image, "shape": [6, 8, 3]}}
    plane, colour = np.full((6, 8), 1500, np.uint16), np.tile(np.uint8([[[9, 8, 7]]]), (6, 8, 1))
    columns = {depth: lambda e, n: [png(plane)] * n, front: lambda e, n: [png(colour)] * n}
    root = v2(tmp_path / "in", features=features, videos=False, extra=columns)
    summary, store = load(root, tmp_path / "out")
    assert (store.spec[depth].kind, store.spec[depth].shape) == ("depth", (6, 8))
    assert set(store.read(0)[depth].ravel().tolist()) == {1.5}
    assert f"colours are taken as RGB: {front}" in str(summary)
    summary, store = load(root, tmp_path / "bgr", bgr=("front",))
    assert store.read(0)[front][0, 0, 0].tolist() == [7, 8, 9]
    assert "colours" not in str(summary)


# ---- pointers


def test_pointers_of_git_lfs_are_one_line(tmp_path: Path) -> None:
    root = v2(tmp_path / "in")
    mp4(root, 0).write_bytes(POINTER)
    parquet(root, 2).write_bytes(POINTER)
    summary, _ = load(root, tmp_path / "some")
    assert summary.episodes == (1,)
    assert "skipped 2 episodes (0, 2): a Git LFS pointer stands in place of the file; run `git lfs pull`" in str(summary)
    mp4(root, 1).write_bytes(POINTER)
    with pytest.raises(ArmillaryError, match=r"skipped 3 episodes \(0-2\): a Git LFS pointer") as error:
        import_lerobot(root, tmp_path / "all", progress=False)
    assert "\n" not in str(error.value)
    assert len(load(root, tmp_path / "state", cameras=())[1]) == 2
    listed = packed(tmp_path / "v3", [4, 4]) / "meta/episodes/chunk-000/file-000.parquet"
    listed.write_bytes(POINTER)
    with pytest.raises(ArmillaryError, match="run `git lfs pull`"):
        import_lerobot(tmp_path / "v3", tmp_path / "none")


def test_a_length_that_no_file_has_is_no_list_of_parts(tmp_path: Path) -> None:
    root = v2(tmp_path / "in")
    lines = (root / "meta/episodes.jsonl").read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), "length": 10**15})
    (root / "meta/episodes.jsonl").write_text("\n".join(lines))
    summary, _ = load(root, tmp_path / "out")
    assert "9 rows, where the metadata say 1000000000000000" in summary.skipped[1]


def test_axes_of_the_shape_count_for_more_than_names() -> None:
    said = {"dtype": "video", "shape": [3, 48, 64], "names": ["height", "width", "channel"]}
    assert Feature.parse(said).shape == (48, 64, 3)
