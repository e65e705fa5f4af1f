"""What if: a plan's effect, intervals that hold, every way to name a moment, and what is wrong with a plan."""

import csv
import io

import numpy as np
import pytest
from plant_fakes import SENSORS, plant, write

from armillary.cli import main
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.monitoring.what_if import what_if

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")


def plan(path, valve):
    return write(path, {"note": np.zeros(len(valve)), "valve": np.asarray(valve)})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("what_if") / "now.csv", plant(200, 70))


def test_a_valve_that_is_opened_makes_it_flow(run, table, tmp_path):
    opened, closed = (what_if(run, f"{table}:-1", plan(tmp_path / "plan.csv", [valve] * 10)) for valve in (1.0, 0.0))
    assert opened.names == SENSORS
    flow, pressure, temperature = (opened.value - closed.value)[:, :3].T
    assert flow[-1] > 8  # 20, when it has settled
    assert pressure[-1] < -0.8
    assert abs(temperature[-1]) < 1
    assert (np.diff(flow) > -0.5).all()
    np.testing.assert_allclose(opened.seconds, 0.5 * np.arange(1, 11))
    out = io.StringIO()
    opened.write(out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert float(rows[-1]["flow [l/min] low"]) < opened.value[-1, 0] < float(rows[-1]["flow [l/min] high"])


def test_intervals_hold_on_what_happened_next(run, tmp_path):
    columns = plant(400, 71)
    table = write(tmp_path / "now.csv", columns)
    truth, held = np.stack([columns[name] for name in SENSORS], 1), []
    for row in range(10, 380, 37):
        found = what_if(run, f"{table}:{row}", plan(tmp_path / "plan.csv", columns["valve"][row : row + 6]))
        happened = truth[row + 1 : row + 7]
        held.append((found.low <= happened) & (happened <= found.high))
    assert 0.75 < np.mean(held) < 0.99
    assert (found.high - found.low)[0, 2] < (found.high - found.low)[5, 2]  # the slow one is the less known the later


def test_a_moment_of_a_store_is_that_of_its_table(run, tmp_path):
    of = [plan(tmp_path / "plan.csv", [0.5] * 4), 100]
    table = run.parent / "tables" / "0.csv"
    recording = run.parent / "recording"
    number = next(i for i, info in enumerate(Episodes.open(recording).infos) if info["source"] == "0.csv")
    values = [what_if(run, f"{where}:100", of[0]).value for where in (table, f"{recording}:{number}", number)]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5)
    np.testing.assert_array_equal(values[1], values[2])


@pytest.mark.parametrize(
    ("start", "valve", "error", "message"),
    [
        ("TABLE:3", [0.5], ArmillaryError, "rows 0 to 199, of which the first 9 are needed"),
        ("TABLE:200", [0.5], ArmillaryError, "rows 0 to 199"),
        ("TABLE", [0.5], ArmillaryError, "names no row"),
        ("nowhere.csv:10", [0.5], ArmillaryError, "no such table"),
        ("99:10", [0.5], ArmillaryError, "no episode 99"),
        ("TABLE:50", [], ArmillaryError, "no whole number of blocks"),
        ("TABLE:50", ["wide"], CorruptFile, "'wide' in column 'valve' is no number"),
        ("TABLE:50", [""], CorruptFile, "line 2: a number is missing in column 'valve'"),
    ],
)
def test_what_is_wrong_is_said(run, table, tmp_path, start, valve, error, message):
    with pytest.raises(error, match=message):
        what_if(run, start.replace("TABLE", str(table)), plan(tmp_path / "plan.csv", valve))


def test_a_plan_needs_its_controls(run, table, tmp_path):
    with pytest.raises(CorruptFile, match="no column 'valve'; there are pump"):
        what_if(run, f"{table}:50", write(tmp_path / "plan.csv", {"pump": np.ones(3)}))
    with pytest.raises(ArmillaryError, match="an interval is a share"):
        what_if(run, f"{table}:50", tmp_path / "plan.csv", interval=90)


def test_a_plan_outside_the_recording_is_named_and_its_bounds_are_wider(run, table, tmp_path, capsys):
    ordinary, beyond = (what_if(run, f"{table}:-1", plan(tmp_path / f"{v}.csv", [0.5, v, 0.5, 0.5])) for v in (0.9, 8.0))
    assert ordinary.outside == ()
    assert len(beyond.outside) == 1
    assert beyond.outside[0].startswith("valve is 8 in row 1 of the plan, recorded: 0.0")
    width, wider = ordinary.high - ordinary.low, beyond.high - beyond.low
    np.testing.assert_allclose(wider[0], width[0])  # before it leaves the range
    assert (wider[1:] > 5 * width[1:]).all()
    assert (beyond.low[1:, 0] < ordinary.high[1:, 0]).all()
    with pytest.raises(SystemExit) as end:
        main(["imagine", str(run), "--from", f"{table}:-1", "--actions", str(tmp_path / "8.0.csv")])
    said = capsys.readouterr()
    assert end.value.code == 5
    assert "outside the recording: valve is 8 in row 1" in said.err
    assert said.out.startswith("step,seconds,")
    main(["imagine", str(run), "--from", f"{table}:-1", "--actions", str(tmp_path / "0.9.csv")])


def test_a_start_outside_the_recording_is_named(run, tmp_path):
    columns = plant(40, 72)
    columns["temperature [C]"] += 500
    found = what_if(run, f"{write(tmp_path / 'hot.csv', columns)}:-1", plan(tmp_path / "plan.csv", [0.5] * 3))
    assert [what.split(" is ")[0] for what in found.outside] == ["temperature [C]"]
