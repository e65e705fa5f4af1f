"""The store: what goes in comes out, commits are atomic, and what is damaged or wrong is said."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from episode_fakes import assert_equal, random_episode, small_spec

from armillary.episodes import store as store_module
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import ActionSpace, Spec, Stream

HERE = Path(__file__).parent


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("action", [ActionSpace("box", 2), ActionSpace("discrete", 4)])
def test_what_goes_in_comes_out(tmp_path, rng, action):
    spec = small_spec(action=action)
    episodes = [random_episode(spec, rows, rng, seed=rows, note="é") for rows in (5, 1, 9)]
    with Episodes.create(tmp_path / "s", spec, info={"source": "test"}) as store:
        store.append(*episodes[:2])
        store.append(episodes[2])
        lengths = store.lengths.tolist()
    opened = Episodes.open(tmp_path / "s")
    assert lengths == opened.lengths.tolist() == [5, 1, 9]
    assert opened.spec == spec
    assert opened.info["source"] == "test"
    for number, episode in enumerate(episodes):
        assert_equal(episode, opened.episode(number, truth=True))


def test_every_kind_of_stream(tmp_path, rng):
    spec = Spec(
        (
            Stream("depth", "depth", (4, 5)),
            Stream("scan", "scan", (7,)),
            Stream("points", "points", (6, 4)),
            Stream("audio", "signal", (16, 2), rate=100.0),
            Stream("gray", "image", (6, 4, 1)),
            Stream("stack", "image", (4, 4, 9)),
        ),
        ActionSpace("box", 1),
    )
    episode = random_episode(spec, 4, rng)
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(episode)
        assert_equal(episode, store.episode(0))


@pytest.mark.parametrize("codec", ["raw", "plain", "png"])
def test_lossless_codecs(tmp_path, rng, codec):
    spec = small_spec()
    episode = random_episode(spec, 6, rng)
    with Episodes.create(tmp_path / "s", spec, images=codec) as store:
        store.append(episode)
        assert_equal(episode, store.episode(0, truth=True))
        assert "lossless" in store.info["images"]["camera.image"]


def smooth(rows: int, size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size
    image = np.stack([200 * y, 200 * x, 100 + 50 * np.sin(6 * x)], -1)
    return np.repeat(image[None], rows, 0).astype(np.uint8)


def test_jpeg_is_close_and_says_that_it_is_lossy(tmp_path, rng):
    spec = small_spec(64)
    episode = random_episode(spec, 3, rng)
    episode.observations["camera.image"] = smooth(3, 64)
    with Episodes.create(tmp_path / "s", spec, images="jpeg") as store:
        store.append(episode)
        error = store.read(0)["camera.image"].astype(int) - episode.observations["camera.image"]
        assert 0 < np.abs(error).max() < 20
        assert "lossy" in store.info["images"]["camera.image"]


@pytest.mark.parametrize(("scene", "codec"), [("small", "raw"), ("flat", "raw"), ("shaded", "png"), ("camera", "jpeg")])
def test_auto_chooses_by_size_and_content(tmp_path, rng, scene, codec):
    size = 32 if scene == "small" else 160
    noise = rng.integers(-20, 20, (2, size, size, 3))
    shaded = smooth(2, size)
    shaded[:, :, :, 0] += (np.arange(size) % 7).astype(np.uint8) * np.arange(size, dtype=np.uint8)[:, None] % 5
    image = {
        "small": rng.integers(0, 256, (2, size, size, 3)),
        "flat": np.full((2, size, size, 3), 9),
        "shaded": smooth(2, size),
        "camera": (smooth(2, size) + noise).clip(0, 255),
    }
    spec = small_spec(size)
    episode = random_episode(spec, 2, rng)
    episode.observations["camera.image"] = image[scene].astype(np.uint8)
    with Episodes.create(tmp_path / "s", spec) as store:
        assert store.info["images"] == {"camera.image": "not chosen yet"}
        store.append(episode)
    assert Episodes.open(tmp_path / "s").info["images"]["camera.image"].startswith(codec)


def test_read_takes_rows_and_streams(tmp_path, rng):
    spec = small_spec()
    episodes = [random_episode(spec, rows, rng) for rows in (6, 7)]
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(*episodes)
        state = episodes[1].observations["state"]
        np.testing.assert_array_equal(store.read(1, slice(2, 5), ["state"])["state"], state[2:5])
        np.testing.assert_array_equal(store.read(1, [4, 0, 4], ["state"])["state"], state[[4, 0, 4]])
        np.testing.assert_array_equal(store.read(1, -1, ["state"])["state"], state[[-1]])
        with pytest.raises(ArmillaryError, match="no episode 2"):
            store.read(2)


def test_truth_is_read_only_when_asked_for(tmp_path, rng):
    spec = small_spec()
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(random_episode(spec, 4, rng))
        assert store.episode(0).truth == {}
        assert "position" not in store.read(0)
        with pytest.raises(ArmillaryError, match=r"'position' is ground truth"):
            store.read(0, streams=["position"])
        with pytest.raises(ArmillaryError, match=r"'state' is no truth"):
            store.read(0, truth=["state"])
        assert store.read(0, truth=["position"])["position"].shape == (4, 2)


def test_resized_images_are_area_averages(tmp_path, rng):
    spec = small_spec()
    for codec in ("raw", "plain", "png"):
        with Episodes.create(tmp_path / codec, spec, images=codec) as store:
            episode = random_episode(spec, 3, rng)
            store.append(episode)
            image = episode.observations["camera.image"]
            half = image.reshape(3, 4, 2, 4, 2, 3).mean((2, 4))
            got = store.read_rows(np.arange(3), ["camera.image"], image_size=4)["camera.image"]
            assert np.abs(got - half).max() <= 1
            same = store.read_rows(np.arange(3), ["camera.image"], image_size=8)["camera.image"]
            np.testing.assert_array_equal(same, image)
            same[0] = 0  # a copy, which may be written to


def test_many_commits_are_merged_and_stay_in_order(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(store_module, "_FRAGMENTS", 64)
    spec = small_spec(image=False)
    episodes = [random_episode(spec, 1 + number % 5, rng, number=number) for number in range(200)]
    with Episodes.create(tmp_path / "s", spec) as store:
        for episode in episodes:
            store.append(episode)
        assert len(store._dataset.get_fragments()) < 100
        before = store.content_hash()
    opened = Episodes.open(tmp_path / "s")
    assert [info["number"] for info in opened.infos] == list(range(200))
    assert opened.content_hash() == before
    for number in (0, 63, 64, 199):
        assert_equal(episodes[number], opened.episode(number, truth=True))


def test_content_hash_is_of_the_content(tmp_path, rng):
    spec = small_spec()
    one, two = (random_episode(spec, 4, rng) for _ in range(2))

    def make(name, *groups):
        with Episodes.create(tmp_path / name, spec, images="raw") as store:
            for group in groups:
                store.append(*group)
            return store.content_hash()

    hashed = make("a", [one, two])
    assert make("b", [one], [two]) == hashed
    assert make("c", [two, one]) != hashed
    one.actions[0, 0] += 1e-6
    assert make("d", [one, two]) != hashed


def broken(spec, rng, change):
    episode = random_episode(spec, 4, rng)
    change(episode)
    return episode


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.observations.pop("state"), "streams"),
        (lambda e: e.observations.update(extra=np.zeros((4, 1))), "extra"),
        (lambda e: e.observations.update(state=e.observations["state"][:3]), "stream 'state': shape (3, 3)"),
        (lambda e: e.observations.update(state=e.observations["state"].astype(float)), "stream 'state': dtype float64"),
        (lambda e: e.observations["state"].__setitem__((2, 1), np.nan), "stream 'state': not a finite number in row 2"),
        (lambda e: e.truth["position"].__setitem__((3, 0), np.inf), "truth 'position': not a finite number in row 3"),
        (lambda e: e.truth.clear(), "truths []"),
        (lambda e: e.actions.__setitem__((1, 0), np.nan), "actions: not a finite number at (1, 0)"),
        (lambda e: setattr(e, "actions", e.actions[:, :1]), "actions have shape (3, 1), expected (3, 2)"),
        (lambda e: e.info.update(when=object()), "JSON"),
    ],
)
def test_a_bad_episode_is_refused_whole(tmp_path, rng, change, message):
    spec = small_spec()
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(random_episode(spec, 3, rng))
        with pytest.raises(ArmillaryError) as error:
            store.append(random_episode(spec, 3, rng), broken(spec, rng, change))
        assert message in str(error.value)
        assert "episode 2" in str(error.value)
        assert len(store) == len(Episodes.open(store.path)) == 1


def test_what_is_no_store(tmp_path, rng):
    with pytest.raises(ArmillaryError, match="there is no store"):
        Episodes.open(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("not a store")
    for name in ("folder", "file"):
        with pytest.raises(CorruptFile, match=name):
            Episodes.open(tmp_path / name)
        with pytest.raises(ArmillaryError, match="exists"):
            Episodes.create(tmp_path / name, small_spec())
    lance, pyarrow = pytest.importorskip("lance"), pytest.importorskip("pyarrow")
    lance.write_dataset(pyarrow.table({"x": [1, 2]}), str(tmp_path / "other"))
    with pytest.raises(CorruptFile, match="not a store of episodes"):
        Episodes.open(tmp_path / "other")
    with pytest.raises(ArmillaryError, match="png"):
        Episodes.create(tmp_path / "s", small_spec(), images="gif")


def test_an_empty_store_opens_and_says_so(tmp_path):
    Episodes.create(tmp_path / "s", small_spec()).close()
    store = Episodes.open(tmp_path / "s")
    assert len(store) == 0
    assert store.actions().shape == (0, 2)
    with pytest.raises(ArmillaryError, match="empty store"):
        store.require_some()


@pytest.mark.parametrize("part", ["data", "_versions"])
@pytest.mark.parametrize("damage", ["truncate", "zero", "remove"])
def test_damage_is_told_not_survived(tmp_path, rng, part, damage):
    spec = small_spec()
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(random_episode(spec, 50, rng))
    files = (tmp_path / "s" / part).glob("*.manifest" if part == "_versions" else "*")
    path = max(files, key=lambda path: path.stat().st_mtime_ns)
    size = path.stat().st_size
    if damage == "truncate":
        os.truncate(path, size // 2)
    elif damage == "zero":
        path.write_bytes(bytes(size))
    else:
        path.unlink()
    try:
        store = Episodes.open(tmp_path / "s")
    except CorruptFile:
        return
    # The latest version is gone as a whole: an older one is there, which nobody can tell from never having appended.
    assert (part, damage) == ("_versions", "remove")
    assert len(store) == 0


def test_a_failed_write_leaves_the_store_as_it_was(tmp_path, rng):
    """A limit on the size of files stands in for a full disk."""
    spec = small_spec(64)
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(random_episode(spec, 3, rng))
        limit, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
        try:
            with pytest.raises(ArmillaryError, match="cannot write"):
                store.append(random_episode(spec, 50, rng))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, ignored)
        assert len(store) == len(Episodes.open(store.path)) == 1
        store.append(random_episode(spec, 4, rng))
    assert Episodes.open(tmp_path / "s").lengths.tolist() == [3, 4]


WRITER = """
import sys
import numpy as np
from episode_fakes import random_episode, small_spec
from armillary.episodes import store as store_module
from armillary.episodes.store import Episodes

