"""Any Gymnasium environment with pixels, by its id: `make("gym:CarRacing-v3", num_envs=8, continuous=False)`.

It can be recorded, learned and predicted. It cannot be judged: Gymnasium asks no environment for its full state, so there is
nothing to begin a pair from, no shortest path, no expert, and no success that is the simulator's own word. What a judge asks of
it is refused with that reason, and `armillary eval` leaves control out. Design choices:
- the image is the observation where that is one, else the rendered frame, at `size` x `size` by the average of each area;
- a flat observation (joint angles, say) is ground truth for probes, unless it is asked for as a sense of its own;
- goals can still be shown to an agent: `held_out_goals` draws frames that a recorded episode reached, and that no model learned
  from. Whether the agent reached one is then for people to see.
Source: Gymnasium's API, https://gymnasium.farama.org.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from jaxtyping import Int

from armillary.episodes.images import resize
from armillary.episodes.policies import Policy, random_policy
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.spec import Spec
from armillary.worlds.world import GYM

HOLD = 4
"""Steps that play holds a random action for: at control rates, white noise goes nowhere."""


class GymWorld(SyncVectorEnv):
    """N copies of a Gymnasium environment, stepped in one process.

    Actions are the environment's own, Box (N, n) or Discrete (N,). Observations are `image` (N, size, size, C) uint8 and, where
    the environment's observation is a flat Box, `vector` (N, k) float32 in the environment's own units.

    Args:
        env_id: as Gymnasium registers it; "module:id" imports the module that does.
        num_envs: N.
        size: height and width of the image in px.
        vector: the flat observation is sensed, as proprioception is; otherwise it is kept as ground truth.
        max_steps: an episode is truncated after these; where the environment itself says, if None.
        autoreset_mode: "NextStep", "SameStep" or "Disabled".
        options: of the environment.

    Raises:
        ArmillaryError: no such environment or option, or one that needs a package that is absent; nothing to see in it; actions
            other than Box (n,) or Discrete; `vector` without a flat observation.
    """

    all_factors = ()

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        *,
        size: int = 64,
        vector: bool = False,
        max_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **options: Any,
    ) -> None:
        self.name, self.version = f"{GYM}{env_id}", f"gymnasium{gymnasium.__version__}/{size}px"
        for option, value in (("num_envs", num_envs), ("size", size)):
            if not isinstance(value, int) or value < 1:
                raise ArmillaryError(f"{self.name}: {option} is a whole number of at least 1, not {value!r}")
        probe = self._make(env_id, **options)
        space, modes = probe.observation_space, probe.metadata.get("render_modes", [])
        probe.close()
        if "rgb_array" in modes:
            options["render_mode"] = "rgb_array"
        elif not _is_image(space):
            raise ArmillaryError(
                f"{self.name}: there is nothing to see; its observation {space} is no image, and its render modes "
                f"({', '.join(modes) or 'none'}) lack rgb_array"
            )
        if vector and not _is_flat(space):
            raise ArmillaryError(f"{self.name}: its observation {space} is no flat Box; leave vector out")
        if max_steps is not None:
            options["max_episode_steps"] = max_steps
        super().__init__([lambda: Sensed(self._make(env_id, **options), size)] * num_envs, autoreset_mode=autoreset_mode)
        spec = Spec.from_env(self)
        streams = [replace(stream, truth=stream.name == "vector" and not vector) for stream in spec.streams]
        self.stream_spec = replace(spec, streams=tuple(streams))

    def _make(self, env_id: str, **options: Any) -> gymnasium.Env:
        try:
            return gymnasium.make(env_id, **options)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise ArmillaryError(f"{self.name} cannot be made: {error}") from error

    def play(self) -> Policy:
        """Random actions, each held for 4 steps."""
        return random_policy(self.stream_spec, HOLD)

    # The judge's side: none of it can be had.

    @property
    def state(self) -> np.ndarray:
        """Not to be had."""
        self._refuse("a state")

    def sample_pairs(self, n: int, rng: np.random.Generator, **constraints: Any) -> NoReturn:
        """Not to be had."""
        self._refuse("a sampler of pairs")

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> NoReturn:
        """Not to be had."""
        self._refuse("a shortest path")

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> NoReturn:
        """Not to be had."""
        self._refuse("an oracle")

    def success(self, state: np.ndarray, goal: np.ndarray) -> NoReturn:
        """Not to be had."""
        self._refuse("success on ground truth")

    def render_states(self, states: np.ndarray) -> NoReturn:
        """Not to be had."""
        self._refuse("a state to render")

    def _refuse(self, what: str) -> NoReturn:
        raise ArmillaryError(
            f"{self.name} has not got {what}, as Gymnasium's environments do not give their state: record it and judge "
            "prediction on the recording; control is judged in a world of its own (armillary.worlds.WORLDS)"
        )


class Sensed(gymnasium.ObservationWrapper):
    """Observations by name: the image, from the observation or else rendered, and the flat observation where it is one."""

    def __init__(self, env: gymnasium.Env, size: int) -> None:
        super().__init__(env)
        self.size, space = size, env.observation_space
        channels = space.shape[-1] if _is_image(space) else 3
        spaces = {"image": Box(0, 255, (size, size, channels), np.uint8)}
        if _is_flat(space):
            low, high = space.low.astype(np.float32), space.high.astype(np.float32)
            spaces["vector"] = Box(low, high, dtype=np.float32)
        self.observation_space = Dict(spaces)

    def observation(self, observation: Any) -> dict[str, np.ndarray]:
        """The observation of the environment as one of `observation_space`."""
        try:
            frame = observation if _is_image(self.env.observation_space) else self.render()
        except gymnasium.error.DependencyNotInstalled as error:
            raise ArmillaryError(f"{GYM}{self.env.spec.id} cannot be rendered: {error}") from error
        if getattr(frame, "ndim", 0) != 3 or frame.dtype != np.uint8:
            raise ArmillaryError(f"{GYM}{self.env.spec.id}: a frame is (H, W, C) uint8, and it rendered {type(frame).__name__}")
        seen = {"image": resize(frame[None], self.size)[0]}
        return seen | {name: np.asarray(observation, np.float32) for name in self.observation_space.spaces if name == "vector"}


def held_out_goals(
    episodes: Episodes,
    held_out: Sequence[int] | Int[np.ndarray, " k"],
    n: int,
    rng: np.random.Generator,
    *,
    min_steps: int = 1,
    max_steps: int | None = None,
) -> tuple[dict[str, np.ndarray], Int[np.ndarray, " n"]]:
    """Goals to show to an agent that begins at a reset: what was sensed in episodes that its model has not seen.

    A goal is within reach as far as resets resemble each other; nothing says on ground truth that it was reached.

    Args:
        episodes: a recording whose episodes begin at resets (recorded without `max_length`).
        held_out: numbers of the episodes to draw from, such as `model.provenance["held_out"]`.
        n: how many goals, with replacement.
        min_steps, max_steps: bounds on the steps between a reset and a goal.

    Returns:
        Name of each observed stream -> (n, *shape), and the steps (n,) that the recording took to each from its reset.

    Raises:
        ArmillaryError: no episode among them is long enough.
    """
    numbers = np.asarray(held_out, np.int64)
    numbers = numbers[episodes.lengths[numbers] > min_steps]
    last = np.minimum(episodes.lengths[numbers] - 1, np.inf if max_steps is None else max_steps).astype(np.int64)
    if min_steps < 1 or not len(numbers) or (last < min_steps).any():
        raise ArmillaryError(f"none of {len(held_out)} episodes has a goal from {min_steps} to {max_steps or 'all'} steps on")
    chosen = rng.integers(len(numbers), size=n)
    steps = rng.integers(min_steps, last[chosen] + 1)
    return episodes.read_rows(episodes.starts[numbers[chosen]] + steps), steps


def _is_image(space: gymnasium.Space) -> bool:
    return isinstance(space, Box) and len(space.shape) == 3 and space.dtype == np.uint8


def _is_flat(space: gymnasium.Space) -> bool:
    return isinstance(space, Box) and len(space.shape) == 1
