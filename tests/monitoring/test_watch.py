"""Watching a table: what comes out for each row, which channel is blamed, and what is wrong with a table or a calibration."""

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from plant_fakes import SENSORS, plant, write

from armillary.cli import main
from armillary.episodes.formats.table import import_table
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.monitoring.calibrate import FILE, calibrate, load_calibration
from armillary.monitoring.watch import watch
from armillary.training.rows import TRAINING_ROWS

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")


class Pipe(io.BytesIO):
    """Hands over a few bytes at a time, as a pipe does that somebody writes to."""

    def read1(self, size: int = -1) -> bytes:
        return super().read1(700)


def watched(run, table, **options):
    out = io.StringIO()
    summary = watch(run, table, out, **options)
    return list(csv.DictReader(io.StringIO(out.getvalue()))), summary


def numbers(rows, name):
    return np.array([float(row[name] or "nan") for row in rows])


def test_each_row_gets_its_line(run, tmp_path):
    rows, summary = watched(run, write(tmp_path / "new.csv", plant(600, 90)), false_alarms_per_hour=20)
    assert (len(rows), summary.rows, summary.episodes) == (600, 600, 1)
    assert [row["time"] for row in rows[:3]] == ["0.0", "0.5", "1.0"]
    assert [row["p"] for row in rows[:10]] == [""] * 10  # a context
    assert rows[10]["p"]
    assert numbers(rows, "alarm").mean() < 0.05
    assert 0.3 < np.median(numbers(rows, "surprise")[50:]) < 2
    assert (numbers(rows, "p")[50:] < 0.1).mean() < 0.3


@pytest.mark.parametrize("channel", SENSORS)
def test_a_fault_of_one_sensor_is_blamed_on_it(run, tmp_path, channel):
    columns = plant(600, 91)
    columns[channel][400:] += np.diff(columns[channel]).std() * np.arange(200)  # it wanders off
    rows, summary = watched(run, write(tmp_path / "fault.csv", columns), false_alarms_per_hour=10)
    assert summary.alarms
    assert numbers(rows, "alarm")[:400].mean() < 0.03
    assert numbers(rows, "alarm")[425]
    assert sum(row["because"].startswith(channel) for row in rows[405:416]) >= 6


def test_a_pipe_a_file_parquet_and_any_order_of_columns_are_the_same(run, tmp_path):
    columns = plant(300, 92)
    table = write(tmp_path / "a.csv", columns)
    rows, _ = watched(run, table)
    assert watched(run, Pipe(table.read_bytes()))[0] == rows
    mixed = {"note": np.array(["ok"] * 300), **dict(reversed(columns.items()))}
    assert watched(run, write(tmp_path / "b.csv", mixed))[0] == rows
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert watched(run, tmp_path / "c.parquet")[0] == rows
    out = io.StringIO()
    watch(run, table, out, form="json")
    *lines, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (last["summary"]["rows"], last["summary"]["not_judged"]) == (300, {"start": 10})
    assert lines[0]["p"] is None
    np.testing.assert_allclose([line["p"] for line in lines[10:]], numbers(rows, "p")[10:])
    assert rows[20]["because"].startswith(next(iter(lines[20]["because"])))


def test_where_episodes_end(run, tmp_path):
    columns = plant(300, 93)
    columns["t"][100:] += 60
    columns["flow [l/min]"] = columns["flow [l/min]"].astype(object)
    columns["flow [l/min]"][200] = ""
    table = write(tmp_path / "a.csv", columns)
    rows, summary = watched(run, table, missing="skip")
    assert (summary.episodes, summary.missing, len(rows)) == (2, {"flow [l/min]": 1}, 300)
    silent = np.flatnonzero(np.isnan(numbers(rows, "p")))
    np.testing.assert_array_equal(silent, [*range(10), *range(100, 110)])
    assert (summary.rows, summary.judged, summary.not_judged) == (300, 280, {"start": 20})
    assert watched(run, table, missing="skip", gap=100)[1].episodes == 1
    columns["valve"] = columns["valve"].astype(object)
    columns["valve"][250] = ""
    summary = watched(run, write(table, columns), missing="skip")[1]  # a model does not predict without its controls
    assert (summary.episodes, summary.not_judged) == (3, {"start": 30, "control": 1})
    (tmp_path / "in").mkdir()
    for name in ("x", "y"):
        write(tmp_path / "in" / f"{name}.csv", plant(30, 94))
    rows, summary = watched(run, tmp_path / "in")
    assert [row["file"] for row in rows] == ["x.csv"] * 30 + ["y.csv"] * 30
    assert summary.episodes == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("pressure [bar]"), r"no column 'pressure \[bar\]'; there are t, valve"),
        (lambda c: c.pop("valve"), "no column 'valve'"),
        (lambda c: c["valve"].__setitem__(7, "open"), "line 9: 'open' in column 'valve' is no number"),
        (lambda c: c["valve"].__setitem__(7, ""), "line 9: a number is missing"),
        (lambda c: c["t"].__setitem__(7, 1.0), "clock runs backwards in line 9"),
        (lambda c: c["t"].__setitem__(7, "soon"), "line 9: 'soon' in 't' is neither"),
        (lambda c: c["valve"].__setitem__(7, "1,1"), "line 9: it has 7 cells, and the header 6"),
        (lambda c: c.clear() or c.update({"t": [1]}), "no column 'flow"),
    ],
)
def test_what_is_wrong_with_a_table(run, tmp_path, change, message):
    columns = {name: values.astype(object) for name, values in plant(40, 95).items()}
    change(columns)
    with pytest.raises(CorruptFile, match=message):
        watched(run, write(tmp_path / "bad.csv", columns))


