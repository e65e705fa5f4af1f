"""Numbers that are likely not what they are taken for: they are imported as they are, and said."""

import numpy as np
import pytest

from armillary.episodes.formats.hdf5 import import_hdf5
from armillary.episodes.formats.npz import import_npz
from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes

pytest.importorskip("lance")
ROWS = np.arange(60)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(ROWS % 9 == 4, -9999, ROWS / 10), "-9999 comes 7 times, and all else is from 0 to 5.9"),
        (np.where(ROWS % 9 == 4, 999, 20 + ROWS / 10), "999 comes 7 times"),
        (np.where(ROWS % 9 == 4, 32767, ROWS), "32767 comes 7 times"),
        (np.where(ROWS % 9 == 4, 1e30, ROWS), "1e+30 comes 7 times"),
        (np.where(ROWS == 4, 9999, ROWS), None),  # once
        (9950 + ROWS, None),  # among the others
        (np.where(ROWS % 9 == 4, 9999, 100 * ROWS), None),  # not far from the others
        (np.where(ROWS % 9 == 4, 9999, 0), None),  # a switch
    ],
)
def test_placeholders_of_missing_numbers(tmp_path, values, said):
    (tmp_path / "a.csv").write_text("flow,level\n" + "".join(f"{i % 7},{value}\n" for i, value in enumerate(values)))
    np.savez(tmp_path / "a.npz", observations=np.stack([ROWS % 7, values], 1).astype(np.float32))
    for summary in (
        import_table(tmp_path / "a.csv", tmp_path / "table", progress=False),
        import_npz(tmp_path / "a.npz", tmp_path / "npz", progress=False),
    ):
        assert (said in str(summary)) if said else not summary.doubts
    np.testing.assert_array_equal(Episodes.open(tmp_path / "table").read(0)["sensors"][:, 1], values.astype(np.float32))


@pytest.mark.parametrize(("name", "shape"), [("depth", (8, 8)), ("lidar", (90,))])
def test_distances_that_look_like_millimetres(tmp_path, name, shape):
    metres = np.random.default_rng(0).uniform(0.5, 4, (5, *shape)).astype(np.float32)
    for scale, said in ((1, False), (1000, True)):
        np.savez(tmp_path / "a.npz", **{f"observations/{name}": scale * metres})
        summary = import_npz(tmp_path / "a.npz", tmp_path / f"{scale}", progress=False)
        assert ("looks like millimetres; divide by 1000 first" in str(summary)) == said


@pytest.mark.parametrize(("chunks", "written"), [(None, 0), ((1, 8, 8, 3), 0), ((2, 8, 8, 3), 4), ((2, 8, 8, 3), 6)])
def test_arrays_that_were_never_written(tmp_path, chunks, written):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        frames = file.create_dataset("obs/camera", (6, 8, 8, 3), "u1", chunks=chunks)
        if written:
            frames[:written] = 200
        file["actions"] = np.zeros((5, 1), np.float32)
    summary = import_hdf5(tmp_path / "a.hdf5", tmp_path / "out", progress=False)
    assert ("obs/camera was never written in 1 groups" in str(summary)) == (written < 6)
