"""Import of HDF5: every row with the action that was taken on seeing it, in every layout, and what is wrong with a file.

Row t of an episode shows its number as one shade, as its position and as its depth in metres; its action is that number with
and without sign. So alignment is asserted exactly, also where one episode ends and the next begins.
"""

import io

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.formats import arrays
from armillary.episodes.formats.hdf5 import import_hdf5
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION

h5py = pytest.importorskip("h5py")
pytest.importorskip("lance")
Image = pytest.importorskip("PIL.Image")

HEIGHT, WIDTH = 12, 16
LENGTHS = {0: 5, 1: 7, 2: 4, 10: 6}  # rows of the arrays of each demonstration
NUMBERS = {demo: np.arange(20 * i, 20 * i + length + 1) for i, (demo, length) in enumerate(LENGTHS.items())}


def shades(numbers: np.ndarray) -> np.ndarray:
    return np.broadcast_to(numbers[:, None, None, None], (len(numbers), HEIGHT, WIDTH, 3)).astype(np.uint8)


def seen(numbers: np.ndarray) -> dict[str, np.ndarray]:
    depth = np.broadcast_to(numbers[:, None, None, None], (len(numbers), HEIGHT, WIDTH, 1)).astype(np.float32)
    position = np.stack([numbers, numbers / 4], 1)
    return {"camera": shades(numbers), "camera_depth": depth, "position": position, "object": position[:, :1]}


def taken(numbers: np.ndarray) -> np.ndarray:
    return np.stack([numbers, -numbers], 1).astype(np.float64)


def write_robomimic(path, following=True):
    with h5py.File(path, "w") as file:
        for demo, numbers in NUMBERS.items():
            group = file.create_group(f"data/demo_{demo}")
            group.attrs["num_samples"] = len(numbers) - 1
            group["actions"], group["states"] = taken(numbers[:-1]), numbers[:-1, None] / 8
            group["rewards"] = np.zeros(len(numbers) - 1)
            for name, values in seen(numbers).items():
                group[f"obs/{name}"] = values[:-1]
                if following:
                    group[f"next_obs/{name}"] = values[1:]
        file["data"].attrs["env_args"] = '{"env_name": "Lift", "env_kwargs": {"control_freq": 20}}'
        file["mask/train"] = np.array([b"demo_10", b"demo_0"])
    return path


