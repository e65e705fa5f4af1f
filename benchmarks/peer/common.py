"""What the programs here share. Each is one side of one case, runs in a process of its own, and prints its result as JSON.

    python benchmarks/peer/NAME.py '{"cores": 1, "work": FOLDER, ...}'

`*_theirs.py` run in the peer's interpreter and import nothing of ours, `*_ours.py` the other way round; `peer_swm.py` runs
them in turn. Import this file first: it keeps the process on its cores before any library starts threads.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SETTINGS = json.loads(sys.argv[1])
WORK = Path(SETTINGS["work"])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: SETTINGS["cores"]])
os.environ["OMP_NUM_THREADS"] = str(SETTINGS["cores"])
PACKAGES = "armillary", "stable-worldmodel", "stable-pretraining", "torch", "torchvision", "transformers"


def timed(work: Callable[[], object], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, by the wall's clock and of CPU time; the two differ where the machine has other things to do."""
    wall, cpu = [], []
    for _ in range(repeats):
        began = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
    return {"values": wall, "cpu_seconds": cpu}


def rates(times: dict[str, list[float]], count: int) -> dict[str, list[float]]:
    """So many things a second, in place of the seconds they took."""
    return {"values": [count / x for x in times["values"]], "cpu_seconds": [x / count for x in times["cpu_seconds"]]}


def throughput(batches: Iterator[int], seconds: float) -> dict[str, list[float]]:
    """Things a second, from batches that say how many they hold; the first five are not counted.

    CPU time is this process's alone, without workers that it has started.
    """
    for _ in range(5):
        next(batches)
    count, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        count += next(batches)
    times = {"values": [time.perf_counter() - began], "cpu_seconds": [time.process_time() - cpu]}
    return rates(times, count)


def answer(**result: object) -> None:
    """Print the result. `values` are what the case compares, in its unit; the rest is kept beside them."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    print(json.dumps({**result, "versions": versions}))
