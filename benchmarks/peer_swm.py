"""Stable-worldmodel and its LeWM beside us: the same work, in turn, on the same cores.

    python benchmarks/peer_swm.py --peer-python PATH                      # all cases, half an hour
    python benchmarks/peer_swm.py --peer-python PATH --cases plan --cores 1 --rounds 1

PATH is an interpreter of its own, made once (stable-worldmodel 0.1.1, from PyPI):

    python -m venv peer && peer/bin/pip install torch==2.13.0 && peer/bin/pip install --no-deps torchvision==0.28.0
    peer/bin/pip install "stable-worldmodel[train,env,format]"

Where there is no GPU, take torch's CPU build. Torchvision may have none; its CUDA build will do, see peer/lewm.py.

A case is two programs in `peer/`, NAME_theirs.py and NAME_ours.py, which print their values as JSON; ours may have several
settings. They run A B A B in processes of their own, kept on one core and then on two. Medians, ratios and all values go to
results/peer_swm.json; cases that are not run keep what is there.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import tyro

PROGRAMS = Path(__file__).parent / "peer"


@dataclass(frozen=True)
class Case:
    """One thing that both do."""

    about: str
    unit: str
    bars: dict[str, float]
    """the ratio to reach, for each setting of ours; above 1 we are better"""
    ours: dict[str, dict] = field(default_factory=lambda: {"": {}})
    """settings of ours by name"""
    settings: dict = field(default_factory=dict)
    """of both"""
    prepare: str = ""
    """a program of theirs that runs before, once"""
    more_is_better: bool = False


CASES = {
    "plan": Case(
        "one plan with LeWM (18.0 M parameters, same weights): CEM, 300 samples x 30 iterations x 5 blocks, images to actions",
        "s",
        {"exact": 1.35, "fast": 4.0},
        ours={"exact": {"fast": False}, "fast": {"fast": True}},
        settings={"samples": 300, "iterations": 30, "repeats": 1},
        prepare="weights",
    ),
    "step": Case("a training step of LeWM: 16 clips x 4 frames, 224 px, bfloat16", "s", {"": 1.3}, settings={"repeats": 3}),
    "import": Case("import, once torch is there; and the weight of an installation", "s", {"": 1.0}),
}


@dataclass
class Args:
    """Run cases side by side."""

    peer_python: Path
    """an interpreter in which stable-worldmodel is installed"""
    cases: tuple[str, ...] = tuple(CASES)
    """which ones"""
    cores: tuple[int, ...] = (1, 2)
    """CPU cores that a process is kept on, one setting after the other"""
    rounds: int = 3
    """how often each program runs, in turn"""
    seed: int = 0
    """of weights, plans and batches"""
    work: Path | None = None
    """where weights and data go for the time being, and where they are found again; a temporary folder by default"""
    out: Path = Path(__file__).parents[1] / "results" / "peer_swm.json"
    """where the result goes"""


def run(python: Path | str, program: str, settings: dict) -> dict:
    """What the program prints at last."""
    command = [str(python), str(PROGRAMS / f"{program}.py"), json.dumps(settings)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(settings["cores"]), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(name: str, case: Case, args: Args, work: Path, cores: int) -> dict:
    """All rounds of a case on so many cores."""
    both = {**case.settings, "seed": args.seed, "work": str(work), "cores": cores}
    sides = {"theirs": (args.peer_python, f"{name}_theirs", both)}
    sides |= {label: (sys.executable, f"{name}_ours", {**both, **more}) for label, more in case.ours.items()}
    results: dict[str, list[dict]] = {label: [] for label in sides}
    for _ in range(args.rounds):
        for label, side in sides.items():
            results[label].append(run(*side))
    rows = {}
    for label, runs in results.items():
        values, seconds = ([x for one in runs for x in one[key]] for key in ("values", "cpu_seconds"))
        rows[label] = {**runs[-1], "median": statistics.median(values), "values": values}
        rows[label] |= {"cpu_seconds": seconds, "median_cpu": statistics.median(seconds)}
    for label in case.ours:
        ours, theirs = rows[label]["median"], rows["theirs"]["median"]
        rows[label]["ratio"] = ours / theirs if case.more_is_better else theirs / ours
        rows[label]["ratio_cpu"] = rows["theirs"]["median_cpu"] / rows[label]["median_cpu"]
    for label, row in rows.items():
        ratio = f", {row['ratio']:.2f} x (by CPU time {row['ratio_cpu']:.2f}), bar {case.bars[label]}" if "ratio" in row else ""
        print(f"{name} {label or 'ours'}, {cores} core(s): {row['median']:.4g} {case.unit}{ratio}", flush=True)
        skipped = ("values", "cpu_seconds", "versions", "median", "median_cpu", "ratio", "ratio_cpu")
        print("   ", {key: value for key, value in row.items() if key not in skipped}, flush=True)
    return rows


def main(args: Args) -> None:
    result = json.loads(args.out.read_text()) if args.out.exists() else {"cases": {}}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name in args.cases:
            case = CASES[name]
            if case.prepare and not (work / f"{case.prepare}.json").exists():
                prepared = run(
                    args.peer_python, f"{case.prepare}_theirs", {"seed": args.seed, "work": str(work), "cores": max(args.cores)}
                )
                (work / f"{case.prepare}.json").write_text(json.dumps(prepared))
            facts = {"about": case.about, "unit": case.unit, "bars": case.bars, "commit": commit, "rounds": args.rounds}
            facts |= {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "seed": args.seed}
            if case.prepare:
                facts["prepared"] = json.loads((work / f"{case.prepare}.json").read_text())
            facts["cores"] = {str(cores): compare(name, case, args, work, cores) for cores in args.cores}
            result["cases"][name] = facts
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
