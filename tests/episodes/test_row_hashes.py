"""Stretches of rows are known again however they are cut, and what a standing machine shows is no evidence."""

import numpy as np
import pytest

from armillary.episodes.row_hashes import row_hashes, share_known
from armillary.episodes.store import Episode, Episodes
from armillary.spec import NO_ACTION, Spec, Stream

pytest.importorskip("lance", reason="stores are kept by Lance: pip install 'armillary[data]'")


def hashes(path, *parts):
    store = Episodes.create(path, Spec((Stream("sensors", "vector", (2,)),), NO_ACTION))
    store.append(*(Episode({"sensors": part.astype(np.float32)}, np.empty((len(part) - 1, 0), np.float32)) for part in parts))
    return row_hashes(store, range(len(parts)), ["sensors"])


def test_rows_are_known_again_in_other_episodes(tmp_path):
    rng = np.random.default_rng(0)
    rows, other = rng.normal(size=(300, 2)).round(1), rng.normal(size=(300, 2)).round(1)
    known = hashes(tmp_path / "a", rows[:150], rows[150:])
    assert share_known(known, hashes(tmp_path / "b", *np.split(rows, [70, 131, 260]))) > 0.9
    assert share_known(known, hashes(tmp_path / "c", other)) == 0
    half = share_known(known, hashes(tmp_path / "d", np.concatenate([rows[40:140], other[:100]])))
    assert 0.35 < half < 0.6


def test_a_standing_machine_is_not_known_again(tmp_path):
    still = np.zeros((100, 2))
    still[::20] = 1
    assert len(hashes(tmp_path / "a", still)) == 0
    assert share_known(hashes(tmp_path / "b", still), hashes(tmp_path / "c", still)) == 0


def test_a_sample_of_the_hashes_tells_the_same_share(tmp_path, monkeypatch):
    monkeypatch.setattr("armillary.episodes.row_hashes.MOST", 50)
    rows = np.random.default_rng(1).normal(size=(400, 2))
    known = hashes(tmp_path / "a", rows)
    assert len(known) == 50
    assert share_known(known, hashes(tmp_path / "b", rows[3:])) > 0.9
