"""Everything that can be said of a model, on the recording that it was trained on and in the world that it is of.

`judge` runs what applies: prediction and probes on the held-out episodes, control and violations of expectation in a world.
A `Judgement` is one JSON file, `results.json`, whose first keys are the numbers that are asked for most.
"""

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.acting.habit import Habit
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile, expect
from armillary.evaluation.control.evaluate import ControlResult, evaluate
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.latent.prediction import PredictionResult, evaluate_prediction
from armillary.evaluation.latent.probes import ProbeResult, probe
from armillary.evaluation.statistics import Estimate
from armillary.evaluation.surprise.evaluate import SurpriseResult, evaluate_surprise
from armillary.files import as_json, parse_json, write_whole
from armillary.latents import learned_from
from armillary.model.world_model import WorldModel
from armillary.provenance import machine
from armillary.worlds.scenes import Scenes
from armillary.worlds.world import Judged

RESULTS = "results.json"
BATCH = 50
"""Pairs that are planned for at a time: more of them do not fit the processor's cache."""


@dataclass
class Judgement:
    """What was measured of one model. Parts that do not apply are None."""

    facts: dict[str, Any]
    """What is needed to repeat it: seeds, versions, hashes, seconds, memory."""
    control: ControlResult | None = None
    prediction: PredictionResult | None = None
    probes: ProbeResult | None = None
    surprise: SurpriseResult | None = None

    def summary(self) -> dict[str, Any]:
        """The numbers that are asked for most, flat."""
        numbers: dict[str, Any] = {}
        if self.control:
            rows = self.control.rows
            model = rows["model"]
            numbers |= {"success": model.success.value, "success_low": model.success.low, "success_high": model.success.high}
            numbers |= {f"success_{name}": rows[name].success.value for name in rows if name != "model"}
            measured = {"score": model.score, "spl": model.spl, "first_touch": model.first_touch}
            numbers |= {name: estimate.value for name, estimate in measured.items() if estimate is not None}
            numbers |= {"episodes": self.control.pairs, "eval_set_hash": self.control.eval_set_hash}
            numbers |= {"decision_ms_median": model.decision_ms_median, "checks_ok": self.control.ok}
        if self.prediction:
            numbers |= {"effective_rank": self.prediction.effective_rank, "dead_share": self.prediction.dead_share}
            numbers |= {f"prediction_{name}": value for name, value in self.prediction.summary().items()}
        if self.probes and self.probes.r2:
            numbers["probe_r2"] = {name: r2.value for name, r2 in self.probes.r2["model"]["mlp"].items()}
        return numbers

    def save(self, path: str | Path) -> None:
        """Write it as JSON, the summary first, whole or not at all."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)[1:]}
        plain = {**self.summary(), **self.facts, "facts": self.facts}
        plain |= {name: part.to_json() for name, part in parts.items() if part is not None}
        write_whole(path, as_json(plain, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Judgement":
        """Read what `save` wrote.

        Raises:
            ArmillaryError: there is no such file.
            CorruptFile: it is something else.
        """
        try:
            plain = parse_json(Path(path).read_text(), path)
            found = _revive(cls, {f.name: plain.get(f.name) for f in fields(cls)})
            found.summary()  # which asks for the rows of the model
            return found
        except OSError as error:
            raise ArmillaryError(f"{path}: no results there ({error.strerror}); run `armillary eval` first") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFile(f"{path} holds no results of `armillary eval` ({type(error).__name__}: {error})") from error


def judge(
    model: WorldModel,
    *,
    episodes: Episodes | None = None,
    held_out: Sequence[int] | np.ndarray = (),
    horizons: Sequence[float] = (),
    world: Judged | None = None,
    pairs: EvalSet | None = None,
    agent: AgentConfig | None = None,
    habit: Habit | None = None,
    scenes: Sequence[Scenes] = (),
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> Judgement:
    """Judge a model on what is given.

    Args:
        episodes, held_out: the recording, and the episodes in it that the model has not seen: prediction, and probes where
            there is ground truth.
        horizons: of prediction, in seconds where the recording has a rate, else in env steps; without one, it is left out.
        world, pairs: control, by the rules of `control.evaluate`.
        agent: how the model is acted with. Default: as its checkpoint says.
        habit: of the model, where `agent` has one.
        scenes: violations of expectation.
        seed: of baselines and probes.
        log: gets a line when a part begins, and one for each row of control.
    """
    said = {name: value for name, value in model.provenance.items() if name != "trained"}
    trained = {"training_seed" if name == "seed" else name: value for name, value in said.items()}
    result = Judgement({"seed": seed, "machine": machine(), **trained})
    if episodes is not None:
        episodes = episodes.relative_to(model.spec)
        model.spec.check(episodes.spec)
        if len(horizons):
            log(f"prediction on {len(held_out)} held-out episodes")
            result.prediction = evaluate_prediction(model, episodes, held_out, horizons, seed=seed)
        training = np.setdiff1d(learned_from(model, episodes), held_out)
        if episodes.spec.truth and len(training) > 1:  # probes take a part of the training episodes to choose by
            log("probes of the latent")
            result.probes = probe(model, episodes, training, held_out, frames=2000, seed=seed)
    if scenes:
        log(f"surprise in {len(scenes)} kinds of scenes")
        result.surprise = evaluate_surprise(model, scenes, seed=seed)
    if pairs is not None:
        world = expect(world, "the world of the pairs")
        model.spec.check(world.stream_spec, "world")
        pairs.refuse([model.provenance.get("recording_seed")])
        agent = AgentConfig.of(model) if agent is None else agent
        result.facts["agent"] = replace(agent, planner=agent.planner_for(model)).to_json()
        acting = Agent.of(model, agent, habit, seed=seed)
        log(f"control on {len(pairs)} pairs")

        def row(name: str, held: Estimate) -> None:
            log(f"control: {name} holds {held.percent()} of its goals")

        result.control = evaluate(world, pairs, acting, batch=min(BATCH, world.num_envs), seed=seed, on_row=row)
    result.facts["peak_memory_mb"] = peak_memory_mb()
    return result


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kilobytes elsewhere


def _revive(kind: Any, plain: Any) -> Any:
    """Plain JSON to the dataclasses that it was written from."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if plain is None else _revive(next(a for a in arguments if a is not NoneType), plain)
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        hints = get_type_hints(kind)
        return kind(**{f.name: _revive(hints[f.name], plain[f.name]) for f in fields(kind) if f.name in plain})
    if kind is float and plain is None:  # JSON has no NaN
        return float("nan")
    basic = origin or kind
    if basic in (list, dict, str, int, float, bool) and type(plain) not in (basic, int if basic is float else basic):
        raise TypeError(f"expected a {basic.__name__}, got a {type(plain).__name__}")
    if origin is list:
        return [_revive(arguments[0], item) for item in plain]
    if origin is dict:
        return {name: _revive(arguments[1], item) for name, item in plain.items()}
    return plain
