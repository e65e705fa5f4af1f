"""The Skoltech Anomaly Benchmark (SKAB, Katser and Kozitsin, 2020; a pump whose valves are turned): monitors side by side.

Two protocols:
- `own`: each file's first 400 rows are its normal running, and its other rows the test, as the benchmark's authors have it;
- `free`: everything is learned from the one file without anomalies, and all rows of all other files are the test.

Scaler, model, calibration and threshold come from the normal rows alone. All methods share `Monitor`, its memory and the level
of alarms: 0.1% of the normal rows, as for the authors' own statistics. Since 400 rows are few, each method is calibrated by
cross-fitting (after Barber et al., "Predictive inference with the jackknife+", 2021): fitted on one half, it is judged on the
other, and the other way round; then it is fitted on all. In halves, since a machine drifts: what is judged should be far from
what was learned, as the test is.

What is a choice was made on normal rows and on `DEVELOPMENT`, every third file of valve1. So there are results of all files and
of those held back. Intervals are by bootstrap over files.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from rich.progress import track

from armillary.console import plain_console
from armillary.device import one_thread
from armillary.episodes.clips import Clips
from armillary.episodes.formats.table_files import open_table
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.judge import machine
from armillary.evaluation.statistics import Estimate, bootstrap
from armillary.evaluation.suite import commit
from armillary.model import WorldModel
from armillary.monitoring.baselines import Fit, Judge, Rows, linear_forecaster, persistence, principal_components
from armillary.monitoring.metrics import Confusion, average_precision, judge_events, vus_pr
from armillary.monitoring.monitor import Monitor, alarm_level
from armillary.monitoring.surprise import Surprise
from armillary.spec import NO_ACTION, Spec, Stream
from armillary.training.loop import TrainConfig, train
from armillary.training.recipes import RECIPES

Protocol = Literal["own", "free"]
NORMAL, FOLDS = 400, 2
LEVEL = 1e-3
"""Share of the normal rows that may be alarms."""
HOURLY, SECONDS = 1.0, 1.0
"""False alarms an hour, where events are judged; seconds a row."""
BUFFER = 100
"""Rows, the greatest of the volume under the surface."""
RESAMPLES = 1000
PASSES = 50
"""How often training sees each row; at most as many steps as the recipe has."""
FOLDERS = ("valve1", "valve2", "other")
DEVELOPMENT = tuple(f"valve1/{number}.csv" for number in range(0, 16, 3))
OURS = "world model"
LABELS = ("datetime", "anomaly", "changepoint")


@dataclass(frozen=True)
class Recorded:
    """One file: rows (n, channels) as they were recorded, and which of them are faults."""

    name: str
    rows: Rows
    fault: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Watched:
    """What one method said of the test rows of one file."""

    name: str
    surprise: Float[np.ndarray, " n"]
    p: Float[np.ndarray, " n"]
    fault: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Measured:
    """One method on one file: rows as in `Confusion`, areas, and events caught, events, false alarms, hours of normal rows."""

    name: str
    rows: tuple[float, float, float, float]
    vus_pr: float
    auc_pr: float
    events: tuple[float, float, float, float]
    delay: float


@dataclass(frozen=True)
class Scores:
    """One line of a table.

    Args:
        f1, false_alarm_rate, missed_alarm_rate: of all rows together, at `LEVEL`.
        vus_pr, auc_pr: mean over files.
        event_recall, false_alarms_per_hour, delay: of alarms set to one false one an hour; how many there were, and the median
            delay, in s, of the events that were caught (NaN where none was).
    """

    f1: Estimate
    false_alarm_rate: Estimate
    missed_alarm_rate: Estimate
    vus_pr: Estimate
    auc_pr: Estimate
    event_recall: Estimate
    false_alarms_per_hour: Estimate
    delay: Estimate


def bench_monitor(
    path: str | Path,
    *,
    protocols: Sequence[Protocol] = ("own", "free"),
    seeds: Sequence[int] = (0, 1, 2),
    development: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        path: the benchmark's data, a folder with `anomaly-free` and any of `valve1`, `valve2` and `other`.
        seeds: of the world model, whose numbers are of all of them together.
        development: the files for development alone.
        progress: show progress bars.

    Returns:
        JSON-able: `tables[protocol][files][method]` with the fields of `Scores`, `leads[protocol][files][method]` as `lead` has
        them, and what was run, on what.

    Raises:
        ArmillaryError: the data are not there, or there is no such protocol.
    """
    began, path = time.process_time(), Path(path)
    if unknown := set(protocols) - {"own", "free"}:
        raise ArmillaryError(f"there is no protocol {', '.join(sorted(unknown))}; there are own and free")
    found = sorted((file for folder in FOLDERS for file in (path / folder).glob("*.csv")), key=_number)
    files = [_read(file) for file in found if not development or _name(file) in DEVELOPMENT]
    if not files or not (path / "anomaly-free" / "anomaly-free.csv").is_file():
        raise ArmillaryError(f"{path}: expected SKAB's data there: anomaly-free/anomaly-free.csv, valve1/0.csv, ...")
    normal = _read(path / "anomaly-free" / "anomaly-free.csv").rows if "free" in protocols else None
    methods: dict[str, list[Fit]] = {
        OURS: [partial(world_model, seed=seed) for seed in seeds],
        "linear forecaster": [linear_forecaster],
        "PCA (T2 + Q)": [principal_components],
        "persistence": [persistence],
        "untrained model": [partial(world_model, seed=seed, trained=False) for seed in seeds],
    }
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    leads: dict[str, dict[str, dict[str, Any]]] = {}
    with one_thread():
        for protocol in protocols:
            watched: dict[str, list[Watched]] = {}
            for method, fits in methods.items():
                together = [files] if protocol == "free" else [[file] for file in files]
                turns = [(fit, some) for fit in fits for some in together]
                shown = track(turns, f"{protocol}: {method}", console=plain_console(stderr=True), disable=not progress)
                learned = normal if protocol == "free" else None
                watched[method] = [one for fit, some in shown for one in _judged(fit, some, learned)]
            watched["an alarm always on"] = [
                replace(one, surprise=np.zeros(len(one.p)), p=np.zeros(len(one.p))) for one in watched["persistence"]
            ]
            measured = {method: [measure(one) for one in of] for method, of in watched.items()}
            tables[protocol], leads[protocol] = {}, {}
            for part, names in _parts([file.name for file in files]).items():
                some = {method: [one for one in of if one.name in names] for method, of in measured.items()}
                tables[protocol][part] = {method: _plain(vars(scores(of))) for method, of in some.items()}
                leads[protocol][part] = {method: _plain(lead(some[OURS], of)) for method, of in some.items() if method != OURS}
    return {
        "files": [file.name for file in files],
        "development": [file.name for file in files if file.name in DEVELOPMENT],
        "seeds": list(seeds),
        "settings": {"level": LEVEL, "hourly": HOURLY, "buffer": BUFFER, "folds": FOLDS, "passes": PASSES},
        "recipe": asdict(RECIPES["sensors"]),
        "tables": tables,
        "leads": leads,
        "commit": commit(),
        "machine": machine(),
        "cpu_seconds": time.process_time() - began,
    }


