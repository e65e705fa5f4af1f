"""The benchmark of monitors: baselines know what they should, nothing is learned from a test row, and tables are whole."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.monitoring import bench
from armillary.monitoring.baselines import linear_forecaster, persistence, principal_components
from armillary.monitoring.bench import Measured, Recorded, bench_monitor, calibrated, lead, watch
from armillary.monitoring.bench_table import render

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


@pytest.mark.parametrize("fit", [linear_forecaster, persistence, principal_components])
def test_a_calibrated_method_finds_a_fault_and_learns_nothing_from_the_test(fit):
    rows = pump(700, 3, slice(500, 600))
    fault = np.zeros(700, bool)
    fault[500:600] = True
    judge, monitor = calibrated(fit, rows[:400])
    seen = watch(judge, monitor, Recorded("valve1/1.csv", rows, fault), 400)
    assert (len(seen.p), seen.fault.sum()) == (300, 100)
    if fit is not persistence:  # which forgets a shift at once
        assert (seen.p[110:200] < 1e-3).mean() > 0.9
        assert (seen.p[:95] < 1e-3).mean() < 0.2
    changed = rows.copy()
    changed[650:] *= 9
    again = watch(*calibrated(fit, changed[:400]), Recorded("valve1/1.csv", changed, fault), 400)
    np.testing.assert_array_equal(again.p[:250], seen.p[:250])
    early = watch(judge, monitor, Recorded("valve1/1.csv", rows, fault), 0)
    np.testing.assert_array_equal(early.p[400:], seen.p)
    assert (early.p[0], early.surprise[0]) == (1, 0) or fit is principal_components


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


@pytest.mark.filterwarnings("ignore:All-NaN slice")  # delays, of events that a method does not catch
def test_the_tables_are_whole(skab, monkeypatch):
    for name, less in (("PASSES", 2), ("RESAMPLES", 5), ("BUFFER", 10)):
        monkeypatch.setattr(bench, name, less)
    found = bench_monitor(skab, seeds=(0,), progress=False)
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


def test_a_lead_is_taken_file_by_file():
    """Two methods of which one is always a little better, on files that differ by far more than the methods do."""
    files = [(f"valve1/{i}.csv", rate) for i, rate in enumerate((10, 50, 90, 30, 70))]
    theirs = [Measured(name, (rate, 0, 100 - rate, 100), rate / 100, 0, (0, 0, 0, 0), 0) for name, rate in files]
    ours = [replace(one, vus_pr=one.vus_pr + 0.01) for one in theirs for _ in range(3)]
    ahead = lead(ours, theirs)
    assert asdict(ahead["vus_pr"]) == pytest.approx({"value": 0.01, "low": 0.01, "high": 0.01})
    assert asdict(ahead["f1"]) == pytest.approx({"value": 0, "low": 0, "high": 0})


def test_what_is_not_there_is_said(tmp_path, skab):
    with pytest.raises(ArmillaryError, match="expected SKAB's data there"):
        bench_monitor(tmp_path / "nowhere")
    with pytest.raises(ArmillaryError, match="no protocol mine"):
        bench_monitor(skab, protocols=("mine",))