@pytest.mark.parametrize(("column", "row", "cell"), [(SENSORS[0], 40, ""), (SENSORS[0], 0, ""), ("t", 40, ""), ("t", 40, 3.0)])
def test_the_rows_before_a_bad_one_are_judged(run, tmp_path, column, row, cell):
    columns = {name: values.astype(object) for name, values in plant(60, 95).items()}
    good, bad = io.StringIO(), io.StringIO()
    watch(run, write(tmp_path / "good.csv", columns), good)
    columns[column][row] = cell
    with pytest.raises(CorruptFile, match=f"line {row + 2}"):
        watch(run, write(tmp_path / "bad.csv", columns), bad)
    assert bad.getvalue().splitlines() == good.getvalue().splitlines()[: row + 1]


def test_empty_and_absent_tables(run, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(CorruptFile, match="it is empty"):
        watched(run, tmp_path / "empty.csv")
    with pytest.raises(ArmillaryError, match="no table there"):
        watched(run, tmp_path / "nowhere.csv")
    write(tmp_path / "header.csv", plant(0, 0))
    assert watched(run, tmp_path / "header.csv")[1].rows == 0


def test_a_calibration_is_of_one_checkpoint_and_of_what_it_did_not_train_on(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    (other / "model.safetensors").write_bytes(b"another")
    with pytest.raises(ArmillaryError, match="of another checkpoint"):
        load_calibration(other)
    (other / FILE).unlink()
    with pytest.raises(ArmillaryError, match="not calibrated; do it once"):
        load_calibration(other)
    options = {"time": "t", "controls": ["valve"], "progress": False}
    import_table(run.parent / "tables", tmp_path / "again", longest=150, **options)  # the same rows, cut differently
    shutil.copytree(run, other, dirs_exist_ok=True)
    for normal in (run.parent / "recording", tmp_path / "again"):
        for folder in (run, other):
            with pytest.raises(ArmillaryError, match="rows that the model was trained on"):
                calibrate(folder, normal=normal)
        (other / TRAINING_ROWS).unlink(missing_ok=True)  # then the recording tells


def test_normal_running_of_its_own(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    write(tmp_path / "normal.csv", plant(500, 96))
    options = {"time": "t", "progress": False}
    import_table(tmp_path / "normal.csv", tmp_path / "normal", controls=["valve"], **options)
    found = calibrate(tmp_path / "run", normal=tmp_path / "normal", memory=10)
    assert (found.rows, found.seconds, found.time) == (490, 0.5, "t")
    again = load_calibration(tmp_path / "run")
    kept, made = (of.detector.charts["errors"].monitor.normal for of in (again, found))
    np.testing.assert_array_equal(kept, made)
    assert again.detector.charts["errors"].monitor.evidence.memory == 10
    import_table(tmp_path / "normal.csv", tmp_path / "without", ignore=["valve"], **options)
    with pytest.raises(SpecMismatch, match="action space"):
        calibrate(tmp_path / "run", normal=tmp_path / "without")


def test_the_command_says_by_its_status_whether_there_was_an_alarm(run, tmp_path, capsys, monkeypatch):
    columns = plant(300, 97)
    quiet = write(tmp_path / "quiet.csv", {name: values[:60] for name, values in columns.items()})
    columns[SENSORS[2]][150:] += 5
    fault = write(tmp_path / "fault.csv", columns)
    for arguments, status, said in [
        ([str(quiet), "--false-alarms-per-hour", "0.001"], 0, "no alarm"),
        ([str(fault)], 1, "alarms, the first at 7"),
        ([str(tmp_path / "nowhere.csv")], 2, "there is no table there"),
        ([], 2, "expected a table to watch"),
        ([str(quiet), "--missing", "interpolate"], 2, "watch cannot interpolate; use hold"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(["watch", str(run), *arguments])
        assert end.value.code == status
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["watch", str(run), str(quiet), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == lines[-1]["summary"]["rows"] + 1 == 61
    main(["watch", str(run), "--calibrate", "--memory", "20"])
    said = capsys.readouterr().err
    assert "calibrated on 1170 rows" in said
    assert "charts of errors" in said
    assert "no clock" not in said
    without = replace(calibrate(run), seconds=None)
    monkeypatch.setattr("armillary.monitoring.calibrate.calibrate", lambda *_, **__: without)
    main(["watch", str(run), "--calibrate"])
    assert "no clock: the recording has no column of time, and its rows are counted as steps" in capsys.readouterr().err