def load(path, out, **options):
    summary = import_hdf5(path, out, progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store, [store.episode(number, truth=True) for number in range(len(store))]


def check(episode, numbers, camera="camera", position="position"):
    """These rows, and the action of each but the last."""
    np.testing.assert_array_equal(episode.observations[camera][:, 3, 3, 0], numbers)
    np.testing.assert_array_equal(episode.observations[position], np.stack([numbers, numbers / 4], 1))
    np.testing.assert_array_equal(episode.actions, taken(numbers)[:-1])


# ---- robomimic


@pytest.mark.parametrize("following", [True, False])
def test_robomimic_and_what_the_last_action_led_to(following, tmp_path):
    summary, store, episodes = load(write_robomimic(tmp_path / "demo.hdf5", following), tmp_path / "store")
    assert summary.episodes == tuple(LENGTHS)  # demo_10 after demo_2
    assert (store.spec.rate, store.spec.action.kind, store.spec.action.n) == (20, "box", 2)
    assert [(s.name, s.kind, s.shape, s.truth) for s in store.spec.streams] == [
        ("camera", "image", (HEIGHT, WIDTH, 3), False),
        ("camera_depth", "depth", (HEIGHT, WIDTH), False),
        ("position", "vector", (2,), False),
        ("object", "vector", (1,), True),
    ]
    for episode, numbers in zip(episodes, NUMBERS.values(), strict=True):
        rows = numbers if following else numbers[:-1]
        check(episode, rows)
        np.testing.assert_array_equal(episode.observations["camera_depth"][:, 1, 1], rows)
        np.testing.assert_array_equal(episode.truth["object"][:, 0], rows)
    assert summary.unfollowed == (0 if following else 4)
    said = "every episode is stored" if following else "of 4 episodes the last action is not stored"
    for words in (
        said,
        "camera_depth depth (metres)",
        "ignored (not asked for; name it in streams, or in truth): rewards, states",
    ):
        assert words in str(summary)


def test_truth_without_a_next_row_keeps_the_others_from_having_one(tmp_path):
    summary, _, episodes = load(write_robomimic(tmp_path / "demo.hdf5"), tmp_path / "store", truth=("states",))
    assert summary.unfollowed == 4
    check(episodes[0], NUMBERS[0][:-1])
    np.testing.assert_array_equal(episodes[0].truth["states"][:, 0], NUMBERS[0][:-1] / 8)


def test_filter_keys_small_images_and_streams_by_name(tmp_path):
    path = write_robomimic(tmp_path / "demo.hdf5")
    options = {"only": "train", "image_size": 4, "streams": ("camera_depth", "obs/camera", "position")}
    summary, store, episodes = load(path, tmp_path / "store", **options)
    assert summary.episodes == (0, 10)
    assert [s.shape for s in store.spec.streams] == [(4, 4), (4, 4, 3), (2,)]
    for episode, demo in zip(episodes, (0, 10), strict=True):
        check(episode, NUMBERS[demo])
        np.testing.assert_array_equal(episode.observations["camera_depth"][:, 1, 1], NUMBERS[demo])
    with pytest.raises(ArmillaryError, match="no filter key 'valid'; there are train"):
        import_hdf5(path, tmp_path / "other", only="valid")
    with h5py.File(path, "a") as file:
        file["mask/gone"] = np.array([b"demo_99"])
    with pytest.raises(ArmillaryError, match="no episode of the filter key 'gone'"):
        import_hdf5(path, tmp_path / "other", only="gone")


def test_without_images_the_object_is_seen(tmp_path):
    with h5py.File(write_robomimic(tmp_path / "demo.hdf5"), "a") as file:
        for demo in LENGTHS:
            del file[f"data/demo_{demo}/obs/camera"]
    store = load(tmp_path / "demo.hdf5", tmp_path / "store")[1]
    assert not store.spec.truth
    assert {s.name for s in store.spec.observed} == {"camera_depth", "position", "object"}


def test_demonstrations_that_are_unfit(tmp_path):
    with h5py.File(write_robomimic(tmp_path / "demo.hdf5"), "a") as file:
        file["data/demo_0/actions"][1, 0] = np.nan
        file["data/demo_1"].attrs["num_samples"] = 9
        file["data/demo_2/next_obs/position"][1] += 1
    summary, _, episodes = load(tmp_path / "demo.hdf5", tmp_path / "store")
    assert summary.skipped == {
        0: "actions: not a finite number in row 1",
        1: "num_samples says 9, and there are 7 actions",
        2: "next_obs/position of row 1 is not obs/position of row 2: rows are missing",
    }
    check(episodes[0], NUMBERS[10])
    with pytest.raises(CorruptFile, match="episode 0: actions: not a finite number in row 1"):
        import_hdf5(tmp_path / "demo.hdf5", tmp_path / "other", missing="refuse", progress=False)
    assert not (tmp_path / "other").exists()


def test_arrays_of_other_lengths(tmp_path):
    with h5py.File(write_robomimic(tmp_path / "demo.hdf5", following=False), "a") as file:
        for demo, name, length in ((0, "obs/position", 3), (1, "actions", 5), (2, "actions", 1)):
            values = file[f"data/demo_{demo}/{name}"][:length]
            del file[f"data/demo_{demo}/{name}"], file[f"data/demo_{demo}"].attrs["num_samples"]
            file[f"data/demo_{demo}/{name}"] = values
        del file["data/demo_10/obs/camera"]
    with pytest.raises(ArmillaryError) as raised:
        import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store", progress=False)
    for words in (
        "obs/position has 3 rows, and obs/camera has 5",
        "5 actions for 7 rows of obs/camera",
        "1 actions for 4 rows",
        "there is no array obs/camera, which the first episode has",
    ):
        assert words in str(raised.value)
    assert not (tmp_path / "store").exists()


def test_arrays_of_other_rows(tmp_path):
    with h5py.File(write_robomimic(tmp_path / "demo.hdf5", following=False), "a") as file:
        for demo, name, change in (
            (1, "obs/camera", lambda values: values.reshape(len(values), WIDTH, HEIGHT, 3)),
            (2, "obs/position", lambda values: np.concatenate([values, values], 1)),
            (10, "obs/camera", lambda values: values / 255),
        ):
            values = change(file[f"data/demo_{demo}/{name}"][:])
            del file[f"data/demo_{demo}/{name}"]
            file[f"data/demo_{demo}/{name}"] = values
    assert load(tmp_path / "demo.hdf5", tmp_path / "store")[0].skipped == {
        1: f"obs/camera: a row is {(WIDTH, HEIGHT, 3)}, and {(HEIGHT, WIDTH, 3)} in the first episode",
        2: "obs/position: a row is (4,), and (2,) in the first episode",
        10: "obs/camera: image of float64, and of uint8 in the first episode",
    }


# ---- plain files


def test_a_group_an_episode_with_a_row_more_than_actions(tmp_path):
    with h5py.File(tmp_path / "runs.h5", "w") as file:
        for i, numbers in enumerate(NUMBERS.values()):
            file[f"runs/episode{i}/observation/images/top"] = shades(numbers)
            file[f"runs/episode{i}/observation/position"] = np.stack([numbers, numbers / 4], 1)
            file[f"runs/episode{i}/action"] = taken(numbers[:-1])
    summary, store, episodes = load(tmp_path / "runs.h5", tmp_path / "store", rate=5.0)
    assert (summary.episodes, summary.unfollowed, store.spec.rate) == ((0, 1, 2, 3), 0, 5)
    for episode, numbers in zip(episodes, NUMBERS.values(), strict=True):
        check(episode, numbers, "images.top")


def write_shared(path, **more):
    numbers = [n[:-1] for n in NUMBERS.values()]
    with h5py.File(path, "w") as file:
        together = np.concatenate(numbers)
        file.create_dataset("observations", data=np.stack([together, together / 4], 1), chunks=(4, 2))
        file["pixels"], file["actions"] = shades(together), taken(together)
        file["run"] = np.repeat(np.arange(4), [len(n) for n in numbers])
        file["terminals"] = np.concatenate([np.arange(len(n)) == len(n) - 1 for n in numbers])
        file["timeouts"] = np.zeros(len(together), bool)
        file["first"] = np.cumsum([0, *(len(n) for n in numbers[:-1])])
        file["last"] = np.cumsum([len(n) for n in numbers])
        for name, values in more.items():
            file[name] = values
    return path


@pytest.mark.parametrize(
    "where", [{"episode": "run"}, {"episode": "first"}, {"episode": "last"}, {"ends": ("terminals", "timeouts")}, {}]
)
def test_arrays_that_episodes_share(where, tmp_path):
    path = write_shared(tmp_path / "all.hdf5", **{"metadata/weights": np.zeros((99, 2))})
    summary, _, episodes = load(path, tmp_path / "store", streams=("pixels", "observations"), **where)
    assert summary.unfollowed == len(episodes) == 4
    for episode, numbers in zip(episodes, NUMBERS.values(), strict=True):
        check(episode, numbers[:-1], "pixels", "observations")


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
@pytest.mark.parametrize("name", ["terminals", "dones", "truncated"])
def test_flags_of_last_rows_are_found_by_their_names(name, dtype, tmp_path):
    numbers = [n[:-1] for n in NUMBERS.values()]
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        file["observations"] = np.concatenate(numbers)[:, None].astype(np.float32)
        file["actions"] = taken(np.concatenate(numbers))
        file[name] = np.concatenate([np.arange(len(n)) == len(n) - 1 for n in numbers]).astype(dtype)[:, None]
        file["done"] = np.full(len(file["actions"]), 7.0)  # a name alone does not make flags
    _, _, episodes = load(tmp_path / "all.hdf5", tmp_path / "store")
    assert [len(episode.observations["observations"]) for episode in episodes] == [len(n) for n in numbers]


def test_next_observations_give_the_last_row(tmp_path):
    after = np.concatenate([n[1:] for n in NUMBERS.values()])
    path = write_shared(tmp_path / "all.hdf5", next_observations=np.stack([after, after / 4], 1))
    summary, _, episodes = load(path, tmp_path / "store", ends=("terminals",))
    assert summary.unfollowed == 0
    for episode, numbers in zip(episodes, NUMBERS.values(), strict=True):
        np.testing.assert_array_equal(episode.observations["observations"][:, 0], numbers)
        np.testing.assert_array_equal(episode.actions, taken(numbers)[:-1])


@pytest.mark.parametrize("following", [True, False])
def test_a_long_episode_is_cut_without_losing_a_step(following, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 48)
    after = np.concatenate([n[1:] for n in NUMBERS.values()])
    more = {"next_observations": np.stack([after, after / 4], 1)} if following else {}
    _, _, episodes = load(write_shared(tmp_path / "all.hdf5", **more), tmp_path / "store", episode="run", longest=3)
    rows = [episode.observations["observations"][:, 0] for episode in episodes]
    actions = np.concatenate([episode.actions for episode in episodes])
    assert max(map(len, rows)) == 3
    numbers = list(NUMBERS.values())
    np.testing.assert_array_equal(actions, np.concatenate([taken(n[:-1] if following else n[:-2]) for n in numbers]))
    np.testing.assert_array_equal(np.concatenate([row[:-1] for row in rows]), actions[:, 0])
    assert episodes[1].info["row"] == 2


def test_a_folder_of_files_with_jpeg_pictures(tmp_path):
    def jpeg(frame):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=95)
        return np.frombuffer(buffer.getvalue(), np.uint8)

    for i, numbers in enumerate(NUMBERS.values()):
        with h5py.File(tmp_path / f"episode_{[0, 1, 2, 10][i]}.hdf5", "w") as file:
            files = [jpeg(frame) for frame in shades(numbers[:-1])]
            padded = np.zeros((len(files), max(map(len, files)) + 9), np.uint8)
            for row, content in zip(padded, files, strict=True):
                row[: len(content)] = content
            file["observations/images/top"] = padded
            file["observations/qpos"] = np.stack([numbers[:-1], numbers[:-1] / 4], 1)
            file["action"] = taken(numbers[:-1])
    (tmp_path / "episode_3.hdf5").write_bytes(b"no HDF5")
    summary, store, episodes = load(tmp_path, tmp_path / "store", image_size=8)
    assert summary.episodes == tuple(f"episode_{i}.hdf5" for i in (0, 1, 2, 10))
    assert "1 file (episode_3.hdf5): " in str(summary)
    assert store.spec["images.top"].shape == (8, 8, 3)
    for episode, numbers in zip(episodes, NUMBERS.values(), strict=True):
        assert abs(episode.observations["images.top"].astype(int) - numbers[:-1, None, None, None]).max() <= 1
        np.testing.assert_array_equal(episode.actions, taken(numbers[:-1])[:-1])
    with pytest.raises(CorruptFile, match="episode_3"):
        import_hdf5(tmp_path, tmp_path / "other", missing="refuse")


