"""Sensors that are absent from parts of a recording: learned where they are there, and the others all along."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from plant_fakes import SENSORS, plant

from armillary.episodes.clips import Clips
from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.watch import watch
from armillary.monitoring.what_if import what_if
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES
from armillary.training.stages import Dynamics, Latents

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
FLOW, PRESSURE, TEMPERATURE, CURRENT = SENSORS
STAGE = replace(RECIPES["sensors"].stages[0], steps=100, batch=64)
RECIPE = replace(RECIPES["sensors"], stages=(STAGE,))
CONFIG = TrainConfig(progress=False, log_every=100)


def write(path, columns, **gone):
    """A table in which numbers are missing, by column."""
    cells = {name: list(map(str, values)) for name, values in columns.items()}
    for name, rows in gone.items():
        for row in rows:
            cells[{"flow": FLOW, "temperature": TEMPERATURE}[name]][row] = ""
    path.write_text("\n".join([",".join(cells), *map(",".join, zip(*cells.values(), strict=True))]) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A plant whose flow and temperature are out for a while in two of six tables, and its calibrated run."""
    folder = tmp_path_factory.mktemp("absent")
    (folder / "tables").mkdir()
    out = {0: {"flow": range(50, 300)}, 1: {"temperature": range(200, 400)}}
    for number in range(6):
        write(folder / "tables" / f"{number}.csv", plant(400, number), **out.get(number, {}))
    options = {"time": "t", "controls": ["valve"], "missing": "mask", "progress": False}
    import_table(folder / "tables", folder / "recording", **options)
    fit(Episodes.open(folder / "recording"), folder / "run", RECIPE, CONFIG, held_out=[6, 7])
    calibrate(folder / "run")
    return folder


def watched(folder, table, **options):
    out = io.StringIO()
    summary = watch(folder / "run", table, out, **options)
    return [line.split(",") for line in out.getvalue().splitlines()[1:]], summary


def test_the_recording_has_episodes_with_and_without(folder):
    store = Episodes.open(folder / "recording")
    assert store.present[FLOW].tolist() == [True, False, True, True, True, True, True, True, True]
    assert store.present[TEMPERATURE].tolist() == [True, True, True, True, False, True, True, True, True]


@pytest.mark.parametrize("missing", ["mask", "hold"])
def test_an_imported_file_is_watched_where_its_sensors_are(folder, missing):
    rows, summary = watched(folder, folder / "tables" / "0.csv", missing=missing)
    assert summary.status == 0
    assert summary.missing[FLOW] == 245  # five are held
    assert all(row[2] for row in rows[60:])  # others are judged while it is out


def test_a_fault_of_another_sensor_is_found_meanwhile(folder, tmp_path):
    columns = plant(400, 9)
    columns[CURRENT][200] += 10
    rows, summary = watched(folder, write(tmp_path / "a.csv", columns, flow=range(100, 300)), missing="mask")
    assert summary.sensors[CURRENT] >= 1
    assert FLOW not in summary.sensors
    assert rows[200][3] == "1"


def test_what_is_absent_is_no_target(folder):
    store, model = Episodes.open(folder / "recording"), WorldModel.load(folder / "run", "cpu")
    flow = [name for s in model.spec.observed for name in s.channels].index(FLOW)
    clips = Clips(store, 11, which=[1, 5])
    latents = Latents(model, clips, 11)
    absent = torch.arange(len(latents.z)) < store.lengths[1]
    assert (~latents.known[absent, flow]).all()
    assert latents.known[~absent].all()
    assert latents.known[absent].sum(1).eq(len(SENSORS) - 1).all()
    stage = Dynamics(model, latents, STAGE)

    def losses():
        return stage.losses(np.random.default_rng(0), torch.Generator().manual_seed(0))["loss"]

    latents.starts = torch.tensor([20])  # one window, of which one row is predicted
    stage.state = {"error": torch.ones(1)}
    before = losses()
    latents.z[30, flow] = 1e3
    assert torch.equal(before, losses())
    latents.z[30, (flow + 1) % len(SENSORS)] = 1e3
    assert losses() > 1e3


def test_predictions_are_judged_where_sensors_are(folder):
    store, model = Episodes.open(folder / "recording"), WorldModel.load(folder / "run", "cpu")
    for number in (1, 5):
        found = evaluate_prediction(model, store, [number], [0.5], untrained=False)
        assert 0 < found.rows["model"][0].error.value < 1.2
    errors = []
    for weight in (0.0, 1e3):  # of what is predicted for an absent sensor
        with torch.no_grad():
            model.predictor.linear.constant[[n for s in model.spec.observed for n in s.channels].index(FLOW)] = weight
        found = evaluate_prediction(model, store, [1], [0.5], untrained=False)
        errors.append(found.rows["model"][0].error.value)
    assert errors[0] == pytest.approx(errors[1], rel=0.2)


def test_it_is_imagined(folder, tmp_path):
    now, plan = write(tmp_path / "now.csv", plant(100, 70)), tmp_path / "plan.csv"
    plan.write_text("valve\n" + "1.0\n" * 8)
    found = what_if(folder / "run", f"{now}:-1", plan)
    assert np.isfinite(found.value).all()
    flow = found.names.index(FLOW)
    assert found.value[-1, flow] > found.value[0, flow]


def test_calibration_needs_episodes_with_all_sensors(folder, tmp_path):
    table = write(tmp_path / "a.csv", plant(300, 30), flow=range(150), temperature=range(150, 300))
    options = {"time": "t", "controls": ["valve"], "missing": "mask", "longest_gap": 0, "progress": False}
    import_table(table, tmp_path / "part", **options)
    with pytest.raises(ArmillaryError, match="in each of 2 episodes a sensor is absent; take others"):
        calibrate(folder / "run", normal=tmp_path / "part")


def test_a_recording_whose_sensors_are_never_there_together_is_refused(tmp_path):
    table = write(tmp_path / "a.csv", plant(300, 30), flow=range(150), temperature=range(150, 300))
    options = {"time": "t", "controls": ["valve"], "missing": "mask", "longest_gap": 0, "longest": 50, "progress": False}
    import_table(table, tmp_path / "recording", **options)
    with pytest.raises(ArmillaryError, match="have all streams, so that nothing shows how they go together"):
        fit(Episodes.open(tmp_path / "recording"), tmp_path / "run", RECIPE, CONFIG)
