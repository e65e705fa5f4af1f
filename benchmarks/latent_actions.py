"""What are episodes without actions worth? Two rooms, of which one episode in twenty has its actions.

    python benchmarks/latent_actions.py            # 10 CPU minutes

Models of one recipe: of the labelled episodes alone; of these and the rest with the actions that are inferred from them
(`training/latent_actions.py`); of these and the rest inferred once more, on the latents of that model, which has seen every
frame; of all with their true actions, which is the most that could be had. All are judged on another recording with its true
actions: prediction by horizon, and goals held in the other room. Inferred actions are compared with the true ones that were
hidden. The raw result goes to --out FILE, where given.
"""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import tyro

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.device import one_thread
from armillary.episodes.merge import merge
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import TEST_SEED, make_eval_set
from armillary.evaluation.judge import BATCH
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.evaluation.statistics import bootstrap, r2
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import Inverse
from armillary.spec import NO_ACTION, Spec
from armillary.training.fit import fit
from armillary.training.latent_actions import fit_inverse, infer_actions
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES
from armillary.worlds import make

EPISODES, LENGTH, JUDGED, HORIZONS = 200, 72, 40, (1, 2, 4, 8)
ROUNDS = "inferred", "inferred again"
_TWO_ROOM = RECIPES["two_room"]
RECIPE = replace(_TWO_ROOM, model=replace(_TWO_ROOM.model, objective={**_TWO_ROOM.model.objective, "inverse": Inverse()}))


def main(labelled: float = 0.05, seeds: tuple[int, ...] = (0, 1), pairs: int = 100, out: Path | None = None) -> None:
    """Record, hide actions, learn and judge.

    Args:
        labelled: share of the episodes that keep their actions.
        seeds: of recording, weights and training.
        pairs: of start and goal.
        out: JSON file of the result; none is written by default.
    """
    few, runs = round(labelled * EPISODES), []
    world = make("two_room", num_envs=pairs, max_steps=None, autoreset_mode="Disabled")
    chosen = make_eval_set(world, pairs, TEST_SEED, cross=True)
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            whole, judged = _record(f"{folder}/whole", EPISODES, seed), _record(f"{folder}/judged", JUDGED, seed + 1000)
            known = _part(whole, f"{folder}/known", range(few), hide=False)
            hidden = _part(whole, f"{folder}/hidden", range(few, EPISODES), hide=True)
            models, compared = {"labelled alone": _fit(known, f"{folder}/run", seed)}, {}
            for name in ROUNDS:
                inverse = fit_inverse(list(models.values())[-1], known, np.arange(few), seed=seed)
                inferred = infer_actions(inverse, hidden, f"{folder}/{name}")
                compared[name] = _compare(inferred, whole, few)
                models[name] = _fit(merge([known, inferred], f"{folder}/{name} and labelled"), f"{folder}/{name} run", seed)
            models["all labelled"] = _fit(whole, f"{folder}/whole run", seed)
            rows = {}
            for name, model in models.items():
                prediction = evaluate_prediction(model, judged, range(JUDGED), HORIZONS, untrained=False, seed=seed)
                agent = Agent.of(model, AgentConfig.of(model), seed=seed)
                with one_thread():
                    control = evaluate(world, chosen, agent, batch=BATCH, seed=seed)
                told = {f"{at.horizon:g} steps": asdict(at) for at in prediction.rows["model"]}
                rows[name] = {"success": asdict(control.rows["model"].success), "prediction": told}
        runs.append({"seed": seed, "inferred": compared, "rows": rows})
        print(json.dumps(runs[-1]), flush=True)
        facts = {"labelled_episodes": few, "episodes": EPISODES, "steps": LENGTH, "pairs": pairs}
        facts["versions"] = model.provenance["versions"]
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps({**facts, "runs": runs}, indent=1) + "\n")


def _record(path: str, episodes: int, seed: int) -> Episodes:
    world = make("two_room", num_envs=min(100, episodes), max_steps=LENGTH)
    return record(world, world.play(), path, episodes=episodes, seed=seed)


def _part(store: Episodes, path: str, which: range, hide: bool) -> Episodes:
    """Some episodes of a store, without their actions if they are to be hidden."""
    spec = Spec(store.spec.streams, NO_ACTION, store.spec.rate) if hide else store.spec
    part = Episodes.create(path, spec)
    episodes = [store.episode(number, truth=True) for number in which]
    none = [replace(e, actions=np.empty((len(e) - 1, 0), np.float32)) for e in episodes]
    part.append(*(none if hide else episodes))
    return part


def _fit(store: Episodes, path: str, seed: int) -> WorldModel:
    return fit(store, path, RECIPE, TrainConfig(seed=seed, progress=False), held_out=1, device="cpu")


def _compare(inferred: Episodes, whole: Episodes, few: int) -> dict:
    """R2 of the inferred actions, and the rank correlation of an episode's error with how much the networks differ."""
    count = len(inferred)
    guessed, true = ([s.actions(first + i) for i in range(count)] for s, first in ((inferred, 0), (whole, few)))
    group = np.repeat(np.arange(count), [len(actions) for actions in true])
    error = [np.square(a - b).mean() for a, b in zip(true, guessed, strict=True)]
    ranks = [np.argsort(np.argsort(x)) for x in (error, [info["deviation"] for info in inferred.infos])]
    share = bootstrap(np.concatenate(true), np.concatenate(guessed), groups=group, statistic=r2, samples=300)
    return {"r2": asdict(share), "rank_correlation_of_deviation": float(np.corrcoef(ranks)[0, 1])}


if __name__ == "__main__":
    tyro.cli(main)
