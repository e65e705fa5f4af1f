"""Import of Minari: an observation more than actions, in every layout, and spaces as streams and actions of ours.

The datasets are built here as Minari 0.5.4 does it (checked against it). Every row shows its number, and so does its action.
"""

import io
import json

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.formats.minari import import_minari
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spaces import spec_of

h5py = pytest.importorskip("h5py")
pytest.importorskip("lance")
pa = pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

STEPS = (5, 3)
NUMBERS = [np.arange(20 * episode, 20 * episode + steps + 1) for episode, steps in enumerate(STEPS)]
SIDE = 40
LAYOUTS = ("hdf5", "arrow", "parquet")


def box(shape, low=-1.0, high=1.0, dtype="float32"):
    return {
        "type": "Box",
        "dtype": dtype,
        "shape": list(shape),
        "low": np.full(shape, low).tolist(),
        "high": np.full(shape, high).tolist(),
    }


SEEN = {
    "type": "Dict",
    "subspaces": {
        "camera": box((SIDE, SIDE, 3), 0, 255, "uint8"),
        "pair": {"type": "Tuple", "subspaces": [{"type": "Discrete", "n": 200, "start": 0}, box((2, 2))]},
        "position": box((3,), -np.inf, np.inf, "float64"),
        "words": {"type": "Text", "max_length": 9, "min_length": 1, "charset": "abc"},
    },
}


def seen(n):
    return {
        "camera": np.broadcast_to(n[:, None, None, None], (len(n), SIDE, SIDE, 3)).astype(np.uint8),
        "pair": (n, np.broadcast_to(n[:, None, None] / 64, (len(n), 2, 2)).astype(np.float32)),
        "position": np.stack([n, n / 2, n / 4], 1),
        "words": ["go"] * len(n),
    }


