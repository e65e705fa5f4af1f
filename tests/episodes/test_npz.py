"""NumPy archives: arrays that all episodes share, a file an episode, large and compressed ones; never a pickle."""

import io
import zipfile

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.formats import npz
from armillary.episodes.formats.npz import import_npz
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

pytest.importorskip("lance")

LENGTHS = (5, 3, 6)
NUMBERS = np.arange(sum(LENGTHS))


def shared() -> dict[str, np.ndarray]:
    """As OGBench keeps them: the flag is set in the last row of an episode."""
    flags = np.zeros(len(NUMBERS), np.float32)
    flags[np.cumsum(LENGTHS) - 1] = 1
    observations = np.stack([NUMBERS, -NUMBERS], 1).astype(np.float32)
    return {"observations": observations, "actions": observations / 2, "terminals": flags, "qpos": NUMBERS[:, None] * 1.0}


def load(path, out, **options):
    summary = import_npz(path, out, progress=False, **options)
    with Episodes.open(out) as store:
        return summary, store, [store.episode(number, truth=True) for number in range(len(store))]


def check(episodes) -> None:
    start = 0
    for episode, length in zip(episodes, LENGTHS, strict=True):
        np.testing.assert_array_equal(episode.observations["observations"][:, 0], NUMBERS[start : start + length])
        np.testing.assert_array_equal(episode.actions[:, 0], NUMBERS[start : start + length - 1] / 2)
        start += length


@pytest.mark.parametrize("whole", [64 << 20, 0])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_that_episodes_share(save, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "WHOLE", whole)
    save(tmp_path / "maze.npz", **shared(), words=np.array([{"a": 1}]), version=np.array(3))
    summary, store, episodes = load(tmp_path / "maze.npz", tmp_path / "store", truth=("qpos",))
    check(episodes)
    assert store.spec["qpos"].truth
    assert summary.ignored["words"] == "holds objects, which only unpickling would bring back"
    assert summary.ignored["version"] == "one value, not one a row"
    assert "of 3 episodes the last action is not stored" in str(summary)


def test_a_file_an_episode(tmp_path):
    arrays, start = shared(), 0
    for number, length in enumerate(LENGTHS):
        rows = slice(start, start + length)
        np.savez(tmp_path / f"episode_{2 * number}.npz", **{name: arrays[name][rows] for name in ("observations", "actions")})
        start += length
    summary, _, episodes = load(tmp_path, tmp_path / "store")
    check(episodes)
    assert summary.episodes == ("episode_0.npz", "episode_2.npz", "episode_4.npz")
    assert "the numbering of the source has gaps: 1, 3 are not in it" in str(summary)


def test_images_with_columns_first_in_memory(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (6, 3, 20, 24), np.uint8)
    np.savez(tmp_path / "a.npz", obs=np.asfortranarray(frames), action=np.zeros(6), mark=np.repeat([0, 1], 3))
    _, store, episodes = load(tmp_path / "a.npz", tmp_path / "store", episode="mark")
    assert store.spec["obs"].shape == (20, 24, 3)
    np.testing.assert_array_equal(np.concatenate([e.observations["obs"] for e in episodes]), frames.transpose(0, 2, 3, 1))


def test_what_cannot_be_imported(tmp_path):
    with pytest.raises(ArmillaryError, match=r"there is no \.npz file"):
        import_npz(tmp_path, tmp_path / "store")
    np.savez(tmp_path / "ep_len.npz", np.zeros(2))
    with pytest.raises(ArmillaryError, match="armillary import swm"):
        import_npz(tmp_path, tmp_path / "store")
    np.savez(tmp_path / "a.npz", image=np.zeros((3, 2)))
    with pytest.raises(ArmillaryError, match="nothing to see by default; name streams, of image float64"):
        import_npz(tmp_path / "a.npz", tmp_path / "store")


def test_damage(tmp_path):
    np.savez(tmp_path / "a.npz", **shared())
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:200])
    with pytest.raises(CorruptFile, match=r"a\.npz: cannot be read"):
        import_npz(tmp_path / "a.npz", tmp_path / "store")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("observations.npy", header.getvalue())
    with pytest.raises(ArmillaryError, match=r"observations.npy declares float32 \(1000000000000, 2\) and holds"):
        import_npz(tmp_path / "b.npz", tmp_path / "store")


def test_the_verb(tmp_path, capsys):
    np.savez(tmp_path / "maze.npz", **shared())
    main(["import", "npz", str(tmp_path / "maze.npz"), "--out", str(tmp_path / "store"), "--truth", "qpos", "--rate", "10"])
    assert "3 episodes, 14 rows at 10 Hz, actions of 2" in capsys.readouterr().out
