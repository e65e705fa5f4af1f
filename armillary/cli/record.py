"""`armillary record`: behaviour in a simulated world, into a new store."""

from typing import Literal

from tyro.conf import Positional

from armillary.cli.info import info
from armillary.cli.shared import StorePath, parse_options
from armillary.errors import ArmillaryError


def record(
    world: Positional[str],
    out: StorePath,
    episodes: int = 1000,
    steps: int = 18,
    options: tuple[str, ...] = (),
    policy: Literal["play", "random", "smooth"] = "play",
    hold: int = 1,
    envs: int = 100,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Record behaviour without a goal in a simulated world, into a new store of episodes.

    Args:
        world: its name, such as two_room, or gym:ID for any Gymnasium environment with pixels.
        out: the new store.
        episodes: how many.
        steps: env steps of an episode.
        options: of the world, as name=value, such as door=random.
        policy: play is the world's own, random is uniform, smooth a random walk over the actions.
        hold: env steps that each action of the random policy is held for.
        envs: environments that are stepped together.
        seed: of the world and the actions, below 10000: seeds beyond are for evaluation.
        resume: go on with the same recording, which was interrupted. The world is stepped from the start once more and compared
            with what is stored, so that the result is that of an unbroken recording.
        overwrite: replace the store that is there.
    """
    from armillary.episodes.policies import random_policy, smooth_policy
    from armillary.episodes.record import record
    from armillary.evaluation.control.pairs import DEVELOPMENT_SEED
    from armillary.worlds import make

    if not 0 <= seed < DEVELOPMENT_SEED:
        raise ArmillaryError(f"seed {seed}: take one from 0 to {DEVELOPMENT_SEED - 1}; those beyond are for evaluation")
    chosen = parse_options(options)
    if set(chosen) & {"num_envs", "max_steps"}:
        raise ArmillaryError("num_envs and max_steps are no --options; give --envs and --steps")
    env = make(world, num_envs=min(envs, episodes), max_steps=steps, **chosen)
    about = {"world": world, "options": chosen}
    if hold != 1 and policy != "random":
        raise ArmillaryError(f"--hold is for --policy random, and this is {policy}")
    policies = {
        "play": env.play,
        "random": lambda: random_policy(env.stream_spec, hold),
        "smooth": lambda: smooth_policy(env.stream_spec),
    }
    if left_out := getattr(env, "left_out", None):
        about["left_out"] = left_out
    kept = {"resume": resume, "overwrite": overwrite}
    record(env, policies[policy](), out, episodes=episodes, seed=seed, info=about, **kept, progress=True)
    info(out)