def _judged(fit: Fit, files: Sequence[Recorded], normal: Rows | None) -> list[Watched]:
    """Files by a method that learned from `normal`, or else from the first rows of each."""
    if normal is not None:
        judge, monitor = calibrated(fit, normal)
        return [watch(judge, monitor, file, 0) for file in files]
    return [watch(*calibrated(fit, file.rows[:NORMAL]), file, NORMAL) for file in files]


def calibrated(fit: Fit, normal: Rows, folds: int = FOLDS) -> tuple[Judge, Monitor]:
    """A method fitted on normal rows, and the monitor of the errors that it makes on parts that it was not fitted on."""
    errors, ends = [], np.linspace(0, len(normal), folds + 1).astype(int)
    for start, stop in pairwise(ends):
        of = fit([part for part in (normal[:start], normal[stop:]) if len(part)])(normal[:stop])
        errors.append(of[-(stop - start) :])
    return fit([normal]), Monitor.fit(errors)


def watch(judge: Judge, monitor: Monitor, file: Recorded, first: int) -> Watched:
    """Surprise and p-values from row `first` on; 0 and 1 where a method has not seen enough rows yet."""
    surprise = monitor.surprise(monitor.evidence(judge(file.rows)))
    before = max(0, len(file.rows) - first - len(surprise))
    kept = slice(max(0, len(surprise) - (len(file.rows) - first)), None)
    surprise, p = surprise[kept], monitor.p_value(surprise[kept])
    return Watched(file.name, np.append(np.zeros(before), surprise), np.append(np.ones(before), p), file.fault[first:])


def measure(watched: Watched) -> Measured:
    """What there is to say of one file."""
    hourly = judge_events(watched.p < alarm_level(HOURLY, SECONDS), watched.fault)
    return Measured(
        watched.name,
        astuple(Confusion.of(watched.p < LEVEL, watched.fault)),
        vus_pr(watched.surprise, watched.fault, BUFFER),
        average_precision(watched.surprise, watched.fault),
        (hourly.caught, hourly.events, hourly.false_alarms, hourly.normal * SECONDS / 3600),
        SECONDS * float(np.median(hourly.delays)) if hourly.delays else float("nan"),
    )


