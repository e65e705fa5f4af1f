"""`armillary record`: behaviour in a simulated world, into a new store."""

from typing import Annotated, Any

import tyro
from tyro.conf import Positional

from armillary.arguments import whole
from armillary.cli.info import info
from armillary.cli.shared import StorePath, parse_options
from armillary.errors import ArmillaryError


def record(
    world: Positional[Annotated[str, tyro.conf.arg(metavar="WORLD")]],
    out: StorePath,
    episodes: int = 1000,
    steps: int = 18,
    options: tuple[str, ...] = (),
    actor: Annotated[str, tyro.conf.arg(metavar="NAME|FILE.py:FUNCTION|RUN")] = "play",
    hold: int = 1,
    envs: int = 100,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Record episodes in a simulated world, into a new store.

    Args:
        world: the world to record: one of {worlds}.
        out: the store to create: a path, or a URI such as s3://bucket/name.
        episodes: number of episodes.
        steps: length of an episode, in env steps.
        options: the world's options as name=value, such as door=random. Default: the world's own.
        actor: who acts. play: the world's own exploration; random: uniform actions; smooth: a random walk over actions; oracle:
            the world's expert, towards goals; FILE.py:function: a function (observations, rng) -> actions of yours, which is
            run; the folder of a run: its agent, towards goals.
        hold: env steps for which --actor random repeats each action. More carry it further from the start.
        envs: environments that are stepped together. Fewer take less memory.
        seed: random seed of world and actions, from 0 to 9999. Higher seeds are kept for evaluation.
        resume: continue a recording that was interrupted. The world is stepped from the start again and compared with what is
            stored, so that the result is that of an unbroken recording.
        overwrite: replace a store that is at --out.
    """
    from armillary.acting.recording import named, record
    from armillary.evaluation.control.pairs import DEVELOPMENT_SEED
    from armillary.worlds import make
    from armillary.worlds.gym import resizing_note

    if not 0 <= seed < DEVELOPMENT_SEED:
        raise ArmillaryError(f"seed {seed}: take one from 0 to {DEVELOPMENT_SEED - 1}; those beyond are for evaluation")
    chosen = parse_options(options)
    if set(chosen) & {"num_envs", "max_steps"}:
        raise ArmillaryError("num_envs and max_steps are no --options; use --envs and --steps")
    episodes, envs = whole(episodes, "--episodes", 1), whole(envs, "--envs", 1)
    env = make(world, num_envs=min(envs, episodes), max_steps=steps, **chosen)
    if hold != 1 and actor != "random":
        raise ArmillaryError(f"--hold is for --actor random, and this is {actor}")
    who = named(actor, env, hold)
    if who.needs_goals:  # episodes begin where their goal is drawn, not by themselves
        env = make(world, num_envs=min(envs, episodes), max_steps=steps, autoreset_mode="Disabled", **chosen)
    left_out = getattr(env, "left_out", None)
    kept: dict[str, Any] = {"resume": resume, "overwrite": overwrite}
    record(env, who, out, episodes=episodes, seed=seed, info={"left_out": left_out} if left_out else {}, **kept, progress=True)
    if note := resizing_note(env):
        print(note)
    return info(out)
