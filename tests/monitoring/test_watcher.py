"""Sensors that die, stick, jump or are muted; clocks that are off: what is judged, what is named, and what is only counted."""

import io
import json
from itertools import pairwise

import numpy as np
import pytest
from plant_fakes import SENSORS, plant, write

from armillary.cli import main
from armillary.errors import ArmillaryError, CorruptFile
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import load_calibration
from armillary.monitoring.watch import watch
from armillary.monitoring.watcher import Watcher

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
FLOW, PRESSURE, TEMPERATURE, CURRENT = SENSORS
LEVEL = 1e-6  # rows of a plant without a fault stay far from it


@pytest.fixture(scope="module")
def judge(run):
    model, calibration = WorldModel.load(run, "cpu"), load_calibration(run)

    def judged(columns, mute=(), parts=()):
        watcher = Watcher(model, calibration, LEVEL, mute)
        sensed, valve = np.stack([columns[name] for name in SENSORS], 1), columns["valve"][:, None]
        cuts = [0, *parts, len(sensed)]
        found = [watcher(sensed[a:b], valve[a:b]) for a, b in pairwise(cuts)]
        return type(found[0]).together(found)

    return judged


def watched(run, path, columns, **options):
    out = io.StringIO()
    summary = watch(run, write(path, columns), out, form="json", false_alarms_per_hour=0.05, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()][:-1], summary


def test_a_dead_sensor_does_not_hide_the_fault_of_another(run, tmp_path):
    columns = {name: values.astype(object) for name, values in plant(400, 200).items()}
    columns[TEMPERATURE][150:] = ""
    columns[CURRENT][220:] += 6.0
    with pytest.raises(CorruptFile, match=r"line 152: a number is missing in column 'temperature \[C\]'"):
        watched(run, tmp_path / "a.csv", columns)
    lines, summary = watched(run, tmp_path / "a.csv", columns, missing="skip")
    assert (summary.judged, summary.missing, summary.status) == (390, {TEMPERATURE: 250}, 1)
    assert not any(line["alarm"] for line in lines[:220])
    assert lines[220]["began"]
    assert list(lines[220]["sensors"]) == [CURRENT]
    assert all(TEMPERATURE not in line["sensors"] for line in lines)


def test_a_sensor_that_comes_back_is_judged_again_once_it_has_a_context(judge):
    columns = plant(400, 201)
    columns[FLOW][100:200] = np.nan  # by which the pressure is predicted, too
    columns[CURRENT][300:303] = np.nan
    verdict = judge(columns)
    assert not verdict.alarm.any()
    columns[FLOW][212:] += 40
    assert judge(columns).on[212, 0]


def test_nothing_to_judge_has_a_status_of_its_own(run, tmp_path, capsys):
    columns = {name: values.astype(object) for name, values in plant(60, 202).items()}
    for name in SENSORS:
        columns[name][:] = ""
    with pytest.raises(SystemExit) as end:
        main(["watch", str(run), str(write(tmp_path / "a.csv", columns)), "--missing", "skip"])
    assert end.value.code == 4
    assert "nothing could be judged; 60 rows not judged" in capsys.readouterr().err


def test_a_sensor_that_sticks_is_named_and_one_that_never_varied_is_not(judge):
    columns = plant(300, 203)
    columns[TEMPERATURE][150:] = columns[TEMPERATURE][150]
    verdict = judge(columns)
    assert not verdict.alarm[:155].any()
    assert verdict.began[160]
    assert (verdict.on[160:, 2] == 3).all()
    assert verdict.shares[160:, 2].min() == 1
    columns[PRESSURE][250:] += 1.0  # beside it
    verdict = judge(columns)
    assert verdict.began[250]
    assert verdict.on[250, 1]


def test_one_wild_row_is_an_alarm_there_and_not_later(judge):
    columns = plant(300, 204)
    for wild in (40.0, 1e30):
        columns[CURRENT][150] = wild
        verdict = judge(columns)
        assert np.flatnonzero(verdict.began).tolist() == [150]
        assert np.flatnonzero(verdict.alarm)[-1] < 200
        assert verdict.on[150].tolist() == [0, 0, 0, 2]
        assert not verdict.on[151:, :3].any()
        assert np.isfinite(verdict.surprise[10:]).all()


@pytest.mark.parametrize("how", ["stuck", "far off"])
def test_an_alarm_that_goes_on_does_not_hide_that_of_another_sensor(judge, how):
    columns = plant(600, 205)
    columns[TEMPERATURE][100:] = columns[TEMPERATURE][100] if how == "stuck" else columns[TEMPERATURE][100:] + 40
    columns[CURRENT][400:] += 5
    verdict = judge(columns)
    assert verdict.on[120:600:40, 2].all()
    assert not verdict.on[300:400, 3].any()
    assert verdict.began[400]
    assert verdict.on[400, 3]


