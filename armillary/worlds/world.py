"""What a world is to those who record in it and judge in it, and `make`, which builds one by name.

A World is a Gymnasium vector environment that can also be asked what only a simulator knows. Its full state is one vector that
holds the layout, so that whatever started from it can be replayed.
"""

import importlib
import inspect
from typing import Any, Protocol, runtime_checkable

import numpy as np

from armillary.actor import Actor
from armillary.errors import ArmillaryError, require
from armillary.spec import Spec
from armillary.worlds.scenes import Scenes

Observation = dict[str, np.ndarray]  # observed streams and truth by name, each (N, *stream.shape)


@runtime_checkable
class World(Protocol):
    """A `gymnasium.vector.VectorEnv` of N environments, plus the judge's side. S numbers are the full state of one.

    Attributes:
        name: as given to `make`.
        version: changes whenever the same state and actions no longer give the same result.
        num_envs: N.
        stream_spec: the Spec of observations and actions; streams of ground truth are marked.
        all_factors: factors of variation that the option `factors` may name; all are off by default.
    """

    name: str
    version: str
    num_envs: int
    stream_spec: Spec
    all_factors: tuple[str, ...]

    @property
    def state(self) -> np.ndarray:
        """The full state of each environment, (N, S) float64."""
        ...

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict]:
        """Begin episodes, from `options["state"]` (N, S) where it is given."""
        ...

    def step(self, actions: np.ndarray) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Observation, reward, terminated, truncated, info after actions (N, n)."""
        ...

    def play(self) -> Actor:
        """An actor whose recordings are fit to learn from; what `str` says of it is kept with them."""
        ...

    def sample_pairs(self, n: int, rng: np.random.Generator, **constraints: Any) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, S) each, that share their layout.

        Every world takes `min_distance`, the least `shortest_path` of a pair; further constraints are its own.
        """
        ...

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """A lower bound on the env steps between states (n, S): geodesic distance by greatest distance a step; (n,)."""
        ...

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (N, n) of an expert that walks the shortest path from states to goals (N, S) and stops there."""
        ...

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether states (n, S) are at their goals, by ground truth; (n,) bool."""
        ...

    def render_states(self, states: np.ndarray) -> Observation:
        """What is sensed in states (n, S), for example the image of a goal."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A world that stages violations of expectation, which a model of it should be surprised by."""

    def scenes(self, n: int, seed: int, skip: int) -> list[Scenes]:
        """n scenes of each property that can be violated, under a seed that no recording used.

        Args:
            skip: env steps between two frames, as the model keeps them; an action is held for so long.
        """
        ...


GYM = "gym:"
"""`make("gym:ID")` is any Gymnasium environment with pixels, without the judge's side."""

# name -> where its class is, the package that it needs beside Gymnasium (if any), and the extra that brings it
WORLDS: dict[str, tuple[str, str | None, str]] = {
    "two_room": ("armillary.worlds.two_room.world:TwoRoom", None, "worlds"),
    "reacher": ("armillary.worlds.reacher.world:Reacher", "mujoco", "mujoco"),
    "maze": ("armillary.worlds.maze.world:Maze", None, "worlds"),
    "house": ("armillary.worlds.house.world:House", None, "worlds"),
    "push_t": ("armillary.worlds.push_t.world:PushT", "pymunk", "worlds"),
    "cube": ("armillary.worlds.cube.world:Cube", "ogbench", "cube"),
}


def make(name: str, **options: Any) -> World:
    """Build a world: `make("two_room", num_envs=16, door="random")`.

    Raises:
        ArmillaryError: no such world or no such option; the message lists those there are.
        MissingExtra: gymnasium is not installed.
    """
    if name.startswith(GYM):
        require("gymnasium", "worlds")
        return importlib.import_module("armillary.worlds.gym").GymWorld(name.removeprefix(GYM), **options)
    if name not in WORLDS:
        raise ArmillaryError(f"there is no world {name!r}; the worlds are {', '.join(WORLDS)}, and {GYM}ID")
    require("gymnasium", "worlds")
    where, package, extra = WORLDS[name]
    if package:
        require(package, extra)
    module, kind = where.split(":")
    constructor = getattr(importlib.import_module(module), kind)
    known = inspect.signature(constructor).parameters
    if unknown := [option for option in options if option not in known]:
        raise ArmillaryError(f"world {name!r} has no option {', '.join(unknown)}; its options are {', '.join(known)}")
    try:
        return constructor(**options)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, ArmillaryError):
            raise
        raise ArmillaryError(f"world {name!r} cannot be made with {options}: {error}") from error


def make_named(name: Any, options: Any, **settings: Any) -> World:
    """Build the world that a file names: a recording, pairs, or results of a stranger.

    It has to be one of ours. `gym:` may import a module, which only somebody at the keyboard may ask for.

    Args:
        name, options: what the file says.
        settings: options that the caller chooses, and the file may not.

    Raises:
        ArmillaryError: another world, or options that it does not take.
    """
    if not isinstance(name, str) or name not in WORLDS:
        said = f"the file is of world {str(name)[:100]!r}, and files may name {', '.join(WORLDS)} alone"
        raise ArmillaryError(f"{said}; nothing of another is imported by what a file says")
    if not isinstance(options, dict) or set(options) & set(settings):
        raise ArmillaryError(f"the file has options of world {name!r} that are not its to choose: {str(options)[:200]}")
    return make(name, **options, **settings)
