"""How fast a world renders and steps, on one core: `python benchmarks/render.py`, again with `--world house`
and with `--world physics`.

Of two rooms, frames a second that `render_states` renders of trajectories of 90 states, for a fixed and a random door, and of
a stepping batch (physics and image); of the apartment, observations a second of a stepping batch, by what is sensed; of the
physics world, states that `simulate` makes, frames that `render_states` renders of them, and a stepping batch. Nothing here
uses a second core, so frames per CPU second are what an undisturbed core does, whatever else the machine is doing; wall time
stands beside it. Medians of `repeats` runs; raw results go to --out FILE, where given.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from armillary.provenance import commit
from armillary.worlds import make

EPISODE = 90  # states that share a layout
SENSED = [("image", "depth", "scan"), ("image",), ("depth",), ("scan",), ("image", "depth", "scan", "points", "odometry")]


def rate(work: Callable[[], object], frames: int, repeats: int) -> dict[str, float]:
    """Frames of `work`, which makes `frames` of them, per second of CPU and of wall time."""
    work()
    clocks = {"frames_per_cpu_second": time.process_time, "frames_per_second": time.perf_counter}
    seconds = []
    for _ in range(repeats):
        begin = [clock() for clock in clocks.values()]
        work()
        seconds.append([clock() - b for clock, b in zip(clocks.values(), begin, strict=True)])
    medians = np.median(seconds, axis=0)
    return {name: round(frames / median) for name, median in zip(clocks, medians, strict=True)}


def main(
    world: Literal["two_room", "house", "physics"] = "two_room",
    out: Path | None = None,
    size: int = 64,
    episodes: int = 50,
    num_envs: int = 256,
    repeats: int = 21,
) -> None:
    """Measure and write `out`.

    Args:
        world: which one.
        out: JSON file of the result; none is written by default.
        size: pixels.
        episodes: trajectories of 90 states that one call renders.
        num_envs: environments that step together.
        repeats: runs, of which the median counts.
    """
    seed = 0
    counts = (episodes, num_envs) if world == "two_room" else (num_envs,)
    rows = {"two_room": two_room, "house": house, "physics": physics}[world](size, *counts, repeats, seed)
    result = {
        "rows": rows,
        "size": size,
        "states": episodes * EPISODE,
        "repeats": repeats,
        "seed": seed,
        "world": make(world, size=size).version,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "machine": platform.machine(),
        "commit": commit(),
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=2) + "\n")
    for name, row in rows.items():
        print(f"{name:45} {row['frames_per_cpu_second']:>9,} frames per CPU second {row['frames_per_second']:>9,} per second")


def two_room(size: int, episodes: int, num_envs: int, repeats: int, seed: int) -> dict[str, dict[str, float]]:
    """A stepping batch, and states of trajectories."""
    rows, world = {}, stepping("two_room", num_envs, seed, size=size)
    actions = world.action_space.sample()
    rows[f"step, {num_envs} environments"] = rate(lambda: world.step(actions), num_envs, 20 * repeats)
    for door in ("fixed", "random"):
        world = make("two_room", size=size, door=door)
        layouts, _ = world.sample_pairs(episodes, np.random.default_rng(seed))
        world = make("two_room", num_envs=episodes, size=size, door=door, autoreset_mode="Disabled")
        world.reset(options={"state": layouts})
        world.action_space.seed(seed)
        walk = []
        for _ in range(EPISODE):
            walk.append(world.state)
            world.step(world.action_space.sample())
        states = np.concatenate(np.stack(walk, axis=1))
        rows[f"render_states, {door} door"] = rate(lambda s=states, w=world: w.render_states(s), len(states), repeats)
    return rows


def house(size: int, num_envs: int, repeats: int, seed: int) -> dict[str, dict[str, float]]:
    """A stepping batch, by what is sensed."""
    rows = {}
    for streams in SENSED:
        world = stepping("house", num_envs, seed, size=size, streams=streams)
        actions = world.action_space.sample()
        rows[f"step, {' + '.join(streams)}"] = rate(lambda w=world, a=actions: w.step(a), num_envs, repeats)
    return rows


def physics(size: int, num_envs: int, repeats: int, seed: int) -> dict[str, dict[str, float]]:
    """States of scenes of 40 steps: mechanics, pictures, and both."""
    rows = {}
    for name, options in {"seen": {}, "held_out": {"variety": "held_out"}, "hand": {"hand": True}}.items():
        world = stepping("physics", num_envs, seed, size=size, **{"hand": False, **options})
        start = world.state
        rows[f"simulate, {name}"] = rate(lambda w=world, s=start: w.simulate(s, steps=40), 40 * num_envs, 3)
        states = world.simulate(start, steps=40).reshape(-1, start.shape[1])
        rows[f"render_states, {name}"] = rate(lambda w=world, s=states: w.render_states(s), len(states), repeats)
        actions = world.action_space.sample()
        rows[f"step, {name}"] = rate(lambda w=world, a=actions: w.step(a), num_envs, repeats)
    return rows


def stepping(name: str, num_envs: int, seed: int, **options: Any) -> Any:
    """A world ready to step."""
    world = make(name, num_envs=num_envs, max_steps=None, **options)
    world.reset(seed=seed)
    world.action_space.seed(seed)
    return world


if __name__ == "__main__":
    tyro.cli(main)
