"""A unit of measurement changes no verdict: a plant in other units is learned, calibrated and watched alike."""

from dataclasses import replace

import numpy as np
import pytest
from plant_fakes import SENSORS, plant

from armillary.episodes.store import Episode, Episodes
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.watcher import Watcher
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

LEVEL = 1e-6


def watched(folder, factor, offset):
    """What is said of a plant with two faults, after learning from four without."""
    spec = Spec((Stream("sensors", "vector", (4,), channels=SENSORS),), ActionSpace("box", 1))
    episodes = Episodes.create(folder / "recording", spec)

    def table(seed):
        columns = plant(300, seed)
        if seed == 9:
            columns[SENSORS[3]][100] += 20
            columns[SENSORS[2]][200:] += 20
        sensors = factor * (np.stack([columns[name] for name in SENSORS], 1) + offset)
        return sensors.astype(np.float32), columns["valve"][:, None].astype(np.float32)

    for seed in range(4):
        sensors, valve = table(seed)
        episodes.append(Episode({"sensors": sensors}, valve[:-1], info={"episode": seed}))  # named, so that it keeps its side
    recipe = RECIPES["sensors"]
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=40, batch=32),))
    fit(Episodes.open(folder / "recording"), folder / "run", recipe, TrainConfig(progress=False, log_every=40), held_out=2)
    watcher = Watcher(WorldModel.load(folder / "run", "cpu"), calibrate(folder / "run"), LEVEL)
    return watcher(*table(9))


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return watched(tmp_path_factory.mktemp("usual"), 1.0, 0.0)


@pytest.mark.parametrize(("factor", "offset"), [(1e-13, 0.0), (1e7, 1e3)])
def test_a_unit_of_measurement_changes_no_alarm(usual, tmp_path, factor, offset):
    verdict = watched(tmp_path, factor, offset)
    assert usual.began[100]
    assert usual.on[[100, 210], [3, 2]].all()
    for name in ("alarm", "began", "on"):
        np.testing.assert_array_equal(getattr(verdict, name), getattr(usual, name))
    np.testing.assert_allclose(verdict.surprise, usual.surprise, rtol=0.1)
