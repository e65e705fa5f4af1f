"""Record a world: step a vector environment with an actor, and stream what happens into a store.

`rollouts` gives episodes as they end, `record` commits them. Design choices:
- row t holds the observation and the action that was taken on seeing it. All three ways in which Gymnasium's vector
  environments begin the next episode give the same rows: under NEXT_STEP the step after an end only resets, and its
  ignored action is not recorded; under SAME_STEP the last observation of an episode comes from `final_obs`; under
  DISABLED the environments that ended are reset here;
- every environment records the same number of episodes (to one). The first N to end would be a biased sample: short ones;
- memory holds the episodes under way and at most `_COMMIT_BYTES` of ended ones; those are committed together, after
  some seconds at the latest, so that a kill costs no more than that.
Autoreset modes: https://farama.org/Vector-Autoreset-Mode.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from armillary.actor import TRUE_STATE, Actor
from armillary.arguments import seed_of
from armillary.console import ProgressBar
from armillary.episodes.drafts import Drafts
from armillary.episodes.filling import Filling
from armillary.episodes.images import Codec
from armillary.episodes.observing import device_of, for_environment, observe, to_numpy
from armillary.episodes.scripted import Function, as_actor
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.interrupts import uninterrupted
from armillary.spaces import leaves, spec_of
from armillary.spec import Spec

_COMMIT_BYTES = 32 << 20
_COMMIT_SECONDS = 5.0


def record(
    env: gymnasium.Env | VectorEnv,
    actor: Actor | Function,
    store: str | os.PathLike | Episodes,
    *,
    episodes: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    spec: Spec | None = None,
    max_length: int | None = None,
    images: Codec = "auto",
    info: dict[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Episodes:
    """Record episodes into a new store, or append them to an open one; the other arguments are those of `rollouts`.

    On Ctrl-C, episodes that have ended are committed first; those under way are lost.

    Args:
        store: a path that does not exist yet, or an open store of the same spec.
        images: codec of a new store, see `Episodes.create`.
        info: kept with a new store.
        resume: go on with a recording that was interrupted, under the same arguments. The world is stepped from the start
            once more and what is stored already is compared, so that the result is that of an unbroken recording.
        overwrite: replace the store that is there.
        progress: show progress: a bar on a terminal, and lines elsewhere.

    Returns:
        The open store.

    Raises:
        ArmillaryError: as `rollouts` does; something is at that path, and is not to be resumed or overwritten; to resume, the
            world does not do the same again; the store cannot be written. What was committed stays, marked as unfinished.
    """
    spec, actor = spec or (store.spec if isinstance(store, Episodes) else spec_of(env)), as_actor(actor)
    source = rollouts(env, actor, spec=spec, episodes=episodes, steps=steps, seed=seed, max_length=max_length)
    if isinstance(store, Episodes):
        into, stored = store, 0
    else:
        about = {**_provenance(env, actor, seed), **(info or {})}
        job = {"command": "record", "episodes": episodes, "steps": steps, "seed": seed, "max_length": max_length}
        job |= {"environments": getattr(env, "num_envs", 1), "policy": about["policy"]}
        into = Filling(store, spec, job=job, images=images, info=about, resume=resume, overwrite=overwrite)
        if into.done:
            return into.begun()
        stored = into.stored
    done, total, unit = 0, episodes or steps or 1, "episodes" if episodes else "steps"
    with into if isinstance(into, Filling) else nullcontext(), ProgressBar(progress) as bar:
        ended: list[Episode] = []
        size, since = 0, time.monotonic()

        def commit() -> None:
            with uninterrupted():  # either both or neither
                into.append(*ended)
                ended.clear()

        try:
            for number, episode in enumerate(source):
                done += 1 if episodes else len(episode.actions)
                bar.update("record", done / total, f"{done} of {total} {unit}")
                if isinstance(into, Filling) and number < stored:
                    into.require_same(number, episode)
                    continue
                ended.append(episode)
                size += sum(values.nbytes for values in (*episode.observations.values(), *episode.truth.values()))
                if size > _COMMIT_BYTES or time.monotonic() - since > _COMMIT_SECONDS:
                    commit()
                    size, since = 0, time.monotonic()
            commit()
        except KeyboardInterrupt:
            commit()
            raise
    return into.finish() if isinstance(into, Filling) else into


def rollouts(
    env: gymnasium.Env | VectorEnv,
    actor: Actor | Function,
    *,
    spec: Spec | None = None,
    episodes: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    max_length: int | None = None,
) -> Iterator[Episode]:
    """Episodes of an environment, as they end.

    Args:
        env: a vector environment, or a single one. It is reset first, and not closed. For an actor that needs goals, its
            `goals(ids)` says what is sensed at those of environments that begin, as in `worlds/goals.py`.
        actor: decides what is done; it is reset first. Or a function of all streams (N, *shape) by name, truth included, and a
            random generator, to actions (N, n) float32 or choices (N,) int64.
        spec: of the environment's observations and actions; `spec_of` by default.
        episodes: so many, the same number (to one) from each environment.
        steps: or until so many steps are recorded; episodes under way are then given as far as they came.
        seed: of the environment (number i is seeded `seed + i`) and of the actor.
        max_length: longer episodes are cut into parts of at most so many rows. The last row of a part is the first of the
            next, so that no step is lost; memory stays bounded where episodes never end.

    Yields:
        Episode. Its info says how it `ended` ("terminated", "truncated" or "cut"), which one of its `worker` it is (`count`),
        and, of a part, its first `row` in the whole.

    Raises:
        ArmillaryError: neither `episodes` nor `steps`, an environment that does not say how it resets, or actions or
            observations that do not match the spec.
    """
    if episodes is None and steps is None:
        raise ArmillaryError("say how much to record: episodes, steps, or both")
    if max_length is not None and max_length < 2:
        raise ArmillaryError(f"max_length is at least 2 rows, one step, not {max_length}")
    spec = spec or spec_of(env)
    most = np.inf if episodes is None else episodes, steps or np.inf
    return _rollouts(env, as_actor(actor), spec, *most, seed, max_length or np.inf)


def _rollouts(env, actor, spec, episodes, steps, seed, max_length) -> Iterator[Episode]:
    said = _provenance(env, actor, seed)
    if not isinstance(env, VectorEnv):
        single = env
        env = SyncVectorEnv([lambda: single])
    seed = seed_of(seed)
    mode, n = _autoreset(env), env.num_envs
    actor.reset(seed)
    left = np.full(n, np.inf) if episodes == np.inf else episodes // n + (np.arange(n) < episodes % n)
    first = env.reset(seed=seed)[0]
    observation, device = observe(first, spec), device_of(first)
    drafts = Drafts(spec, observation, n)
    observed = [stream.name for stream in spec.observed]
    giver: Any = env if hasattr(env, "goals") else None
    if actor.needs_goals and giver is None:
        raise ArmillaryError(f"{said['policy']} needs goals, and the environment gives none; wrap a world in WithGoals")

    def shown(what: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return what if actor.needs_truth else {name: what[name] for name in observed if name in what}

    began, resetting, recorded = np.ones(n, bool), np.zeros(n, bool), 0

    while left.any() and recorded < steps:
        if began.any():
            ids = np.flatnonzero(began)
            actor.start(ids, shown(giver.goals(ids)) if actor.needs_goals else None)
        seen = shown({**observation, TRUE_STATE: giver.state} if actor.needs_truth and giver is not None else observation)
        actions = np.array(spec.action.check(to_numpy(actor.act(seen).values), f"policy {said['policy']}"))
        if actions.shape != (n, *spec.action.shape):
            raise ArmillaryError(f"policy {said['policy']}: actions of shape {actions.shape} for {n} environments")
        taken = for_environment(actions, getattr(env, "single_action_space", None), device)
        observation, _, terminated, truncated, info = env.step(taken)
        terminated, truncated = to_numpy(terminated), to_numpy(truncated)
        observation, done = observe(observation, spec), terminated | truncated
        began, done = resetting, done & ~resetting
        drafts.begin(began, observation)
        going = (left > 0) & ~began
        ending = done & going
        same_step = mode == AutoresetMode.SAME_STEP and ending.any()
        drafts.add(going, actions, _finals(observation, info, ending, spec) if same_step else observation)
        recorded += going.sum()
        for i in np.flatnonzero(ending):
            yield drafts.episode(i, {**said, "worker": int(i), "ended": "terminated" if terminated[i] else "truncated"})
        left -= ending
        long = going & ~ending & (drafts.steps + 1 >= max_length)
        for i in np.flatnonzero(long):
            yield drafts.episode(i, {**said, "worker": int(i), "ended": "cut"})
        drafts.go_on(long, observation)
        if mode == AutoresetMode.NEXT_STEP:
            resetting = done
        elif done.any():
            if mode == AutoresetMode.DISABLED:
                observation = observe(env.reset(options={"reset_mask": done})[0], spec)
            drafts.begin(done, observation)
            began = done

    for i in np.flatnonzero((left > 0) & (drafts.steps > 0) & ~resetting):
        yield drafts.episode(i, {**said, "worker": int(i), "ended": "cut"})


def _autoreset(env: VectorEnv) -> AutoresetMode:
    mode = (env.metadata or {}).get("autoreset_mode")
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        raise ArmillaryError(
            f"this vector environment says {mode!r} in metadata['autoreset_mode'], so that the rows at a reset cannot be told "
            f"apart; set it to one of {', '.join(mode.name for mode in AutoresetMode)} (gymnasium.vector.AutoresetMode)"
        ) from error


def _finals(observation: dict[str, np.ndarray], info: dict[str, Any], ending: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The observation, but the last one of its episode where one is `ending` (n,).

    Environments give all of them by stream, or one object for each that ends; older ones call them `final_observation`.
    """
    final, seen = info.get("final_obs", info.get("final_observation")), {name: v.copy() for name, v in observation.items()}
    if final is None:
        raise ArmillaryError("this environment resets in the same step, but its info has no final_obs")
    ends = np.flatnonzero(ending)
    if isinstance(final, np.ndarray) and final.dtype == object:
        last = [observe({name: to_numpy(value)[None] for name, value in leaves(final[i]).items()}, spec) for i in ends]
        last = {name: np.concatenate([one[name] for one in last]) for name in seen}
    else:
        last = {name: values[ends] for name, values in observe(final, spec).items()}
    for name, values in seen.items():
        values[ends] = last[name]
    return seen


def _provenance(env: Any, actor: Actor, seed: int) -> dict[str, Any]:
    inner = env.unwrapped
    name = env.spec.id if getattr(env, "spec", None) else getattr(inner, "name", type(inner).__name__)
    versions = {package: version(package) for package in ("armillary", "gymnasium", "numpy")}
    if hasattr(inner, "version"):
        versions["world"] = inner.version
    return {"source": "record", "env": name, "policy": str(actor), "seed": seed, "versions": versions}
