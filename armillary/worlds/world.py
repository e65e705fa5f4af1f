"""What a world is to those who record in it (`Recorded`) and judge in it (`Judged`), and `make`, which builds one by name.

The state of a world of ours is one vector that holds the layout, so that whatever started from it can be replayed. An
environment of yours becomes a world by `own.own_world`. A package adds one with a function that takes `num_envs`, `max_steps`
and `autoreset_mode` and returns a world, and an entry point:

    [project.entry-points."armillary.worlds"]
    puck = "my_package.puck:make"
"""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from armillary import plugins
from armillary.actor import Actor
from armillary.errors import ArmillaryError, require
from armillary.spec import Spec
from armillary.worlds.opengl import no_opengl
from armillary.worlds.scenes import Scenes

Observation = dict[str, np.ndarray]  # observed streams and truth by name, each (N, *stream.shape)


@runtime_checkable
class Recorded(Protocol):
    """What can be recorded: a `gymnasium.vector.VectorEnv` of N environments that says what is sensed and done in it.

    Attributes:
        name: as given to `make`.
        version: changes whenever the same state and actions no longer give the same result.
        num_envs: N.
        stream_spec: the Spec of observations and actions; streams of ground truth are marked.
    """

    name: str
    version: str
    num_envs: int
    stream_spec: Spec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict]:
        """Begin episodes."""
        ...

    def step(self, actions: np.ndarray) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Observation, reward, terminated, truncated, info after actions (N, n)."""
        ...

    def play(self) -> Actor:
        """An actor whose recordings are fit to learn from; what `str` says of it is kept with them."""
        ...


@runtime_checkable
class Judged(Recorded, Protocol):
    """What an agent can be judged in: a world with goals. S numbers are the state of one environment.

    `reset` begins from `options["state"]` (N, S) where it is given. What else a world can do is asked for by the protocols
    below; a table leaves out what needs it. `budget`, if there is one, is how long a pair runs by default: a multiple of the
    shortest path, or env steps where there is none.

    Attributes:
        any_state: `reset` and `render_states` take any state. Otherwise they take those of `sample_pairs` alone.
    """

    any_state: bool

    @property
    def state(self) -> np.ndarray:
        """The state of each environment, (N, S) float64."""
        ...

    def sample_pairs(self, n: int, rng: np.random.Generator, **constraints: Any) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, S) each, that share their layout.

        A world with a shortest path takes `min_distance`, the least of a pair; further constraints are its own.
        """
        ...

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether states (n, S) are at their goals, by ground truth; (n,) bool."""
        ...

    def render_states(self, states: np.ndarray) -> Observation:
        """What is sensed in states (n, S), for example the image of a goal."""
        ...


@runtime_checkable
class HasShortestPath(Protocol):
    """A world that knows how far its goals are."""

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """A lower bound on the env steps between states (n, S): geodesic distance by greatest distance a step; (n,)."""
        ...


@runtime_checkable
class HasOracle(Protocol):
    """A world with an expert."""

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (N, n) of an expert that walks the shortest path from states to goals (N, S) and stops there."""
        ...


@runtime_checkable
class DrawsOnDemand(Protocol):
    """A world that draws slowly, and does not where nobody looks."""

    needs_observations: bool
    """Whether somebody does."""


@runtime_checkable
class HasScenes(Protocol):
    """A world that stages violations of expectation, which a model of it should be surprised by."""

    def scenes(self, n: int, seed: int, skip: int) -> list[Scenes]:
        """n scenes of each property that can be violated, under a seed that no recording used.

        Args:
            skip: env steps between two frames, as the model keeps them; an action is held for so long.
        """
        ...


GROUP = "armillary.worlds"
SETTINGS = "num_envs", "max_steps", "autoreset_mode"
"""Options of every world that say how it is run, not which world it is."""
GYM = "gym:"
"""`make("gym:ID")` is any Gymnasium environment with pixels, which can be recorded and not be judged."""

# name -> where its class is, the package that it needs beside Gymnasium (if any), and the extra that brings it
WORLDS: dict[str, tuple[str, str | None, str]] = {
    "two_room": ("armillary.worlds.two_room.world:TwoRoom", None, "worlds"),
    "reacher": ("armillary.worlds.reacher.world:Reacher", "mujoco", "mujoco"),
    "maze": ("armillary.worlds.maze.world:Maze", None, "worlds"),
    "house": ("armillary.worlds.house.world:House", None, "worlds"),
    "push_t": ("armillary.worlds.push_t.world:PushT", "pymunk", "worlds"),
    "physics": ("armillary.worlds.physics.world:Physics", "pymunk", "worlds"),
    "cube": ("armillary.worlds.cube.world:Cube", "ogbench", "cube"),
}
MUJOCO = ("mujoco", "ogbench")
"""Packages whose images are drawn by MuJoCo."""


