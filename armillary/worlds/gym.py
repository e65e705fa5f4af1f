"""Any Gymnasium environment with pixels, by its id: `make("gym:CarRacing-v3", num_envs=8, continuous=False)`.

It can be recorded, learned and predicted. It cannot be judged: Gymnasium asks no environment for its full state, so there is
nothing to begin a pair from, no shortest path, no expert, and no success that is the simulator's own word. What a judge asks of
it is refused with that reason, and `armillary eval` leaves control out. Design choices:
- images are those of the observation, by their keys, or else the rendered frame, at `size` x `size` by the average of areas;
- flat observations (joint angles, say) are ground truth for probes, unless they are asked for as senses;
- parts of the observation that become no stream are named in `left_out`;
- goals can still be shown to an agent: `held_out_goals` draws frames that a recorded episode reached, and that no model learned
  from. Whether the agent reached one is then for people to see.
Source: Gymnasium's API, https://gymnasium.farama.org.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from jaxtyping import Int

from armillary.actor import Actor
from armillary.episodes.images import resize
from armillary.episodes.observing import as_stream, for_environment, to_numpy
from armillary.episodes.scripted import Random
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.spaces import leaves, spec_of, streams_of
from armillary.spec import Stream
from armillary.worlds.world import GYM

HOLD = 4
"""Steps that play holds a random action for: at control rates, white noise goes nowhere."""


class GymWorld(SyncVectorEnv):
    """N copies of a Gymnasium environment, stepped in one process.

    Actions are the environment's own, Box (N, n) or Discrete (N,). Observations are `image` (N, size, size, C) uint8 and, where
    the environment's observation is a flat Box, `vector` (N, k) float32 in the environment's own units. Where it is a dict or a
    tuple, its parts are called by their keys (`robot.q`), and `image` is rendered if none of them is an image.

    Args:
        env_id: as Gymnasium registers it; "module:id" imports the module that does.
        num_envs: N.
        size: height and width of the image in px.
        vector: flat observations are sensed, as proprioception is; otherwise they are kept as ground truth.
        max_steps: an episode is truncated after these; where the environment itself says, if None.
        autoreset_mode: "NextStep", "SameStep" or "Disabled".
        options: of the environment.

    Raises:
        ArmillaryError: no such environment or option, or one that needs a package that is absent; nothing to see in it; actions
            other than Box (n,) or Discrete; `vector` without a flat observation.
    """

    all_factors = ()
    left_out: dict[str, str]
    """Parts of the environment's observation that are no stream, and why."""

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
        elif not any(stream.is_picture for stream in streams_of(space)[0]):
            raise ArmillaryError(
                f"{self.name}: there is nothing to see; its observation {space} is no image, and its render modes "
                f"({', '.join(modes) or 'none'}) lack rgb_array"
            )
        streams, self.left_out = streams_of(space)
        if vector and not any(stream.is_tabular for stream in streams):
            raise ArmillaryError(f"{self.name}: its observation {space} is no flat Box; leave vector out")
        if max_steps is not None:
            options["max_episode_steps"] = max_steps
        super().__init__([lambda: Sensed(self._make(env_id, **options), size)] * num_envs, autoreset_mode=autoreset_mode)
        spec = spec_of(self)
        streams = [replace(stream, truth=stream.is_tabular and not vector) for stream in spec.streams]
        self.stream_spec = replace(spec, streams=tuple(streams))

    def _make(self, env_id: str, **options: Any) -> gymnasium.Env:
        try:
            return gymnasium.make(env_id, **options)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise ArmillaryError(f"{self.name} cannot be made: {error}") from error

    def play(self) -> Actor:
        """Random actions, each held for 4 steps."""
        return Random(self.stream_spec.action, HOLD)

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict]:
        """As the environments do, with whole actions where they ask for such."""
        return super().step(for_environment(actions, self.single_action_space))

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
    """Observations by name: images at `size`, from the observation or else rendered, and everything else that is a stream."""

    def __init__(self, env: gymnasium.Env, size: int) -> None:
        super().__init__(env)
        self.size, self._streams = size, streams_of(env.observation_space)[0]
        seen = [stream.shape[-1] for stream in self._streams if stream.is_picture]
        spaces = {} if seen else {"image": Box(0, 255, (size, size, 3), np.uint8)}
        for stream in self._streams:
            if stream.is_picture:
                spaces[stream.name] = Box(0, 255, (size, size, stream.shape[-1]), np.uint8)
            else:
                spaces[self._called(stream)] = Box(
                    *((0, 255) if stream.dtype == np.uint8 else (-np.inf, np.inf)), stream.shape, stream.dtype.type
                )
        self._rendered, self.observation_space = not seen, Dict(spaces)

    def _called(self, stream: Stream) -> str:
        lone = not isinstance(self.env.observation_space, Dict | Tuple)
        return "vector" if lone and stream.is_tabular else stream.name

    def observation(self, observation: Any) -> dict[str, np.ndarray]:
        """The observation of the environment as one of `observation_space`."""
        parts = leaves(observation)
        seen = {"image": self._frame()} if self._rendered else {}
        for stream in self._streams:
            part = parts[""] if "" in parts else parts[stream.name]
            values = as_stream(to_numpy(part)[None], stream)
            seen[self._called(stream)] = (resize(values, self.size) if stream.is_picture else values)[0]
        return seen

    def _frame(self) -> np.ndarray:
        where = f"{GYM}{self.env.spec.id}"
        try:
            frame = self.render()
        except gymnasium.error.DependencyNotInstalled as error:
            raise ArmillaryError(f"{where} cannot be rendered: {error}") from error
        if getattr(frame, "ndim", 0) != 3 or frame.dtype != np.uint8:
            raise ArmillaryError(f"{where}: a frame is (H, W, C) uint8, and it rendered {type(frame).__name__}")
        if frame.shape[-1] == 4:
            warnings.warn(f"{where} renders with alpha, which is left out of its images", stacklevel=2)
        return resize(as_stream(frame[None], Stream("image", "image", (*frame.shape[:2], 3))), self.size)[0]


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
