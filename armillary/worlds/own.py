"""An environment of your own, as a world in which agents are judged: Gymnasium's side, and two functions, goals and success.

    def make(num_envs=1, **settings):
        return own_world(Puck, num_envs, sample_goal=sample_goal, success=success, **settings)

`armillary record my_module:make` and `armillary eval RUN --world my_module:make` then treat it as any other. Design choices:
- `sample_goal(env, rng)` moves an environment that was just reset to a goal of that episode, by setting it or by acting in it,
  and returns what is sensed there. So a goal shares the layout of its start, and is something that can be sensed;
- states are those of `state`, or else the flat numbers of the observation. Only `success` and what you add look at them;
- with `set_state`, any state can be entered again, and the replay check runs. Without it, a pair is a seed: the start is what
  `reset(seed=...)` gives, and its goal is made again by `sample_goal` under the same seed;
- so does a vector environment that takes `reset(seed=[...])`, one for each environment. Many draw all starts from one seed;
  none of these starts can be made again beside those of other pairs, so they need `set_state`;
- without a shortest path, a pair runs for a stated number of env steps, and SPL is left out; without an oracle, so is its row.
  Nothing then shows that every goal can be reached;
- an environment that says that it has ended is stepped on while it is judged: only the end of the budget counts.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from armillary.actor import Actor
from armillary.episodes.observing import observe
from armillary.episodes.scripted import Random
from armillary.errors import ArmillaryError
from armillary.spaces import spec_of
from armillary.worlds.gym import HOLD, GymWorld

SEED, STEP = 0, 1
"""Columns before a state that cannot be set: the seed of its reset, and the steps since, or `GOAL`."""
GOAL = -1.0
ROUNDING = 1e-5
Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""States and their goals (n, S) to (n, ...)."""


