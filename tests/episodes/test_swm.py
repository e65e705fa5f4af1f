"""Import of stable-worldmodel: every frame with the action that was taken on seeing it, in every layout.

The datasets are built here as their writers do it (checked against theirs, 0.1.1). Episodes follow each other in one table;
each frame shows its own number as one shade, and its action is that number with and without sign, so that alignment is
asserted exactly, also where one episode ends and the next begins.
"""

import io

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.formats import swm_layouts
from armillary.episodes.formats.swm import import_swm
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

h5py = pytest.importorskip("h5py")
lance = pytest.importorskip("lance")
pa = pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

LENGTHS = (5, 9, 4)
NUMBERS = [np.arange(40 * episode, 40 * episode + length) for episode, length in enumerate(LENGTHS)]
HEIGHT, WIDTH = 24, 32
LAYOUTS = ("lance", "hdf5", "folder")


def turned(numbers: np.ndarray, last: str) -> np.ndarray:
    """Actions as their recorder leaves them: the last row's is NaN, or the one that led to the first row."""
    actions = np.stack([numbers, -numbers], 1).astype(np.float32)
    actions[-1] = np.nan if last == "nan" else numbers[0] - 1
    return actions


def rows(last: str = "nan") -> dict[str, list[np.ndarray]]:
    """name -> one array an episode."""
    shades = [np.broadcast_to(n[:, None, None, None], (len(n), HEIGHT, WIDTH, 3)).astype(np.uint8) for n in NUMBERS]
    return {
        "pixels": [2 * shade for shade in shades],
        "action": [turned(n, last) for n in NUMBERS],
        "state": [np.stack([n, n / 2, n / 4], 1) for n in NUMBERS],
        "proprio": [n[:, None] / 8 for n in NUMBERS],
        "goal": [255 - shade for shade in shades],
        "reward": [np.full(len(n), np.nan) for n in NUMBERS],
    }


def jpeg(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def is_image(values: np.ndarray) -> bool:
    return values.dtype == np.uint8 and values.ndim == 4


def write_lance(path, columns):
    lengths = [len(values) for values in columns["action"]]
    table = {
        "episode_idx": pa.array(np.repeat(range(len(lengths)), lengths), pa.int32()),
        "step_idx": pa.array(np.concatenate([np.arange(n) for n in lengths]), pa.int32()),
    }
    for name, episodes in columns.items():
        values = np.concatenate(episodes)
        if is_image(values):
            table[name] = pa.array([jpeg(frame) for frame in values], pa.binary())
        else:
            flat = values.astype(np.float32).reshape(len(values), int(np.prod(values.shape[1:])))
            table[name] = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])
    table["task"] = pa.array(["go"] * sum(lengths), pa.string())
    lance.write_dataset(pa.table(table), str(path))
    return path


def write_hdf5(path, columns):
    lengths = [len(values) for values in columns["action"]]
    with h5py.File(path, "w", libver="latest") as file:
        for name, episodes in columns.items():
            values = np.concatenate(episodes)
            limit = (None, *values.shape[1:])
            file.create_dataset(name, data=values, maxshape=limit, chunks=(1, *values.shape[1:]))
        # Theirs counts from 1: the observation of the reset is not in the recording.
        file["step_idx"] = np.concatenate([np.arange(1, n + 1) for n in lengths])
        file["ep_len"] = np.array(lengths, np.int32)
        file["ep_offset"] = np.cumsum([0, *lengths[:-1]])
        file["task"] = [b"go"] * sum(lengths)
    return path


def write_folder(path, columns):
    lengths = [len(values) for values in columns["action"]]
    path.mkdir()
    for name, episodes in columns.items():
        if not is_image(episodes[0]):
            np.savez(path / f"{name}.npz", np.concatenate(episodes))
            continue
        (path / name).mkdir()
        for episode, frames in enumerate(episodes):
            for step, frame in enumerate(frames):
                (path / name / f"ep_{episode}_step_{step}.jpeg").write_bytes(jpeg(frame))
    np.savez(path / "ep_len.npz", np.array(lengths, np.int32))
    np.savez(path / "ep_offset.npz", np.cumsum([0, *lengths[:-1]]))
    np.savez(path / "task.npz", np.array(["go"] * sum(lengths), object))
    return path


