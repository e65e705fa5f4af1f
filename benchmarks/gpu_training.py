"""Does a GPU wait for data, training from a recording that is larger than its memory?

    python benchmarks/gpu_training.py                                          # 12 GB of frames, and 10 GB of the GPU's memory
    python benchmarks/gpu_training.py --folder /scratch/gpu --prepare          # the recording alone, to train from it later

LeWM's recipe learns from synthetic 224-px episodes that are kept decoded on disk (the tier "mapped"). The process is refused
more of the GPU's memory than `memory-gb`, so that a smaller recording does. Busy is the driver's own figure, the share of the
time in which the GPU had some work (package nvidia-ml-py); waiting is the share of the time in which training waited for data.
The first steps, in which libraries set themselves up, are left out. The raw result goes to --out FILE, where given.
"""

import json
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.device import describe, pick_device, synchronize
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.loop import TrainConfig, train
from armillary.training.metrics import METRICS
from armillary.training.recipes import RECIPES

ROWS = 500  # of an episode
WARM_UP = 20  # steps


@dataclass
class Args:
    """Time training on a GPU."""

    recording_gb: float = 12
    """decoded frames"""
    memory_gb: float = 10
    """of the GPU, that may be used"""
    steps: int = 200
    """of the joint stage that are timed"""
    batch: int = 64
    """clips of a step"""
    seed: int = 0
    """of images, weights and batches"""
    folder: Path | None = None
    """where the recording goes, to be used again; a temporary folder by default"""
    prepare: bool = False
    """make the recording, and stop"""
    device: str = "cuda"
    """as `armillary train` takes it"""
    out: Path | None = None
    """where the result goes, as JSON; none is written by default"""


def episode(seed: int, number: int, px: int) -> Episode:
    """A square that slides over a shaded ground."""
    rng, side = np.random.default_rng([seed, number]), px // 8
    ground = np.linspace(40, 200, px)[:, None, None] * rng.uniform(0.5, 1, 3) + np.linspace(0, 40, px)[None, :, None]
    frames = np.repeat(ground.astype(np.uint8)[None], ROWS, 0)
    actions = rng.uniform(-1, 1, (ROWS - 1, 2)).astype(np.float32)
    place = np.cumsum(np.concatenate([rng.uniform(0, px - side, (1, 2)), 4 * actions]), 0) % (px - side)
    for frame, (y, x) in zip(frames, place.astype(int), strict=True):
        frame[y : y + side, x : x + side] = 250, 30, 30
    return Episode({"image": frames}, actions)


def record(args: Args, folder: Path, px: int) -> Clips:
    """The recording, decoded."""
    spec = Spec((Stream("image", "image", (px, px, 3)),), ActionSpace("box", 2))
    if (folder / "recording").exists():
        store = Episodes.open(folder / "recording")
    else:
        store = Episodes.create(folder / "recording", spec, images="raw")
        for number in range(round(args.recording_gb * 1e9 / (ROWS * px * px * 3))):
            store.append(episode(args.seed, number, px))
    model = RECIPES["lewm"].model
    length = model.frames
    return Clips(store, length, skip=model.skip, budget_mb=0, cache_dir=folder / "cache")


class Busy(threading.Thread):
    """What the driver says of the GPU, five times a second."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self._device, self._over = device, threading.Event()

    def run(self) -> None:
        utilization = getattr(torch, self._device.type).utilization
        while not self._over.wait(0.2):
            self.seen.append((time.perf_counter(), utilization(self._device)))

    def stop(self) -> None:
        self._over.set()
        self.join()


def main(args: Args) -> None:
    recipe = RECIPES["lewm"]
    with tempfile.TemporaryDirectory() as temporary:
        clips = record(args, args.folder or Path(temporary), recipe.model.image_size)
        if args.prepare:
            return
        device = pick_device(args.device)
        gpu = getattr(torch, device.type)
        gpu.set_per_process_memory_fraction(args.memory_gb * 1e9 / gpu.get_device_properties(device).total_memory, device)
        torch.manual_seed(args.seed)
        model = WorldModel(clips.spec, recipe.model).to(device)
        stages = (replace(recipe.stages[0], steps=WARM_UP + args.steps, batch=args.batch),)
        busy, times = Busy(device), []
        busy.start()
        losses = model.losses

        def timed(*given):
            if len(times) == WARM_UP:
                synchronize(device)
            times.append(time.perf_counter())
            return losses(*given)

        model.losses = timed
        run = Path(temporary) / "run"
        train(model, clips, stages, run, TrainConfig(args.seed, progress=False, save_every=1e9, validations=1))
        synchronize(device)
        busy.stop()
        lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    began, ended = times[WARM_UP], times[-1]
    waiting = [line["waiting"] for line in lines if "waiting" in line and line["step"] > WARM_UP]
    result = {
        "settings": {name: value for name, value in asdict(args).items() if name not in ("out", "folder", "prepare")},
        "commit": commit(),
        "device": describe(device),
        "machine": machine(),
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps_per_second": args.steps / (ended - began) * (1 - 1 / args.steps),
        "busy_percent": float(np.mean([percent for at, percent in busy.seen if began + 1 < at < ended])),
        "waiting_share": float(np.mean(waiting)),
        "gpu_memory_gb": gpu.max_memory_reserved(device) / 1e9,
    }
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Args))
