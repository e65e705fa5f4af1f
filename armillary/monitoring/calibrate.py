"""A monitor for a trained run: what its prediction errors are like in normal running, kept beside its checkpoint.

It is made of normal episodes that the model did not train on: those that training held out, which the checkpoint names, or a
recording of its own. Nothing else is accepted, since a model is less wrong about what it has learned, and would raise alarms
all the time elsewhere. It knows which checkpoint it is of, and is refused by any other.

Beside it stands a readout: a ridge regression from latents to channels, which tells what was foretold for each sensor. What a
channel's own errors add up to, squared and over what they add up to in normal running, is its share in a surprise.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from armillary import weights
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.latents import dense
from armillary.evaluation.run import local_recording, open_run
from armillary.model import WorldModel, require_finished
from armillary.monitoring.monitor import MEMORY, Evidence, Monitor
from armillary.monitoring.surprise import Foretold, Surprise
from armillary.spec import Spec

FILE, FORMAT = "monitor.safetensors", 1
UNCUT = 1e6
"""Errors of channels are not cut: a sensor that is far off misleads the model about others, too, but less than it is off."""
STRENGTH = 1e-6
"""Of the ridge, relative to the variance of latents."""


@dataclass(frozen=True)
class Calibration:
    """All that turns a model's predictions into alarms.

    Args:
        monitor: of its prediction errors in latent space.
        channels: what the sensors are called, in the order of the model's vector streams.
        readout: (D + 1, channels), the last row constant, from latents to channels.
        sensors: what the errors of each channel add up to, in standard deviations of one of them.
        usual: (channels,) the root mean square of that in normal running.
        rows: how many normal rows it was made of.
        seconds: between two rows, or None without a clock.
        time, gap: the time column of the tables that were imported, and the seconds without a row that end an episode.
        reading: how these tables were read; see `rows.Reading`.
    """

    monitor: Monitor
    channels: tuple[str, ...]
    readout: Float[np.ndarray, "d1 c"]
    sensors: Evidence
    usual: Float[np.ndarray, " c"]
    rows: int
    seconds: float | None
    time: str | None
    gap: float | None
    reading: dict | None = None

    def shares(self, evidence: Float[np.ndarray, "m c"]) -> Float[np.ndarray, "m c"]:
        """Of each channel in what is unusual, from what its errors add up to."""
        unusual = np.square(evidence / self.usual)
        return unusual / np.maximum(unusual.sum(axis=1, keepdims=True), 1e-12)

    def save(self, path: Path, checkpoint: str) -> None:
        """Write it to `path`, as that of the checkpoint with this hash."""
        arrays = {
            "mean": self.monitor.evidence.mean,
            "scale": self.monitor.evidence.scale,
            "normal": self.monitor.normal,
            "readout": self.readout,
            "sensor_mean": self.sensors.mean,
            "sensor_scale": self.sensors.scale,
            "sensor_usual": self.usual,
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
            monitor = Monitor(Evidence(of["mean"], of["scale"], header["memory"]), header["usual"], of["normal"])
            sensors = Evidence(of["sensor_mean"], of["sensor_scale"], header["memory"], UNCUT)
            rest = {name: header[name] for name in ("rows", "seconds", "time", "gap", "reading")}
            return cls(monitor, tuple(header["channels"]), of["readout"], sensors, of["sensor_usual"], **rest)
        except (KeyError, TypeError) as error:
            raise CorruptFile(f"{path} is no calibration of this version ({error})") from error


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
        which = model.provenance["held_out"]
    else:
        model, episodes = WorldModel.load(run, "cpu"), Episodes.open(normal)
        model.spec.check(episodes.spec)
        which = _unseen(model, episodes, recording)
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
    monitor = Monitor.fit([of.errors.double().numpy() for of in foretold], memory=memory)
    readout = _readout(torch.cat([of.z for of in foretold]).double().numpy(), np.concatenate(sensed))
    errors = [channel_errors(readout, of, seen) for of, seen in zip(foretold, sensed, strict=True)]
    together = np.concatenate(errors)
    sensors = Evidence(together.mean(0), np.diag(1 / np.maximum(together.std(0), 1e-9)), memory, UNCUT)
    usual = np.sqrt(np.square(np.concatenate([sensors(of)[int(memory) :] for of in errors])).mean(0))
    rate, info = model.spec.rate, episodes.info
    rows, seconds = len(together), 1 / rate if rate else None
    clock = {"seconds": seconds, "time": info.get("time"), "gap": info.get("gap"), "reading": info.get("reading")}
    found = Calibration(monitor, channels, readout, sensors, np.maximum(usual, 1e-9), rows, **clock)
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


def _unseen(model: WorldModel, episodes: Episodes, recording: str | Path | None) -> range:
    """All episodes of a recording, if the model was trained on none of them."""
    made_from = model.provenance
    trained_on = recording or local_recording(made_from.get("recording"))
    known: set[str] = set()
    if trained_on and Path(str(trained_on)).exists():
        store = Episodes.open(trained_on)
        known = {digest for number, digest in enumerate(store.digests) if number not in made_from["held_out"]}
    if episodes.content_hash() == made_from.get("recording_hash") or known & set(episodes.digests):
        raise ArmillaryError(
            f"{episodes.path} holds episodes that the model was trained on, about which it is less wrong than about new ones; "
            "take others, or leave --normal out: then the episodes are used that training held out"
        )
    return range(len(episodes.require_some()))


def _readout(z: Float[np.ndarray, "n d"], sensed: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "d1 c"]:
    mean, shown = z.mean(0), sensed.mean(0)
    gram = (z - mean).T @ (z - mean)
    strength = STRENGTH * max(np.trace(gram) / len(gram), 1e-12)
    matrix = np.linalg.solve(gram + strength * np.eye(len(gram)), (z - mean).T @ (sensed - shown))
    return np.vstack([matrix, shown - mean @ matrix])