def test_kinds_are_found_and_can_be_given(tmp_path):
    rows = 4
    given = {
        "grey": np.full((rows, 6, 8), 7, np.uint8),
        "depth_mm": np.array([0, 500, 65535, 1], np.uint16)[:, None, None] * np.ones((6, 8), np.uint16),
        "lidar": np.full((rows, 30), np.inf),
        "cloud": np.full((rows, 5, 3), 2.0),
        "pose": np.tile(np.eye(4), (rows, 1, 1)),
        "heat": np.ones((rows, 20, 20)),
        "imu": np.ones((rows, 10, 6)),
        "clock": np.arange(rows),
        "words": np.array([b"a"] * rows),
    }
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        for name, values in given.items():
            file[f"obs/{name}"] = values
    summary, store, episodes = load(tmp_path / "all.hdf5", tmp_path / "store", kinds={"imu": "signal"})
    assert {s.name: (s.kind, s.shape) for s in store.spec.streams} == {
        "grey": ("image", (6, 8, 1)),
        "depth_mm": ("depth", (6, 8)),
        "lidar": ("scan", (30,)),
        "cloud": ("points", (5, 3)),
        "pose": ("vector", (16,)),
        "imu": ("signal", (10, 6)),
        "clock": ("vector", (1,)),
    }
    assert store.spec.action == NO_ACTION
    np.testing.assert_array_equal(episodes[0].observations["depth_mm"][:, 0, 0], np.float32([np.nan, 0.5, 65.535, 0.001]))
    assert np.isnan(episodes[0].observations["lidar"]).all()
    assert summary.ignored["obs/heat"] == f"float64 (20, 20) is of no kind by itself; say which; {arrays.EIGHT_BITS}"
    assert "not numbers" in summary.ignored["obs/words"]
    for words in ("depth_mm depth (millimetres, 0 as nothing)", "pose vector (from (4, 4))", "there are no actions"):
        assert words in str(summary)
    for kind, words in (("image", "obs/heat: float64 .* is no image"), ("scan", None), ("points", None), ("depth", None)):
        if words:
            with pytest.raises(ArmillaryError, match=words):
                load(tmp_path / "all.hdf5", tmp_path / kind, kinds={"heat": kind})
        else:
            assert load(tmp_path / "all.hdf5", tmp_path / kind, kinds={"heat": kind})[1].spec["heat"].kind == kind


