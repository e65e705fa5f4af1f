"""Recording with ours: the world of the same name, random actions, and as much motion between two frames as in the peer's.

A hundred environments are what `armillary record` has; one move a step (`action_repeat=1`) is the peer's control rate.
"""

import tempfile

import common

from armillary.episodes.record import record
from armillary.episodes.scripted import Random
from armillary.episodes.store import Episodes
from armillary.worlds import make


def main() -> None:
    settings = common.SETTINGS
    world = make(settings["world"], num_envs=100, max_steps=100, action_repeat=1)
    policy = Random(world.stream_spec.action)
    with tempfile.TemporaryDirectory(dir=common.WORK) as folder:
        record(world, policy, f"{folder}/first", episodes=1, seed=settings["seed"])  # loads what is used
        more = {"episodes": settings["episodes"], "seed": settings["seed"]}
        times = common.timed(lambda: record(world, policy, f"{folder}/recording", **more), 1)
        frames = int(Episodes.open(f"{folder}/recording").lengths.sum())
    common.answer(**common.rates(times, frames), frames=frames)


main()
