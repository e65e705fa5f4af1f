"""How many rows a second `armillary watch` judges on one core, and whether its memory stays where it is.

    python benchmarks/watch.py            # a minute

A plant of 8 sensors is imported, learned with the recipe `sensors` and calibrated; then a table of it is read, as CSV
with dates, and every row is written out with its p-value and its channels. Writes --out FILE, where given.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.evaluation.judge import peak_memory_mb
from armillary.files import as_json, write_whole
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.watch import watch
from armillary.provenance import commit, machine
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

CHANNELS = 8


def table(path: Path, rows: int, seed: int) -> Path:
    """Eight sensors at 1 Hz that remember what they were."""
    rng, state = np.random.default_rng(seed), np.zeros(CHANNELS)
    start = np.datetime64("2026-01-01T00:00:00")
    with path.open("w") as file:
        file.write(",".join(["time", *(f"sensor {i}" for i in range(CHANNELS))]) + "\n")
        for i in range(rows):
            state = 0.9 * state + rng.normal(size=CHANNELS)
            stamp = str(start + np.timedelta64(i, "s")).replace("T", " ")
            file.write(",".join([stamp, *(f"{x:.5f}" for x in state)]) + "\n")
    return path


def main(rows: int = 200_000, steps: int = 200, out: Path | None = None) -> None:
    """Train, calibrate, watch.

    Args:
        rows: of the table that is watched; a tenth of them warms up.
        steps: of training, which the speed does not depend on.
        out: JSON file of the result; none is written by default.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import_table(table(folder / "normal.csv", 4000, 0), folder / "recording", time="time", longest=1000, progress=False)
        recipe = RECIPES["sensors"]
        recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=steps),))
        fit(Episodes.open(folder / "recording"), folder / "run", recipe, TrainConfig(progress=False), held_out=1, device="cpu")
        calibrate(folder / "run")
        timed = {}
        for part, count in (("warm up", rows // 10), ("timed", rows)):
            new = table(folder / "new.csv", count, 1)
            with new.open("rb") as pipe, (folder / "out.csv").open("w") as judged:
                cpu, wall = time.process_time(), time.perf_counter()
                summary = watch(folder / "run", pipe, judged)
            timed[part] = {
                "rows": summary.rows,
                "rows_per_cpu_second": summary.rows / (time.process_time() - cpu),
                "rows_per_second": summary.rows / (time.perf_counter() - wall),
                "peak_memory_mb": peak_memory_mb(),
            }
    result = {**timed, "channels": CHANNELS, "false_alarms": summary.alarms, "commit": commit(), "machine": machine()}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, as_json(result, indent=1) + "\n")
    print(as_json(result, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
