"""Sensor ablation: spatial understanding of apartments that were never seen, by stream: `python benchmarks/house.py`.

One recording of play in seen layouts; for each set of senses one model, by the same recipe. In layouts that no recording holds:
- localise: the pose in the apartment from one observation, and the motion over some steps, in metres and degrees;
- map: the scan after moves to come, in metres, against persistence;
- navigate: to a goal seen once, near (within a room or a door away) and far, by the rules of evaluation/control/evaluate.py.
Beside them an untrained model, odometry alone, and what a policy does by chance. Raw results go to the folder --out, a file for
each set of senses; what is there is not run again.
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from spatial import localise, locate_by_mean, locate_by_odometry, locate_motion, predict_scans, walks

from armillary.acting.agent import Agent
from armillary.acting.baselines import Oracle
from armillary.acting.config import AgentConfig, load_habit
from armillary.acting.habit import Habit, HabitActor
from armillary.actor import Actor
from armillary.device import one_thread
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import TEST_SEED, EvalSet, make_eval_set
from armillary.files import write_whole
from armillary.latents import learned_from
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.suite.run import HELD_OUT
from armillary.suite.tables import as_table, percent
from armillary.suite.tasks import SUITE, Goals
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES
from armillary.worlds import make
from armillary.worlds.house.world import POSITION, SCAN_RANGE, STREAMS, towards

SENSES: dict[str, tuple[str, ...]] = {
    "RGB": ("image",),
    "depth": ("depth",),
    "scan": ("scan",),
    "points": ("points",),
    "RGB-D + scan": ("image", "depth", "scan"),
    "all": STREAMS,
}
WHOLE = "RGB-D + scan"  # the set that untrained models and wrong actions are compared with, too: they take as long as the model
TASK = SUITE["house"]
ENVS, WALKS, READ = 100, 100, 200  # environments at a time, walks in unseen layouts, training walks that probes learn from
APART, HORIZONS = (5, 20), (1, 2, 4, 8)  # steps


def main(
    out: Path = Path("runs/house/results"),
    runs: Path = Path("runs/house"),
    senses: tuple[str, ...] = tuple(SENSES),
    pairs: int = 200,
    seeds: tuple[int, ...] = (0,),
    effort: float = 1.0,
    again: bool = False,
) -> None:
    """Record, train, judge, write `out`, and print the tables.

    Args:
        out: folder of the results, a JSON file for each set of senses.
        runs: folder of the recordings and checkpoints.
        senses: which sets of senses, by name.
        pairs: of start and goal, near and far.
        seeds: of recording, weights and training; each has models of its own.
        effort: the recipe's steps, as a multiple.
        again: run sets again that are done.
    """
    runs_of = [run(seed, out, runs, senses, pairs, effort, again) for seed in seeds]
    print(tables({name: [results[name] for results, _ in runs_of] for name in senses}, [told for _, told in runs_of]))


def run(
    seed: int, out: Path, runs: Path, senses: tuple[str, ...], pairs: int, effort: float, again: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One seed: the results by set of senses, and those of policies that need none."""
    episodes = recording(runs / f"seen-{seed}", "seen", TASK.episodes, seed)
    unseen = recording(runs / f"unseen-{seed}", "unseen", WALKS, TEST_SEED + seed)
    facts = {
        "seed": seed,
        "effort": effort,
        "machine": machine(),
        "size": TASK.options["size"],
        "policy": episodes.info["policy"],
    }
    facts |= {"episodes": len(episodes), "frames": int(episodes.lengths.sum()), "hash": episodes.content_hash()}
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in senses:
        path = out / f"{_slug(name)}-{seed}-{effort:g}.json"
        if again or not path.exists():
            found = {**facts, "name": name, **judge(name, episodes, unseen, runs, pairs, seed, effort)}
            write_whole(path, json.dumps(found, indent=1) + "\n")
        results[name] = json.loads(path.read_text())
    # Straight at the goal, told where it is and where the goal is: what can be reached without knowing walls.
    told = {"bee_line": Oracle(lambda state, goal: towards(state, goal[:, POSITION]))}
    told = {label: navigate(told, None, goals, ("odometry",), pairs, seed, runs) for label, goals in TASK.sets.items()}
    write_whole(out / f"told-{seed}.json", json.dumps({"commit": commit(), "navigate": told}, indent=1) + "\n")
    return results, told


