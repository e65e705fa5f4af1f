"""Clips with ours: random batches of 64, made ahead in threads, from a store, from its decoded cache or from memory."""

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
    where = {"nowhere": {"budget_mb": 0}, "memory": {"budget_mb": 4096}}
    where["files"] = {"budget_mb": 0, "cache_dir": common.WORK / "cache"}
    clips = Clips(Episodes.open(common.WORK / settings["path"]), 4, skip=5, **where[settings["kept"]])
    opened = time.perf_counter() - began

    def batches():
        for batch in clips.stream(64, np.random.default_rng(settings["seed"])):
            assert batch.observations["pixels"].shape == (64, 4, 224, 224, 3)
            yield len(batch)

    common.answer(**common.throughput(batches(), settings["seconds"]), tiers=clips.tiers, seconds_to_open=opened)


main()
