"""Stable-worldmodel and its LeWM beside us: the same work, in turn, on the same cores.

    python benchmarks/peer_swm.py --peer-python PATH                      # all cases, three quarters of an hour
    python benchmarks/peer_swm.py --peer-python PATH --cases plan --cores 1 --rounds 1
    python benchmarks/peer_swm.py --peer-python PATH --cores 1 --rounds 1 --quick          # does all of it run?

PATH is an interpreter of its own, made once (stable-worldmodel 0.1.1, from PyPI):

    python -m venv peer && peer/bin/pip install torch==2.13.0 && peer/bin/pip install --no-deps torchvision==0.28.0
    peer/bin/pip install "stable-worldmodel[train,env,format]==0.1.1"

Where there is no GPU, take torch's CPU build. Torchvision may have none; its CUDA build will do, see peer/lewm.py.

A case is two programs in `peer/`, NAME_theirs.py and NAME_ours.py, which print their values as JSON; each may have several
settings. They run A B A B in processes of their own, kept on one core and then on two. Medians, ratios and all values go to
--out FILE, where given, with what else a program says in each round; cases that are not run keep what is there.
docs/peer.md says what is the same on both sides.
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

from armillary.provenance import commit

PROGRAMS = Path(__file__).parent / "peer"


@dataclass(frozen=True)
class Case:
    """One thing that both do."""

    about: str
    unit: str
    bars: dict[str, dict[str, float]]
    """the ratio to reach, for each setting of ours against settings of theirs; above 1 we are better"""
    ours: dict[str, dict] = field(default_factory=lambda: {"ours": {}})
    """settings of ours by name"""
    theirs: dict[str, dict] = field(default_factory=lambda: {"theirs": {}})
    """settings of theirs by name"""
    settings: dict = field(default_factory=dict)
    """of both"""
    quick: dict = field(default_factory=dict)
    """settings instead, where only a trial is wanted"""
    prepare: tuple[str, ...] = ()
    """programs that run before, once"""
    more_is_better: bool = False


CASES = {
    "plan": Case(
        "one plan with LeWM (18.0 M parameters, same weights): CEM, 300 samples x 30 iterations x 5 blocks, images to actions",
        "s",
        {"exact": {"theirs": 1.35}, "fast": {"theirs": 4.0}},
        ours={"exact": {"fast": False}, "fast": {"fast": True}},
        settings={"samples": 300, "iterations": 30, "repeats": 1, "grid": 24, "lessons": 600},
        quick={"samples": 30, "iterations": 1, "grid": 4, "lessons": 10},
        prepare=("weights_theirs",),
    ),
    "step": Case(
        "a training step of LeWM: 16 clips x 4 frames, 224 px, bfloat16 where the CPU has it, else float32",
        "s",
        {"ours": {"theirs": 1.3}},
        settings={"clips": 16, "repeats": 3},
        quick={"clips": 2, "repeats": 1},
    ),
    "import": Case("import, once torch is there; and the weight of an installation", "s", {"ours": {"theirs": 1.0}}),
    "clips": Case(
        "random clips from disk, of one recording: 224 px, 4 frames, skip 5, batches of 64",
        "clips/s",
        {
            "streamed, plain": {"lance": 1.5, "hdf5": 1.5, "folder": 1.5, "video": 1.5},
            "streamed, JPEG": {"lance": 1.0, "folder": 1.0},
            "in memory": {"hdf5 in memory": 1.0, "replay buffer": 1.0},
            "decoded cache": {"hdf5 in memory": 1.0, "replay buffer": 1.0},
        },
        ours={
            "streamed, plain": {"path": "clips_plain", "kept": "nowhere"},
            "streamed, JPEG": {"path": "clips", "kept": "nowhere"},
            "in memory": {"path": "clips_plain", "kept": "memory"},
            "decoded cache": {"path": "clips", "kept": "files"},
        },
        theirs={
            "lance": {"path": "clips.lance"},
            "hdf5": {"path": "clips.h5"},
            "folder": {"path": "clips_folder"},
            "video": {"path": "clips_video", "options": {"video_keys": ["pixels"]}},
            "hdf5 in memory": {"path": "clips.h5", "options": {"keys_to_cache": ["pixels", "action"]}},
            "replay buffer": {"path": "clips.h5", "buffer": True},
        },
        settings={"episodes": 20, "seconds": 3.0},
        quick={"episodes": 1, "seconds": 0.1},
        prepare=("recording_theirs", "recording_ours"),
        more_is_better=True,
    ),
    "record": Case(
        "recording a world with random actions, 64 px",
        "frames/s",
        {"our two_room": {"their two_room": 100.0}, "our push_t": {"their push_t": 20.0}},
        ours={"our two_room": {"world": "two_room"}, "our push_t": {"world": "push_t"}},
        theirs={"their two_room": {"world": "two_room"}, "their push_t": {"world": "push_t"}},
        settings={"episodes": 100},
        quick={"episodes": 1},
        more_is_better=True,
    ),
}  # fmt: skip


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
    quick: bool = False
    """a trial of every program with little to do, whose figures say nothing"""
    seed: int = 0
    """of weights, plans and batches; each round adds one to it"""
    work: Path | None = None
    """where weights and data go for the time being, and where they are found again; a temporary folder by default"""
    out: Path | None = None
    """where the result goes, as JSON; none is written by default"""


def run(python: Path | str, program: str, settings: dict) -> dict:
    """What the program prints at last."""
    command = [str(python), str(PROGRAMS / f"{program}.py"), json.dumps(settings)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(settings["cores"]), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine() -> str:
    """The CPU, as far as its own words go."""
    said = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    facts = dict(line.split(":", 1) for line in said.split("\n\n")[0].replace("\t", "").splitlines() if ":" in line)
    name = ", ".join(f"{key} {facts[key].strip()}" for key in ("model name", "cpu family", "model") if key in facts)
    return f"{platform.machine()}, {os.cpu_count()} cores, {name}, bfloat16: {'avx512_bf16' in said}"


def compare(name: str, case: Case, args: Args, both: dict) -> dict:
    """All rounds of a case with these settings of both sides, by setting of each."""
    sides = {label: (args.peer_python, f"{name}_theirs", {**both, **more}) for label, more in case.theirs.items()}
    sides |= {label: (sys.executable, f"{name}_ours", {**both, **more}) for label, more in case.ours.items()}
    results: dict[str, list[dict]] = {label: [] for label in sides}
    for seed in range(args.seed, args.seed + args.rounds):
        for label, (python, program, settings) in sides.items():
            results[label].append(run(python, program, {**settings, "seed": seed}))
    rows = {}
    for label, runs in results.items():
        values, seconds = ([x for one in runs for x in one[key]] for key in ("values", "cpu_seconds"))
        found = {key: [one[key] for one in runs] if isinstance(value, float) else value for key, value in runs[-1].items()}
        rows[label] = {**found, "median": statistics.median(values), "values": values}
        rows[label] |= {"cpu_seconds": seconds, "median_cpu": statistics.median(seconds)}
    return rows


def ratios(case: Case, rows: dict) -> dict:
    """How many times better we are, by the wall's clock and by CPU time, for every pair of settings that has a bar."""
    found = {}
    for ours, bars in case.bars.items():
        for theirs, bar in bars.items():
            wall, cpu = (rows[theirs][key] / rows[ours][key] for key in ("median", "median_cpu"))
            ratio = 1 / wall if case.more_is_better else wall
            found[f"{ours} / {theirs}"] = {"ratio": ratio, "ratio_cpu": cpu, "bar": bar, "met": ratio >= bar}
    return found


