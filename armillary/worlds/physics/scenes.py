"""The clips of the physics exam: possible ones, and impossible ones that are spliced from them and end as they do.

The two scenes of a pair (`properties`) look the same for some frames, behind a screen. Before that they look different, and
after it they look different again, because of what was seen before. The impossible clips change from one to the other while
both look the same. So the four clips of a scene have the same frames between them, no change from frame to frame is in an
impossible clip that is not in a possible one, and only the past says what can follow.

How long the two look the same is the difficulty. Pairs that do not, or that never differ again, are thrown away.
"""

from typing import TYPE_CHECKING

import numpy as np

from armillary.errors import ArmillaryError
from armillary.worlds.physics.properties import PROPERTIES
from armillary.worlds.physics.sampling import VARIETIES, Scene
from armillary.worlds.scenes import Scenes, splice

if TYPE_CHECKING:
    from armillary.worlds.physics.world import Physics

FRAMES = 48
DIFFICULTIES = {"short": (2, 4), "medium": (5, 8), "long": (9, 36)}
"""Frames, of 1/15 s, for which the two scenes of a pair look the same: from and to."""
ASKED = {"seen": tuple(DIFFICULTIES), "held_out": ("long",)}
"""Difficulties of each variety: the held-out screens are wide, and hide things for long."""
TOLD_BY = 8
"""Pixels that differ, at least, in three frames before that and in three after it."""
BATCH, ROUNDS, MORE = 64, 200, 20
"""Pairs drawn at a time; how many times, at least; and how many times for each scene that is asked for, if that is more."""


def physics_scenes(world: "Physics", n: int, seed: int, skip: int = 1) -> list[Scenes]:
    """n scenes of each property and difficulty, of the world's variety.

    Args:
        seed: of the scenes; one that no recording used.
        skip: frames that a model leaves out between two; only every one counts here.

    Raises:
        ArmillaryError: `skip` is not 1, or next to no pair is as it should be.
    """
    if skip != 1:
        raise ArmillaryError(f"physics: the exam shows every frame, and the model takes one in {skip}; train with skip=1")
    found = []
    for number, name in enumerate(PROPERTIES):
        for difficulty, (clips, start) in _found(world, name, n, np.random.default_rng((seed, number))).items():
            actions = np.zeros((n, 4, FRAMES - 1, world.stream_spec.action.n), np.float32)
            found.append(Scenes(name, {"image": clips}, actions, difficulty, start))
    return found


def _found(world: "Physics", name: str, n: int, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of n scenes of each difficulty, images (n, 4, T, size, size, 3) and the states (n, 2, S) that possible clips begin in."""
    kept: dict[str, tuple[list, list]] = {difficulty: ([], []) for difficulty in ASKED[world.variety]}
    rounds = max(ROUNDS, MORE * n)
    for _ in range(rounds):
        drawn = (PROPERTIES[name](Scene(np.zeros(world.state.shape[1]), VARIETIES[world.variety], rng)) for _ in range(BATCH))
        if pairs := [pair for pair in drawn if pair is not None]:
            states = world.simulate(np.concatenate(pairs), FRAMES - 1)
            images = world.render_states(states.reshape(-1, states.shape[-1]))["image"]
            for start, clips in zip(pairs, images.reshape(-1, 2, FRAMES, *images.shape[1:]), strict=True):
                begin, end = alike(clips)
                for difficulty, (some, starts) in kept.items():
                    least, most = DIFFICULTIES[difficulty]
                    if least <= end - begin <= most and len(some) < n:
                        some.append(splice(clips[None], end)[0])
                        starts.append(start)
        if all(len(clips) == n for clips, _ in kept.values()):
            return {difficulty: (np.stack(clips), np.stack(starts)) for difficulty, (clips, starts) in kept.items()}
    few = ", ".join(f"{len(clips)} {difficulty}" for difficulty, (clips, _) in kept.items())
    raise ArmillaryError(
        f"physics: {few} scenes of {name} found, of {n} each, in {rounds * BATCH} trials (variety {world.variety!r})"
    )


def alike(clips: np.ndarray) -> tuple[int, int]:
    """The longest time in which two clips (2, T, H, W, C) look the same, between times in which they can be told apart.

    Returns:
        Its first frame, and the one after its last; (0, 0) if there is no such time.
    """
    differ = (clips[0] != clips[1]).any(axis=-1).sum(axis=(1, 2))
    same, told = differ == 0, differ >= TOLD_BY
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
    runs = [(b, e) for b, e in edges.reshape(-1, 2).tolist() if told[:b].sum() >= 3 and told[e:].sum() >= 3]
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
