"""Recording with the peer: its world, its random policy, `World.collect` into Lance, which is its default.

Ten environments and episodes of 100 steps are what its collecting scripts have. Its two rooms are drawn at 224 px, and reduced.
"""

import tempfile

import common
import lewm  # noqa: F401  torchvision, which its world imports

NAMES = {"two_room": "swm/TwoRoom-v1", "push_t": "swm/PushT-v1"}


def main() -> None:
    settings = common.SETTINGS
    from stable_worldmodel import World
    from stable_worldmodel.data import load_dataset
    from stable_worldmodel.policy import RandomPolicy

    world = World(NAMES[settings["world"]], num_envs=10, image_shape=(64, 64), max_episode_steps=100)
    world.set_policy(RandomPolicy(seed=settings["seed"]))
    with tempfile.TemporaryDirectory(dir=common.WORK) as folder:
        path = f"{folder}/recording.lance"
        world.collect(f"{folder}/first.lance", episodes=1, seed=settings["seed"], progress=False)  # loads what is used
        more = {"episodes": settings["episodes"], "seed": settings["seed"], "progress": False}
        times = common.timed(lambda: world.collect(path, **more), 1)
        frames = int(load_dataset(path).lengths.sum())
    common.answer(**common.rates(times, frames), frames=frames)


main()
