"""A run of the small plant, trained and calibrated once for all tests of monitoring."""

from dataclasses import replace
from pathlib import Path

import pytest
from plant_fakes import plant, write

from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A run's folder; its recording is beside it."""
    pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
    from armillary.episodes.formats.table import import_table
    from armillary.episodes.store import Episodes
    from armillary.monitoring.calibrate import calibrate
    from armillary.training.fit import fit

    folder = tmp_path_factory.mktemp("plant")
    (folder / "tables").mkdir()
    for number in range(6):
        write(folder / "tables" / f"{number}.csv", plant(400, number))
    import_table(folder / "tables", folder / "recording", time="t", controls=["valve"], progress=False)
    recipe = RECIPES["sensors"]
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=150, batch=64),))
    options = TrainConfig(progress=False, log_every=150)
    fit(Episodes.open(folder / "recording"), folder / "run", recipe, options, held_out=3)
    calibrate(folder / "run")
    return folder / "run"
