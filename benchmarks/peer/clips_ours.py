"""Clips from disk with ours: random batches of 64, made ahead in threads, streamed from a store or from its decoded cache."""

import time

import common
import numpy as np
import torch

from armillary.episodes.clips import Clips
from armillary.episodes.store import Episodes


def main() -> None:
    settings = common.SETTINGS
    torch.set_num_threads(settings["cores"])
    began = time.perf_counter()
    cache = common.WORK / "cache" if settings["cached"] else None
    clips = Clips(Episodes.open(common.WORK / settings["path"]), 4, skip=5, budget_mb=0, cache_dir=cache)
    built = time.perf_counter() - began

    def batches():
        for batch in clips.stream(64, np.random.default_rng(settings["seed"])):
            assert batch.observations["pixels"].shape == (64, 4, 224, 224, 3)
            yield len(batch)

    measured = common.throughput(batches(), settings["seconds"])
    common.answer(**measured, tiers=clips.tiers, seconds_to_open=built)


main()
