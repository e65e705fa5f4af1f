"""A monitor for a trained run: what its prediction errors are like in normal running, kept beside its checkpoint.

It is made of normal episodes that the model did not train on: those that training held out, which the checkpoint names, or a
recording of its own. Nothing else is accepted, since a model is less wrong about what it has learned, and would raise alarms
all the time elsewhere. It knows which checkpoint it is of, and is refused by any other.

Beside it stand a readout, a ridge regression from latents to channels, which tells what was predicted for each sensor, and the
charts of each sensor's own errors.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from armillary import weights
from armillary.device import one_thread
from armillary.episodes.row_hashes import row_hashes, share_known
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.run import local_recording, open_run
from armillary.latents import dense, learned_from
from armillary.model.world_model import WorldModel, require_finished
from armillary.monitoring.charts import Charts
from armillary.monitoring.detector import Detector
from armillary.monitoring.monitor import MEMORY
from armillary.monitoring.surprise import Prediction, Surprise
from armillary.ridge import affine_ridge
from armillary.spec import Spec
from armillary.training.rows import TRAINING_ROWS, read_training_rows

FILE, FORMAT = "monitor.safetensors", 3
KNOWN = 0.01
"""Share of the rows of a recording that the model may have been trained on, by chance."""
HISTORY = 200_000
"""Rows of the training part, at most, that show which sensors ever vary."""
FILLED_ROWS = 20_000
"""Normal rows, about, on which it is asked what a model is worth without one of its sensors."""
LIVELY = 1e-4
"""Standard deviation of a latent number, relative to the greatest, below which it never varies."""
STRENGTH = 1e-6
"""Of the ridge, relative to the variance of latents."""


@dataclass(frozen=True)
class Calibration:
    """All that turns a model's predictions into alarms.

    Args:
        detector: of its prediction errors in latent space and, without controls, of the sensors' levels.
        channels: what the sensors are called, in the order of the model's vector streams.
        readout: (D + 1, channels), the last row constant, from latents to channels.
        charts: of each channel by itself.
        alive: (D,) 1 where a latent number varies in normal running, else 0; errors of the others do not count.
        rows: how many normal rows it was made of.
        seconds: between two rows, or None without a clock.
        time, gap: the time column of the tables that were imported, and the seconds without a row that end an episode.
        reading: how these tables were read; see `rows.Reading`.
    """

    detector: Detector
    channels: tuple[str, ...]
    readout: Float[np.ndarray, "d1 c"]
    charts: Charts
    alive: Float[np.ndarray, " d"]
    rows: int
    seconds: float | None
    time: str | None
    gap: float | None
    reading: dict | None = None

    def save(self, path: Path, checkpoint: str) -> None:
        """Write it to `path`, as that of the checkpoint with this hash."""
        arrays = {
            "readout": self.readout,
            "alive": self.alive,
            **{f"charts.{name}": values for name, values in self.charts.arrays().items()},
        }
        of_detector, described = self.detector.plain()
        arrays |= {f"detector.{name}": values for name, values in of_detector.items()}
        header = {"format": FORMAT, "checkpoint": checkpoint, "detector": described, "memory": self.charts.memory}
        header |= {name: getattr(self, name) for name in ("channels", "rows", "seconds", "time", "gap", "reading")}
        weights.write(path, {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}, header)

    @classmethod
    def load(cls, path: Path, checkpoint: str) -> "Calibration":
        """Read what `save` wrote.

        Raises:
            ArmillaryError: it is of another checkpoint.
            CorruptFile: it is no calibration.
        """
        tensors, header = weights.read(path)
        if header.get("checkpoint") != checkpoint:
            raise ArmillaryError(f"{path} is of another checkpoint than the one beside it; make it anew: --calibrate")
        try:
            of = {name: tensor.numpy() for name, tensor in tensors.items()}
            _check(of, header)
            charts, of_detector = (
                {name.removeprefix(part): values for name, values in of.items() if name.startswith(part)}
                for part in ("charts.", "detector.")
            )
            detector = Detector.of_plain(of_detector, header["detector"])
            rest = {name: header[name] for name in ("rows", "seconds", "time", "gap", "reading")}
            parts = of["readout"], Charts(**charts, memory=header["memory"]), of["alive"]
            return cls(detector, tuple(header["channels"]), *parts, **rest)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{path} is no calibration of this version ({error})") from error


def _check(of: dict[str, np.ndarray], header: dict[str, Any]) -> None:
    """Require that arrays and header fit together, whoever wrote them.

    Raises:
        AttributeError, IndexError, KeyError, TypeError, ValueError: they do not.
    """
    (inputs,), sensors = of["alive"].shape, len(header["channels"])
    shapes: dict[str, tuple[int, ...]] = {"alive": (inputs,), "readout": (len(of["readout"]), sensors)}
    for name in header["detector"]:
        wide = {"errors": inputs, "levels": sensors}[name]
        kept = int((of[f"detector.{name}.scale"] > 0).sum())
        own = {"scale": (wide,), "mean": (kept,), "whiten": (kept, kept), "normal": of[f"detector.{name}.normal"].shape}
        if (profile := of.get(f"detector.{name}.profile")) is not None:
            own["profile"] = (len(profile), kept)
        shapes |= {f"detector.{name}.{part}": shape for part, shape in own.items()}
    tails = (2, len(of["charts.start"][0]), sensors)
    shapes |= {"charts.start": tails, "charts.excess": tails, "charts.wider": (sensors, sensors)}
    for name, values in of.items():
        shape = shapes[name] if name in shapes or not name.startswith("charts.") else (sensors,)
        finite = name in ("charts.constant", "charts.stuck_after") or np.isfinite(values).all()  # NaN, infinity: see `Charts`
        flat = name.endswith(".normal") and values.ndim != 2
        if values.shape != shape or flat or not values.size or values.dtype.kind != "f" or not finite:
            raise ValueError(f"{name} is {values.dtype} {values.shape}, expected finite numbers {shape}")
    numbers = [("memory", header["memory"]), *(item for of_chart in header["detector"].values() for item in of_chart.items())]
    numbers += [(name, header[name]) for name in ("seconds", "gap") if header[name] is not None]
    for name, value in numbers:
        if not isinstance(value, int | float) or not 0 < value < np.inf:
            raise ValueError(f"{name} is {str(value)[:100]}")
    if not header["detector"] or any(of_chart["memory"] < 1 for of_chart in header["detector"].values()):
        raise ValueError("the detector has no chart, or one with a memory below one row")
    for name, kind in (("rows", int), ("channels", list), ("time", str | None)):
        if not isinstance(header[name], kind):
            raise ValueError(f"{name} is {str(header[name])[:100]}")
    if header["memory"] < 1 or not all(isinstance(name, str) for name in header["channels"]):
        raise ValueError(f"memory is {header['memory']} rows, or a channel has no name")


def calibrate(
    run: str | Path,
    *,
    recording: str | Path | None = None,
    normal: str | Path | None = None,
    memory: float = MEMORY,
) -> Calibration:
    """Make the calibration of a run, and keep it there as `monitor.safetensors`.

    Args:
        run: a folder with `model.safetensors`, of a recording of vectors alone.
        recording: where the recording that it was trained on is now, if it was moved. Its held-out episodes are used.
        normal: a recording of normal running to use instead, which the model has not seen.
        memory: rows over which evidence is gathered.

    Raises:
        ArmillaryError: no run or recording there, streams that are no vectors, episodes that the model was trained on, or too
            few rows.
        SpecMismatch: the recording is another one than the model was trained on, or has other streams.
    """
    run = Path(run)
    if normal is None:
        model, episodes = open_run(run, recording, "cpu")
        which, history = model.provenance["held_out"], _history(model, episodes)
        trained = learned_from(model, episodes).tolist()
    else:
        model = WorldModel.load(run, "cpu")
        episodes = Episodes.open(normal).relative_to(model.spec)
        model.spec.check(episodes.spec)
        known = _training_recording(model, recording)
        _require_unseen(run, model, episodes, known)
        which, history = range(len(episodes.require_some())), _history(model, known) if known else []
        trained = []
    channels, names = sensor_names(model.spec), [stream.name for stream in model.spec.observed]
    which, trained, held = episodes.complete(which, names), episodes.complete(trained, names), which
    if len(held) and not which:
        raise ArmillaryError(f"{episodes.path}: in each of {len(held)} episodes a sensor is absent; take others (--normal)")
    with one_thread(model.config.is_small):
        predictions, sensed, clocks = _predicted(model, episodes, which)
        earlier, earlier_sensed, earlier_clocks = _predicted(model, episodes, trained)
    if not predictions:
        raise ArmillaryError(
            f"{episodes.path}: none of {len(which)} episodes has more rows than a context of {Surprise(model).reach}"
        )
    z = torch.cat([of.z for of in predictions]).double().numpy()
    alive = (z.std(0) > LIVELY * z.std(0).max()).astype(np.float64)
    levels, level_clocks = _levels(model, episodes, sorted({*which, *trained}))
    timed = all(len(clock) for clock in (*clocks, *earlier_clocks, *level_clocks))
    learned = [of.errors.double().numpy() * alive for of in earlier]
    detector = Detector.fit(
        [of.errors.double().numpy() * alive for of in predictions],
        levels,
        error_clocks=clocks if timed else None,
        level_clocks=level_clocks if timed else None,
        step_s=1 / model.spec.rate if model.spec.rate else None,
        memory=memory,
        learned=learned,
    ).calmed(learned, earlier_clocks)
    readout = affine_ridge(z, np.concatenate(sensed), STRENGTH)
    errors = [channel_errors(readout, of, seen) for of, seen in zip(predictions, sensed, strict=True)]
    of_learned = [channel_errors(readout, of, seen) for of, seen in zip(earlier, earlier_sensed, strict=True)]
    charts = Charts.fit(sensed, errors, memory, history, of_learned)
    charts = replace(charts, wider=_wider(model, episodes, which, readout, charts, errors))
    rate, info = model.spec.rate, episodes.info
    rows, seconds = sum(map(len, errors)), 1 / rate if rate else None
    clock = {"seconds": seconds, "time": info.get("time"), "gap": info.get("gap"), "reading": info.get("reading")}
    found = Calibration(detector, channels, readout, charts, alive, rows, **clock)
    found.save(run / FILE, fingerprint(run))
    return found


def load_calibration(run: str | Path) -> Calibration:
    """What `calibrate` left in a run's folder.

    Raises:
        ArmillaryError: nothing there, or it is of another checkpoint.
    """
    require_finished(run)
    path = Path(run) / FILE
    if not path.is_file():
        raise ArmillaryError(f"{run} is not calibrated; do it once, with: armillary watch {run} --calibrate")
    return Calibration.load(path, fingerprint(run))


def fingerprint(run: str | Path) -> str:
    """A hash of a run's checkpoint."""
    return hashlib.sha256((Path(run) / "model.safetensors").read_bytes()).hexdigest()[:16]