def scores(measured: Sequence[Measured]) -> Scores:
    """One line of a table, from all files and seeds of a method."""
    rows, events = (np.array([getattr(one, name) for one in measured], float) for name in ("rows", "events"))
    files = np.array([one.name for one in measured])

    def estimate(values: np.ndarray, statistic: Any = np.mean) -> Estimate:
        return bootstrap(values, groups=files, statistic=statistic, samples=RESAMPLES)

    return Scores(
        f1=estimate(rows, _f1),
        false_alarm_rate=estimate(rows, lambda counts: Confusion(*counts.sum(0)).false_alarm_rate),
        missed_alarm_rate=estimate(rows, lambda counts: Confusion(*counts.sum(0)).missed_alarm_rate),
        vus_pr=estimate(np.array([one.vus_pr for one in measured])),
        auc_pr=estimate(np.array([one.auc_pr for one in measured])),
        event_recall=estimate(events, lambda of: of[:, 0].sum() / of[:, 1].sum()),
        false_alarms_per_hour=estimate(events, lambda of: of[:, 2].sum() / of[:, 3].sum()),
        delay=estimate(np.array([one.delay for one in measured]), _median),
    )


def lead(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[str, Estimate]:
    """How far one method is before another in F1 and VUS-PR, with intervals over the files, each of which judged both."""
    both = [*ours, *theirs]
    first, files = np.arange(len(both)) < len(ours), np.array([one.name for one in both])

    def estimate(values: np.ndarray, statistic: Any) -> Estimate:
        def difference(values: np.ndarray, first: np.ndarray) -> float:
            return statistic(values[first]) - statistic(values[~first])

        return bootstrap(values, first, groups=files, statistic=difference, samples=RESAMPLES)

    rows, areas = np.array([one.rows for one in both], float), np.array([one.vus_pr for one in both])
    return {"f1": estimate(rows, _f1), "vus_pr": estimate(areas, np.mean)}


def _f1(counts: np.ndarray) -> float:
    return Confusion(*counts.sum(0)).f1


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no NaN."""
    return {
        name: {bound: value if np.isfinite(value) else None for bound, value in asdict(estimate).items()}
        for name, estimate in estimates.items()
    }


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def world_model(stretches: Sequence[Rows], *, seed: int = 0, trained: bool = True) -> Judge:
    """The recipe `sensors`, trained on these stretches or left as it was drawn; errors are those of its latents."""
    recipe, channels = RECIPES["sensors"], stretches[0].shape[1]
    spec = Spec((Stream("sensors", "vector", (channels,)),), NO_ACTION)
    (stage,) = recipe.stages
    steps = min(stage.steps, PASSES * sum(map(len, stretches)) // stage.batch)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WorldModel(spec, recipe.model)
        store = Episodes.create(f"{folder}/normal", spec)
        store.append(
            *(Episode({"sensors": rows.astype(np.float32)}, np.empty((len(rows) - 1, 0), np.float32)) for rows in stretches)
        )
        clips = Clips(store, recipe.model.objective.frames(recipe.model.context))
        model.fit_scales(clips[:])
        if trained:
            options = TrainConfig(seed=seed, log_every=steps, progress=False)
            train(model, clips, (replace(stage, steps=steps),), f"{folder}/run", options)
    model.eval()

    def judge(rows: Rows) -> np.ndarray:
        sensors = {"sensors": torch.from_numpy(rows.astype(np.float32))}
        return Surprise(model)(sensors, torch.empty(len(rows), 0)).errors.double().numpy()

    return judge


def _parts(names: Sequence[str]) -> dict[str, list[str]]:
    folders = [folder for folder in FOLDERS if any(name.startswith(folder) for name in names)]
    parts = {
        "all files": list(names),
        "all but those of development": [name for name in names if name not in DEVELOPMENT],
        **{f"{folder} alone": [name for name in names if name.startswith(folder)] for folder in folders if len(folders) > 1},
        "those of development": [name for name in names if name in DEVELOPMENT],
    }
    return {part: some for part, some in parts.items() if some}


def _read(file: Path) -> Recorded:
    _, parts = open_table(file)
    whole = list(parts)
    columns = {name: np.concatenate([part[name] for part in whole]) for name in whole[0]}
    fault = columns["anomaly"] > 0 if "anomaly" in columns else np.zeros(len(columns["datetime"]), bool)
    rows = np.stack([values.astype(np.float64) for name, values in columns.items() if name not in LABELS], axis=1)
    return Recorded(_name(file), rows, fault)


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _number(file: Path) -> tuple[int, int]:
    return FOLDERS.index(file.parent.name), int(file.stem)
