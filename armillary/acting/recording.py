"""Recording with any actor, or with one by name: the world's play, chance, an expert, a function in a file, a trained run."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from armillary.acting.agent import Agent
from armillary.acting.baselines import Oracle
from armillary.actor import Actor
from armillary.episodes import record as recorder
from armillary.episodes.scripted import Function, Random, Smooth, as_actor
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.spaces import spec_of
from armillary.worlds.goals import WithGoals
from armillary.worlds.world import origin

NAMES = "play", "random", "smooth", "oracle"


def record(
    env: gymnasium.Env | VectorEnv,
    actor: Actor | Function | str,
    store: str | os.PathLike | Episodes,
    *,
    hold: int = 1,
    **options: Any,
) -> Episodes:
    """Record episodes of an environment into a new store, or append them to an open one.

    Args:
        env: a vector environment, or a single one. For an actor that needs goals it is a world with autoreset disabled, whose
            episodes then begin at the starts of pairs (`WithGoals`).
        actor: an Actor; a function of all streams (N, *shape) by name, truth included, and a random generator, to actions; or
            a name, see `named`.
        store: a path that does not exist yet, or an open store of the same spec.
        hold: env steps for which the actor `random` repeats each action.
        options: `episodes`, `steps`, `seed` and the further arguments of `armillary.episodes.record.record`. The store's info
            names the world, if `make` made it, so that an evaluation makes the same one.

    Raises:
        ArmillaryError: as `armillary.episodes.record.record`, `named` and `WithGoals`.
    """
    actor = named(actor, env, hold) if isinstance(actor, str) else as_actor(actor)
    options["info"] = origin(env) | (options.get("info") or {})
    if actor.needs_goals and not hasattr(env, "goals"):
        env = WithGoals(env)
    return recorder.record(env, actor, store, **options)


def named(name: str, env: Any, hold: int = 1) -> Actor:
    """The actor of this name for an environment.

    Args:
        name: `play` or `oracle`, the world's own; `random`, `smooth`; `FILE.py:function`, which is run, a function
            (observations, rng) -> actions or an Actor; or the folder of a trained run, whose agent acts.
        env: where it is to act.
        hold: env steps for which `random` repeats each action.

    Raises:
        ArmillaryError: no such name, file, function or run; a world without play or an expert; `hold` for another than random.
    """
    if hold != 1 and name != "random":
        raise ArmillaryError(f"hold is for the actor random, and this is {name}")
    if name in ("random", "smooth"):
        space = spec_of(env).action
        return Random(space, hold) if name == "random" else Smooth(space)
    if name in ("play", "oracle"):
        own = getattr(getattr(env, "unwrapped", env), name, None)
        if own is None:
            raise ArmillaryError(f"expected a world with {name}, and {getattr(env, 'name', env)} has none; take another actor")
        return own() if name == "play" else Oracle(own)
    path, colon, function = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _in_file(Path(path), function)
    if not Path(name).exists():
        raise ArmillaryError(f"expected one of {', '.join(NAMES)}, FILE.py:function or the folder of a run; got {name!r}")
    return Agent.load(name)


def _in_file(path: Path, function: str) -> Actor:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        raise ArmillaryError(f"{path}: expected a file of Python with {function} in it, and there is none")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, function):
        raise ArmillaryError(f"{path}: there is no {function} in it")
    return as_actor(getattr(module, function))