def sensor_names(spec: Spec) -> tuple[str, ...]:
    """The channels of all observed streams, in order.

    Raises:
        ArmillaryError: a stream that is no vector, or whose channels have no names.
    """
    if other := [stream.name for stream in spec.observed if not (stream.is_tabular and stream.channels)]:
        raise ArmillaryError(f"tables have named sensors, and this model also sees {', '.join(other)}")
    return tuple(name for stream in spec.observed for name in stream.channels)


def side_by_side(spec: Spec, seen: dict[str, np.ndarray]) -> Float[np.ndarray, "n c"]:
    """All observed channels in one array, in their own units."""
    return np.concatenate([seen[stream.name] for stream in spec.observed], axis=1).astype(np.float64)


def channel_errors(
    readout: Float[np.ndarray, "d1 c"], prediction: Prediction, sensed: Float[np.ndarray, "m c"]
) -> Float[np.ndarray, "m c"]:
    """What each channel showed, minus what was predicted for it, in its own unit."""
    return sensed - prediction.expected.double().cpu().numpy() @ readout[:-1] - readout[-1]


def _training_recording(model: WorldModel, recording: str | Path | None) -> Episodes | None:
    """The recording that the model was trained on, if it is still there."""
    where = recording or local_recording(model.provenance.get("recording"))
    if not where or ("://" not in str(where) and not Path(where).exists()):
        return None
    episodes = Episodes.open(where).relative_to(model.spec)
    return episodes if episodes.content_hash() == model.provenance.get("recording_hash") else None


