"""Bit rot: whichever bit of whichever file of a store flips, the doctor says so. ARMILLARY_FLIPS=250 flips so many a codec."""

import os
import random
import shutil

import numpy as np
import pytest
from episode_fakes import random_episode, small_spec

from armillary.episodes import store as store_module
from armillary.episodes.checksums import NAME
from armillary.episodes.doctor import damage, diagnose
from armillary.episodes.store import Episodes
from armillary.episodes.verify import verify
from armillary.errors import CorruptFile

FLIPS = int(os.environ.get("ARMILLARY_FLIPS", 15))
CHECK = "digests of what is stored"


def make(path, codec, groups=3):
    rng, spec = np.random.default_rng(0), small_spec(16)
    with Episodes.create(path, spec, images=codec, info={"source": "test"}) as store:
        for number in range(groups):
            store.append(*(random_episode(spec, 6, rng, number=number) for _ in range(2)))
    return Episodes.open(path)


def verdict(path):
    report = damage(path) or diagnose(Episodes.open(path))
    return next(row for row in report.rows if row.check == CHECK)


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_every_flipped_bit_is_noticed(tmp_path, codec):
    make(tmp_path / "s", codec)
    assert verdict(tmp_path / "s").verdict == "ok"
    files = sorted(path for path in (tmp_path / "s").rglob("*") if path.is_file())
    draw, missed = random.Random(0), []
    for number in range(FLIPS):
        sizes = [path.stat().st_size for path in files] if number % 2 else None
        file = draw.choices(files, sizes)[0]
        content = bytearray(file.read_bytes())
        whole, at, bit = bytes(content), draw.randrange(len(content)), draw.randrange(8)
        content[at] ^= 1 << bit
        file.write_bytes(content)
        try:
            if verdict(tmp_path / "s").verdict == "ok":
                missed.append((file.name, at, bit))
        except CorruptFile:
            pass
        file.write_bytes(whole)
    assert missed == []


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def test_damage_is_said_with_its_file_and_episodes(tmp_path):
    make(tmp_path / "s", "raw")
    Episodes.open(tmp_path / "s", verify=True).close()
    store = Episodes.open(tmp_path / "s")
    file = store.fragments()[1].files[0].path
    flip(tmp_path / "s" / "data" / file)
    assert f"data/{file} (episodes 2 to 3)" in verify(store).damaged[0]
    assert verdict(tmp_path / "s").verdict == "fail"
    with pytest.raises(CorruptFile, match=file):
        Episodes.open(tmp_path / "s", verify=True)


def test_a_store_of_an_earlier_version_is_verified_by_its_digests(tmp_path):
    """What is without checksums: the digests of observations and actions are computed anew."""
    for name in ("whole", "broken"):
        store = make(tmp_path / name, "raw")
        (tmp_path / name / NAME).unlink()
    assert verdict(tmp_path / "whole").verdict == "warn"
    assert "digests were verified" in verdict(tmp_path / "whole").value
    values = np.array(store._lance.to_table(columns=["observation/state"]).column(0).to_pylist(), np.float32)
    needle, missed = values[20].tobytes(), []
    for file in (tmp_path / "broken" / "data").iterdir():
        content = bytearray(file.read_bytes())
        if (at := content.find(needle[:4])) >= 0:
            content[at] ^= 1
            file.write_bytes(content)
            missed.append(at)
    assert len(missed) == 1
    assert verdict(tmp_path / "broken").verdict == "fail"
    assert "digest of (episode 3)" in verdict(tmp_path / "broken").value


def test_damaged_files_are_not_merged_into_sound_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_FRAGMENTS", 8)
    store = make(tmp_path / "s", "raw", groups=7)
    flip(tmp_path / "s" / "data" / store.fragments()[2].files[0].path)
    store.append(random_episode(store.spec, 6, np.random.default_rng(1)))
    assert len(store.fragments()) == 8
    assert verdict(tmp_path / "s").verdict == "fail"


def test_checksums_follow_when_files_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_FRAGMENTS", 8)
    store = make(tmp_path / "s", "raw", groups=9)
    assert len(store.fragments()) == 2
    assert verdict(tmp_path / "s").verdict == "ok"
    shutil.copytree(tmp_path / "s", tmp_path / "copy")
    assert verdict(tmp_path / "copy").verdict == "ok"
