"""From a table to alarms about levels: slow sensors without controls, calibrated and watched as the command does."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from plant_fakes import write

from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.monitoring.calibrate import calibrate, load_calibration
from armillary.monitoring.seasonality import DAY_S
from armillary.monitoring.watch import watch
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")


def hall(rows: int, seed: int, first: int = 0) -> dict[str, np.ndarray]:
    """A hall by the half hour: warm by day, and its noise."""
    rng, t = np.random.default_rng(seed), 1800.0 * (first + np.arange(rows))
    slow = np.zeros((rows, 2))
    for i in range(1, rows):
        slow[i] = 0.9 * slow[i - 1] + [0.2, 0.5] * rng.normal(size=2)
    return {"t": t, "warmth [C]": 20 + 6 * np.sin(2 * np.pi * t / DAY_S) + slow[:, 0], "noise [dB]": 50 + slow[:, 1]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hall")
    import_table(write(folder / "hall.csv", hall(1600, 0)), folder / "recording", time="t", longest=100, progress=False)
    recipe = RECIPES["sensors"]
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=100, batch=64),))
    options = TrainConfig(progress=False, log_every=100)
    fit(Episodes.open(folder / "recording"), folder / "run", recipe, options, held_out=6)
    calibrate(folder / "run")
    return folder / "run"


def watched(run, path, columns, **options):
    out = io.StringIO()
    summary = watch(run, write(path, columns), out, false_alarms_per_hour=2e-3, **options)
    return list(csv.DictReader(io.StringIO(out.getvalue()))), summary


def test_episodes_know_when_they_were_and_are_joined_again(run):
    episodes = Episodes.open(run.parent / "recording")
    assert episodes.infos[1]["time"] == [1800.0 * 100, 1800.0 * 199]
    calibration = load_calibration(run)
    detector = calibration.detector
    assert detector.charts["levels"].profile.period_s == DAY_S
    assert str(detector).endswith("levels with a daily profile")
    held = 100 * 6
    assert calibration.rows >= held - 2 * 10  # a context is lost where a stretch begins, and not in each episode


def test_a_night_as_warm_as_a_day_is_an_alarm_that_names_its_sensor(run, tmp_path):
    columns = hall(960, 1, 1600)
    night = slice(728, 752)  # 12 hours from dusk on
    assert (np.sin(2 * np.pi * columns["t"][night] / DAY_S) <= 1e-9).all()
    columns["warmth [C]"][night] += 12
    rows, summary = watched(run, tmp_path / "new.csv", columns)
    alarm = np.array([row["alarm"] == "1" for row in rows])
    assert alarm[night].any()
    assert sum(np.diff(alarm[:728].astype(int)) == 1) <= 2
    blamed = [row["because"].split(" [")[0] for row, on in zip(rows[night], alarm[night], strict=True) if on]
    assert blamed.count("warmth") > len(blamed) / 2
    assert summary.alarms >= 1


def test_a_profile_needs_a_clock(run, tmp_path):
    columns = hall(60, 2)
    calibration = load_calibration(run)
    with pytest.raises(ArmillaryError, match="give the time of each row"):
        calibration.detector(np.zeros((60, 2)), np.stack([columns["warmth [C]"], columns["noise [dB]"]], axis=1))
