"""The parsers of what strangers hand over: how to make a small good file, and how to read it as far as a user would."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from armillary import weights
from armillary.episodes.formats import hdf5, lerobot, mcap, minari, swm, table, video
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.judge import Judgement
from armillary.evaluation.pairs import EvalSet
from armillary.evaluation.report import _metrics
from armillary.evaluation.run import open_run, world_and_pairs
from armillary.model import WorldModel
from armillary.monitoring.calibrate import Calibration
from armillary.monitoring.charts import Charts
from armillary.monitoring.detector import Detector
from armillary.spec import ActionSpace, Spec, Stream


@dataclass(frozen=True)
class Target:
    """A parser.

    Args:
        make: writes good files into an empty folder.
        read: reads what is in a folder; the second folder is empty, for what it writes.
        rewrite: changes a file in a way of its own, deeper than bytes; None for none.
        quick: mutations in `make test`.
    """

    make: Callable[[Path], None]
    read: Callable[[Path, Path], Any]
    rewrite: Callable[[Path, Any], None] | None = None
    quick: int = 200


# ---- checkpoints and what lies beside them

SPEC = Spec((Stream("camera", "image", (16, 16, 3)), Stream("state", "vector", (3,))), ActionSpace("box", 2))


def _checkpoint(folder: Path) -> None:
    from small_models import small_model

    small_model("gru").save(folder / "model.safetensors", {"held_out": [0], "recording": "gone"})


def _change_header(folder: Path, rng: Any) -> None:
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


def _read_checkpoint(folder: Path, out: Path) -> None:
    from small_models import random_batch

    with suppress(ArmillaryError):  # its recording is not there
        open_run(folder)
    model = WorldModel.load(folder, "cpu")
    if sum(stream.nbytes for stream in model.spec.streams) < 1 << 20:
        batch = random_batch(spec=model.spec, skip=model.config.skip)
        model.surprise(model.encode(batch.observations), batch.actions)


def _calibration(folder: Path) -> None:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((2, 300, 4))
    detector = Detector.fit([normal[0]], [normal[1, :, :3]])
    charts = Charts.fit([rng.standard_normal((300, 3))], [rng.standard_normal((300, 3))], 20.0)
    parts = np.zeros((5, 3)), charts, np.ones(4)
    found = Calibration(detector, ("a", "b", "c"), *parts, 300, 1.0, "time", None, None)
    found.save(folder / "monitor.safetensors", "hash")


def _read_calibration(folder: Path, out: Path) -> None:
    found = Calibration.load(folder / "monitor.safetensors", "hash")
    found.detector(np.zeros((5, 4)), np.zeros((5, 3)), np.arange(5.0))


# ---- JSON of ours


def _pairs(folder: Path) -> None:
    state = np.random.default_rng(0).uniform(10, 50, (3, 6))
    pairs = EvalSet("two_room", "1", {"door": "random"}, 10_000, 3, state, state, np.ones(3), np.full(3, 5), "rule", {"x": 1})
    pairs.save(folder / "pairs.json")


def _read_pairs(folder: Path, out: Path) -> None:
    world_and_pairs({}, folder / "pairs.json", {}, None)


def _change_pairs(folder: Path, rng: Any) -> None:
    """As an enemy does, who knows how to hash."""
    from fuzz.mutations import change_value

    content = change_value(json.loads((folder / "pairs.json").read_text()), rng)
    if isinstance(content, dict):
        plain = {name: value for name, value in content.items() if name != "hash"}
        content["hash"] = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
    (folder / "pairs.json").write_text(json.dumps(content))


def _log(folder: Path) -> None:
    lines = [{"step": i, "seconds": 0.5 * i, "stage": "joint", "loss": 1.0 / (i + 1)} for i in range(5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    at = {"value": 0.5, "low": 0.4, "high": 0.6}
    row = [{"horizon": 1.0, "error": at, "time_error": at, "near": at}]
    prediction = {"unit": "seconds", "episodes": [1], "starts": 3, "rows": {"model": row}, "effective_rank": 2.0}
    facts = {"title": "x", "recording": "gone"}
    results = {"facts": facts, "prediction": {**prediction, "dead_share": 0.0, "latent": 8}}
    (folder / "results.json").write_text(json.dumps(results))


def _read_log(folder: Path, out: Path) -> None:
    _metrics(folder / "metrics.jsonl")
    Judgement.load(folder / "results.json").summary()


# ---- stores


def _episodes(count: int = 2, rows: int = 4) -> list[Episode]:
    rng = np.random.default_rng(0)

    def one() -> Episode:
        seen = {
            "camera": rng.integers(0, 255, (rows, 16, 16, 3), np.uint8),
            "state": rng.standard_normal((rows, 3), np.float32),
        }
        return Episode(seen, rng.standard_normal((rows - 1, 2), np.float32), info={"seed": 1})

    return [one() for _ in range(count)]


def _store(folder: Path, images: str = "raw") -> None:
    with Episodes.create(folder / "store", SPEC, images=images, info={"world": "x"}) as store:
        store.append(*_episodes())


def _read_store(folder: Path, out: Path) -> None:
    with Episodes.open(folder / "store") as store:
        for number in range(min(len(store), 3)):
            store.episode(number)
        store.content_hash()


# ---- formats of others


def _lerobot(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    vector = {"dtype": "float32", "shape": [2], "names": ["a", "b"]}
    features = {"observation.state": vector, "action": vector, "timestamp": {"dtype": "float32", "shape": [1], "names": None}}
    data = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
    info = {"codebase_version": "v2.1", "fps": 10, "chunks_size": 1000, "features": features, "data_path": data}
    (folder / "meta").mkdir()
    (folder / "data/chunk-000").mkdir(parents=True)
    (folder / "meta/info.json").write_text(json.dumps({**info, "video_path": None, "robot_type": "toy"}))
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "tasks": ["x"], "length": 5}\n')
    rows = np.arange(10.0).reshape(5, 2).tolist()
    columns = {"observation.state": rows, "action": rows, "timestamp": pa.array(np.arange(5) / 10, pa.float32())}
    pq.write_table(pa.table({**columns, "episode_index": [0] * 5}), folder / data.format(episode_chunk=0, episode_index=0))


def _hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "demo.hdf5", "w") as file:
        for demo in range(2):
            group = file.create_group(f"data/demo_{demo}")
            group["actions"] = np.zeros((5, 2))
            group["obs/state"] = np.arange(15.0).reshape(5, 3)
            group.create_dataset("obs/camera", data=np.zeros((5, 8, 8, 3), np.uint8), compression="gzip", chunks=(2, 8, 8, 3))
        file["data"].attrs["env_args"] = '{"env_kwargs": {"control_freq": 20}}'


def _mcap(folder: Path) -> None:
    from episodes.ros_fakes import axes, image, scan, write_mcap

    pixels = np.zeros((4, 4, 3), np.uint8)
    topics = {
        "/camera": ("sensor_msgs/Image", [(i / 10, image(pixels, "rgb8")) for i in range(6)]),
        "/scan": ("sensor_msgs/LaserScan", [(i / 10, scan(np.ones(4), 0.1)) for i in range(6)]),
        "/cmd": ("geometry_msgs/Twist", [(i / 10, {"linear": axes(1), "angular": axes(0)}) for i in range(6)]),
    }
    write_mcap(folder / "file.mcap", topics, enable_crcs=False, compression=_uncompressed(), chunk_size=4096)


def _uncompressed() -> Any:
    from mcap.writer import CompressionType

    return CompressionType.NONE


def _table(folder: Path) -> None:
    lines = [f"2020-01-01 00:00:{i:02d};{i};{2 * i}.5;{i % 2}" for i in range(30)]
    (folder / "log.csv").write_text("\n".join(["time;a [bar];b;valve", *lines]) + "\n")


def _images(folder: Path) -> None:
    from PIL import Image

    (folder / "film").mkdir()
    for i, kind in enumerate(("png", "jpg", "png", "bmp", "tif")):
        Image.fromarray(np.full((16, 16, 3), 10 * i, np.uint8)).save(folder / f"film/{i}.{kind}")


def _video(folder: Path) -> None:
    from episodes.film_fakes import film

    for kind in ("mp4", "mkv", "avi", "ts"):
        film(folder / f"film.{kind}", range(6), codec="mpeg4")


def _change_film(folder: Path, rng: Any) -> None:
    """A few bytes of one of them, in their place: most other changes move what a container's index points at."""
    kept = rng.choice(sorted(folder.iterdir()))
    for film in folder.iterdir():
        if film != kept:
            film.unlink()
    content = bytearray(kept.read_bytes())
    for _ in range(rng.choice((1, 2, 4))):
        content[rng.randrange(len(content))] ^= rng.choice((1 << rng.randrange(8), 0xFF))
    kept.write_bytes(content)


