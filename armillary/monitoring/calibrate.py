"""A monitor for a trained run: what its prediction errors are like in normal running, kept beside its checkpoint.

It is made of normal episodes that the model did not train on: those that training held out, which the checkpoint names, or a
recording of its own. Nothing else is accepted, since a model is less wrong about what it has learned, and would raise alarms
all the time elsewhere. It knows which checkpoint it is of, and is refused by any other.

Beside it stand a readout, a ridge regression from latents to channels, which tells what was predicted for each sensor, and the
charts of each sensor's own errors.
"""

import hashlib
from collections.abc import Sequence
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
from armillary.evaluation.latents import dense, learned_from
from armillary.evaluation.run import local_recording, open_run
from armillary.model import WorldModel, require_finished
from armillary.monitoring.charts import Charts
from armillary.monitoring.monitor import MEMORY, PARTS, Evidence, Monitor
from armillary.monitoring.surprise import Foretold, Surprise
from armillary.spec import Spec
from armillary.training.rows import TRAINING_ROWS, read_training_rows

FILE, FORMAT = "monitor.safetensors", 2
KNOWN = 0.01
"""Share of the rows of a recording that the model may have been trained on, by chance."""
HISTORY = 200_000
"""Rows of the training part, at most, that tell which sensors ever vary."""
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
        monitor: of its prediction errors in latent space.
        channels: what the sensors are called, in the order of the model's vector streams.
        readout: (D + 1, channels), the last row constant, from latents to channels.
        charts: of each channel by itself.
        alive: (D,) 1 where a latent number varies in normal running, else 0; errors of the others do not count.
        rows: how many normal rows it was made of.
        seconds: between two rows, or None without a clock.
        time, gap: the time column of the tables that were imported, and the seconds without a row that end an episode.
        reading: how these tables were read; see `rows.Reading`.
    """

    monitor: Monitor
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
            "mean": self.monitor.evidence.mean,
            "scale": self.monitor.evidence.scale,
            "normal": self.monitor.normal,
            "readout": self.readout,
            "alive": self.alive,
            **{f"charts.{name}": values for name, values in self.charts.arrays().items()},
        }
        memory = self.monitor.evidence.memory
        header = {"format": FORMAT, "checkpoint": checkpoint, "usual": self.monitor.usual, "memory": memory}
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
            monitor = Monitor(Evidence(of["mean"], of["scale"], header["memory"]), header["usual"], of["normal"])
            charts = {name.removeprefix("charts."): values for name, values in of.items() if name.startswith("charts.")}
            rest = {name: header[name] for name in ("rows", "seconds", "time", "gap", "reading")}
            parts = of["readout"], Charts(**charts, memory=header["memory"]), of["alive"]
            return cls(monitor, tuple(header["channels"]), *parts, **rest)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{path} is no calibration of this version ({error})") from error


def _check(of: dict[str, np.ndarray], header: dict[str, Any]) -> None:
    """Require that arrays and header fit together, whoever wrote them.

    Raises:
        KeyError, TypeError, ValueError: they do not.
    """
    (inputs, _), sensors = of["scale"].shape, len(header["channels"])
    shapes = {"mean": (inputs,), "alive": (inputs,), "scale": of["scale"].shape, "readout": (len(of["readout"]), sensors)}
    shapes["normal"] = (len(of["normal"]), of["normal"].shape[1])
    for name, values in of.items():
        chart = name.removeprefix("charts.") if name.startswith("charts.") else None
        of_charts = {"start": (2, PARTS, sensors), "excess": (2, PARTS, sensors), "wider": (sensors, sensors)}
        shape = shapes.get(name) or of_charts.get(chart, (sensors,))
        finite = chart in ("constant", "stuck_after") or np.isfinite(values).all()  # of those, NaN and infinity say something
        if values.shape != shape or not values.size or values.dtype.kind != "f" or not finite:
            raise ValueError(f"{name} is {values.dtype} {values.shape}, expected finite numbers {shape}")
    kinds = {"memory": float, "usual": float, "rows": int, "channels": list}
    kinds |= {name: kind for name, kind in (("seconds", float), ("gap", float), ("time", str)) if header[name] is not None}
    for name, kind in kinds.items():
        value = header[name]
        if not isinstance(value, int | float if kind is float else kind) or (kind is float and not 0 < value < np.inf):
            raise ValueError(f"{name} is {str(value)[:100]}")
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
    else:
        model, episodes = WorldModel.load(run, "cpu"), Episodes.open(normal)
        model.spec.check(episodes.spec)
        known = _training_recording(model, recording)
        _require_unseen(run, model, episodes, known)
        which, history = range(len(episodes.require_some())), _history(model, known) if known else []
    channels = sensor_names(model.spec)
    surprise, foretold, sensed = Surprise(model), [], []
    with one_thread(model.config.is_small):
        for number in which:
            seen = episodes.read(number)
            actions = np.pad(dense(model.spec.action, episodes.actions(number)), ((0, 1), (0, 0)))
            surprise.start()
            of = surprise({name: torch.from_numpy(values) for name, values in seen.items()}, torch.from_numpy(actions))
            if len(of.z):
                foretold.append(of)
                sensed.append(side_by_side(model.spec, seen)[-len(of.z) :])
    if not foretold:
        raise ArmillaryError(f"{episodes.path}: none of {len(which)} episodes has more rows than a context of {surprise.reach}")
    z = torch.cat([of.z for of in foretold]).double().numpy()
    alive = (z.std(0) > LIVELY * max(z.std(0).max(), np.finfo(np.float32).tiny)).astype(np.float64)
    monitor = Monitor.fit([of.errors.double().numpy() * alive for of in foretold], memory=memory)
    readout = _readout(z, np.concatenate(sensed))
    errors = [channel_errors(readout, of, seen) for of, seen in zip(foretold, sensed, strict=True)]
    charts = Charts.fit(sensed, errors, memory, history)
    charts = replace(charts, wider=_wider(model, episodes, which, readout, charts, errors))
    rate, info = model.spec.rate, episodes.info
    rows, seconds = sum(map(len, errors)), 1 / rate if rate else None
    clock = {"seconds": seconds, "time": info.get("time"), "gap": info.get("gap"), "reading": info.get("reading")}
    found = Calibration(monitor, channels, readout, charts, alive, rows, **clock)
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
    if other := [stream.name for stream in spec.observed if stream.kind != "vector" or not stream.channels]:
        raise ArmillaryError(f"tables have named sensors, and this model also sees {', '.join(other)}")
    return tuple(name for stream in spec.observed for name in stream.channels)


def side_by_side(spec: Spec, seen: dict[str, np.ndarray]) -> Float[np.ndarray, "n c"]:
    """All observed channels in one array, in their own units."""
    return np.concatenate([seen[stream.name] for stream in spec.observed], axis=1).astype(np.float64)


def channel_errors(
    readout: Float[np.ndarray, "d1 c"], foretold: Foretold, sensed: Float[np.ndarray, "m c"]
) -> Float[np.ndarray, "m c"]:
    """What each channel showed, minus what was foretold for it, in its own unit."""
    return sensed - foretold.expected.double().cpu().numpy() @ readout[:-1] - readout[-1]


def _training_recording(model: WorldModel, recording: str | Path | None) -> Episodes | None:
    """The recording that the model was trained on, if it is still there."""
    where = recording or local_recording(model.provenance.get("recording"))
    if not where or ("://" not in str(where) and not Path(where).exists()):
        return None
    episodes = Episodes.open(where)
    return episodes if episodes.content_hash() == model.provenance.get("recording_hash") else None


def _require_unseen(run: Path, model: WorldModel, episodes: Episodes, recording: Episodes | None) -> None:
    """Refuse a recording that shows rows that the model was trained on, however they are cut into episodes."""
    names = [stream.name for stream in model.spec.observed]
    known = read_training_rows(run)
    if known is None and recording is None:
        raise ArmillaryError(
            f"{run} does not say which rows it was trained on ({TRAINING_ROWS} and the recording are gone); whether "
            f"{episodes.path} holds them is unknown; say with --recording where the recording is"
        )
    if known is None:
        known = row_hashes(recording, learned_from(model, recording), names)
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
    for number in which:
        if episodes.lengths[number] > surprise.reach and len(given) < len(plain):
            actions = np.pad(dense(model.spec.action, episodes.actions(number)), ((0, 1), (0, 0)))
            given.append((side_by_side(model.spec, episodes.read(number)), torch.from_numpy(actions)))
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
    for number in learned_from(model, recording):
        if rows < HISTORY:
            found.append(side_by_side(model.spec, recording.read(number, streams=names)))
            rows += len(found[-1])
    return found


def _readout(z: Float[np.ndarray, "n d"], sensed: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "d1 c"]:
    mean, shown = z.mean(0), sensed.mean(0)
    gram = (z - mean).T @ (z - mean)
    strength = STRENGTH * max(np.trace(gram) / len(gram), 1e-12)
    matrix = np.linalg.solve(gram + strength * np.eye(len(gram)), (z - mean).T @ (sensed - shown))
    return np.vstack([matrix, shown - mean @ matrix])