def _require_unseen(run: Path, model: WorldModel, episodes: Episodes, recording: Episodes | None) -> None:
    """Refuse a recording that shows rows that the model was trained on, however they are cut into episodes."""
    names = [stream.name for stream in model.spec.observed]
    known = read_training_rows(run)
    if known is None and recording is not None:
        known = row_hashes(recording, learned_from(model, recording), names)
    if known is None:
        raise ArmillaryError(
            f"{run} does not say which rows it was trained on ({TRAINING_ROWS} and the recording are gone); whether "
            f"{episodes.path} holds them is unknown; say with --recording where the recording is"
        )
    digests = {recording.digests[number] for number in learned_from(model, recording)} if recording else set()
    share = share_known(known, row_hashes(episodes, range(len(episodes)), names))
    if share > KNOWN or digests & set(episodes.digests):
        raise ArmillaryError(
            f"{episodes.path} holds rows that the model was trained on ({share:.0%} of its stretches), about which it is less "
            "wrong than about new ones; take others, or leave --normal out: then the episodes are used that training held out"
        )


def _wider(
    model: WorldModel,
    episodes: Episodes,
    which: Sequence[int],
    readout: np.ndarray,
    charts: Charts,
    errors: Sequence[np.ndarray],
) -> Float[np.ndarray, "c c"]:
    """How much larger the errors of each channel are where another one is filled in with its mean."""
    wider, surprise = np.ones((len(charts.value), len(charts.value))), Surprise(model)
    rows = np.cumsum([len(of) for of in errors])
    plain = errors[: 1 + int(np.searchsorted(rows, FILLED_ROWS))]
    given = []
    for stretch in _stretches(model, episodes, which):
        if episodes.lengths[stretch].sum() > surprise.reach and len(given) < len(plain):
            actions = [np.pad(dense(model.spec.action, episodes.actions(number)), ((0, 1), (0, 0))) for number in stretch]
            shown = [side_by_side(model.spec, episodes.read(number)) for number in stretch]
            given.append((np.concatenate(shown), torch.from_numpy(np.concatenate(actions))))
    edges = np.cumsum([stream.shape[0] for stream in model.spec.observed])[:-1]
    with one_thread(model.config.is_small):
        for channel in np.flatnonzero(charts.varies):
            found = []
            for sensed, actions in given:
                x = sensed.astype(np.float32)
                x[:, channel] = charts.value[channel]
                parts = np.split(x, edges, axis=1)
                surprise.start()
                streams = {s.name: torch.from_numpy(part) for s, part in zip(model.spec.observed, parts, strict=True)}
                found.append(channel_errors(readout, surprise(streams, actions), sensed[surprise.reach :]))
            wider[channel] = charts.widened(channel, found, plain)
    return wider