def write(layout, folder, columns=None):
    make, name = {
        "lance": (write_lance, "table.lance"),
        "hdf5": (write_hdf5, "file.h5"),
        "folder": (write_folder, "dataset"),
    }[layout]
    return make(folder / name, columns or rows())


def load(path, out, **options):
    summary = import_swm(path, out, progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store, [store.episode(number, truth=True) for number in range(len(store))]


@pytest.mark.parametrize("last", ["nan", "first"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_frame_and_the_action_taken_on_seeing_it(layout, last, tmp_path):
    summary, store, episodes = load(write(layout, tmp_path, rows(last)), tmp_path / "store", truth=("state",))
    assert summary.episodes == (0, 1, 2)
    assert summary.frames == sum(LENGTHS) == store.lengths.sum()
    assert [(s.name, s.kind, s.shape, s.truth) for s in store.spec.streams] == [
        ("pixels", "image", (HEIGHT, WIDTH, 3), False),
        ("state", "vector", (3,), True),
    ]
    assert (store.spec.action.kind, store.spec.action.n) == ("box", 2)
    for episode, numbers in zip(episodes, NUMBERS, strict=True):
        shades = episode.observations["pixels"].astype(int)
        assert abs(shades - 2 * numbers[:, None, None, None]).max() <= (layout != "hdf5")  # JPEG may round by one
        np.testing.assert_array_equal(episode.truth["state"], np.stack([numbers, numbers / 2, numbers / 4], 1))
        np.testing.assert_array_equal(episode.actions, np.stack([numbers, -numbers], 1)[:-1])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_summary_lists_what_stays_out(layout, tmp_path):
    summary, _, _ = load(write(layout, tmp_path), tmp_path / "store", truth=("state",))
    left = {name for name, why in summary.ignored.items() if why.startswith("not asked for")}
    assert left >= {"proprio", "goal", "reward"}
    assert summary.ignored["task"]
    assert "task" not in left
    assert not {"pixels", "action", "state"} & set(summary.ignored)
    for words in ("3 episodes, 18 rows", "state (3,) (truth)", "goal"):
        assert words in str(summary)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_streams_by_name_and_small_images(layout, tmp_path):
    chosen = {"streams": ("goal", "proprio"), "image_size": 8, "max_episodes": 2}
    summary, store, episodes = load(write(layout, tmp_path), tmp_path / "store", **chosen)
    assert summary.episodes == (0, 1)
    assert [(s.name, s.kind, s.shape) for s in store.spec.observed] == [
        ("goal", "image", (8, 8, 3)),
        ("proprio", "vector", (1,)),
    ]
    for episode, numbers in zip(episodes, NUMBERS, strict=False):
        assert abs(episode.observations["goal"].astype(int) - (255 - numbers[:, None, None, None])).max() <= 1
        np.testing.assert_array_equal(episode.observations["proprio"][:, 0], numbers / 8)


def test_without_images_a_model_sees_vectors_but_no_truth(tmp_path):
    columns = {name: values for name, values in rows().items() if name in ("action", "state", "proprio")}
    path = write_hdf5(tmp_path / "file.h5", columns)
    assert [s.name for s in load(path, tmp_path / "a")[1].spec.observed] == ["proprio", "state"]
    assert [s.name for s in load(path, tmp_path / "b", truth=("state",))[1].spec.observed] == ["proprio"]


def test_images_of_one_channel_and_long_episodes(tmp_path, monkeypatch):
    monkeypatch.setattr(swm_layouts, "_BLOCK", 4)
    columns = rows()
    columns["pixels"] = [values[..., :1] for values in columns["pixels"]]
    _, store, episodes = load(write_hdf5(tmp_path / "file.h5", columns), tmp_path / "store", image_size=8)
    assert store.spec["pixels"].shape == (8, 8, 1)
    for episode, numbers in zip(episodes, NUMBERS, strict=True):
        np.testing.assert_array_equal(episode.observations["pixels"][:, 3, 3, 0], 2 * numbers)


def test_images_with_channels_first(tmp_path):
    columns = rows()
    columns["pixels"] = [np.moveaxis(values, -1, 1) for values in columns["pixels"]]
    _, store, episodes = load(write_hdf5(tmp_path / "file.h5", columns), tmp_path / "store")
    assert store.spec["pixels"].shape == (24, 32, 3)
    np.testing.assert_array_equal(episodes[0].observations["pixels"], np.moveaxis(columns["pixels"][0], 1, -1))


def test_vectors_are_no_substitute_for_images_that_cannot_be_read(tmp_path):
    columns = rows()
    columns["pixels"] = [np.repeat(values, 8, -1) for values in columns["pixels"]]
    path = write_hdf5(tmp_path / "file.h5", columns)
    with pytest.raises(ArmillaryError, match=r"'pixels' cannot be imported: uint8 \(24, 32, 24\) is no image"):
        import_swm(path, tmp_path / "store")
    assert "pixels" in load(path, tmp_path / "store", streams=("proprio",))[0].ignored


def test_a_folder_with_one_recording_is_that_recording(tmp_path):
    write_lance(tmp_path / "in" / "one.lance", rows())
    assert import_swm(tmp_path / "in", tmp_path / "store", progress=False).format == "stable-worldmodel, Lance"
    write_hdf5(tmp_path / "in" / "two.h5", rows())
    with pytest.raises(ArmillaryError, match="there are 2 recordings"):
        import_swm(tmp_path / "in", tmp_path / "other")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nan_and_single_rows_are_skipped_or_refused(layout, tmp_path):
    columns = rows()
    columns["action"][0][0] = np.nan
    columns = {name: [*values, values[0][:1]] for name, values in columns.items()}
    path = write(layout, tmp_path, columns)
    summary, _, episodes = load(path, tmp_path / "store")
    assert summary.episodes == (1, 2)
    assert summary.skipped[0] == "action: not a finite number in row 0 of 5"
    assert summary.skipped[3] == "1 rows, and an episode needs 2"
    np.testing.assert_array_equal(episodes[0].actions[:, 0], NUMBERS[1][:-1])
    with pytest.raises(CorruptFile, match="episode 0: action: not a finite number in row 0"):
        import_swm(path, tmp_path / "other", missing="refuse", progress=False)
    assert not (tmp_path / "other").exists()


# ---- damage


def test_columns_that_are_not_there(tmp_path):
    columns = rows()
    path = write_lance(tmp_path / "table.lance", columns)
    for options, words in (
        ({"streams": ("pixel",)}, "no column 'pixel'; there are .*pixels"),
        ({"truth": ("task",)}, "column 'task' cannot be imported: is of type string"),
        ({"truth": ("pixels",)}, "two streams of one name"),
        ({"streams": ()}, "nothing to see"),
        ({"image_size": 0}, "image_size"),
        ({"missing": "mend"}, "'mend'"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            import_swm(path, tmp_path / "store", **options)
    without = {name: values for name, values in columns.items() if name != "pixels"}
    del without["state"], without["proprio"]
    with pytest.raises(ArmillaryError, match=r"name streams, of action, goal, reward"):
        import_swm(write_lance(tmp_path / "blind.lance", without), tmp_path / "store")
    with h5py.File(write_hdf5(tmp_path / "file.h5", columns), "a") as file:
        del file["action"]
    with pytest.raises(ArmillaryError, match="no column 'action'"):
        import_swm(tmp_path / "file.h5", tmp_path / "store")
    with h5py.File(tmp_path / "file.h5", "a") as file:
        del file["ep_offset"]
    with pytest.raises(ArmillaryError, match=r"no recording of stable-worldmodel: it has no column \['ep_offset'\]"):
        import_swm(tmp_path / "file.h5", tmp_path / "store")
    lance.write_dataset(pa.table({"x": [1.0]}), str(tmp_path / "other.lance"))
    with pytest.raises(ArmillaryError, match=r"no column \['episode_idx', 'step_idx'\]"):
        import_swm(tmp_path / "other.lance", tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_truncated_hdf5(share, tmp_path):
    path = write_hdf5(tmp_path / "file.h5", rows())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptFile, match="cannot be read"):
        import_swm(path, tmp_path / "store")


def test_hdf5_whose_lengths_do_not_match(tmp_path):
    path = write_hdf5(tmp_path / "file.h5", rows())
    with h5py.File(path, "a") as file:
        file["pixels"].resize(sum(LENGTHS) - 1, axis=0)
    assert load(path, tmp_path / "store")[0].skipped == {2: "pixels: the file has 3 rows of this episode, which needs 4"}
    with h5py.File(path, "a") as file:
        file["ep_offset"][1] = 3
    with pytest.raises(CorruptFile, match="episode 1 begins in row 3, inside of the one before"):
        import_swm(path, tmp_path / "other")
    with h5py.File(path, "a") as file:
        del file["ep_len"]
        file["ep_len"] = LENGTHS[:2]
    with pytest.raises(CorruptFile, match="ep_len has 2 entries and ep_offset 3"):
        import_swm(path, tmp_path / "other")


def test_lengths_beyond_the_file_cost_nothing(tmp_path):
    path = write_hdf5(tmp_path / "file.h5", rows())
    with h5py.File(path, "a") as file:
        del file["ep_len"], file["step_idx"]
        file["ep_len"] = [*LENGTHS[:-1], 1 << 59]
    assert list(load(path, tmp_path / "store")[0].skipped.values()) == [
        f"pixels: the file has {LENGTHS[-1]} rows of this episode, which needs {1 << 59}"
    ]


def test_lance_whose_rows_are_missing_or_mixed_up(tmp_path):
    table = lance.dataset(str(write_lance(tmp_path / "table.lance", rows()))).to_table()
    holes = table.take([row for row in range(len(table)) if row != 7])
    lance.write_dataset(holes, str(tmp_path / "holes.lance"))
    summary, _, _ = load(tmp_path / "holes.lance", tmp_path / "store")
    assert summary.skipped == {1: "step_idx does not go on by 1 after row 1: rows are missing"}
    lance.write_dataset(table.take([*range(5, 14), *range(3), 14, 15, 3, 4]), str(tmp_path / "mixed.lance"))
    with pytest.raises(CorruptFile, match="the rows of episode 0 are not together"):
        import_swm(tmp_path / "mixed.lance", tmp_path / "other")


def test_damaged_lance(tmp_path):
    path = write_lance(tmp_path / "table.lance", rows())
    for file in (path / "data").iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptFile, match="cannot be read"):
        import_swm(path, tmp_path / "store")


def test_missing_and_odd_pictures(tmp_path):
    path = write_folder(tmp_path / "dataset", rows())
    (path / "pixels" / "ep_1_step_3.jpeg").unlink()
    (path / "pixels" / "ep_2_step_0.jpeg").write_bytes(jpeg(np.zeros((5, 6, 3), np.uint8)))
    summary, _, _ = load(path, tmp_path / "store")
    assert "ep_1_step_3" in summary.skipped[1]
    assert summary.skipped[2] == f"an image is 5x6 RGB, not {(HEIGHT, WIDTH, 3)}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_recording(layout, tmp_path):
    columns = {name: [values[0][:0]] for name, values in rows().items()}
    path = write(layout, tmp_path, columns)
    with pytest.raises(ArmillaryError, match="there is no episode"):
        import_swm(path, tmp_path / "store", streams=("state",), progress=False)
    assert not (tmp_path / "store").exists()


def test_what_is_no_recording(tmp_path):
    (tmp_path / "text").write_text("no dataset")
    (tmp_path / "folder").mkdir()
    for name in ("nowhere", "text", "folder"):
        with pytest.raises(ArmillaryError, match=name):
            import_swm(tmp_path / name, tmp_path / "store")


# ---- the verb


def test_the_verb(tmp_path, capsys):
    path = str(write_lance(tmp_path / "table.lance", rows()))
    main(["import", "swm", path, "--out", str(tmp_path / "store"), "--image-size", "16", "--truth", "state"])
    assert "3 episodes, 18 rows" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "store").spec["pixels"].shape == (16, 16, 3)
    for stray, format in (("--cameras", "swm"), ("--truth", "lerobot")):  # what another format takes
        with pytest.raises(SystemExit):
            main(["import", format, path, "--out", str(tmp_path / "other"), stray, "state"])
        assert stray in capsys.readouterr().err
