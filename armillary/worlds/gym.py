"""Any Gymnasium environment with pixels, by its id: `make("gym:CarRacing-v3", num_envs=8, continuous=False)`.

It can be recorded, learned and predicted. It cannot be judged: Gymnasium asks no environment for goals, nor whether one was
reached, so `armillary eval` leaves control out; whoever knows both makes it a world of their own (`own.py`). Design choices:
- images are those of the observation, by their keys, or else the rendered frame, at `size` x `size` by the average of areas;
- flat observations (joint angles, say) are ground truth for probes, unless they are asked for as senses;
- parts of the observation that become no stream are named in `left_out`;
- goals can still be shown to an agent: `held_out_goals` draws frames that a recorded episode reached, and that no model learned
  from. Whether the agent reached one is then for people to see.
Source: Gymnasium's API, https://gymnasium.farama.org.
"""

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper
from gymnasium.wrappers import TimeLimit
from jaxtyping import Int

from armillary.actor import Actor
from armillary.episodes.images import resize
from armillary.episodes.observing import as_stream, for_environment, to_numpy
from armillary.episodes.scripted import Random
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.spaces import leaves, spec_of, streams_of
from armillary.spec import Stream
from armillary.worlds.opengl import advised
from armillary.worlds.world import GYM

HOLD = 4
"""Steps that play holds a random action for: at control rates, white noise goes nowhere."""
LONE = "vector"
"""What a flat observation is called that is all there is."""


class GymWorld(SyncVectorEnv):
    """N copies of a Gymnasium environment, stepped in one process: a world that is `Recorded`.

    Actions are the environment's own, Box (N, n) or Discrete (N,). Observations are its own by name (a lone flat Box is called
    `vector`), and `image` (N, size, size, 3) uint8, rendered, where none of them is a picture and it renders `rgb_array`.

    Args:
        env: makes one environment.
        num_envs: N.
        name, version: of the world.
        size: height and width of pictures in px.
        truth: streams that are ground truth, which no model sees.
        max_steps: an episode is truncated after these; where the environment itself says, if None.
        autoreset_mode: "NextStep", "SameStep" or "Disabled".

    Raises:
        ArmillaryError: nothing in the observation is a stream; actions other than Box (n,) or Discrete; unknown `truth`.
    """

    left_out: dict[str, str]
    """Parts of the environment's observation that are no stream, and why."""

    def __init__(
        self,
        env: Callable[[], gymnasium.Env],
        num_envs: int,
        *,
        name: str,
        version: str,
        size: int = 64,
        truth: Collection[str] = (),
        max_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.name, self.version = name, version
        for option, value in (("num_envs", num_envs), ("size", size)):
            if not isinstance(value, int) or value < 1:
                raise ArmillaryError(f"{name}: {option} is a whole number of at least 1, not {value!r}")

        def one() -> Sensed:
            made = env()
            return Sensed(made if max_steps is None else TimeLimit(made, max_steps), size, name)

        super().__init__([one] * num_envs, autoreset_mode=autoreset_mode)
        self.left_out = self.sensed[0].left_out
        spec = spec_of(self)
        if unknown := set(truth) - {stream.name for stream in spec.streams}:
            have = ", ".join(stream.name for stream in spec.streams)
            raise ArmillaryError(f"{name}: truth names {', '.join(sorted(unknown))}, and the streams are {have}")
        self.stream_spec = replace(spec, streams=tuple(replace(s, truth=s.name in truth) for s in spec.streams))

    @property
    def sensed(self) -> "list[Sensed]":
        """The environments by themselves."""
        return [env for env in self.envs if isinstance(env, Sensed)]

    def play(self) -> Actor:
        """Random actions, each held for 4 steps."""
        return Random(self.stream_spec.action, HOLD)

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict]:
        """As the environments do, with whole actions where they ask for such. Without autoreset, ended episodes go on."""
        if self.autoreset_mode == AutoresetMode.DISABLED:
            self._autoreset_envs[:] = False
        return super().step(for_environment(actions, self.single_action_space))