SEVERAL = {"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 0]}
ACTIONS = {  # space, what is in the file, what it becomes
    "box": (box((2,)), lambda n: np.stack([n, -n], 1) / np.float32(64), lambda n: np.stack([n, -n], 1) / 64),
    "choices": ({"type": "Discrete", "n": 3, "start": 1}, lambda n: n % 3 + 1, lambda n: n % 3),
    "several": (SEVERAL, lambda n: np.stack([n % 2, n % 3], 1), lambda n: n % 2 * 3 + n % 3),
    "switches": ({"type": "MultiBinary", "n": 2}, lambda n: np.stack([n % 2, n // 2 % 2], 1), lambda n: n % 2 * 2 + n // 2 % 2),
    "parts": (
        {"type": "Dict", "subspaces": {"arm": box((2,)), "hand": box((1,), 0)}},
        lambda n: {"arm": np.stack([n, -n], 1) / np.float32(64), "hand": n[:, None] / np.float32(64)},
        lambda n: np.stack([n, -n, n], 1) / 64,
    ),
}  # fmt: skip


def jpeg(frame):
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG")
    return buffer.getvalue()


def put(group, name, values):
    """As their HDF5 writer does: JPEG files of one length in a plain array, and others in one of varying length."""
    if isinstance(values, dict | tuple):
        for key, part in values.items() if isinstance(values, dict) else ((f"_index_{i}", v) for i, v in enumerate(values)):
            put(group.require_group(name), key, part)
    elif isinstance(values, list):
        group.create_dataset(name, data=values, dtype=h5py.string_dtype())
    elif values.dtype == np.uint8 and values.ndim == 4:
        files = [np.frombuffer(jpeg(frame), np.uint8) for frame in values]
        loose = None if len({len(file) for file in files}) == 1 else h5py.vlen_dtype(np.uint8)
        group.create_dataset(name, data=files, dtype=loose)
    else:
        group[name] = values


def arrow(values, rows):
    """As their Arrow writer does: structures, lists of fixed size, and zeros for what is missing in the last row."""
    if isinstance(values, dict | tuple):
        parts = values if isinstance(values, dict) else {str(i): part for i, part in enumerate(values)}
        return pa.StructArray.from_arrays([arrow(part, rows) for part in parts.values()], names=list(parts))
    if isinstance(values, list):
        return pa.array(values)
    if values.dtype == np.uint8 and values.ndim == 4:
        return pa.array([jpeg(frame) for frame in values], pa.binary())
    values = np.concatenate([values, values[:1] * 0]) if len(values) < rows else values
    flat = values.reshape(rows, -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1]) if values.ndim > 1 else pa.array(values)


def write(layout, folder, actions="box", observation=(SEEN, seen), **metadata):
    data = folder / "data"
    data.mkdir(parents=True)
    space, taken, _ = ACTIONS[actions]
    metadata = {"data_format": layout, "dataset_id": "test/one-v0", "action_space": json.dumps(space), **metadata}
    metadata["observation_space"] = json.dumps(observation[0])
    (data / "metadata.json").write_text(json.dumps({k: v for k, v in metadata.items() if v is not None}))
    file = h5py.File(data / "main_data.hdf5", "w") if layout == "hdf5" else None
    for episode, n in enumerate(NUMBERS):
        last = np.arange(len(n) - 1) == len(n) - 2
        parts = {"observations": observation[1](n), "actions": taken(n[:-1]), "rewards": n[:-1] / 2}
        parts |= {"terminations": last & (episode == 0), "truncations": last & (episode == 1), "infos": {"speed": n / 8}}
        if file:
            file.create_group(f"episode_{episode}").attrs.update({"id": episode, "seed": 7 + episode})
            for name, values in parts.items():
                put(file[f"episode_{episode}"], name, values)
        else:
            (data / str(episode)).mkdir()
            table = pa.table({name: arrow(values, len(n)) for name, values in parts.items()})
            if layout == "arrow":
                pytest.importorskip("pyarrow.feather").write_feather(table, data / str(episode) / "part-0.arrow")
            else:
                pytest.importorskip("pyarrow.parquet").write_table(table, data / str(episode) / "part-0.parquet")
            (data / str(episode) / "metadata.json").write_text(json.dumps({"id": episode, "seed": 7 + episode}))
    if file:
        file.close()
    return folder


def load(path, out, **options):
    summary = import_minari(path, out, progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store, [store.episode(number, truth=True) for number in range(len(store))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_observation_and_every_action(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    summary, store, episodes = load(path, tmp_path / "store", truth=("rewards", "infos/speed"))
    assert [(s.name, s.kind, s.shape, s.truth) for s in store.spec.streams] == [
        ("camera", "image", (SIDE, SIDE, 3), False),
        ("pair.0", "vector", (1,), False),
        ("pair.1", "vector", (4,), False),
        ("position", "vector", (3,), False),
        ("rewards", "vector", (1,), True),
        ("infos/speed", "vector", (1,), True),
    ]
    assert (store.spec.action.low, store.spec.action.high) == ((-1, -1), (1, 1))
    for episode, n in zip(episodes, NUMBERS, strict=True):
        assert abs(episode.observations["camera"].astype(int) - n[:, None, None, None]).max() <= 1
        for name, values in (("pair.0", n), ("pair.1", n / 64), ("position", n)):
            np.testing.assert_array_equal(episode.observations[name][:, 0], values.astype(np.float32))
        np.testing.assert_array_equal(episode.actions, (np.stack([n, -n], 1)[:-1] / 64).astype(np.float32))
        np.testing.assert_array_equal(episode.truth["rewards"][:, 0], [0, *n[:-1] / 2])  # what led to this row
        np.testing.assert_array_equal(episode.truth["infos/speed"][:, 0], n / 8)
    assert [(info["ended"], info["seed"]) for info in store.infos] == [("terminated", 7), ("truncated", 8)]
    assert (summary.episodes, summary.frames, summary.skipped) == ((0, 1), sum(STEPS) + 2, {})
    for words in ("camera image (files)", "actions: box of 2", "words"):
        assert words in str(summary)


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_action_spaces(layout, actions, tmp_path):
    _, store, episodes = load(write(layout, tmp_path / "in", actions), tmp_path / "store", streams=("position",))
    kind, n = {"choices": ("discrete", 3), "several": ("discrete", 6), "switches": ("discrete", 4)}.get(actions, ("box", 2))
    assert (store.spec.action.kind, store.spec.action.n) == (kind, n + (actions == "parts"))
    for episode, n in zip(episodes, NUMBERS, strict=True):
        np.testing.assert_array_equal(episode.actions, ACTIONS[actions][2](n[:-1]).astype(episode.actions.dtype))


def test_a_lone_observation_is_called_as_the_environment_calls_it(tmp_path):
    gymnasium = pytest.importorskip("gymnasium")
    path = write("hdf5", tmp_path / "in", observation=(box((3,)), lambda n: np.stack([n, n, n], 1)))
    _, store, _ = load(path, tmp_path / "store")
    space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    env = type("Env", (), {"observation_space": space, "action_space": gymnasium.spaces.Box(-1, 1, (2,)), "metadata": {}})()
    store.spec.check(spec_of(env))
    path = write("hdf5", tmp_path / "images", observation=(box((8, 8, 3), 0, 255, "uint8"), lambda n: seen(n)["camera"]))
    assert load(path, tmp_path / "other", image_size=4)[1].spec["image"].shape == (4, 4, 3)


def test_metadata_of_older_datasets(tmp_path):
    path = write("hdf5", tmp_path / "in", "choices", action_space=None)
    summary, store, episodes = load(path / "data" / "main_data.hdf5", tmp_path / "store", streams=("position",))
    assert (store.spec.action.kind, store.spec.action.n) == ("discrete", 4)
    assert "the metadata do not say the space" in str(summary)
    np.testing.assert_array_equal(episodes[0].actions, NUMBERS[0][:-1] % 3 + 1)
    (path / "data" / "metadata.json").unlink()
    with h5py.File(path / "data" / "main_data.hdf5", "a") as file:
        file.move("episode_1", "episode_5")
        file.attrs["action_space"] = json.dumps(ACTIONS["choices"][0])
    summary, store, _ = load(path, tmp_path / "other", streams=("position",))
    assert store.spec.action.n == 3
    assert "the numbering of the source has gaps: " in str(summary)


def test_episodes_that_are_unfit(tmp_path):
    path = write("hdf5", tmp_path / "in", "choices")
    with h5py.File(path / "data" / "main_data.hdf5", "a") as file:
        file["episode_0/actions"][2] = 9
        positions = file["episode_1/observations/position"][:-1]
        del file["episode_1/observations/position"]
        file["episode_1/observations/position"] = positions
        file.copy("episode_0", "episode_10")
        file["episode_10/actions"][2] = 1
        file["episode_10/observations/position"][3, 1] = np.nan
        file.copy("episode_0", "episode_11")
        file["episode_11/actions"][2] = 1
        file.copy("episode_0", "episode_12")
        del file["episode_12/observations/pair"]
    summary = load(path, tmp_path / "store")[0]
    assert summary.episodes == (11,)
    assert summary.skipped == {
        0: "actions: [8] in row 2 is no choice of 3",
        1: "observations/position has 3 rows for 3 actions, and needs one more",
        10: "observations/position: not a finite number in row 3 of 6",
        12: "there is no array observations/pair/_index_0, observations/pair/_index_1, which the first episode has",
    }
    with pytest.raises(CorruptFile, match="episode 0: actions"):
        import_minari(path, tmp_path / "other", missing="refuse", progress=False)
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_imported(tmp_path):
    path = write("hdf5", tmp_path / "in")
    for options, words in (
        ({"streams": ("pixels",)}, "no array 'pixels'; there are .*camera, pair.0"),
        ({"truth": ("speed",)}, "no array 'speed'"),
        ({"streams": ("words",)}, "words: is of type object"),
        ({"streams": ()}, "nothing to see"),
        ({"image_size": 0}, "image_size"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            import_minari(path, tmp_path / "store", **options)
    for i, (space, words) in enumerate([
        ({"type": "MultiDiscrete", "nvec": [100, 100]}, "10000 combinations"),
        ({"type": "Tuple", "subspaces": [box((2,)), {"type": "Discrete", "n": 2}]}, "Box, Discrete has no like here"),
    ]):  # fmt: skip
        with pytest.raises(ArmillaryError, match=words):
            import_minari(write("hdf5", tmp_path / str(i), action_space=json.dumps(space)), tmp_path / "store")
    (tmp_path / "folder").mkdir()
    for name in ("nowhere", "folder"):
        with pytest.raises(ArmillaryError, match=f"{name}: not a dataset of Minari"):
            import_minari(tmp_path / name, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    file = path / "data" / ("main_data.hdf5" if layout == "hdf5" else f"1/part-0.{layout}")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    if layout == "hdf5":
        with pytest.raises(CorruptFile, match="cannot be read"):
            import_minari(path, tmp_path / "store")
    else:
        assert list(load(path, tmp_path / "store")[0].skipped) == [1]
    (path / "data" / "metadata.json").write_text("{")
    with pytest.raises(CorruptFile):
        import_minari(path, tmp_path / "other")


@pytest.mark.parametrize("said", [[1, 2], {"seed": [7]}, {"seed": "x"}, {"seed": float("inf")}])
def test_an_episode_whose_metadata_say_nonsense_is_skipped(said, tmp_path):
    path = write("arrow", tmp_path / "in")
    (path / "data/1/metadata.json").write_text(json.dumps(said))
    summary, store, _ = load(path, tmp_path / "store")
    assert list(summary.skipped) == [1]
    assert len(store) == 1


def test_the_verb(tmp_path, capsys):
    main(["import", "minari", str(write("hdf5", tmp_path / "in")), "--out", str(tmp_path / "store"), "--image-size", "8"])
    assert "2 episodes, 10 rows at no clock, actions of 2" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "store").spec["camera"].shape == (8, 8, 3)
