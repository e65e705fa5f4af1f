"""How many clips a second does the loader give, from each tier?

    python benchmarks/clips.py                              # 224 px, 4 frames, skip 5, one core: what the peer was measured at
    python benchmarks/clips.py --image-px 64 --skip 1 --episodes 200

A store of synthetic episodes is recorded in each codec, and random batches are drawn from each tier for some seconds. "mapped,
cold" reads a cache file that was just dropped from the system's page cache. The peer, stable-worldmodel's Lance loader, gave
212 clips a second with these settings, on one core of such a machine. The raw result goes to --out FILE, where given.
"""

import json
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.provenance import commit

PEER = 212  # clips a second


@dataclass
class Args:
    """Time the loader."""

    image_px: int = 224
    """height and width of the images"""
    length: int = 4
    """frames of a clip"""
    skip: int = 5
    """steps between two frames"""
    batch: int = 64
    """clips in a batch"""
    episodes: int = 20
    """episodes in the store"""
    rows: int = 200
    """rows of an episode"""
    cores: int = 1
    """CPU cores that the process may use"""
    seconds: float = 4.0
    """for each measurement"""
    seed: int = 0
    """of images and batches"""
    folder: Path | None = None
    """where stores and caches go for the time being; the system's temporary folder by default"""
    out: Path | None = None
    """where the result goes, as JSON; none is written by default"""


def episode(args: Args, number: int, noise: float):
    """A block that slides over a shaded ground; camera noise is what makes images hard to compress."""
    from armillary.episodes.store import Episode

    rng, px = np.random.default_rng([args.seed, number]), args.image_px
    ground = np.linspace(40, 200, px)[:, None, None] * np.array([1, 0.9, 0.8]) + np.linspace(0, 40, px)[None, :, None]
    frames = np.repeat(ground[None], args.rows, 0)
    place = rng.integers(0, px - px // 8, 2) + np.cumsum(rng.integers(-2, 3, (args.rows, 2)), 0)
    for frame, (y, x) in zip(frames, np.clip(place, 0, px - px // 8), strict=True):
        frame[y : y + px // 8, x : x + px // 8] = 250, 30, 30
    frames += noise * rng.standard_normal(frames.shape, np.float32)
    actions = rng.uniform(-1, 1, (args.rows - 1, 2)).astype(np.float32)
    return Episode({"image": frames.clip(0, 255).astype(np.uint8)}, actions)


def drop_from_page_cache(folder: Path) -> None:
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(clips, args: Args) -> tuple[float, float]:
    """Random clips by second, of wall time and of CPU time; the two differ where the machine has other things to do."""
    rng, count = np.random.default_rng(args.seed), 0
    start, start_cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < args.seconds:
        count += len(clips.sample(args.batch, rng))
    return count / (time.perf_counter() - start), count / (time.process_time() - start_cpu)


def memory_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(args: Args) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])  # before Lance starts its threads
    torch.set_num_threads(args.cores)
    from armillary.episodes.clips import Clips
    from armillary.episodes.store import Episodes
    from armillary.spec import ActionSpace, Spec, Stream

    spec = Spec((Stream("image", "image", (args.image_px, args.image_px, 3)),), ActionSpace("box", 2))
    results = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for scene, noise, codec in (("rendered", 0, "raw"), ("rendered", 0, "png"), ("camera", 8, "jpeg")):
            store, cache = Episodes.create(f"{folder}/{scene}-{codec}", spec, images=codec), Path(folder, f"cache-{codec}")
            for number in range(args.episodes):
                store.append(episode(args, number, noise))
            settings = {"resident": (1e6, None), "mapped": (0, cache), "mapped, cold": (0, cache), "streamed": (0, None)}
            for tier, (budget, cache_dir) in settings.items():
                before, start = memory_mb(), time.perf_counter()
                clips = Clips(store, args.length, skip=args.skip, budget_mb=budget, cache_dir=cache_dir)
                build = time.perf_counter() - start
                if tier == "mapped, cold":
                    drop_from_page_cache(cache)
                rate, rate_cpu = measure(clips, args)
                row = {"scene": scene, "codec": codec, "tier": tier}
                row |= {"clips_per_second": round(rate), "clips_per_cpu_second": round(rate_cpu)}
                row |= {"build_seconds": round(build, 2), "memory_mb": round(memory_mb() - before)}
                results.append(row)
                print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
                del clips
    settings = {name: value for name, value in asdict(args).items() if name not in ("out", "folder")}
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    result = {"settings": settings, "peer": PEER, "commit": commit(), "versions": versions, "results": results}
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
