"""Gaps of a cell that are masked: rows stay, without the sensor that is missing, and nothing is invented for it."""

import numpy as np
import pytest

from armillary.episodes.clips import Clips
from armillary.episodes.doctor import diagnose
from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
ROWS = 60


def table(path, **gaps):
    """Three sensors and a valve; of each named column, the rows without a number."""
    rng = np.random.default_rng(0)
    columns = {name: [f"{x:.3f}" for x in rng.normal(size=ROWS).cumsum()] for name in ("flow", "temp", "level")}
    columns = {"t": list(map(str, range(ROWS))), "valve": [str(i % 3) for i in range(ROWS)], **columns}
    for name, rows in gaps.items():
        for row in rows:
            columns[name][row] = "NA"
    path.write_text("\n".join([",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]) + "\n")
    return path


def masked(path, out, **options):
    summary = import_table(path, out, time="t", controls=["valve"], missing="mask", progress=False, **options)
    return summary, Episodes.open(out)


def test_rows_stay_without_the_sensor_that_is_missing(tmp_path):
    path = table(tmp_path / "a.csv", flow=range(20, 40), level=[3, 50])
    summary, store = masked(path, tmp_path / "store", longest_gap=2)
    assert [(s.name, s.channels, s.optional) for s in store.spec.observed] == [
        ("sensors", ("temp",), False),
        ("flow", ("flow",), True),
        ("level", ("level",), True),
    ]
    assert store.lengths.tolist() == [22, 18, 20]  # two rows are held
    assert store.present["flow"].tolist() == [True, False, True]
    assert store.present["level"].all()
    _, whole = masked(table(tmp_path / "b.csv"), tmp_path / "whole")
    assert [s.name for s in whole.spec.observed] == ["sensors"]
    known = whole.read(0)["sensors"]
    kept = np.concatenate([store.read(number)["sensors"] for number in range(3)])
    np.testing.assert_array_equal(kept[:, 0], known[:, 1])
    np.testing.assert_array_equal(store.read(2)["flow"][:, 0], known[40:, 0])
    np.testing.assert_array_equal(store.read(0)["flow"][:, 0], [*known[:20, 0], known[19, 0], known[19, 0]])
    assert "flow is absent from 18 rows, which are kept" in str(summary)
    assert "4 missing numbers filled: hold, over at most 2 rows" in str(summary)
    assert diagnose(store).verdict != "fail"
    present = Clips(store, 5)[:].present["flow"]
    assert present[0].all()
    assert not present[20].any()


def test_with_no_gap_to_fill_nothing_is_invented(tmp_path):
    _, store = masked(table(tmp_path / "a.csv", flow=[20, 21, 40]), tmp_path / "store", longest_gap=0)
    assert store.lengths.tolist() == [20, 2, 18, 19]  # a row alone is no episode
    assert store.present["flow"].tolist() == [True, False, True, True]


def test_a_gap_goes_on_from_part_to_part(tmp_path, monkeypatch):
    from armillary.episodes.formats import table_text

    path = table(tmp_path / "a.csv", flow=range(20, 40))
    whole = masked(path, tmp_path / "whole", longest_gap=3)[1]
    monkeypatch.setattr(table_text, "PORTION", 100)
    parts = masked(path, tmp_path / "parts", longest_gap=3)[1]
    assert parts.digests == whole.digests


def test_rows_without_any_sensor_a_control_or_a_time_are_left_out(tmp_path):
    gone = [30, 31]
    path = table(tmp_path / "a.csv", flow=gone, temp=gone, level=gone, valve=[10])
    summary, store = masked(path, tmp_path / "store", longest_gap=0)
    assert summary.left_out["a number is missing"] == 3
    assert store.lengths.tolist() == [10, 19, 28]
    assert all(s.optional for s in store.spec.observed)


def test_other_ways_are_as_they_were(tmp_path):
    path = table(tmp_path / "a.csv", flow=range(20, 40))
    with pytest.raises(CorruptFile, match="a number is missing in column 'flow'"):
        import_table(path, tmp_path / "store", time="t", progress=False)
    with pytest.raises(ArmillaryError, match="longest_gap is a positive number or None, not 0"):
        import_table(path, tmp_path / "store", time="t", missing="hold", longest_gap=0, progress=False)
    with pytest.raises(ArmillaryError, match="missing is one of refuse, skip, hold, interpolate, mask, not 'drop'"):
        import_table(path, tmp_path / "store", time="t", missing="drop", progress=False)
    summary = import_table(path, tmp_path / "store", time="t", missing="skip", progress=False)
    assert [s.name for s in summary.spec.observed] == ["sensors"]
