"""What the control suite runs: for each world what is recorded, what learns from it, and which goals judge what was learned.

Where a world's layout varies, the goals of one set are in layouts like the recorded ones, and those of another in layouts that
no recording holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from armillary.evaluation.judge import BATCH


@dataclass(frozen=True)
class Goals:
    """An evaluation set: pairs of start and goal from a world's own sampler."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """of the world that is judged in, over those of the recorded one"""
    constraints: Mapping[str, Any] = field(default_factory=dict)
    """of the world's sampler"""
    budget: float | None = None
    """env steps as a multiple of the shortest path; the world's own by default, which is 2 where it has none"""


@dataclass(frozen=True)
class Task:
    """A world to record, learn and be judged in."""

    world: str
    """as given to `worlds.make`"""
    recipe: str
    """of `training.recipes`; it says how the agent decides, too"""
    sets: Mapping[str, Goals]
    """by name; the first has a row for every method, and is what shifted factors are compared with"""
    episodes: int
    steps: int
    """env steps of an episode"""
    options: Mapping[str, Any] = field(default_factory=dict)
    """of the world that is recorded"""
    senses: tuple[str, ...] | None = None
    """streams that the model learns from and sees by; by default, all that are recorded"""
    without: tuple[str, ...] = ()
    """rows that are left out, because they would take too long or say nothing"""
    batch: int = BATCH
    """pairs at a time; a single one costs as much drawing as a batch, so that few are better where that is slow"""


# 80 places over the range of the door's centre, px. A fifth of them is never recorded: 6 px in the midst of the range, about as
# much as a disc can shift within a door, and 2 px at its end.
PLACES = tuple(12.25 + 0.5 * place for place in range(80))
UNSEEN_DOORS = tuple(door for door in PLACES if 29 < door < 35 or door > 50)
SEEN_DOORS = tuple(door for door in PLACES if door not in UNSEEN_DOORS)

_DOORS = Task(
    "two_room",
    "two_room_random_door",
    {
        "seen doors": Goals(constraints={"cross": True}),
        "unseen doors": Goals({"door": UNSEEN_DOORS}, {"cross": True}),
    },
    episodes=800,
    steps=90,
    options={"door": SEEN_DOORS},
)

SUITE: dict[str, Task] = {
    "two_room": _DOORS,
    # The same recording, pairs and agent; the other rows stand with two_room.
    "two_room_any_look": replace(
        _DOORS,
        recipe="two_room_any_look",
        without=("icem", "mppi", "gradient", "random_shooting", "latent_distance", "inverse_dynamics"),
    ),
    "maze": Task(
        "maze",
        "maze",
        {
            "near": Goals({"layouts": "unseen"}, {"max_distance": 15.0}),
            "far": Goals({"layouts": "unseen"}, {"min_distance": 15.0}),  # more than 3 x a horizon of 5
        },
        episodes=2000,
        steps=60,
        options={"layouts": "seen"},
        without=("gradient", "latent_distance"),  # slow; in another unit than `goal_radius`
    ),
    "house": Task(
        "house",
        "house",
        {
            "near": Goals({"layouts": "unseen"}, {"min_distance": 3.0, "max_distance": 8.0}),  # within 4 m
            "far": Goals({"layouts": "unseen"}, {"min_distance": 8.0}),
        },
        episodes=8000,
        steps=60,
        options={"layouts": "seen", "size": 32, "streams": ("image", "depth", "scan", "odometry")},
        senses=("image", "depth", "scan"),
        without=("icem", "mppi", "gradient", "random_shooting", "latent_distance"),
    ),
    "reacher": Task(
        "reacher",
        "reacher",
        {"postures": Goals()},
        episodes=3000,
        steps=50,
        without=("cem", "icem", "mppi", "gradient", "random_shooting"),  # planners are compared in two rooms and in the maze
    ),
    "push_t": Task(
        "push_t",
        "push_t",
        {"pushed by play": Goals()},
        episodes=4000,
        steps=30,
        without=("icem", "mppi", "gradient"),
    ),
    # Steps are slow, so that most rows are left out.
    "cube": Task(
        "cube",
        "cube",
        {"placed": Goals()},
        episodes=2000,
        steps=40,
        options={"arm": True},
        without=("cem", "icem", "mppi", "gradient", "random_shooting", "latent_distance", "inverse_dynamics"),
        batch=2,
    ),
}
