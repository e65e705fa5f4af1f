"""For a process engineer: import a table of sensors that has gaps, check it, and read it in Python.

Shows what the import decides and says, the doctor's verdict, and how rows are read back. The table here is of a simulated tank;
yours needs a column of time and columns of numbers. The same on the command line: `armillary import table`, `armillary doctor`.

    python examples/import_table.py --out runs/tank
"""

from pathlib import Path

import numpy as np
import tyro

import armillary as arm
from armillary.episodes.doctor import diagnose
from armillary.episodes.formats.table import import_table


def log(path: Path, rows: int) -> None:
    """A CSV of a tank, a row a second: its level follows what flows in. Two numbers are missing, and an hour of logging."""
    rng = np.random.default_rng(0)
    inlet = rng.uniform(0, 1, rows // 20 + 1).repeat(20)[:rows]
    level = 50 + np.cumsum(inlet - 0.5) - inlet + rng.normal(0, 0.05, rows)  # row t: what earlier rows let in
    seconds = np.arange(rows) + 3600 * (np.arange(rows) >= rows // 2)
    lines = [f"{s},{i:.3f},{x:.3f}" for s, i, x in zip(seconds, inlet, level, strict=True)]
    for row in (10, 11):
        lines[row] = f"{seconds[row]},{inlet[row]:.3f},"
    path.write_text("\n".join(["time [s],inlet,level [%]", *lines]) + "\n")


def main(out: Path = Path("runs/tank"), rows: int = 2000) -> None:
    """Write a table, import it, and look at what came of it.

    Args:
        out: new folder of the table and the recording.
        rows: rows of the table.
    """
    out.mkdir(parents=True)
    log(out / "tank.csv", rows)
    print(import_table(out / "tank.csv", out / "recording", time="time [s]", controls=["inlet"], missing="interpolate"))

    recording = arm.Episodes.open(out / "recording")
    print(diagnose(recording))
    for number in range(len(recording)):  # the hour without rows ends an episode
        episode = recording.episode(number)
        shapes = {name: values.shape for name, values in episode.observations.items()}
        print(f"episode {number}: observations {shapes}, actions {episode.actions.shape}")


if __name__ == "__main__":
    tyro.cli(main)