def main(args: Args) -> None:
    result = json.loads(args.out.read_text()) if args.out is not None and args.out.exists() else {"cases": {}}
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name in args.cases:
            case, prepared = CASES[name], {}
            settings = case.settings | (case.quick if args.quick else {})
            both = {**settings, "seed": args.seed, "work": str(work)}
            for program in case.prepare:
                said = work / f"{program}.json"
                if not said.exists():
                    python = args.peer_python if program.endswith("theirs") else sys.executable
                    answer = run(python, program, {**both, "cores": max(args.cores)})
                    said.write_text(json.dumps(answer))
                prepared[program] = json.loads(said.read_text())
            facts = {"about": case.about, "unit": case.unit, "commit": commit(), "rounds": args.rounds, "seed": args.seed}
            facts |= {"settings": settings, "machine": machine(), "prepared": prepared, "cores": {}}
            for cores in args.cores:
                rows = compare(name, case, args, {**both, "cores": cores})
                facts["cores"][str(cores)] = {"rows": rows, "ratios": ratios(case, rows)}
                for label, row in rows.items():
                    print(f"{name}, {label}, {cores} core(s): {row['median']:.4g} {case.unit}", flush=True)
                for label, ratio in facts["cores"][str(cores)]["ratios"].items():
                    print(f"    {label}: " + ", ".join(f"{key} {value:.4g}" for key, value in ratio.items()), flush=True)
            result["cases"][name] = facts
            if args.out is not None:
                args.out.parent.mkdir(parents=True, exist_ok=True)
                args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