def recording(path: Path, layouts: str, episodes: int, seed: int) -> Episodes:
    """Play in seen or unseen layouts, with all streams."""
    if not path.exists():
        world = make(
            "house",
            num_envs=min(ENVS, episodes),
            max_steps=TASK.steps,
            **{**TASK.options, "layouts": layouts, "streams": STREAMS},
        )
        record(world, world.play(), path, episodes=episodes, seed=seed, info={"layouts": layouts}, progress=True)
    return Episodes.open(path)


def learn(name: str, episodes: Episodes, runs: Path, seed: int, effort: float) -> tuple[WorldModel, Habit, float]:
    """The model of one set of senses, a habit on its latents, and the CPU seconds of both; those that there are, once made."""
    folder, recipe = runs / f"{_slug(name)}-{seed}-{effort:g}", RECIPES[TASK.recipe]
    stages = tuple(replace(stage, steps=round(effort * stage.steps)) for stage in recipe.stages)
    began, spent, known = time.process_time(), folder / "cpu_seconds.json", (folder / "model.safetensors").exists()
    habit = replace(recipe.agent.habit, steps=round(effort * recipe.agent.habit.steps))
    recipe = replace(recipe, stages=stages, agent=replace(recipe.agent, habit=habit))
    how = {"streams": SENSES[name], "held_out": HELD_OUT, "device": "cpu", "resume": known}
    model = fit(episodes, folder, recipe, TrainConfig(seed=seed), **how)
    if not spent.exists():
        spent.write_text(json.dumps(time.process_time() - began))
    return model, load_habit(folder, model, AgentConfig.of(model)), json.loads(spent.read_text())


def judge(name: str, episodes: Episodes, unseen: Episodes, runs: Path, pairs: int, seed: int, effort: float) -> dict[str, Any]:
    """All that is measured of one set of senses."""
    model, habit, seconds = learn(name, episodes, runs, seed, effort)
    result: dict[str, Any] = {"commit": commit(), "streams": SENSES[name], "train_cpu_seconds": seconds}
    result["parameters"] = sum(p.numel() for p in model.parameters())
    with one_thread():
        torch.manual_seed(seed)
        for row, encoder in {"model": model, "untrained": model.untrained()}.items():
            result[row] = space(encoder, episodes, unseen, learned_from(model, episodes)[:READ], seed)
        agent = Agent.of(model, AgentConfig.of(model), habit, seed=seed)
        others = {"behaviour_cloning": HabitActor(model, habit)}
        if name != WHOLE:
            others, agent = {"model": agent, **others}, None
        result["navigate"] = {
            label: navigate(others, agent, goals, SENSES[name], pairs, seed, runs) for label, goals in TASK.sets.items()
        }
    return result


def space(model: WorldModel, episodes: Episodes, unseen: Episodes, which: np.ndarray, seed: int) -> dict[str, Any]:
    """Localise and map: every estimate by name."""
    train, test = walks(model, episodes, which), walks(model, unseen, range(len(unseen)))
    found: dict[str, Any] = {"pose": localise(train, test, seed), "mean pose": locate_by_mean(train, test)}
    found["motion"] = {apart: locate_motion(train, test, apart, seed) for apart in APART}
    found["odometry"] = {apart: locate_by_odometry(test, apart) for apart in APART}
    found["scan"] = predict_scans(model, train, test, HORIZONS, SCAN_RANGE, seed)
    return json.loads(json.dumps(found, default=asdict))


