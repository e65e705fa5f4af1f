"""What the worlds written here share: the Gymnasium side of a `World` whose N environments step together.

A world of this kind is a full state (N, S) and four functions of it: how an episode begins, how a step changes it, what is
sensed in it, and which states there are. Design choices:
- each environment has a random stream of its own: number i of a batch seeded s is a single one seeded s + i;
- there is no reward and no termination: what counts as success is for a judge to say, on ground truth;
- autoreset is NEXT_STEP for recording, or DISABLED for evaluation, where episodes begin by `reset` alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from armillary.arguments import seed_of
from armillary.errors import ArmillaryError
from armillary.spec import Spec


class NativeWorld(VectorEnv, ABC):
    """Base class. `self._state` (N, S) float64 is where everything that lasts is kept.

    Args:
        num_envs: N.
        spec: of observations and actions; the action space has bounds.
        state_size: S.
        factors: the factors of variation that are on; others keep their defaults.
        max_steps: an episode is truncated after these, or never.
        autoreset_mode: "NextStep" or "Disabled".
        render_mode: "rgb_array", or None.
        bounds: (low, high) of each stream's numbers, for Gymnasium's spaces; 0-255 for images and unbounded otherwise.

    Raises:
        ArmillaryError: an option out of its range.
    """

    name: ClassVar[str]
    version: str
    factors_of_variation: ClassVar[Mapping[str, tuple[int | slice, Any, Any]]] = {}
    """What `factors` may name: the columns of the state that each draws, and from what to what."""
    any_state: ClassVar[bool] = True
    layout: ClassVar[slice]
    """Columns of the state that last an episode, and that a start shares with its goal."""
    layout_said: ClassVar[str] = "all factors"
    """What they are, in words."""
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int,
        spec: Spec,
        state_size: int,
        *,
        factors: Sequence[str] = (),
        max_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._whole("num_envs", num_envs, 1)
        self._whole("max_steps", 1 if max_steps is None else max_steps, 1)
        if unknown := [factor for factor in factors if factor not in self.all_factors]:
            raise ArmillaryError(
                f"{self.name}: no factor {', '.join(unknown)}; the factors are {', '.join(self.all_factors) or 'none'}"
            )
        if render_mode not in (None, "rgb_array"):
            raise ArmillaryError(f"{self.name}: render_mode is 'rgb_array' or None, not {render_mode!r}")
        modes = AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
        if autoreset_mode not in (*modes, *(mode.value for mode in modes)):
            raise ArmillaryError(f"{self.name}: autoreset_mode is 'NextStep' or 'Disabled', not {autoreset_mode}")
        self.num_envs, self.stream_spec, self.factors, self.max_steps = num_envs, spec, tuple(factors), max_steps
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode(autoreset_mode)}
        limits: dict[str, Any] = {s.name: (0, 255) if s.dtype == np.uint8 else (-np.inf, np.inf) for s in spec.streams}
        limits |= bounds or {}
        boxes: dict[str, Any] = {s.name: (*limits[s.name], s.shape, s.dtype.type) for s in spec.streams}
        self.single_observation_space = Dict({name: Box(*box) for name, box in boxes.items()})
        action = spec.action
        self.single_action_space = (
            Discrete(action.n)
            if action.kind == "discrete"
            else Box(np.array(action.low, np.float32), np.array(action.high, np.float32))
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._streams = [seeding.np_random()[0] for _ in range(num_envs)]
        self._state = np.full((num_envs, state_size), np.nan)
        self._steps, self._done = np.zeros(num_envs, int), np.zeros(num_envs, bool)

    # What a world is

    @abstractmethod
    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """States (n, S) in which episodes begin. A factor that is on leaves what else is drawn as it was."""

    @abstractmethod
    def _advance(self, actions: np.ndarray) -> None:
        """One env step: bring `self._state` on, under actions (N, n) float64 within the bounds, or choices (N,)."""

    @abstractmethod
    def _sense(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """The observations in states (n, S) that can be."""

    @abstractmethod
    def _possible(self, states: np.ndarray) -> np.ndarray:
        """The same states (n, S), whose array may be written on.

        Raises:
            ArmillaryError: a state that cannot be.
        """

    def _begun(self, mask: np.ndarray) -> None:
        """`self._state[mask]` was set anew: prepare what hangs on it."""

    def _observe(self) -> dict[str, np.ndarray]:
        """The observations now."""
        return self._sense(self._state)

    # What follows from that

    def render_states(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """The observations in states (n, S)."""
        return self._sense(self._checked(states))

    @property
    def all_factors(self) -> tuple[str, ...]:
        """Factors of variation that `factors` may name."""
        return tuple(self.factors_of_variation)

    def _vary(self, states: np.ndarray, uniform: np.ndarray) -> None:
        """Draw the factors that are on, in place, by numbers in [0, 1), one for each of the states' columns."""
        for factor in self.factors:
            columns, low, high = self.factors_of_variation[factor]
            states[:, columns] = low + uniform[:, columns] * np.subtract(high, low)

    def _checked(self, states: np.ndarray, n: int | None = None) -> np.ndarray:
        """A copy of states (n, S) as float64.

        Raises:
            ArmillaryError: another shape, or a state that cannot be.
        """
        states, numbers = np.array(states, float), self._state.shape[1]
        if states.ndim != 2 or states.shape[1] != numbers or n not in (None, len(states)):
            raise ArmillaryError(f"{self.name}: states are ({n or 'n'}, {numbers}), not {states.shape}")
        return self._possible(states)

    def _pair(self, state: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States and their goals, checked.

        Raises:
            ArmillaryError: they do not share their layouts, or whatever `_checked` raises.
        """
        state, goal = self._checked(state), self._checked(goal)
        if not np.array_equal(state[:, self.layout], goal[:, self.layout]):
            raise ArmillaryError(f"{self.name}: a state and its goal must share their layout ({self.layout_said})")
        return state, goal

    # Gymnasium's side

    @property
    def state(self) -> np.ndarray:
        """The full state, (N, S) float64; the columns are named at the top of the world's file."""
        return self._state.copy()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict]:
        """Begin episodes: in all environments, or in those where `options["reset_mask"]` (N,) is true.

        Args:
            seed: environment i is seeded `seed + i`, or `seed[i]`.
            options: `state` (N, S) to begin from in place of random ones, `reset_mask` (N,) bool.

        Raises:
            ArmillaryError: a state that cannot be, or a state, seeds or a mask of another shape.
        """
        options = options or {}
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ArmillaryError(f"{self.name}: reset_mask is ({self.num_envs},) bool, not {mask.shape} {mask.dtype}")
        seeds = [seed] * self.num_envs if seed is None else seed
        if isinstance(seeds, int | np.integer):
            seeds = [seed_of(seed, f"{self.name}: a seed") + i for i in range(self.num_envs)]
        if isinstance(seeds, float | str | bytes) or not hasattr(seeds, "__len__"):
            raise ArmillaryError(f"{self.name}: a seed is a whole number, or one an environment, not {seed!r}")
        if len(seeds) != self.num_envs:
            raise ArmillaryError(f"{self.name}: {len(seeds)} seeds for {self.num_envs} environments")
        seeds = [None if one is None else seed_of(one, f"{self.name}: a seed") for one in seeds]
        for i in np.flatnonzero(mask):
            if seeds[i] is not None:
                self._streams[i] = seeding.np_random(seeds[i])[0]
        self._begin(mask, self._checked(options["state"], self.num_envs) if "state" in options else None)
        return self._observe(), {}

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict]:
        """Observation, reward (0), terminated (never), truncated, info. Actions beyond the bounds are clipped.

        Where an episode ended before, NEXT_STEP begins the next one and ignores the action; DISABLED goes on.

        Raises:
            ArmillaryError: actions of another shape than (N, n), not finite, or before `reset`.
        """
        space = self.stream_spec.action
        actions = space.check(actions, f"{self.name} actions")
        if actions.shape != (self.num_envs, *space.shape):
            raise ArmillaryError(f"{self.name}: actions are {(self.num_envs, *space.shape)}, not {actions.shape}")
        if np.isnan(self._state[0, 0]):
            raise ArmillaryError(f"{self.name}: call reset before the first step")
        self._advance(np.clip(actions.astype(float), space.low, space.high) if space.kind == "box" else actions)
        self._steps += 1
        if self.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP and self._done.any():
            self._begin(self._done)
        self._done = self._steps >= (np.inf if self.max_steps is None else self.max_steps)
        return self._observe(), np.zeros(self.num_envs), np.zeros(self.num_envs, bool), self._done.copy(), {}

    def render(self) -> tuple[np.ndarray, ...] | None:
        """The current image of each environment, (H, W, 3) uint8; None without a render mode."""
        return tuple(self._observe()["image"]) if self.render_mode else None

    def _begin(self, mask: np.ndarray, state: np.ndarray | None = None) -> None:
        """Start episodes where `mask` is true, from `state` (N, S) or a random one."""
        for i in np.flatnonzero(mask):
            self._state[i] = self._new_states(1, self._streams[i])[0] if state is None else state[i]
        self._begun(mask)
        self._steps[mask], self._done = 0, self._done & ~mask

    def _whole(self, option: str, value: Any, least: int) -> None:
        """Require a whole number."""
        if not isinstance(value, int | float | np.number) or int(value) != value or value < least:
            raise ArmillaryError(f"{self.name}: {option} is a whole number of at least {least}, not {value}")