def _minari(folder: Path) -> None:
    import h5py

    space = json.dumps({"type": "Box", "dtype": "float32", "shape": [2], "low": [-1, -1], "high": [1, 1]})
    (folder / "data").mkdir()
    about = {"total_episodes": 1, "observation_space": space, "action_space": space, "data_format": "hdf5"}
    (folder / "data/metadata.json").write_text(json.dumps(about))
    with h5py.File(folder / "data/main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["observations"], group["actions"] = np.zeros((6, 2), np.float32), np.zeros((5, 2), np.float32)
        group["rewards"], group["terminations"], group["truncations"] = np.zeros(5), np.zeros(5, bool), np.zeros(5, bool)


def _swm(folder: Path) -> None:
    for name, values in {"ep_len": [4, 3], "ep_offset": [0, 4], "action": np.zeros((7, 2)), "state": np.zeros((7, 3))}.items():
        np.savez(folder / f"{name}.npz", values)


def _imports(read: Callable, name: str = "", **options: Any) -> Callable[[Path, Path], None]:
    def through(folder: Path, out: Path) -> None:
        read(folder / name, out / "store", progress=False, **options)

    return through


TARGETS = {
    "checkpoint": Target(_checkpoint, _read_checkpoint, _change_header, quick=50),
    "calibration": Target(_calibration, _read_calibration, _change_header),
    "pairs": Target(_pairs, _read_pairs, _change_pairs),
    "log": Target(_log, _read_log),
    "store": Target(_store, _read_store, quick=60),
    "store_png": Target(partial(_store, images="png"), _read_store, quick=30),
    "lerobot": Target(_lerobot, _imports(lerobot.import_lerobot), quick=60),
    "hdf5": Target(_hdf5, _imports(hdf5.import_hdf5, image_size=4), quick=60),
    "minari": Target(_minari, _imports(minari.import_minari), quick=40),
    "swm": Target(_swm, _imports(swm.import_swm, streams=("state",)), quick=40),
    "mcap": Target(_mcap, _imports(mcap.import_mcap, action="/cmd", image_size=4), quick=40),
    "table": Target(_table, _imports(table.import_table, time="time", controls=("valve",)), quick=40),
    "images": Target(_images, _imports(video.import_video, rate=10.0), quick=40),
    "video": Target(_video, _imports(video.import_video, missing="refuse"), _change_film, quick=40),
}


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