def _history(model: WorldModel, recording: Episodes) -> list[np.ndarray]:
    """What the sensors showed in the training part, episode by episode."""
    found, rows, names = [], 0, [stream.name for stream in model.spec.observed]
    for number in recording.complete(learned_from(model, recording), names):
        if rows < HISTORY:
            found.append(side_by_side(model.spec, recording.read(number, streams=names)))
            rows += len(found[-1])
    return found


def _predicted(
    model: WorldModel, episodes: Episodes, which: Iterable[int]
) -> tuple[list[Prediction], list[np.ndarray], list[np.ndarray]]:
    """What was predicted, what the sensors showed and when, a stretch at a time, up to `HISTORY` rows."""
    surprise, found, rows = Surprise(model), ([], [], []), 0
    for stretch in _stretches(model, episodes, which):
        surprise.start()
        parts, seen = [], []
        for number in stretch if rows < HISTORY else ():
            streams = episodes.read(number)
            actions = np.pad(dense(model.spec.action, episodes.actions(number)), ((0, 1), (0, 0)))
            parts.append(surprise({name: torch.from_numpy(of) for name, of in streams.items()}, torch.from_numpy(actions)))
            seen.append(side_by_side(model.spec, streams))
        if not (count := sum(len(of.z) for of in parts)):
            continue
        rows += count
        found[0].append(Prediction(torch.cat([of.z for of in parts]), torch.cat([of.expected for of in parts])))
        found[1].append(np.concatenate(seen)[-count:])
        found[2].append(np.concatenate([_clock(episodes, number) for number in stretch])[-count:])
    return found


def _stretches(model: WorldModel, episodes: Episodes, which: Iterable[int]) -> list[list[int]]:
    """Episodes that go on from one to the next without a gap, as those do that one long table was cut into. With controls each
    is alone, since the last one in force is not recorded."""
    stretches: list[list[int]] = []
    for number in which:
        before = episodes.infos[number - 1].get("time") if number else None
        here, step = episodes.infos[number].get("time"), 1 / model.spec.rate if model.spec.rate else 0
        goes_on = before and here and not model.spec.action.n and 0 < here[0] - before[1] <= 1.5 * step
        if stretches and stretches[-1][-1] == number - 1 and goes_on:
            stretches[-1].append(int(number))
        else:
            stretches.append([int(number)])
    return stretches


def _levels(model: WorldModel, episodes: Episodes, which: Iterable[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the sensors showed in normal running, and when; nothing of a model with controls, which move levels."""
    levels, clocks, names = [], [], [stream.name for stream in model.spec.observed]
    for stretch in _stretches(model, episodes, which) if model.spec.action.n == 0 else ():
        if sum(map(len, levels)) < HISTORY:
            shown = [side_by_side(model.spec, episodes.read(number, streams=names)) for number in stretch]
            levels.append(np.concatenate(shown))
            clocks.append(np.concatenate([_clock(episodes, number) for number in stretch]))
    return levels, clocks


def _clock(episodes: Episodes, number: int) -> Float[np.ndarray, " n"]:
    """Seconds at each row of an episode, evenly from its first to its last; none where the recording does not say."""
    between = episodes.infos[number].get("time")
    return np.linspace(*between, int(episodes.lengths[number])) if between else np.empty(0)