def gym_world(
    env_id: str,
    num_envs: int = 1,
    *,
    size: int = 64,
    vector: bool = False,
    max_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **options: Any,
) -> GymWorld:
    """A Gymnasium environment with pixels, by its id.

    Args:
        env_id: as Gymnasium registers it; "module:id" imports the module that does.
        vector: flat observations are sensed, as proprioception is; otherwise they are kept as ground truth.
        num_envs, size, max_steps, autoreset_mode: as for `GymWorld`.
        options: of the environment.

    Raises:
        ArmillaryError: no such environment or option, or one that needs a package that is absent; nothing to see in it; actions
            other than Box (n,) or Discrete; `vector` without a flat observation.
    """
    name = f"{GYM}{env_id}"
    if max_steps is not None:
        options["max_episode_steps"] = max_steps

    def one(**more: Any) -> gymnasium.Env:
        try:
            return gymnasium.make(env_id, **options, **more)
        except (gymnasium.error.Error, AttributeError, ImportError, RuntimeError, TypeError) as error:
            raise ArmillaryError(f"{name} cannot be made: {advised(error)}") from error

    probe = one()
    space, modes = probe.observation_space, probe.metadata.get("render_modes", [])
    probe.close()
    streams = streams_of(space)[0]
    renders, flat = "rgb_array" in modes, [stream.name for stream in streams if stream.is_tabular]
    if not renders and not any(stream.is_picture for stream in streams):
        raise ArmillaryError(
            f"{name}: there is nothing to see; its observation {space} is no image, and its render modes "
            f"({', '.join(modes) or 'none'}) lack rgb_array"
        )
    if vector and not flat:
        raise ArmillaryError(f"{name}: its observation {space} is no flat Box; leave vector out")
    return GymWorld(
        partial(one, render_mode="rgb_array") if renders else one,
        num_envs,
        name=name,
        version=f"gymnasium{gymnasium.__version__}/{size}px",
        size=size,
        truth=() if vector else [LONE if is_lone(space) else part for part in flat],
        autoreset_mode=autoreset_mode,
    )


def is_lone(space: Any) -> bool:
    """Whether a space is no dictionary and no tuple of others."""
    return not isinstance(space, Dict | Tuple)


class Sensed(gymnasium.ObservationWrapper):
    """Observations by name: images at `size`, from the observation or else rendered, and everything else that is a stream."""

    def __init__(self, env: gymnasium.Env, size: int, name: str) -> None:
        super().__init__(env)
        self.size, self.name = size, name
        self.resized: dict[str, tuple[int, int]] = {}  # height and width of pictures before, by stream, once seen
        self._streams, self.left_out = streams_of(env.observation_space)
        self._rendered = env.render_mode == "rgb_array" and not any(stream.is_picture for stream in self._streams)
        spaces: dict[str, Any] = {"image": Box(0, 255, (size, size, 3), np.uint8)} if self._rendered else {}
        for stream in self._streams:
            if stream.is_picture:
                spaces[stream.name] = Box(0, 255, (size, size, stream.shape[-1]), np.uint8)
            else:
                spaces[self._called(stream)] = Box(
                    *((0, 255) if stream.dtype == np.uint8 else (-np.inf, np.inf)), stream.shape, stream.dtype.type
                )
        self.observation_space = Dict(spaces)

    def _called(self, stream: Stream) -> str:
        return LONE if stream.is_tabular and is_lone(self.env.observation_space) else stream.name

    def observation(self, observation: Any) -> dict[str, np.ndarray]:
        """The observation of the environment as one of `observation_space`."""
        parts = leaves(observation)
        seen = {"image": self._frame()} if self._rendered else {}
        for stream in self._streams:
            part = parts[""] if "" in parts else parts[stream.name]
            values = as_stream(to_numpy(part)[None], stream)
            seen[self._called(stream)] = (self._at_size(values, stream.name) if stream.is_picture else values)[0]
        return seen

    def _at_size(self, pictures: np.ndarray, name: str) -> np.ndarray:
        if pictures.shape[1:3] != (self.size, self.size):
            self.resized[name] = (pictures.shape[1], pictures.shape[2])
        return resize(pictures, self.size)

    def _frame(self) -> np.ndarray:
        try:
            frame: Any = self.render()
        except Exception as error:  # whatever an environment's renderer raises, such as MuJoCo's without OpenGL
            raise ArmillaryError(f"{self.name} cannot be rendered: {advised(error)}") from error
        if getattr(frame, "ndim", 0) != 3 or frame.dtype != np.uint8:
            raise ArmillaryError(f"{self.name}: a frame is (H, W, C) uint8, and it rendered {type(frame).__name__}")
        if frame.shape[-1] == 4:
            warnings.warn(f"{self.name} renders with alpha, which is left out of its images", stacklevel=2)
        return self._at_size(as_stream(frame[None], Stream("image", "image", (*frame.shape[:2], 3))), "image")[0]


def resizing_note(world: Any) -> str | None:
    """From which size to which a world has resized its pictures, in a line for a person; None if it has not."""
    inner = world.env if isinstance(world, VectorWrapper) else world
    if not isinstance(inner, GymWorld) or not (resized := inner.sensed[0].resized):
        return None
    size = inner.sensed[0].size
    each = ", ".join(f"{name} from {height} x {width} to {size} x {size} px" for name, (height, width) in resized.items())
    return f"resized: {each}; --options size=N, or size of own_world, sets another"


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
