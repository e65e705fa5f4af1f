"""NAB's series through the commands of docs/monitoring.md, as a user runs them: import, train, watch --calibrate, watch.

    python benchmarks/watch_nab.py PATH/nab --out results/watch_nab.json            # minutes

The first 15% of a series are normal. They are cut into episodes of 100 rows, of which the last quarter is held out. The rest of
the series is watched at the default alarm level. `bench monitor` cross-fits its calibration instead, with more normal rows.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.episodes.formats.table import import_table
from armillary.episodes.store import Episodes
from armillary.files import as_json, write_whole
from armillary.monitoring.bench_scores import LEVEL
from armillary.monitoring.calibrate import calibrate
from armillary.monitoring.metrics import average_precision, judge_events
from armillary.monitoring.public_data import Series, read_nab
from armillary.monitoring.watch import watch
from armillary.provenance import commit, machine
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES

LONGEST = 100
"""Rows of an episode."""


def main(path: tyro.conf.Positional[Path], seeds: tuple[int, ...] = (0,), out: Path | None = None) -> None:
    """Watch every series.

    Args:
        path: the folder with windows.json and the series.
        seeds: of the model.
        out: JSON file of the result. Default: none is written.
    """
    torch.set_num_threads(1)
    found = {}
    for series in read_nab(path):
        found[series.name] = [watched(path / series.name, series, seed) for seed in seeds]
        print(series.name, found[series.name])
    if out is not None:
        result = {"series": found, "seeds": seeds, "longest": LONGEST, "commit": commit(), "machine": machine()}
        write_whole(out, as_json(result, indent=1) + "\n")


def watched(file: Path, series: Series, seed: int) -> dict[str, float]:
    """AUC-PR of the surprise, and alarms that begin outside of the labelled windows, on the rows after the normal ones."""
    header, *lines = file.read_text().splitlines()
    fault = series.fault[series.normal :]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, rows in (("normal.csv", lines[: series.normal]), ("later.csv", lines[series.normal :])):
            (folder / part).write_text("\n".join([header, *rows]) + "\n")
        import_table(folder / "normal.csv", folder / "recording", time="timestamp", longest=LONGEST, progress=False)
        episodes = Episodes.open(folder / "recording")
        config = TrainConfig(seed=seed, progress=False)
        fit(episodes, folder / "run", RECIPES["sensors"], config, held_out=round(len(episodes) / 4), device="cpu")
        calibrate(folder / "run")
        with (folder / "verdicts.csv").open("w+") as verdicts:
            watch(folder / "run", folder / "later.csv", verdicts, missing="skip")
            verdicts.seek(0)
            judged = list(csv.DictReader(verdicts))
    surprise = np.array([float(row["surprise"] or 0) for row in judged])
    alarm = np.array([row["alarm"] == "1" for row in judged])
    events = judge_events(alarm, fault)
    counts = {"false_alarms": events.false_alarms, "allowed": events.normal * LEVEL, "caught": events.caught}
    return {"auc_pr": average_precision(surprise, fault), **counts, "events": events.events}


if __name__ == "__main__":
    tyro.cli(main)
