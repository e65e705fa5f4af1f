"""Mutate a parser's files and read them: `python tests/fuzz/attack.py NAME [MUTATIONS [SEED]]`, in a process of its own.

What may come of it is that the file is read, or an `ArmillaryError`. Anything else is printed with its seed: another exception,
more than ten seconds of the processor or a minute, more than 1 GB beyond what Python and its libraries take, or a crash of a
native library. Results: a line of JSON with the counts, the slowest mutation (processor time) and the peak of the memory.
"""

import contextlib
import faulthandler
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

SECONDS, WAIT, MEMORY = 10, 60, 1 << 30


def attack(name: str, seed: int, work: Path, good: Path | None = None) -> str:
    """Read one mutation: "read", "refused", or what went wrong."""
    from fuzz.mutations import mutate_files
    from fuzz.targets import TARGETS, fresh

    from armillary.errors import ArmillaryError

    target, rng = TARGETS[name], random.Random(f"{name} {seed}")
    folder = fresh(work / "files")
    if good is None:
        target.make(folder)
    else:
        shutil.copytree(good, folder, dirs_exist_ok=True)
    try:
        if target.rewrite and rng.random() < 0.7:
            target.rewrite(folder, rng)
        else:
            mutate_files(folder, rng)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(folder, fresh(work / "out"))
        return "read"
    except ArmillaryError:
        return "refused"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "armillary" in frame.filename]
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else f"{where.filename}:{where.lineno}"
        return f"{type(error).__name__} at {at}: {str(error)[:150]}"


def make(name: str, folder: Path) -> Path:
    """The good files of a target."""
    from fuzz.targets import TARGETS, fresh

    TARGETS[name].make(fresh(folder))
    return folder


def _child(name: str, first: int, last: int) -> None:
    """Attack in this process, with its memory limited; a line of JSON for each mutation."""
    from fuzz.targets import TARGETS, fresh

    class Hang(BaseException):
        pass

    def hang(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s of the processor, or {WAIT} s")

    signal.signal(signal.SIGALRM, hang)
    signal.signal(signal.SIGPROF, hang)
    with tempfile.TemporaryDirectory() as work:
        good = make(name, Path(work) / "good")
        TARGETS[name].read(good, fresh(Path(work) / "out"))  # so that every library is loaded before memory is counted
        lines = Path("/proc/self/status").read_text().splitlines()
        size = 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])
        resource.setrlimit(resource.RLIMIT_DATA, (size + MEMORY, size + MEMORY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries say of damaged files
        for seed in range(first, last):
            print(json.dumps({"begins": seed}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(WAIT)
            faulthandler.dump_traceback_later(WAIT + SECONDS, exit=True)  # no signal reaches a library that loops in C
            began = time.process_time()
            found = attack(name, seed, Path(work), good)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
            spent = time.process_time() - began
            peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
            print(json.dumps({"seed": seed, "found": found, "seconds": spent, "mb": peak}), flush=True)


def main(name: str, count: int = 2000, first: int = 0) -> int:
    """Attack in children, a new one after each crash; the number of failures. SIGTERM ends it with the counts so far."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    counts, failures, slowest, peak, at, end = Counter(), [], 0.0, 0.0, first, first + count
    try:
        while at < end:
            command = [sys.executable, __file__, "--child", name, str(at), str(end)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            watch = None
            for line in child.stdout:
                said = json.loads(line)
                watch = said.get("begins", watch)
                if "found" in said:
                    at, watch = said["seed"] + 1, None
                    slowest, peak = max(slowest, said["seconds"]), max(peak, said["mb"])
                    counts[said["found"] if said["found"] in ("read", "refused") else "failed"] += 1
                    if said["found"] not in ("read", "refused"):
                        failures.append((said["seed"], said["found"]))
                        print(f"{name} {said['seed']}: {said['found']}", flush=True)
            if child.wait() != 0 and watch is None:
                sys.exit(f"{name}: the good files cannot be made or read: {child.stderr.read()[-2000:]}")
            if watch is not None:
                counts["crashed"] += 1
                failures.append((watch, f"crashed with status {child.returncode}"))
                print(f"{name} {watch}: {failures[-1][1]}", flush=True)
                at = watch + 1
    finally:
        found = {"target": name, "mutations": at - first, **counts}
        print(json.dumps({**found, "slowest_seconds": round(slowest, 2), "peak_mb": round(peak)}))
    return len(failures)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    if sys.argv[1] == "--child":
        _child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(min(main(sys.argv[1], *map(int, sys.argv[2:])), 1))