class OwnWorld(VectorWrapper):
    """A `Judged` world of a Gymnasium environment. What is below in terms of one is of all N for a vector environment.

    Args:
        env: makes a single environment, such as its class; or a vector environment, which without `set_state` has to take a
            seed for each of its environments, `reset(seed=[...])`.
        num_envs: N, of single environments.
        sample_goal: (environment after a reset, random generator) -> observation at a goal, where it leaves the environment.
            Of a vector environment without `set_state`, the first goal counts, after all were reset under the seed of a pair.
        success: (states, goals), (n, S) each -> whether they are at their goals, (n,) bool.
        state: environment -> its state (S,). Default: the flat numbers of its observation.
        set_state: (environment, state) -> observation in that state.
        shortest_path: (starts, goals) -> a lower bound on the env steps between them, (n,).
        oracle: (states, goals) -> actions (n, ...) of an expert.
        budget: env steps of a pair, default 50; with a shortest path a multiple of it, default 2.
        play: makes an actor whose recordings are fit to learn from. Default: random actions, each held for 4 steps.
        truth: streams that no model sees, such as the position that success is about.
        size: height and width of pictures in px; rendered ones, if no stream is a picture and `render_mode` is rgb_array.
        max_steps: a recorded episode is truncated after these. A vector environment has its own.
        autoreset_mode: of single environments: "NextStep", or "Disabled" to be judged.
        version: change it whenever the same state and actions no longer give the same result.

    Raises:
        ArmillaryError: neither `state` nor flat numbers in the observation; a vector environment without `set_state` and
            without a seed for each start.
    """

    def __init__(
        self,
        env: Callable[[], gymnasium.Env] | VectorEnv,
        num_envs: int = 1,
        *,
        sample_goal: Callable[[Any, np.random.Generator], Any],
        success: Compare,
        state: Callable[[Any], np.ndarray] | None = None,
        set_state: Callable[[Any, np.ndarray], Any] | None = None,
        shortest_path: Compare | None = None,
        oracle: Compare | None = None,
        budget: float | None = None,
        play: Callable[[], Actor] | None = None,
        truth: Collection[str] = (),
        size: int = 64,
        max_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        version: str = "1",
    ) -> None:
        if not isinstance(env, VectorEnv):
            common = {"size": size, "truth": truth, "max_steps": max_steps, "autoreset_mode": autoreset_mode}
            env = GymWorld(env, num_envs, name=getattr(env, "__name__", "own"), version=version, **common)
        super().__init__(env)
        self.stream_spec, self.version = spec_of(env), version
        self.name: str = getattr(env, "name", type(env).__name__)
        self.left_out = getattr(env, "left_out", {})
        self.any_state = set_state is not None
        self.budget = (50 if shortest_path is None else 2.0) if budget is None else budget
        self._sample_goal, self._success, self._read, self._set, self._play = sample_goal, success, state, set_state, play
        self._flat = [stream.name for stream in self.stream_spec.streams if stream.is_tabular]
        if state is None and not self._flat:
            raise ArmillaryError(f"{self.name}: nothing in its observation is a flat list of numbers; give `state`")
        if shortest_path is not None:
            self.shortest_path = self._of_numbers(shortest_path)
        if oracle is not None:
            self.oracle = self._of_numbers(oracle)
        self._seeds, self._steps = np.full(self.num_envs, np.nan), np.zeros(self.num_envs)
        self._seen: dict[str, np.ndarray] = {}
        self._begin(np.zeros(self.num_envs, int))  # so that there is a state
        if not (self.any_state or np.allclose(self.state, self.state[0], rtol=ROUNDING, atol=ROUNDING)):
            raise self._shared_seed("equal seeds gave different starts")

    @property
    def unwrapped(self) -> VectorEnv:
        return self

    def play(self) -> Actor:
        """What recordings are made with."""
        return Random(self.stream_spec.action, HOLD) if self._play is None else self._play()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict]:
        """As the environment does, or from `options["state"]` (N, S)."""
        options = dict(options or {})
        if (states := options.pop("state", None)) is not None:
            states = np.asarray(states, float)
            if not (self.any_state or isinstance(self.env, GymWorld)) and (states[:, STEP] == GOAL).any():
                raise ArmillaryError(f"{self.name}: without set_state, a vector environment begins at starts alone")
            self._begin(np.zeros(self.num_envs, int), options.get("reset_mask"))
            return self._enter(states), {}
        began = options.get("reset_mask", np.ones(self.num_envs, bool))
        given: Any = seed  # gymnasium's signature knows one seed, and its environments also take one for each
        observation, info = self.env.reset(seed=given, options=options or None)
        self._seeds[began], self._steps[began] = np.nan, 0
        return self._sense(observation), info

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict]:
        """As the environment does."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        self._steps += 1
        return self._sense(observation), reward, terminated, truncated, info

    # The judge's side

    @property
    def state(self) -> np.ndarray:
        """(N, S) float64; without `set_state`, with the seed and the step in front."""
        if self._read is None:
            read = [self._seen[name].reshape(self.num_envs, -1) for name in self._flat]
            numbers = np.concatenate(read, axis=1).astype(float)
        else:
            numbers = np.array(self._each(self._read), float).reshape(self.num_envs, -1)
        return numbers if self.any_state else np.column_stack([self._seeds, self._steps, numbers])

    def sample_pairs(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Starts as resets give them, and goals as `sample_goal` does, (n, S) each.

        Episodes under way go on after it in a world that takes any state; in others they end.
        """
        before: np.ndarray = self.state
        starts, goals = [], []
        for seeds in self._chunks(rng.integers(2**30, 2**31, size=n)):  # far from those that recordings are made under
            self._begin(seeds)
            starts.append(self.state)
            goals.append(self._to_goals(np.ones(self.num_envs, bool)))
        self._go_on(before)
        return np.concatenate(starts)[:n], np.concatenate(goals)[:n]

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether states (n, S) are at their goals; (n,) bool."""
        return np.asarray(self._of_numbers(self._success)(state, goal), bool)

    def render_states(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """What is sensed in states (n, S). Episodes under way go on or end, as for `sample_pairs`."""
        before: np.ndarray = self.state
        parts = [self._enter(chunk) for chunk in self._chunks(np.asarray(states, float))]
        self._go_on(before)
        return {name: np.concatenate([part[name] for part in parts])[: len(states)] for name in parts[0]}

    # What both share

    def _of_numbers(self, compare: Compare) -> Compare:
        """The same, of states of this world."""
        first = 0 if self.any_state else STEP + 1
        return lambda state, goal: np.asarray(compare(state[:, first:], goal[:, first:]))

    def _chunks(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows, N at a time; the first fills up the last chunk."""
        n = self.num_envs
        padded = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % n, axis=0)])
        return list(padded.reshape(-1, n, *rows.shape[1:]))

    def _enter(self, states: np.ndarray) -> dict[str, np.ndarray]:
        if self._set is not None:
            return self._sense(self._gather(self._each(self._set, states)))
        goals = states[:, STEP] == GOAL
        if (~goals & (states[:, STEP] != 0)).any() or not np.isfinite(states[:, SEED]).all():
            raise ArmillaryError(f"{self.name}: only starts and goals of its pairs can be entered again; give `set_state`")
        self._begin(states[:, SEED].astype(int))
        made = self._to_goals(goals) if goals.any() else self.state
        if not np.allclose(made, states, rtol=ROUNDING, atol=ROUNDING):
            raise ArmillaryError(f"{self.name}: one seed gave two states; draw all randomness from reset's seed and rng")
        return self._seen

    def _go_on(self, states: np.ndarray) -> None:
        """Leave the environments in these states, where that can be."""
        if self._set is not None:
            self._enter(states)

    def _begin(self, seeds: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Reset environments under a seed each (N,): all of them, or the single ones in `mask` (N,)."""
        each: Any = [int(seed) for seed in seeds]
        if isinstance(self.env, GymWorld):
            observation, _ = self.env.reset(seed=each, options=None if mask is None else {"reset_mask": mask})
        elif self.any_state:
            observation, _ = self.env.reset(seed=each[0])
        else:
            try:
                observation, _ = self.env.reset(seed=each)
            except Exception as error:  # whatever an environment says to a list
                raise self._shared_seed(f"it raised {type(error).__name__}: {error}") from error
        self._sense(observation)
        self._seeds, self._steps = seeds.astype(float), np.zeros(self.num_envs)

    def _shared_seed(self, found: str) -> ArmillaryError:
        return ArmillaryError(
            f"{self.name}: expected a vector environment whose reset(seed=[...]) takes a seed for each start, since it has no "
            f"set_state; and {found}. Give set_state, or make single environments"
        )

    def _to_goals(self, which: np.ndarray) -> np.ndarray:
        """Move environments (N,) bool that were just reset to their goals, and return the states (N, S)."""
        if isinstance(self.env, GymWorld):
            for i in np.flatnonzero(which):
                one = self.env.sensed[i]
                seen = one.observation(self._sample_goal(one.env.unwrapped, self._rng(self._seeds[i])))
                self._seen = {name: self._with(values, i, seen[name]) for name, values in self._seen.items()}
        elif self.any_state:
            self._sense(self._sample_goal(self.env, self._rng(self._seeds[0])))
        else:
            return self._first_goals(which)
        self._steps[which] = GOAL
        return self.state

    def _first_goals(self, which: np.ndarray) -> np.ndarray:
        """States (N, S), and what is sensed, of the goals of `which`: each is the first of a vector that has its seed alone."""
        seen, states, seeds = self._seen, self.state, self._seeds
        for seed in np.unique(seeds[which]):
            self._begin(np.full(self.num_envs, seed))
            self._sense(self._sample_goal(self.env, self._rng(seed)))
            self._steps[:] = GOAL
            here = which & (seeds == seed)
            states[here] = self.state[0]
            seen = {name: self._with(values, here, self._seen[name][0]) for name, values in seen.items()}
        self._seen = seen
        return states

    @staticmethod
    def _rng(seed: float) -> np.random.Generator:
        return np.random.default_rng([int(seed), 1])

    @staticmethod
    def _with(values: np.ndarray, i: Any, row: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[i] = row
        return values

    def _each(self, function: Callable[..., Any], *rows: np.ndarray) -> Any:
        """A function of one environment, of each of them; or of a vector environment at once."""
        if not isinstance(self.env, GymWorld):
            return function(self.env, *rows)
        return [function(one.env.unwrapped, *(row[i] for row in rows)) for i, one in enumerate(self.env.sensed)]

    def _gather(self, observations: Any) -> Any:
        """Observations of single environments, one by one, as those of the vector."""
        if not isinstance(self.env, GymWorld):
            return observations
        seen = [one.observation(part) for one, part in zip(self.env.sensed, observations, strict=True)]
        return {name: np.stack([part[name] for part in seen]) for name in seen[0]}

    def _sense(self, observation: Any) -> dict[str, np.ndarray]:
        self._seen = observe(observation, self.stream_spec)
        return self._seen


own_world = OwnWorld
"""What a module of yours calls."""