spec, rng = small_spec(32), np.random.default_rng(0)
store = Episodes.create(sys.argv[1], spec)
for group in range(1000):
    store.append(*(random_episode(spec, 20, rng, group=group) for _ in range(3)))
    print(len(store), flush=True)
"""


def test_sigkill_loses_no_committed_episode(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    for number, delay in enumerate(random.Random(0).uniform(0, 0.4) for _ in range(4)):
        path = tmp_path / str(number)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, env=environment, text=True)
        try:
            committed = int(writer.stdout.readline())
            time.sleep(delay)
        finally:
            writer.kill()
        committed = max([committed, *map(int, writer.stdout.read().split())])
        writer.wait()
        store = Episodes.open(path)
        assert len(store) >= committed
        assert len(store) % 3 == 0  # a group is there as a whole
        assert [info["group"] for info in store.infos] == [i // 3 for i in range(len(store))]
        rng = np.random.default_rng(0)
        for episode in range(min(6, len(store))):
            assert_equal(random_episode(store.spec, 20, rng, group=episode // 3), store.episode(episode, truth=True))
        store.append(random_episode(store.spec, 2, rng))
        assert len(Episodes.open(path)) == len(store)


def test_opening_reads_little(tmp_path, rng):
    """A store of 100,000 rows opens without reading its streams."""
    spec = small_spec(image=False)
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(*(random_episode(spec, 1000, rng) for _ in range(100)))
    opened = Episodes.open(tmp_path / "s")
    assert opened.lengths.sum() == 100_000
    assert opened._dataset.io_stats_snapshot().read_bytes < 0.2 * 100_000 * 4 * (3 + 2 + 2)


def test_a_closed_store_says_so(tmp_path, rng):
    store = Episodes.create(tmp_path / "s", small_spec())
    store.append(random_episode(store.spec, 3, rng))
    store.close()
    with pytest.raises(ArmillaryError, match="closed"):
        store.read(0)
    with pytest.raises(ArmillaryError, match="closed"):
        store.append(random_episode(store.spec, 3, rng))


def test_two_that_append_at_once_lose_nothing(tmp_path, rng):
    spec = small_spec(image=False)
    one = Episodes.create(tmp_path / "s", spec)
    two = Episodes.open(tmp_path / "s")
    for number in range(3):
        for name, store in (("one", one), ("two", two)):
            store.append(random_episode(spec, 3 + number, rng, by=name))
    assert [info["by"] for info in Episodes.open(tmp_path / "s").infos] == ["one", "two"] * 3
    assert two.lengths.tolist() == [3, 3, 4, 4, 5, 5]
    assert two.infos[-1] == {"by": "two"}


def test_a_uri_is_passed_on(tmp_path, rng):
    spec, uri = small_spec(), (tmp_path / "s").as_uri()
    with Episodes.create(uri, spec) as store:
        store.append(random_episode(spec, 3, rng))
    assert Episodes.open(uri).lengths.tolist() == [3]
    with pytest.raises(ArmillaryError, match="exists"):
        Episodes.create(uri, spec)
    assert Episodes.open(uri).lengths.tolist() == [3]