def test_an_alarm_that_has_just_begun_hides_neither_a_stuck_sensor_nor_the_name_of_another(judge, run, tmp_path):
    columns = plant(300, 208)
    columns[CURRENT][150] = 40.0
    columns[TEMPERATURE][145:] = columns[TEMPERATURE][145]
    verdict = judge(columns)
    assert np.flatnonzero(verdict.began).tolist() == [150, 155]
    assert np.argwhere(verdict.fresh).tolist() == [[150, 3], [155, 2]]
    columns[TEMPERATURE][150] += 40.0  # also where it is the same sensor
    columns[TEMPERATURE][151:] = columns[TEMPERATURE][151]
    assert np.flatnonzero(judge(columns).began).tolist() == [150, 161]
    columns = plant(300, 208)
    columns[CURRENT][150] = 40.0
    columns[PRESSURE][155:] += 5
    _, summary = watched(run, tmp_path / "both.csv", columns)
    assert summary.alarms == 1  # those that follow so soon may have the same cause
    assert {CURRENT, PRESSURE} <= set(summary.sensors)


def test_a_muted_sensor_is_not_judged_and_misleads_nobody(judge, run):
    columns = plant(300, 206)
    quiet = judge(columns, mute=[TEMPERATURE])
    columns[TEMPERATURE][50:] += 1000
    verdict = judge(columns, mute=[TEMPERATURE])
    np.testing.assert_array_equal(verdict.p, quiet.p)
    assert not verdict.alarm.any()
    with pytest.raises(ArmillaryError, match=r"no sensor 'temp' to mute; there are flow \[l/min\]"):
        judge(columns, mute=["temp"])
    with pytest.raises(ArmillaryError, match="nothing to judge"):
        judge(columns, mute=SENSORS)


def test_verdicts_do_not_depend_on_how_rows_arrive(judge):
    columns = plant(500, 207)
    columns[FLOW][100:110] = np.nan
    columns[CURRENT][200] = 50
    columns[TEMPERATURE][250:] += 40
    whole, cut = judge(columns), judge(columns, parts=(1, 3, 90, 105, 201, 202, 290, 291, 400))
    np.testing.assert_array_equal(whole.on, cut.on)
    np.testing.assert_array_equal(whole.began, cut.began)
    np.testing.assert_allclose(whole.p, cut.p, rtol=1e-3, atol=1e-9)


def test_a_stretch_at_another_pace_says_nothing_and_is_counted(run, tmp_path):
    columns = plant(300, 208)
    steps = np.full(300, 0.5)
    steps[:14] = steps[150:200] = 0.05
    columns["t"] = np.cumsum(steps)
    lines, summary = watched(run, tmp_path / "a.csv", columns)
    assert (summary.episodes, summary.alarms, summary.paces["0.05"] > 40) == (3, 0, True)
    assert all(line["not_judged"] == "pace" for line in lines[156:200])
    assert lines[240]["p"] is not None
    assert "at another pace (0.05 s a row instead of 0.5 s)" in str(summary)
    columns["t"] = np.arange(300) * 0.05
    assert watched(run, tmp_path / "a.csv", columns)[1].status == 4


def test_a_bad_stamp_costs_its_row_and_a_clock_that_is_set_back_ends_an_episode(run, tmp_path):
    columns = plant(300, 209)
    columns["t"][100], columns["t"][200:] = 3.0, columns["t"][200:] - 60
    with pytest.raises(CorruptFile, match="runs backwards in line 102"):
        watched(run, tmp_path / "a.csv", columns)
    lines, summary = watched(run, tmp_path / "a.csv", columns, missing="skip")
    assert [i for i, line in enumerate(lines) if line["not_judged"] == "clock"] == [100, 200, 201]
    assert (summary.episodes, summary.alarms) == (3, 0)


def test_a_number_beyond_float32_is_missing_and_leaves_nothing_behind(run, tmp_path):
    columns = {name: values.astype(object) for name, values in plant(200, 210).items()}
    columns[FLOW][100] = "1e39"
    with pytest.raises(CorruptFile, match=r"line 102: .*'flow \[l/min\]' is more than float32"):
        watched(run, tmp_path / "a.csv", columns)
    lines, summary = watched(run, tmp_path / "a.csv", columns, missing="skip")
    assert (summary.alarms, summary.judged, summary.missing) == (0, 190, {FLOW: 1})
    assert all(line["p"] is not None for line in lines[10:])


def test_slow_rows_have_a_default_that_can_be_used(run, tmp_path):
    columns = plant(300, 211)
    columns["t"] *= 7200
    table = write(tmp_path / "a.csv", columns)
    summary = watch(run, table, io.StringIO(), seconds_per_row=3600)
    assert summary.judged == 290
    with pytest.raises(ArmillaryError, match="ask for more than 0 and fewer than one every row"):
        watch(run, table, io.StringIO(), seconds_per_row=3600, false_alarms_per_hour=1)
