"""Tables of sensors: what becomes of rows and columns, where episodes end, and what is wrong with a file."""

from pathlib import Path

import numpy as np
import pytest

from armillary.episodes.formats import table_text
from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION

pa = pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
SKAB = Path(__file__).parents[3] / "shared/data/skab/valve1"


def write(path: Path, columns: dict[str, list], separator: str = ",") -> Path:
    rows = [separator.join(columns), *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def plant(rows: int = 6, **changes) -> dict[str, list]:
    """A valve that is opened, and the pressure behind it."""
    columns = {"t": [0.5 * i for i in range(rows)], "valve": [i % 2 for i in range(rows)]}
    columns |= {"Pressure [bar]": [1 + i for i in range(rows)], "flow": [0.25 * i for i in range(rows)]}
    columns |= {"note": ["ok"] * rows, "fault": [0] * (rows - 1) + [1]}
    return columns | changes


def imported(path: Path, tmp_path: Path, **options):
    options = {"time": "t", "controls": ["valve"], "truth": ["fault"], "progress": False} | options
    summary = import_table(path, tmp_path / "store", **options)
    return summary, Episodes.open(tmp_path / "store")


def lengths(path: Path, tmp_path: Path, **options) -> list[int]:
    return imported(path, tmp_path, **options)[1].lengths.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_rows_are_steps_and_columns_go_where_they_are_named(tmp_path, suffix):
    path = tmp_path / f"plant{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(pa.table(plant()), path)
    else:
        write(path, plant(), "\t" if suffix == ".tsv" else ",")
    summary, store = imported(path, tmp_path)
    sensors = store.spec["sensors"]
    assert (sensors.channels, sensors.unit) == (("Pressure [bar]", "flow"), ("bar", ""))
    assert (store.spec.action.channels, store.spec.rate) == (("valve",), 2.0)
    episode = store.episode(0, truth=True)
    np.testing.assert_array_equal(episode.observations["sensors"], [[1 + i, 0.25 * i] for i in range(6)])
    np.testing.assert_array_equal(episode.actions[:, 0], [0, 1, 0, 1, 0])  # the last row's leads to nothing that is recorded
    np.testing.assert_array_equal(episode.truth["fault"][:, 0], [0, 0, 0, 0, 0, 1])
    assert (summary.episodes, summary.frames, summary.uneven) == (("plant" + suffix,), 6, 0)
    assert list(summary.ignored) == ["note"]
    assert "ignored (text in 6 of 6 cells, such as 'ok'): note" in str(summary)


def test_without_controls_there_are_no_actions(tmp_path):
    path = write(tmp_path / "plant.csv", plant())
    summary, store = imported(path, tmp_path, controls=[], truth=[], time=None)
    assert (store.spec.action, store.spec.rate) == (NO_ACTION, None)
    assert store.spec["sensors"].channels == ("valve", "Pressure [bar]", "flow", "fault")
    assert "ignored (it is a clock; name it in time): t" in str(summary)
    assert "no clock: each row is one step, and seconds are unknown; name the column of time (--time t)" in str(summary)
    del (columns := plant())["t"]
    assert "(--time COLUMN), or tell armillary watch how long a row is (--seconds-per-row)" in str(
        imported(write(tmp_path / "plant.csv", columns), tmp_path, time=None, overwrite=True)[0]
    )


def test_dates_semicolons_and_decimal_commas(tmp_path):
    dates = [f"2020-02-08 13:30:{second:02d}" for second in (47, 48, 49, 51)]
    rows = {"when": dates, "valve": ["0,5"] * 4, "level": ["-1,25", "2,5", "3,0", "4,75"], "fault": ["0,0"] * 4}
    summary, store = imported(write(tmp_path / "plant.csv", rows, ";"), tmp_path, time="when")
    np.testing.assert_array_equal(store.read(0)["sensors"][:, 0], [-1.25, 2.5, 3, 4.75])
    assert (store.spec.rate, summary.uneven) == (1.0, 1 / 3)
    assert "33.3% of steps are off the clock" in str(summary)


def test_rows_are_held_on_an_even_clock(tmp_path):
    path = write(tmp_path / "plant.csv", plant(t=[0, 1, 2, 2.4, 5, 6]))
    _, store = imported(path, tmp_path, clock="hold")
    np.testing.assert_array_equal(store.read(0)["sensors"][:, 0], [1, 2, 3, 4, 4, 5, 6])
    assert store.info["clock"] == "hold"


def test_where_episodes_end(tmp_path):
    for folder, columns, options, expected in [
        ("jump", plant(t=[0, 1, 2, 50, 51, 52]), {}, [3, 3]),
        ("within the gap", plant(t=[0, 1, 2, 50, 51, 52]), {"gap": 60}, [6]),
        ("column", plant(run=list("aabbbb")), {"episode": "run"}, [2, 4]),
        ("clock begins anew", plant(t=[0, 1, 0, 1, 2, 3], run=list("aabbbb")), {"episode": "run"}, [2, 4]),
        ("missing", plant(flow=[0, 1, "", 3, 4, 5]), {"missing": "skip"}, [2, 3]),
        ("too long", plant(), {"longest": 4}, [4, 2]),
        ("alone", plant(t=[0, 1, 2, 3, 4, 90]), {}, [5]),
        ("few", plant(run=list("aabbcc")), {"episode": "run", "max_episodes": 2}, [2, 2]),
    ]:
        (tmp_path / folder).mkdir()
        assert lengths(write(tmp_path / folder / "plant.csv", columns), tmp_path / folder, **options) == expected, folder


@pytest.mark.parametrize("portion", [30, 90, 200])
def test_a_file_that_is_read_in_parts_is_the_same(tmp_path, monkeypatch, portion):
    columns = plant(12, flow=[0, 1, 2, "", 4, 5, 6, 7, 8, 9, 10, 11], t=[*range(8), 60, 61, 62, 63])
    path = write(tmp_path / "plant.csv", columns)
    monkeypatch.setattr(table_text, "PORTION", portion)
    assert lengths(path, tmp_path, missing="skip", gap=5) == [3, 4, 4]


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "in").mkdir()
    for name, first in (("b", 10), ("a", 20)):
        write(tmp_path / "in" / f"{name}.csv", plant(flow=[first + i for i in range(6)]))
    summary, store = imported(tmp_path / "in", tmp_path)
    assert [store.read(i)["sensors"][0, 1] for i in range(2)] == [20, 10]
    assert [info["source"] for info in store.infos] == ["a.csv", "b.csv"]
    assert summary.files == 2


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        (plant(), {"controls": ["pump"]}, ArmillaryError, "no column 'pump'; there are t, valve"),
        (plant(), {"truth": ["valve"]}, ArmillaryError, "'valve' is named twice"),
        (plant(), {"truth": ["note"]}, ArmillaryError, "'note' is text in 6 of 6 cells"),
        (plant(), {"ignore": ["Pressure [bar]", "flow"]}, ArmillaryError, "no column of numbers is left"),
        (plant(), {"time": None, "clock": "hold"}, ArmillaryError, "name it in time"),
        (plant(), {"longest": 1}, ArmillaryError, "longest is 2 rows or more"),
        (
            plant(flow=[0, 1, 2, 3, "", 5]),
            {},
            CorruptFile,
            "plant.csv: line 6: a number is missing in column 'flow'",
        ),
        (plant(t=[0, 1, 2, 1, 2, 3]), {}, CorruptFile, "backwards in line 5"),
        (plant(t=[1] * 6), {}, CorruptFile, "never goes on"),
        (plant(t=list("abcdef")), {}, CorruptFile, "neither dates nor numbers of time"),
        (plant(1), {"time": None}, ArmillaryError, "no episode to import; 1 rows left out: alone"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(tmp_path, columns, options, error, message):
    path = write(tmp_path / "plant.csv", columns)
    with pytest.raises(error, match=message.replace("[", r"\[")):
        imported(path, tmp_path, **options)
    assert not (tmp_path / "store").exists()


def test_files_that_are_no_tables(tmp_path):
    write(tmp_path / "a.csv", plant())
    for name, content, message in [
        ("b.csv", "t,valve\n0,1\n1,1\n", "no column 'Pressure \\[bar\\]', 'flow', 'fault'; there are t, valve"),
        ("b.csv", "t,valve\n0\n1,2,3\n", "b.csv: "),
        ("b.parquet", "text", "b.parquet: this is no table that can be read"),
    ]:
        (tmp_path / name).write_text(content)
        with pytest.raises(CorruptFile, match=message):
            imported(tmp_path, tmp_path)
        (tmp_path / name).unlink()
    with pytest.raises(ArmillaryError, match="no table there"):
        imported(tmp_path / "nowhere.csv", tmp_path)


@pytest.mark.skipif(not SKAB.is_dir(), reason="the recordings of SKAB are not there")
def test_a_real_test_bench(tmp_path):
    summary, store = imported(SKAB, tmp_path, time="datetime", controls=[], truth=["anomaly", "changepoint"])
    assert (summary.files, summary.frames, store.spec.rate) == (16, 18160, 1.0)
    faults = [store.read(i, truth=["anomaly"])["anomaly"].mean() for i in range(len(store))]
    assert 0.3 < np.average(faults, weights=store.lengths) < 0.4