def names() -> tuple[str, ...]:
    """The worlds that have a name: those of the library, and those that installed packages register."""
    return plugins.names(GROUP, WORLDS)


def make(name: str | Callable[..., Any], **options: Any) -> Any:
    """Build a world: `make("two_room", num_envs=16, door="random")`.

    Args:
        name: one of `names()`; `gym:ID` of a Gymnasium environment; or `package.module:make`, a function of yours, which is
            imported, from the present folder if need be, and called with the options. Or that function itself.

    Returns:
        A `Recorded` world; most are `Judged`, too.

    Raises:
        ArmillaryError: no such world or no such option; the message lists those there are.
        MissingExtra: gymnasium is not installed.
    """
    require("gymnasium", "worlds")
    given, name = name, name if isinstance(name, str) else f"{name.__module__}:{getattr(name, '__name__', 'make')}"
    constructor = _constructor(given) if isinstance(given, str) else given
    known = inspect.signature(constructor).parameters
    anything = any(parameter.kind == parameter.VAR_KEYWORD for parameter in known.values())
    if unknown := [option for option in options if option not in known and not anything]:
        raise ArmillaryError(f"world {name!r} has no option {', '.join(unknown)}; its options are {', '.join(known)}")
    try:
        world = constructor(**options)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, ArmillaryError):
            raise
        raise ArmillaryError(f"world {name!r} cannot be made with {options}: {error}") from error
    if not isinstance(world, Recorded):
        raise ArmillaryError(
            f"world {name!r}: expected a vector environment with a stream_spec, got {type(world).__name__}; "
            "wrap it with armillary.worlds.own.own_world"
        )
    world.name, world.made_with = name, {k: v for k, v in options.items() if k not in SETTINGS}
    return world


def origin(env: Any) -> dict[str, Any]:
    """What a recording keeps of the world that `make` made, so that an evaluation can make it again; nothing of others.

    Returns:
        `world` and `options`, JSON-able.
    """
    inner = getattr(env, "unwrapped", env)
    options = getattr(inner, "made_with", None)
    try:
        json.dumps(options)
    except TypeError:  # options that no file can hold
        return {}
    return {} if options is None else {"world": inner.name, "options": options}


def has_goals(name: str) -> bool:
    """Whether agents can be judged in a world of this name, which a file may say: it is one of `names()`, and has goals."""
    return _offers(name, "sample_pairs")


def has_scenes(name: str) -> bool:
    """Whether a world of this name, which a file may say, may stage violations of expectation."""
    return _offers(name, "scenes")


def _offers(name: str, method: str) -> bool:
    """Whether it is one of `names()`, and has this method; of a function that makes a world, that is not known."""
    constructor = _constructor(name) if name in names() else type(None)
    return hasattr(constructor, method) if inspect.isclass(constructor) else True


def _constructor(name: str) -> Callable[..., Any]:
    if name.startswith(GYM):
        return partial(importlib.import_module("armillary.worlds.gym").gym_world, name.removeprefix(GYM))
    if name in WORLDS:
        where, package, extra = WORLDS[name]
        try:
            if package:
                require(package, extra)
            return _imported(where)
        except (AttributeError, RuntimeError) as error:
            if package in MUJOCO:  # not to be imported where MUJOCO_GL names what is not there
                raise no_opengl(name, error) from error
            raise
    if ":" in name:
        return _yours(name)
    return plugins.find(GROUP, name, WORLDS, remedy=f"take {GYM}ID, or your own as package.module:make")


def _imported(where: str) -> Any:
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _yours(where: str) -> Callable[..., Any]:
    if os.getcwd() not in sys.path:  # as `python -m` has it, and console scripts have not
        sys.path.append(os.getcwd())
    try:
        found = _imported(where)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArmillaryError(
            f"world {where!r}: expected package.module:function, and it cannot be imported from {os.getcwd()} or the "
            f"installed packages ({error})"
        ) from error
    if not callable(found):
        raise ArmillaryError(f"world {where!r}: expected a function that makes a world, got {found!r:.100}")
    return found


def make_named(name: Any, options: Any, **settings: Any) -> Any:
    """Build the world that a file names: a recording, pairs, or results of a stranger.

    It has a name of `names()`. Others import a module, which only somebody at the keyboard may ask for.

    Args:
        name, options: what the file says.
        settings: options that the caller chooses, and the file may not.

    Raises:
        ArmillaryError: another world, or options that it does not take.
    """
    if not isinstance(name, str) or name not in names():
        said = f"the file is of world {str(name)[:100]!r}, and files may name {', '.join(names())} alone"
        raise ArmillaryError(f"{said}; to import another, name it yourself: --world {str(name)[:100]}")
    if not isinstance(options, dict) or set(options) & set(settings):
        raise ArmillaryError(f"the file has options of world {name!r} that are not its to choose: {str(options)[:200]}")
    return make(name, **options, **settings)
