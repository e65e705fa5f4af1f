"""A constant added to the sensors changes nothing: the import takes it off, and what is shown in units has it again."""

import io
from dataclasses import replace

import numpy as np
import pytest
from plant_fakes import SENSORS, plant, write

from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.watch import watch
from armillary.monitoring.what_if import what_if
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
ADDED = 1e7
CONFIG = TrainConfig(progress=False, log_every=40)


def recipe(steps):
    return replace(RECIPES["sensors"], stages=(replace(RECIPES["sensors"].stages[0], steps=steps, batch=32),))


def shifted(path, columns, added):
    return write(path, {name: values + added * (name in SENSORS) for name, values in columns.items()})


def trained(folder, added):
    """A plant that was recorded, learned and calibrated, and a table of it with two faults."""
    (folder / "tables").mkdir()
    for seed in range(4):
        shifted(folder / "tables" / f"{seed}.csv", plant(300, seed), added)
    import_table(folder / "tables", folder / "recording", time="t", controls=["valve"], progress=False)
    fit(Episodes.open(folder / "recording"), folder / "run", recipe(40), CONFIG, held_out=2)
    calibrate(folder / "run")
    columns = plant(300, 9)
    columns[SENSORS[3]][100] += 20
    columns[SENSORS[2]][200:] += 20
    shifted(folder / "fault.csv", columns, added)
    shifted(folder / "now.csv", plant(200, 70), added)
    write(folder / "plan.csv", {"valve": np.ones(4)})
    return folder


@pytest.fixture(scope="module")
def plants(tmp_path_factory):
    return [trained(tmp_path_factory.mktemp("plant"), added) for added in (0.0, ADDED)]


def test_a_constant_changes_no_verdict(plants):
    spec = Episodes.open(plants[1] / "recording").spec["sensors"]
    assert all(abs(offset - ADDED) <= 100 for offset in spec.offset)
    assert not Episodes.open(plants[0] / "recording").spec["sensors"].offset
    summaries, rows = [], []
    for folder in plants:
        out = io.StringIO()
        summaries.append(watch(folder / "run", folder / "fault.csv", out))
        rows.append([line.split(",") for line in out.getvalue().splitlines()[1:]])
    assert summaries[0].sensors == summaries[1].sensors
    assert summaries[0].alarms == summaries[1].alarms > 0
    assert [row[3] for row in rows[0]] == [row[3] for row in rows[1]]  # the alarm
    surprise = [np.array([float(row[1] or "nan") for row in part]) for part in rows]
    np.testing.assert_allclose(*surprise, rtol=0.05)


def test_watch_sees_what_was_imported(plants):
    folder, out = plants[1], io.StringIO()
    assert watch(folder / "run", folder / "tables" / "0.csv", out).status == 0


def test_what_is_imagined_is_in_units(plants):
    usual, moved = (what_if(folder / "run", f"{folder / 'now.csv'}:-1", folder / "plan.csv") for folder in plants)
    spread = np.ptp(np.stack([plant(300, 0)[name] for name in SENSORS]), axis=1)
    for name in ("value", "low", "high"):
        assert (np.abs(getattr(moved, name) - ADDED - getattr(usual, name)) < 0.02 * spread).all()
    out = io.StringIO()
    moved.write(out)
    cell = out.getvalue().splitlines()[1].split(",")[2]
    assert float(cell) == pytest.approx(moved.value[0, 0], abs=1e-6)
    far = {name: values + ADDED + 1000 for name, values in plant(200, 70).items()}
    table = write(plants[1] / "far.csv", far | {"valve": np.ones(200), "t": 0.5 * np.arange(200)})
    outside = what_if(plants[1] / "run", f"{table}:-1", plants[1] / "plan.csv").outside
    assert any("where the plan begins, recorded: 10000" in line for line in outside)


def test_a_model_goes_on_with_a_recording_of_another_offset(plants, tmp_path):
    shifted(tmp_path / "more.csv", plant(300, 20), ADDED + 500)
    import_table(tmp_path / "more.csv", tmp_path / "more", time="t", controls=["valve"], longest=60, progress=False)
    more, start = Episodes.open(tmp_path / "more"), WorldModel.load(plants[1] / "run", "cpu")
    assert more.spec["sensors"].offset != start.spec["sensors"].offset
    fit(more, tmp_path / "run", recipe(4), CONFIG, held_out=2, start=start)
    goes_on = WorldModel.load(tmp_path / "run", "cpu")
    assert goes_on.spec["sensors"].offset == start.spec["sensors"].offset
    level = calibrate(tmp_path / "run").charts.value + goes_on.spec["sensors"].offset
    np.testing.assert_allclose(level, ADDED + 500 + np.array([40, 3, 70, 3]), atol=30)
    assert calibrate(plants[1] / "run", normal=tmp_path / "more").rows > 100
