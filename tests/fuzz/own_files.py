"""Good files of our own, how to read them as far as a user would, and how to change them deeper than bytes."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from armillary import weights
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.judge import Judgement
from armillary.evaluation.report.report import _metrics
from armillary.evaluation.run import open_run, world_and_pairs
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import Calibration
from armillary.monitoring.charts import Charts
from armillary.monitoring.detector import Detector
from armillary.spec import ActionSpace, Spec, Stream

SPEC = Spec((Stream("camera", "image", (16, 16, 3)), Stream("state", "vector", (3,))), ActionSpace("box", 2))


def checkpoint(folder: Path) -> None:
    from small_models import small_model

    small_model("gru").save(folder / "model.safetensors", {"held_out": [0], "recording": "gone"})


def change_header(folder: Path, rng: Any) -> None:
    from fuzz.mutations import change_value, mutate

    (path,) = folder.glob("*.safetensors")
    tensors, header = weights.read(path)
    for _ in range(rng.choice((1, 1, 3))):
        part = rng.choice(["config", "spec", None])
        if isinstance(header.get(part), str):
            header[part] = mutate(header[part].encode(errors="ignore"), rng).decode(errors="replace")
        elif isinstance(header.get(part), dict):
            header[part] = change_value(header[part], rng)
        else:
            header = change_value(header, rng)
        if not isinstance(header, dict):
            break
    weights.write(path, tensors, header)


def read_checkpoint(folder: Path, out: Path) -> None:
    from small_models import random_batch

    with suppress(ArmillaryError):  # its recording is not there
        open_run(folder)
    model = WorldModel.load(folder, "cpu")
    if sum(stream.nbytes for stream in model.spec.streams) < 1 << 20:
        batch = random_batch(spec=model.spec, skip=model.config.skip)
        model.surprise(model.encode(batch.observations), batch.actions)


def calibration(folder: Path) -> None:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((2, 300, 4))
    detector = Detector.fit([normal[0]], [normal[1, :, :3]])
    charts = Charts.fit([rng.standard_normal((300, 3))], [rng.standard_normal((300, 3))], 20.0)
    parts = np.zeros((5, 3)), charts, np.ones(4)
    found = Calibration(detector, ("a", "b", "c"), *parts, 300, 1.0, "time", None, None)
    found.save(folder / "monitor.safetensors", "hash")


def read_calibration(folder: Path, out: Path) -> None:
    found = Calibration.load(folder / "monitor.safetensors", "hash")
    found.detector(np.zeros((5, 4)), np.zeros((5, 3)), np.arange(5.0))


def pairs(folder: Path) -> None:
    state = np.random.default_rng(0).uniform(10, 50, (3, 6))
    pairs = EvalSet("two_room", "1", {"door": "random"}, 10_000, 3, state, state, np.ones(3), np.full(3, 5), "rule", {"x": 1})
    pairs.save(folder / "pairs.json")


def read_pairs(folder: Path, out: Path) -> None:
    world_and_pairs({}, folder / "pairs.json", {}, None)


def change_pairs(folder: Path, rng: Any) -> None:
    """As an enemy does, who knows how to hash."""
    from fuzz.mutations import change_value

    content = change_value(json.loads((folder / "pairs.json").read_text()), rng)
    if isinstance(content, dict):
        plain = {name: value for name, value in content.items() if name != "hash"}
        content["hash"] = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
    (folder / "pairs.json").write_text(json.dumps(content))


def log(folder: Path) -> None:
    lines = [{"step": i, "seconds": 0.5 * i, "stage": "joint", "loss": 1.0 / (i + 1)} for i in range(5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    at = {"value": 0.5, "low": 0.4, "high": 0.6}
    row = [{"horizon": 1.0, "error": at, "time_error": at, "near": at}]
    prediction = {"unit": "seconds", "episodes": [1], "starts": 3, "rows": {"model": row}, "effective_rank": 2.0}
    facts = {"title": "x", "recording": "gone"}
    results = {"facts": facts, "prediction": {**prediction, "dead_share": 0.0, "latent": 8}}
    (folder / "results.json").write_text(json.dumps(results))


def read_log(folder: Path, out: Path) -> None:
    _metrics(folder / "metrics.jsonl")
    Judgement.load(folder / "results.json").summary()


def _episodes(count: int = 2, rows: int = 4) -> list[Episode]:
    rng = np.random.default_rng(0)

    def one() -> Episode:
        seen = {
            "camera": rng.integers(0, 255, (rows, 16, 16, 3), np.uint8),
            "state": rng.standard_normal((rows, 3), np.float32),
        }
        return Episode(seen, rng.standard_normal((rows - 1, 2), np.float32), info={"seed": 1})

    return [one() for _ in range(count)]


def store(folder: Path, images: str = "raw") -> None:
    with Episodes.create(folder / "store", SPEC, images=images, info={"world": "x"}) as episodes:
        episodes.append(*_episodes())


def read_store(folder: Path, out: Path) -> None:
    with Episodes.open(folder / "store") as episodes:
        for number in range(min(len(episodes), 3)):
            episodes.episode(number)
        episodes.content_hash()
