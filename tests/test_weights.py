"""Tensor files appear whole or not at all, and a reader tells what is wrong with one."""

import stat
from pathlib import Path

import pytest
import torch

from armillary import weights
from armillary.errors import ArmillaryError, CorruptFile

TENSORS = {"a.b": torch.arange(6.0).reshape(2, 3), "c": torch.tensor(3), "d/e": torch.eye(2, dtype=torch.bool)}


def test_tensors_and_header_come_back(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "file"
    shared = torch.arange(12.0).reshape(3, 4)
    weights.write(path, {**TENSORS, "view": shared.T, "row": shared[1]}, {"text": "ü", "list": [1, None]})
    tensors, header = weights.read(path)
    assert header == {"text": "ü", "list": [1, None]}
    for name, tensor in {**TENSORS, "view": shared.T, "row": shared[1]}.items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    weights.write(path, {}, {})
    assert weights.read(path) == ({}, {})


def test_a_checkpoint_is_as_readable_as_any_file_of_its_owner(tmp_path: Path):
    (tmp_path / "plain").touch()
    weights.write(tmp_path / "file", TENSORS, {})
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "file")}
    assert len(modes) == 1


def test_a_full_disk_leaves_the_old_file(tmp_path: Path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here, the disk that is always full")
    path = tmp_path / "file"
    weights.write(path, TENSORS, {"version": 1})
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(ArmillaryError, match="the disk is full; nothing was written"):
        weights.write(path, {"a.b": torch.zeros(5000)}, {"version": 2})
    tensors, header = weights.read(path)
    assert header == {"version": 1}
    assert torch.equal(tensors["a.b"], TENSORS["a.b"])
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "below", tmp_path):
        with pytest.raises(ArmillaryError, match=f"{path}: .*nothing was written"):
            weights.write(path, TENSORS, {})


def test_truncation_at_any_byte_is_noticed(tmp_path: Path):
    path = tmp_path / "file"
    weights.write(path, TENSORS, {"x": 1})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptFile, match="truncated"):
            weights.read(path)
    with pytest.raises(ArmillaryError, match="no such file"):
        weights.read(tmp_path / "other")
