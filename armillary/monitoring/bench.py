"""Monitors side by side on public data (`public_data`): SKAB, the Tennessee Eastman process and NAB.

Two protocols:
- `own`: a series' first rows are its normal running, and its other rows the test (SKAB and NAB, as their authors have it);
- `free`: everything is learned from one recording without faults, and all rows of all other files are the test (SKAB, TEP).

Scaler, model, calibration and threshold come from the normal rows alone. All methods share the error chart of `Detector`, its
memory and the level of alarms: 0.1% of the normal rows. The world model, trained or not, has the whole of it, with a chart of
levels where the normal rows allow one. Since they are few, each method is calibrated by cross-fitting (after Barber et al.,
"Predictive inference with the jackknife+", 2021): fitted on one half, it is judged on the other, and the other way round; then
it is fitted on all. In halves, since a machine drifts: what is judged should be far from what was learned, as the test is.

What is a choice was made on normal rows, on synthetic series and on `DEVELOPMENT`: every third file of SKAB's valve1, and two
faults of TEP. So there are results of all series and of those held back. Intervals are by bootstrap over series.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.progress import track

from armillary.console import plain_console
from armillary.device import one_thread
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, expect
from armillary.evaluation.statistics import Estimate
from armillary.model.world_model import WorldModel
from armillary.monitoring import baselines
from armillary.monitoring.baselines import MOVING_WINDOW, Fit, Judge, Rows
from armillary.monitoring.bench_scores import BUFFER, LEVEL, Watched, lead, measure, missed_bars, per_series, scores
from armillary.monitoring.detector import Detector
from armillary.monitoring.monitor import alarm_level
from armillary.monitoring.public_data import FOLDERS, Benchmark, Series, benchmark_of, read_nab, read_skab, read_tep
from armillary.monitoring.surprise import Surprise
from armillary.provenance import commit, machine
from armillary.spec import NO_ACTION, Spec, Stream
from armillary.training.loop import TrainConfig, train
from armillary.training.recipes import RECIPES

Protocol = Literal["own", "free"]
PROTOCOLS: dict[Benchmark, tuple[Protocol, ...]] = {"skab": ("own", "free"), "tep": ("free",), "nab": ("own",)}
FOLDS = 2
HOURLY = 1.0
"""False alarms an hour that are allowed on SKAB, where events are judged; elsewhere `LEVEL` of the normal rows."""
PASSES = 50
"""How often training sees each row; at most as many steps as the recipe has."""
DEVELOPMENT = (*(f"valve1/{number}.csv" for number in range(0, 16, 3)), "d01_te.dat", "d04_te.dat")
OURS, ERRORS_ALONE, UNTRAINED, ALWAYS = "world model", "world model, errors alone", "untrained model", "an alarm always on"


@dataclass(frozen=True)
class Method:
    """How a method learns, once for each seed.

    Args:
        names: of its lines in the tables, by whether they have a level chart.
        one_sided: see `Monitor`.
    """

    fits: Sequence[Fit]
    names: Mapping[str, bool]
    one_sided: bool = False


def bench_monitor(
    path: str | Path,
    *,
    protocols: Sequence[Protocol] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    development: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        path: the folder of SKAB's, TEP's or NAB's data, as in `public_data`.
        protocols: all that the benchmark has by default.
        seeds: of the world model, whose numbers are of all of them together.
        development: the series for development alone.
        progress: show progress bars.

    Returns:
        JSON-able: `tables[protocol][part][method]` as `scores` has them, `leads[protocol][part][method]` as `lead`
        has them, `series[protocol][method]` as `per_series` has them, `missed[protocol]`, and what was run, on what.

    Raises:
        ArmillaryError: the data are not there, or there is no such protocol.
        MissingExtra: scikit-learn is not installed.
    """
    began, path = time.process_time(), Path(path)
    benchmark = benchmark_of(path)
    protocols = PROTOCOLS[benchmark] if protocols is None else protocols
    if unknown := set(protocols) - set(PROTOCOLS[benchmark]):
        raise ArmillaryError(f"there is no protocol {', '.join(sorted(unknown))}; there are {', '.join(PROTOCOLS[benchmark])}")
    normal, series = {"skab": read_skab, "tep": read_tep, "nab": lambda path: (None, read_nab(path))}[benchmark](path)
    series = [one for one in series if not development or one.name in DEVELOPMENT]
    if not series:
        raise ArmillaryError(f"{path}: no series of {benchmark} is for development; run them all")
    methods, allowed = _methods(seeds), None if benchmark == "skab" else LEVEL
    beside = [name for method in methods[1:-1] for name in method.names]
    result: dict[str, dict[str, Any]] = {"tables": {}, "leads": {}, "series": {}, "missed": {}}
    with one_thread():
        for protocol in protocols:
            watched: dict[str, list[Watched]] = {}
            for method in methods:
                together = [series] if protocol == "free" else [[one] for one in series]
                turns = [(fit, batch) for fit in method.fits for batch in together]
                description = f"{protocol}: {next(iter(method.names))}"
                for fit, batch in track(turns, description, console=plain_console(stderr=True), disable=not progress):
                    learned = expect(normal, "a normal run") if protocol == "free" else _first(batch[0])
                    for name, of in _judged(fit, method, learned, batch, protocol, allowed).items():
                        watched.setdefault(name, []).extend(of)
            watched[ALWAYS] = [
                replace(one, surprise=np.zeros(len(one.p)), p=np.zeros(len(one.p))) for one in watched["persistence"]
            ]
            measured = {name: [measure(one) for one in of] for name, of in watched.items()}
            result["series"][protocol] = {name: per_series(of) for name, of in measured.items()}
            result["missed"][protocol] = missed_bars(result["series"][protocol], OURS, [*beside, ALWAYS])
            tables, leads = result["tables"].setdefault(protocol, {}), result["leads"].setdefault(protocol, {})
            for part, names in _parts([one.name for one in series]).items():
                kept = {name: [one for one in of if one.name in names] for name, of in measured.items()}
                tables[part] = {name: _plain(scores(of)) for name, of in kept.items()}
                leads[part] = {name: _plain(lead(kept[OURS], of)) for name, of in kept.items() if name != OURS}
    return {
        "benchmark": benchmark,
        "files": [one.name for one in series],
        "development": [one.name for one in series if one.name in DEVELOPMENT],
        "normal_rows": {one.name: one.normal for one in series if "own" in protocols},
        "seeds": list(seeds),
        "settings": {"level": LEVEL, "hourly": HOURLY, "buffer": BUFFER, "folds": FOLDS, "passes": PASSES},
        "recipe": RECIPES["sensors"].to_json(),
        **result,
        "commit": commit(),
        "machine": machine(),
        "cpu_seconds": time.process_time() - began,
    }


