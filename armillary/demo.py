"""The main job, end to end on a laptop: record a world, learn it from pixels and actions, plan to goals, be judged, show it.

The world is two rooms and a door. Nothing tells the model about rooms, walls or positions: it sees random behaviour, and plans
by what it learned from that.
"""

import time
from pathlib import Path
from typing import Any, Literal

from armillary.acting.config import HABIT
from armillary.console import plain_console
from armillary.device import pick_device
from armillary.episodes.record import record
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED
from armillary.evaluation.judge import RESULTS, Judgement
from armillary.evaluation.run import evaluate_run
from armillary.model.world_model import MODEL, STATE
from armillary.own_run import RECORDING, clear_run
from armillary.training.fit import fit
from armillary.training.folder import one_writer
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES
from armillary.worlds import make

WRITTEN = (MODEL, STATE, HABIT, "metrics.jsonl", "pairs.json", RESULTS, "report.html", "animation.gif")  # beside the recording
LEAD = (
    "A world model watched a dot move at random through two rooms, and learned from pixels and actions alone how this world "
    "works. Then it planned its way to goals, each shown to it as one image."
)


def demo(
    out: str | Path = "runs/demo",
    door: Literal["fixed", "random"] = "fixed",
    *,
    pairs: int = 80,
    any_goal: bool = False,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Judgement:
    """Run it. `out` then holds the recording, `model.safetensors`, `metrics.jsonl`, `pairs.json`, `results.json`,
    `report.html` and `animation.gif`.

    Args:
        out: its folder; a demo that is there already is replaced, and whatever else is there stays.
        door: always in the middle of the wall, or somewhere else in every episode (two minutes more).
        pairs: start and goal pairs to be judged on, in different rooms.
        any_goal: take goals from anywhere instead.
        seed: of recording, weights and training.
        device: auto, cpu, cuda or mps.
        progress: say what is going on.

    Raises:
        ArmillaryError: `out` holds something that is not a demo, or another demo runs there; a seed that belongs to
            evaluation; no such device; a full disk.
    """
    out = Path(out)
    if not 0 <= seed < DEVELOPMENT_SEED:
        raise ArmillaryError(f"seed {seed}: take one from 0 to {DEVELOPMENT_SEED - 1}; those beyond are for evaluation")
    pick_device(device)  # before anything is written
    if out.exists() and not out.is_dir():
        raise ArmillaryError(f"{out} is a file that this command has not made; take a folder")
    with one_writer(out, "demo.lock", "runs a demo"):
        return _demo(out, door, pairs, any_goal, seed, device, progress)


def _demo(
    out: Path, door: Literal["fixed", "random"], pairs: int, any_goal: bool, seed: int, device: str, progress: bool
) -> Judgement:
    """The demo in a folder that nobody else writes to."""
    began, console = time.perf_counter(), plain_console(quiet=not progress)
    mark = f"armillary demo --out {out.resolve()}"
    clear_run(out, mark, WRITTEN)

    console.rule("1 of 3  record random actions")
    episodes, length = (200, 72) if door == "fixed" else (800, 90)
    options: dict[str, Any] = {"door": door}
    world = make("two_room", num_envs=100, max_steps=length, **options)
    info = {"world": "two_room", "options": options, "made_by": mark}
    about: dict[str, Any] = {"seed": seed, "info": info, "overwrite": True, "progress": progress}
    store = record(world, world.play(), out / RECORDING, episodes=episodes, **about)

    console.rule("2 of 3  learn from pixels and actions, without labels")
    recipe = RECIPES["two_room" if door == "fixed" else "two_room_random_door"]
    fit(store, out, recipe, TrainConfig(seed=seed, progress=progress), held_out=0.05, device=device, budget_mb=200)

    console.rule("3 of 3  plan to goals that no recording holds, and be judged")
    constraints = {} if any_goal else {"cross": True}
    how: dict[str, Any] = {"seed": seed, "device": device, "title": "Two rooms", "lead": LEAD, "log": console.print}
    judgement = evaluate_run(out, pairs=pairs, constraints=constraints, **how)
    judgement.facts["wall_seconds"] = time.perf_counter() - began
    judgement.save(out / RESULTS)
    return judgement
