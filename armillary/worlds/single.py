"""One environment of a vectorised world as a plain `gymnasium.Env`."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.errors import ArmillaryError
from armillary.worlds.native import NativeWorld


class Single(gymnasium.Env):
    """A world of one environment, without the batch axis.

    Args:
        world: with `num_envs` 1 and autoreset disabled.

    Raises:
        ArmillaryError: the world has several environments, or resets itself.
    """

    def __init__(self, world: NativeWorld) -> None:
        mode = world.metadata["autoreset_mode"]
        if world.num_envs != 1 or mode != AutoresetMode.DISABLED:
            raise ArmillaryError(f"a single environment needs num_envs=1 and autoreset disabled, not {world.num_envs}, {mode}")
        self.world = world
        self.stream_spec = world.stream_spec
        self.observation_space, self.action_space = world.single_observation_space, world.single_action_space
        self.metadata, self.render_mode = world.metadata, world.render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict]:
        """Begin an episode, from `options["state"]` (S,) where it is given."""
        super().reset(seed=seed)
        if options and "state" in options:
            options = {**options, "state": np.asarray(options["state"])[None]}
        observation, info = self.world.reset(seed=seed, options=options)
        return {name: value[0] for name, value in observation.items()}, info

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict]:
        """Observation, reward, terminated, truncated, info after an action (n,)."""
        observation, reward, terminated, truncated, info = self.world.step(np.asarray(action)[None])
        observation = {name: value[0] for name, value in observation.items()}
        return observation, float(reward[0]), bool(terminated[0]), bool(truncated[0]), info

    def render(self) -> np.ndarray | None:
        """The current image (H, W, 3) uint8, or None without a render mode."""
        frames = self.world.render()
        return None if frames is None else frames[0]


def single_of(world: type[NativeWorld]) -> Callable[..., Single]:
    """What makes a world of this class as a plain `gymnasium.Env`, with the options of the class."""
    return lambda **options: Single(world(1, autoreset_mode=AutoresetMode.DISABLED, **options))