def _methods(seeds: Sequence[int]) -> list[Method]:
    """The world model first, and untrained last; baselines between."""
    return [
        Method([partial(world_model, seed=seed) for seed in seeds], {OURS: True, ERRORS_ALONE: False}),
        Method([baselines.linear_forecaster], {"linear forecaster": False}),
        Method([baselines.principal_components], {"PCA (T2 + Q)": False}),
        Method([baselines.moving_z], {"moving z": False}),
        Method([baselines.isolation_forest], {"isolation forest": False}, one_sided=True),
        Method([baselines.ecod], {"ECOD": False}, one_sided=True),
        Method([baselines.persistence], {"persistence": False}),
        Method([partial(world_model, seed=seed, trained=False) for seed in seeds], {UNTRAINED: True}),
    ]


def _judged(
    fit: Fit, method: Method, normal: Series, batch: Sequence[Series], protocol: Protocol, allowed: float | None
) -> dict[str, list[Watched]]:
    """Series by a method that learned from `normal`; without an `allowed` share, by the hour."""
    judge, detectors = calibrated(fit, normal, method)
    watched: dict[str, list[Watched]] = {name: [] for name in detectors}
    for one in batch:
        errors, first = judge(one.rows), MOVING_WINDOW if protocol == "free" else one.normal
        for name, detector in detectors.items():
            watched[name].append(watch(detector, errors, one, first, allowed or alarm_level(HOURLY, one.step)))
    return watched


def calibrated(fit: Fit, normal: Series, method: Method) -> tuple[Judge, dict[str, Detector]]:
    """A method fitted on normal rows, and detectors of the errors that it makes on parts that it was not fitted on."""
    rows, ends = normal.rows, np.linspace(0, len(normal.rows), FOLDS + 1).astype(int)
    errors, clocks = [], []
    for start, stop in pairwise(ends):
        of = fit([part for part in (rows[:start], rows[stop:]) if len(part)])(rows[:stop])[-(stop - start) :]
        errors.append(of)
        clocks.append(normal.clock[stop - len(of) : stop])
    of_normal: dict[str, Any] = {"error_clocks": clocks, "level_clocks": [normal.clock], "step_s": normal.step}
    return fit([rows]), {
        name: Detector.fit(errors, [rows] if with_levels else (), **of_normal, one_sided=method.one_sided)
        for name, with_levels in method.names.items()
    }


def watch(detector: Detector, errors: np.ndarray, series: Series, first: int, allowed: float) -> Watched:
    """Surprise and p-values from row `first` on; 0 and 1 where a method has not seen enough rows yet."""
    silent = len(series.rows) - len(errors)
    judged = detector(errors, series.rows[silent:], series.clock[silent:])
    surprise, p = np.append(np.zeros(silent), judged.surprise)[first:], np.append(np.ones(silent), judged.p)[first:]
    return Watched(series.name, surprise, p, series.fault[first:], series.step, allowed)


def _first(series: Series) -> Series:
    """The rows that are normal by the protocol."""
    kept = slice(series.normal)
    return replace(series, rows=series.rows[kept], fault=series.fault[kept], clock=series.clock[kept])


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no NaN."""
    return {
        name: {bound: value if np.isfinite(value) else None for bound, value in asdict(estimate).items()}
        for name, estimate in estimates.items()
    }


def world_model(stretches: Sequence[Rows], *, seed: int = 0, trained: bool = True) -> Judge:
    """The recipe `sensors`, trained on these stretches or left as it was drawn; errors are those of its latents."""
    recipe, channels = RECIPES["sensors"], stretches[0].shape[1]
    spec = Spec((Stream("sensors", "vector", (channels,)),), NO_ACTION)
    (stage,) = recipe.stages
    steps = min(expect(stage.steps, "a recipe with steps"), PASSES * sum(map(len, stretches)) // stage.batch)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WorldModel(spec, recipe.model)
        store = Episodes.create(f"{folder}/normal", spec)
        store.append(
            *(Episode({"sensors": rows.astype(np.float32)}, np.empty((len(rows) - 1, 0), np.float32)) for rows in stretches)
        )
        clips = Clips(store, recipe.model.frames)
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
    return {part: kept for part, kept in parts.items() if kept}