def navigate(
    others: dict[str, Actor], agent: Agent | None, goals: Goals, streams: tuple[str, ...], pairs: int, seed: int, runs: Path
) -> dict[str, Any]:
    """The control table of one evaluation set, without what happened to single pairs."""
    options = {**TASK.options, **goals.options}
    path = runs / f"pairs-{pairs}-{'-'.join(map(str, goals.constraints.values()))}.json"
    if not path.exists():
        world = make("house", num_envs=ENVS, max_steps=None, autoreset_mode="Disabled", **{**options, "streams": ("odometry",)})
        plain = json.loads(json.dumps(options))
        make_eval_set(world, pairs, TEST_SEED + 1, forbidden_seeds=[seed], options=plain, **goals.constraints).save(path)
    chosen = EvalSet.load(path)
    chosen.refuse([seed])
    world = make("house", num_envs=TASK.batch, max_steps=None, autoreset_mode="Disabled", **{**options, "streams": streams})
    table = evaluate(world, chosen, agent, others=others, seed=seed).to_json()
    del table["rollouts"]
    for row in table["rows"].values():
        del row["held"], row["arrival"]
    return {**table, "rejected": chosen.rejected}


def _slug(name: str) -> str:
    return name.lower().replace(" ", "")


def tables(senses: dict[str, list[dict[str, Any]]], told: list[dict[str, Any]]) -> str:
    """What docs/house.md shows, in Markdown: by set of senses, and of navigation every row. Each list has one of each seed."""
    ones = [found["model"] for found in next(iter(senses.values()))]
    apart, horizons = list(ones[0]["motion"]), list(ones[0]["scan"]["seen"])
    head = ["", "pose, m", "pose, degrees", *(f"motion over {k}, m" for k in apart), *(f"over {k}, degrees" for k in apart)]

    def placed(*asked: list[dict[str, float]]) -> list[str]:
        """Metres of each question, then degrees; a question has one answer of each seed."""
        return [plain([one[unit] for one in each]) for unit in ("metres", "degrees") for each in asked]

    def moved(found: list[dict[str, Any]], of: str) -> list[str]:
        return placed(*([one[of][k] for one in found] for k in apart))

    body = []
    for row, said in (("model", ""), ("untrained", ", untrained")):
        for name, each in senses.items():
            found = [one[row] for one in each]
            body.append([name + said, *placed([one["pose"] for one in found]), *moved(found, "motion")])
    body.append(["odometry alone", "", "", *moved(ones, "odometry")])
    body.append(["mean pose", *placed([one["mean pose"] for one in ones]), *[""] * (2 * len(apart))])
    scans = [
        [f"{name}, {row}", *(plain([one[of]["scan"][of_row][h] for one in each]) for h in horizons)]
        for name, each in senses.items()
        for row, of, of_row in (
            ("imagined", "model", "imagined"),
            ("seen", "model", "seen"),
            ("untrained, seen", "untrained", "seen"),
        )
    ]
    scans += [[row, *(plain([one["scan"][row][h] for one in ones]) for h in horizons)] for row in ("persistence", "turned")]
    labels, held = list(told[0]), []

    def shares(row: str, navigated: list[dict[str, Any]]) -> list[str]:
        return [
            percent([one[label]["rows"][row][of] for one in navigated]) for of in ("success", "first_touch") for label in labels
        ]

    for row, said in ROWS.items():
        for name, each in senses.items():
            if row in each[0]["navigate"][labels[0]]["rows"]:
                held.append([name + said, *shares(row, [one["navigate"] for one in each])])
    held += [[row.replace("_", " "), *shares(row, told)] for row in ("bee_line", "random", "do_nothing", "oracle")]
    first = ["", *(f"{label}, {said}" for said in ("held", "touched") for label in labels)]
    return "\n\n".join(
        [as_table(head, body), as_table(["", *(f"{h} ahead, m" for h in horizons)], scans), as_table(first, held)]
    )


ROWS = {
    "model": ", planning",
    "behaviour_cloning": ", behaviour cloning on its latents",
    "untrained": ", untrained, planning",
    "shuffled": ", actions shuffled",
}


def plain(each: list[dict[str, float]]) -> str:
    """Each seed's value, and the widest interval."""
    low, high = min(e["low"] for e in each), max(e["high"] for e in each)
    return " / ".join(f"{e['value']:.2f}" for e in each) + f" [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    tyro.cli(main)