def test_choices(tmp_path):
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        file["obs"], file["actions"], file["run"] = np.zeros((6, 2)), np.array([0, 1, 0, 4, 2, 0]), np.array([0, 0, 0, 1, 1, 1])
    _, store, episodes = load(tmp_path / "all.hdf5", tmp_path / "store", episode="run")
    assert (store.spec.action.kind, store.spec.action.n) == ("discrete", 5)
    assert [episode.actions.tolist() for episode in episodes] == [[0, 1], [4, 2]]


def test_only_what_is_needed_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 4 * HEIGHT * WIDTH * 3)
    largest, read = 0, h5py.Dataset.__getitem__

    def watched(self, *args):
        nonlocal largest
        values = read(self, *args)
        largest = max(largest, getattr(values, "nbytes", 0))
        return values

    path = write_shared(tmp_path / "all.hdf5")
    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    load(path, tmp_path / "store", streams=("pixels",), episode="run", image_size=2)
    assert largest == 4 * HEIGHT * WIDTH * 3  # of an episode of up to 7 frames


# ---- damage


def test_what_is_not_there_or_fits_not(tmp_path):
    path = write_shared(tmp_path / "all.hdf5")
    for options, words in (
        ({"streams": ("pixel",)}, "no array 'pixel'; there are .*pixels"),
        ({"action": "acts"}, "no array 'acts'"),
        ({"episode": "acts"}, "no array 'acts'"),
        ({"episode": "observations"}, "no ascending rows"),
        ({"ends": ("first",)}, "first has 4 entries for 22 rows"),
        ({"only": "train"}, "no file of theirs"),
        ({"longest": 1}, "longest"),
        ({"image_size": 0}, "image_size"),
        ({"missing": "mend"}, "'mend'"),
        ({"kinds": {"actions": "heat"}, "streams": ("actions",)}, "kind 'heat' is none of"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            import_hdf5(path, tmp_path / "store", **options)
    path = write_robomimic(tmp_path / "demo.hdf5")
    with pytest.raises(ArmillaryError, match="a group of its own"):
        import_hdf5(path, tmp_path / "store", episode="states")
    with h5py.File(tmp_path / "blind.h5", "w") as file:
        file["x"] = np.zeros((4, 2))
    with pytest.raises(ArmillaryError, match=r"name streams, of x float64 \(4, 2\)"):
        import_hdf5(tmp_path / "blind.h5", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_other_formats_are_pointed_to(tmp_path):
    with h5py.File(tmp_path / "swm.h5", "w") as file:
        file["pixels"], file["ep_len"], file["ep_offset"] = shades(np.arange(4)), [4], [0]
    with pytest.raises(ArmillaryError, match="armillary import swm"):
        import_hdf5(tmp_path / "swm.h5", tmp_path / "store")
    (tmp_path / "door" / "data").mkdir(parents=True)
    (tmp_path / "door" / "data" / "main_data.hdf5").touch()
    with pytest.raises(ArmillaryError, match="armillary import minari"):
        import_hdf5(tmp_path / "door", tmp_path / "store")
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        with pytest.raises(ArmillaryError, match=f"{name}: there is no HDF5 file"):
            import_hdf5(tmp_path / name, tmp_path / "store")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_truncated(share, tmp_path):
    path = write_robomimic(tmp_path / "demo.hdf5")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptFile, match="cannot be read"):
        import_hdf5(path, tmp_path / "store")


def test_an_import_that_fails_midway_leaves_nothing(tmp_path, monkeypatch):
    path, read = write_robomimic(tmp_path / "demo.hdf5"), arrays.Column.read

    def failing(self, array, *rows):
        if "demo_2" in array.name:
            raise OSError("the disk is gone")
        return read(self, array, *rows)

    monkeypatch.setattr(arrays.Column, "read", failing)
    with pytest.raises(CorruptFile, match="the disk is gone"):
        import_hdf5(path, tmp_path / "store", missing="refuse", progress=False)
    assert not (tmp_path / "store").exists()


def test_the_verb(tmp_path, capsys):
    path = str(write_robomimic(tmp_path / "demo.hdf5"))
    options = ["--image-size", "4", "--kinds", "camera_depth=depth", "position=scan", "--only", "train"]
    main(["import", "hdf5", path, "--out", str(tmp_path / "store"), *options])
    assert "2 episodes, 13 rows at 20 Hz, actions of 2" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "store").spec["position"].kind == "scan"
    with pytest.raises(SystemExit):
        main(["import", "hdf5", path, "--out", str(tmp_path / "other"), "--streams", "nothing"])
    assert "armillary: " in (said := capsys.readouterr().err)
    assert "no array 'nothing'" in said
    assert len(said.splitlines()) == 1


# ---- what is not taken


def test_everything_that_is_not_taken_is_listed(tmp_path):
    path = write_robomimic(tmp_path / "demo.hdf5", following=False)
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/shortcut"] = h5py.SoftLink("/data/demo_0/obs/camera")
        file["data/demo_0/obs/fov"] = 45.0
        file["data/demo_2/obs/wrist"] = shades(NUMBERS[2][:-1])
        file["data/table"], file["notes"] = np.zeros(3), np.zeros(2)
        file["mask/train"][...] = np.array([b"demo_10", b"demo_7"])
    summary, _, _ = load(path, tmp_path / "store")
    assert summary.ignored == {
        "/data/table": "beside the episodes",
        "/notes": "beside the episodes",
        "obs/fov": "one value, not one a row",
        "obs/shortcut": "a link, which is not followed",
        "obs/wrist": "the first episode has no such array",
        "rewards": "not asked for; name it in streams, or in truth",
        "states": "not asked for; name it in streams, or in truth",
    }
    assert "the numbering of the source has gaps: 3-9 are not in it" in str(summary)
    summary, _, _ = load(path, tmp_path / "train", only="train")
    assert summary.ignored["/data/demo_7"] == "not there, and the filter key 'train' names it"


def test_episodes_with_something_beside_them(tmp_path):
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for i, numbers in enumerate(NUMBERS.values()):
            file[f"traj_{i}/obs/camera"], file[f"traj_{i}/action"] = shades(numbers), taken(numbers[:-1])
        file["meta/fov"] = np.zeros(3)
    summary, _, episodes = load(tmp_path / "all.h5", tmp_path / "store")
    assert len(episodes) == 4
    assert summary.ignored == {"/meta": "beside the episodes"}
    with h5py.File(tmp_path / "one.h5", "w") as file:  # groups with numbers that are no episodes
        for camera in range(2):
            file[f"camera_{camera}/rgb"] = shades(NUMBERS[0])
        file["action"] = taken(NUMBERS[0][:-1])
    assert len(load(tmp_path / "one.h5", tmp_path / "one", streams=("camera_0/rgb",))[2]) == 1


def test_files_with_gaps_in_their_numbers(tmp_path):
    (tmp_path / "in").mkdir()
    for number in (0, 1, 4):
        with h5py.File(tmp_path / f"in/episode_{number}.hdf5", "w") as file:
            file["observations/q"], file["action"] = np.zeros((4, 2)), np.zeros((4, 1))
    assert "gaps: 2-3 are not in it" in str(load(tmp_path / "in", tmp_path / "store")[0])
