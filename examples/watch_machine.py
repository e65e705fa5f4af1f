"""For a process engineer: learn a machine's normal running from its tables, then find what is wrong in a new one.

Shows the import of CSV files, training, calibration on episodes that training held out, and an alarm with the sensors that
explain it. The tables here are of a simulated pump; yours need a time column and columns of numbers. Run it so:

    python examples/watch_machine.py --out runs/pump
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro

import armillary as arm
from armillary.episodes.formats.table import import_table
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.watch import watch
from armillary.training.recipes import RECIPES


def log(path: Path, rng: np.random.Generator, rows: int = 1000, blocked_from: int | None = None) -> None:
    """A CSV of a pump, a row each half second: flow and pressure follow the valve. A blocked filter halves the flow."""
    valve = rng.uniform(0, 1, rows // 25 + 1).repeat(25)[:rows]
    opened = np.convolve(valve, 0.3 * 0.7 ** np.arange(20))[:rows]
    flow, pressure = 30 + 20 * opened, 4 - 2 * opened
    if blocked_from is not None:
        flow[blocked_from:] /= 2
    noise = rng.normal(0, (0.2, 0.02, 0.3), (rows, 3))
    sensors = np.stack([flow, pressure, np.full(rows, 3.0)], 1) + noise
    header = "time,valve,flow [l/min],pressure [bar],current [A]"
    table = np.column_stack([np.arange(rows) * 0.5, valve, sensors])
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6f")


def main(out: Path = Path("runs/pump"), files: int = 6, steps: int = 1000) -> None:
    """Make tables, learn from them, and watch a table with a fault.

    Args:
        out: new folder of the tables, the recording and the run.
        files: tables of normal running; three of them calibrate the alarms.
        steps: optimiser steps.
    """
    rng = np.random.default_rng(0)
    (out / "normal").mkdir(parents=True)
    for number in range(files):
        log(out / "normal" / f"{number}.csv", rng)
    log(out / "today.csv", rng, blocked_from=600)

    import_table(out / "normal", out / "recording", time="time", controls=["valve"])
    recipe = RECIPES["sensors"]
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=steps),))
    arm.fit(arm.Episodes.open(out / "recording"), out / "run", recipe, held_out=3)
    calibrate(out / "run")
    with open(out / "verdicts.csv", "w") as verdicts:
        print(watch(out / "run", out / "today.csv", verdicts))


if __name__ == "__main__":
    tyro.cli(main)
