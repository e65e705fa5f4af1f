"""Files of a folder: hidden ones are never read, numbers count, and Git LFS pointers are named with the remedy."""

from pathlib import Path

import numpy as np
import pytest

from armillary.episodes.formats.folders import files_in
from armillary.errors import ArmillaryError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * b"0" + b"\nsize 9000\n"


def test_hidden_files_are_left_out_and_numbers_count(tmp_path: Path) -> None:
    for name in ("a10.csv", "a9.CSV", "._a9.csv", ".trash/a1.csv", "b/a1.csv", "b/._a1.csv", "a.txt"):
        (tmp_path / ".data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".data" / name).write_text("x")
    root = tmp_path / ".data"  # a hidden folder that is asked for is read
    assert [str(file.relative_to(root)) for file in files_in(root, [".csv"])] == ["a9.CSV", "a10.csv", "b/a1.csv"]
    assert [file.name for file in files_in(root, [".csv"], deep=False)] == ["a9.CSV", "a10.csv"]
    assert files_in(root / "a10.csv", [".h5"]) == [root / "a10.csv"]
    assert files_in(root / "none", [".csv"]) == []


def test_pointers_of_git_lfs(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(POINTER)
    (tmp_path / "b.h5").write_bytes(b"data")
    with pytest.raises(ArmillaryError, match=r"1 of 2 files: a Git LFS pointer .* run `git lfs pull`"):
        files_in(tmp_path, [".h5"])


def test_every_importer_names_pointers(tmp_path: Path) -> None:
    from armillary.episodes.formats.hdf5 import import_hdf5
    from armillary.episodes.formats.minari import import_minari
    from armillary.episodes.formats.npz import import_npz
    from armillary.episodes.formats.swm import import_swm
    from armillary.episodes.formats.table import import_table
    from armillary.episodes.formats.video import import_video

    (tmp_path / "data").mkdir()
    importers = {"a.h5": import_hdf5, "b.h5": import_swm, "a.npz": import_npz, "a.csv": import_table, "a.mp4": import_video}
    for name, read in (importers | {"data/main_data.hdf5": import_minari}).items():
        (tmp_path / name).write_bytes(POINTER)
        with pytest.raises(ArmillaryError, match="run `git lfs pull`"):
            read(tmp_path / name, tmp_path / "out")


def write_tables(root: Path) -> None:
    root.mkdir()
    (root / "a.csv").write_text("x,y\n" + "1.5,2.5\n" * 5)
    (root / "._a.csv").write_bytes(b"\0\5\26\7\0")


def test_importers_skip_hidden_files(tmp_path: Path) -> None:
    from armillary.episodes.formats.table import import_table
    from armillary.monitoring.rows import tables

    write_tables(tmp_path / "tables")
    assert import_table(tmp_path / "tables", tmp_path / "out", progress=False).files == 1
    assert [file.name for file in tables(tmp_path / "tables")] == ["a.csv"]


def test_videos_and_folders_of_arrays_skip_hidden_files(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    h5py = pytest.importorskip("h5py")
    from armillary.episodes.formats.hdf5 import import_hdf5
    from armillary.episodes.formats.video import import_video

    (tmp_path / "frames").mkdir()
    for number in range(3):
        image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"frames/f{number}.png")
        (tmp_path / f"frames/._f{number}.png").write_bytes(b"\0\5\26\7\0")
    assert import_video(tmp_path / "frames", tmp_path / "film", progress=False).frames == 3
    (tmp_path / "arrays").mkdir()
    with h5py.File(tmp_path / "arrays/a.h5", "w") as file:
        file["obs/q"], file["action"] = np.zeros((4, 2), "f4"), np.zeros((4, 1), "f4")
    (tmp_path / "arrays/._a.h5").write_bytes(b"\0\5\26\7\0")
    assert not import_hdf5(tmp_path / "arrays", tmp_path / "rows", progress=False).skipped


def test_links_are_followed_to_each_file_once(tmp_path: Path) -> None:
    from armillary.episodes.formats.video import _find

    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/b.csv").write_text("x")
    (tmp_path / "data/run").mkdir(parents=True)
    for name in ("a.csv", "f_0.png", "f_1.png"):
        (tmp_path / "data/run" / name).write_text(name)
    (tmp_path / "data/other").symlink_to(tmp_path / "elsewhere")
    assert [file.name for file in files_in(tmp_path / "data", [".csv"])] == ["b.csv", "a.csv"]
    (tmp_path / "data/latest.csv").symlink_to(tmp_path / "data/run/a.csv")
    (tmp_path / "data/run/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/up").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r"links to what is read already are passed over .*(loop|latest\.csv)"):
        assert [file.name for file in files_in(tmp_path / "data", [".csv"])] == ["b.csv", "a.csv"]
    with pytest.warns(UserWarning, match="2 links to what is read already"):
        assert [video.path.name for video in _find(tmp_path / "data")] == ["run"]
