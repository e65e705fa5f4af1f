"""The benchmark of monitors: baselines know what they should, nothing is learned from a test row, and tables are whole."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from armillary.errors import ArmillaryError, CorruptFile
from armillary.monitoring import baselines, bench, bench_scores
from armillary.monitoring.baselines import (
    ecod,
    isolation_forest,
    linear_forecaster,
    moving_z,
    persistence,
    principal_components,
)
from armillary.monitoring.bench import Method, bench_monitor, calibrated, watch
from armillary.monitoring.bench_scores import Measured, lead, missed_bars
from armillary.monitoring.bench_table import render
from armillary.monitoring.public_data import Series, read_nab, read_tep

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")


def pump(rows: int, seed: int, fault: slice = slice(0)) -> np.ndarray:
    """Two sensors that remember, and one of noise, which a fault shifts."""
    rng, x = np.random.default_rng(seed), np.zeros((rows, 3))
    for t in range(1, rows):
        x[t, :2] = [[0.9, 0.2], [-0.2, 0.9]] @ x[t - 1, :2] + 0.1 * rng.normal(size=2)
    x[:, 2] = rng.normal(size=rows)
    x[fault, 2] += 3
    return x * [1, 50, 0.01] + [0, 400, 1]


def test_the_linear_forecaster_knows_linear_dynamics():
    judge = linear_forecaster([pump(1500, 0), pump(700, 1)])
    errors = judge(pump(800, 2))
    assert len(errors) == 790
    white = np.corrcoef(errors[1:, 0], errors[:-1, 0])[0, 1]
    assert abs(white) < 0.1
    assert np.square(errors).mean() < 0.7 * np.square(persistence([pump(1500, 0)])(pump(800, 2))).mean()
    assert principal_components([pump(1500, 0)])(pump(800, 2)).std() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("with_levels", [False, True])
@pytest.mark.parametrize("fit", [linear_forecaster, persistence, principal_components, ecod])
def test_a_calibrated_method_finds_a_fault_and_learns_nothing_from_the_test(fit, with_levels):
    rows = pump(700, 3, slice(500, 600))
    fault = np.zeros(700, bool)
    fault[500:600] = True
    method = Method([fit], {"it": with_levels}, one_sided=fit is ecod)

    def judged(rows: np.ndarray, first: int = 400) -> bench.Watched:
        series = Series("valve1/1.csv", rows, fault, np.arange(700.0), 400)
        judge, detectors = calibrated(fit, bench._first(series), method)
        return watch(detectors["it"], judge(rows), series, first, 1e-3)

    seen = judged(rows)
    assert (len(seen.p), seen.fault.sum()) == (300, 100)
    if fit in (linear_forecaster, principal_components):  # persistence forgets a shift at once, ECOD sums over all channels
        assert (seen.p[110:200] < 1e-3).mean() > 0.9
        assert (seen.p[:95] < 1e-3).mean() < 0.2
    changed = rows.copy()
    changed[650:] *= 9
    np.testing.assert_array_equal(judged(changed).p[:250], seen.p[:250])
    early = judged(rows, 0)
    np.testing.assert_array_equal(early.p[400:], seen.p)
    assert (early.p[0], early.surprise[0]) == (1, 0) or fit in (principal_components, ecod)


def test_moving_z_forgets_where_a_level_was_and_never_divides_by_nothing():
    rows = np.concatenate([np.zeros(150), np.full(250, 5.0)])[:, None] + 1e-3 * pump(400, 1)[:, 2:]
    z = moving_z([pump(400, 1)[:, 2:]])(rows)
    assert len(z) == 300
    assert z[50] > 100
    assert np.abs(z[200:]).max() < 10
    assert np.isfinite(moving_z([np.ones((200, 1))])(np.ones((200, 1)))).all()


def test_ecod_is_that_of_its_paper():
    """By hand: of four normal values, shares with one more in both counts, and a channel that is skewed to the right."""
    judge = ecod([np.array([[1.0], [2.0], [3.0], [10.0]])])
    np.testing.assert_allclose(judge(np.array([[10.0], [2.0], [99.0]]))[:, 0], -np.log([2 / 5, 3 / 5, 1 / 5]))


def test_the_isolation_forest_finds_what_is_far_off():
    pytest.importorskip("sklearn", reason="isolation forest: pip install 'armillary[bench]'")
    score = isolation_forest([pump(300, 2)])(np.vstack([pump(50, 4), [[9, 900, 2]]]))
    assert score.shape == (51, 1)
    assert score.argmax() == 50


@pytest.fixture
def skab(tmp_path):
    columns = "datetime;Flow;Pressure;Voltage"
    for name, rows, fault in [
        ("anomaly-free/anomaly-free", 300, None),
        ("valve1/0", 460, (430, 450)),
        ("other/2", 450, (420, 440)),
    ]:
        values = pump(rows, len(name), slice(*(fault or (0, 0))))
        lines = [columns + ";anomaly;changepoint" * bool(fault)]
        for t, row in enumerate(values):
            cells = [str(np.datetime64("2020-02-08T13:00:00") + t).replace("T", " "), *map(str, row)]
            cells += [f"{float(fault[0] <= t < fault[1])}", "0.0"] if fault else []
            lines.append(";".join(cells))
        (tmp_path / f"{name}.csv").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def quick(monkeypatch, path, with_model=True):
    """The benchmark in little; without the model, a linear forecaster stands for it."""
    pytest.importorskip("sklearn", reason="isolation forest: pip install 'armillary[bench]'")
    less = {bench: {"PASSES": 2}, bench_scores: {"RESAMPLES": 5, "BUFFER": 10}, baselines: {"TREES": 5}}
    for module, settings in less.items():
        for name, value in settings.items():
            monkeypatch.setattr(module, name, value)
    if not with_model:
        monkeypatch.setattr(bench, "world_model", lambda stretches, seed, trained=True: linear_forecaster(stretches))
    return bench_monitor(path, seeds=(0,), progress=False)


@pytest.mark.filterwarnings("ignore:All-NaN slice", "ignore:Mean of empty slice")  # delays, of events that nothing catches
def test_the_tables_are_whole(skab, monkeypatch):
    found = quick(monkeypatch, skab)
    assert found["benchmark"] == "skab"
    assert found["files"] == ["valve1/0.csv", "other/2.csv"]
    assert set(found["tables"]) == {"own", "free"}
    parts = found["tables"]["own"]
    assert list(parts)[:2] == ["all files", "all but those of development"]
    assert {"valve1 alone", "other alone", "those of development"} < set(parts)
    on = parts["all files"]["an alarm always on"]
    assert on["false_alarm_rate"]["value"] == on["event_recall"]["value"] == 1
    assert on["f1"]["value"] == pytest.approx(2 * 40 / (2 * 40 + 70))  # of 110 rows after the first 400 of each, 40 are faulty
    assert parts["all files"]["linear forecaster"]["auc_pr"]["value"] > on["auc_pr"]["value"]
    ahead = found["leads"]["own"]["all files"]["an alarm always on"]["f1"]
    assert ahead["value"] == pytest.approx(parts["all files"]["world model"]["f1"]["value"] - on["f1"]["value"])
    page = render(found)
    assert "| world model |" in page
    assert "| Conv-AE | 0.78 | 13.6 | 28.0 |" in page


@pytest.fixture
def tep(tmp_path):
    """Normal running across, as the benchmark has it, and two test runs down."""

    def write(name: str, seed: int, shift: float) -> None:
        rng = np.random.default_rng(seed)
        rows = np.cumsum(rng.normal(size=(240, 52)), axis=0) * 0.02 + rng.normal(size=(240, 52)) + 50
        rows[160:, 3] += shift
        np.savetxt(tmp_path / name, rows.T if name == "d00.dat" else rows, fmt="%.5e")

    for name, seed, shift in (("d00.dat", 0, 0), ("d00_te.dat", 1, 0), ("d04_te.dat", 2, 8)):
        write(name, seed, shift)
    return tmp_path


@pytest.fixture
def nab(tmp_path):
    """A sensor by the half hour with one window of faults, and one without any."""
    times = np.datetime64("2014-07-01T00:00:00") + np.arange(1400) * np.timedelta64(30, "m")
    for name, fault in (("a.csv", slice(500, 560)), ("b.csv", slice(0))):
        values = 20 + pump(1400, 5)[:, 0]
        values[fault] += 5
        lines = [f"{str(time).replace('T', ' ')},{value:.5f}" for time, value in zip(times, values, strict=True)]
        (tmp_path / name).write_text("\n".join(["timestamp,value", *lines]) + "\n")
    windows = {"a.csv": [[f"{times[500]}".replace("T", " ") + ".000000", f"{times[559]}"]], "b.csv": []}
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    return tmp_path


def test_each_layout_is_read_as_its_authors_have_it(tep, nab):
    normal, (quiet, faulty) = read_tep(tep)
    assert (normal.rows.shape, quiet.rows.shape, normal.name) == ((240, 52), (240, 52), "d00.dat")
    assert not quiet.fault.any()
    assert np.flatnonzero(faulty.fault).tolist() == list(range(160, 240))
    np.testing.assert_allclose(normal.rows[:, 0].mean(), 50, atol=1)
    a, b = read_nab(nab)
    assert np.flatnonzero(a.fault).tolist() == list(range(500, 560))
    assert (a.normal, a.step, b.fault.any()) == (210, 1800, False)
    assert a.clock[0] % 86400 == 0


@pytest.mark.filterwarnings("ignore:All-NaN slice", "ignore:Mean of empty slice")
def test_slow_and_wide_series_have_lines_of_their_own_and_bars(tep, nab, monkeypatch):
    (tep / "windows.json").rename(tep / "windows")  # both layouts are in one folder here
    wide = quick(monkeypatch, tep, with_model=False)
    assert (wide["benchmark"], wide["files"], wide["development"]) == ("tep", ["d00_te.dat", "d04_te.dat"], ["d04_te.dat"])
    ours = wide["series"]["free"]["world model"]
    assert ours["d00_te.dat"]["auc_pr"] == [None]
    assert ours["d00_te.dat"]["allowed"] == pytest.approx([0.14])  # the first 100 rows are nobody's
    assert ours["d04_te.dat"]["events"] == [1]
    (tep / "d00.dat").unlink()
    (tep / "windows").rename(tep / "windows.json")
    slow = quick(monkeypatch, nab, with_model=False)
    assert (slow["benchmark"], list(slow["tables"]), slow["normal_rows"]) == ("nab", ["own"], {"a.csv": 210, "b.csv": 210})
    for found in (wide, slow):
        assert json.loads(json.dumps(found, allow_nan=False))["missed"]
        page = render(found)
        assert "| isolation forest |" in page
        assert "Bars that the world model missed" in page
        assert "Conv-AE" not in page


def test_bars_are_those_of_every_seed():
    def of(auc: list, false: list) -> dict:
        return {"s": {"auc_pr": auc, "false_alarms": false, "allowed": [2.0] * len(auc)}}

    others = {"good": of([0.8], [0]), "bad": of([0.2], [0])}
    assert missed_bars({"ours": of([0.76, 0.8], [4, 4]), **others}, "ours", ["good", "bad"]) == []
    missed = missed_bars({"ours": of([0.74, 0.9], [5, 0]), **others}, "ours", ["good", "bad"])
    assert missed == ["s: 5 false alarms, 2.0 allowed", "s: AUC-PR 0.740, good 0.800"]


def test_a_lead_is_taken_file_by_file():
    """Two methods of which one is always a little better, on files that differ by far more than the methods do."""
    files = [(f"valve1/{i}.csv", rate) for i, rate in enumerate((10, 50, 90, 30, 70))]
    theirs = [Measured(name, (rate, 0, 100 - rate, 100), rate / 100, 0, (0, 0, 0, 0), 0) for name, rate in files]
    ours = [replace(one, vus_pr=one.vus_pr + 0.01) for one in theirs for _ in range(3)]
    ahead = lead(ours, theirs)
    assert asdict(ahead["vus_pr"]) == pytest.approx({"value": 0.01, "low": 0.01, "high": 0.01})
    assert asdict(ahead["f1"]) == pytest.approx({"value": 0, "low": 0, "high": 0})


def test_what_is_not_there_is_said(tmp_path, skab):
    with pytest.raises(ArmillaryError, match=r"expected the data of SKAB .* of TEP .* or of NAB"):
        bench_monitor(tmp_path / "nowhere")
    with pytest.raises(ArmillaryError, match="no protocol mine"):
        bench_monitor(skab, protocols=("mine",))
    (skab / "anomaly-free" / "anomaly-free.csv").unlink()
    with pytest.raises(ArmillaryError, match="expected SKAB's data there"):
        bench_monitor(skab)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("windows.json", "[1]", "expected a map of CSV files to pairs of times"),
        ("windows.json", '{"a.csv": [["monday", "tuesday"]]}', "expected a map of CSV files to pairs of times"),
        ("windows.json", '{"c.csv": []}', "c.csv"),
        ("a.csv", "time,value\n2014-07-01 00:00:00,1\n", "no column 'timestamp'"),
        ("a.csv", "timestamp,value\n", "expected rows"),
        ("a.csv", "timestamp,value\n2014-07-01 00:00:00,many\n", "expected numbers"),
        ("d00.dat", "1 2 3\n", "expected 52 variables, got a table of 1 x 3"),
        ("d04_te.dat", "one two\n", "expected numbers between spaces"),
    ],
)
def test_a_broken_file_is_named(tep, nab, file, text, said):
    (tep / file).write_text(text)
    with pytest.raises(CorruptFile, match=said) as raised:
        (read_tep if file.endswith("dat") else read_nab)(tep)
    assert file.split(".")[0] in str(raised.value) or "c.csv" in text


def test_errors_to_calibrate_on_are_of_rows_that_were_not_fitted(monkeypatch):
    def fit(parts: list[np.ndarray]):
        known = np.concatenate(parts)[:, 0]
        return lambda rows: np.isin(rows[:, 0], known).astype(float)[:, None]

    given = []
    monkeypatch.setattr(bench.Detector, "fit", lambda errors, levels, **_: given.append(np.concatenate(errors)))
    rows = np.arange(400.0)[:, None]
    series = Series("s", rows, np.zeros(400, bool), np.arange(400.0), 400)
    calibrated(fit, series, Method([fit], {"line": False}))
    assert len(given[0]) == 400
    assert not given[0].any()
