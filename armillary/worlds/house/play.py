"""Play in an apartment: walk to a random place, turn about there, and walk on to another.

Random actions turn on the spot and bump into walls, and hardly ever leave a room. Here the way is that of the world's expert,
who knows the map, so that recorded ways are about as short as they can be; it wavers, and now and then does something random.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted


@dataclass
class Errands(Scripted):
    """An actor that knows the way, for environments of one world.

    Args:
        draw: (ids, rng) -> places (B, 2) to go to, in the layouts that these environments (B,) have now.
        steer: (ids, places) -> actions (B, 2) that go there.
        near: m from a place at which it is reached.
        waver: spread of what is added to the actions.
        wander: chance of a random action in a step's stead.
        about: chance, at a place, to turn about there for some steps first.
    """

    draw: Callable[[Int[np.ndarray, " b"], np.random.Generator], Float[np.ndarray, "b 2"]] = field(repr=False)
    steer: Callable[[Int[np.ndarray, " b"], Float[np.ndarray, "b 2"]], Float[np.ndarray, "b 2"]] = field(repr=False)
    near: float
    waver: float = 0.15
    wander: float = 0.1
    about: float = 0.5

    def __str__(self) -> str:
        return f"{self!r}: walks to random places as the expert would, who knows the map; wavers, wanders, turns about"

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {"goal": np.zeros((n, 2)), "turning": np.zeros(n, int), "side": np.zeros(n)}

    def choose(
        self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator
    ) -> Float[np.ndarray, "b 2"]:
        ids, n = memory["id"], len(memory["id"])
        there = np.hypot(*(observations["position"] - memory["goal"]).T) < self.near
        fresh = memory["began"] | there
        memory["goal"] = np.where(fresh[:, None], self.draw(ids, rng), memory["goal"])
        turns = rng.random(n) < self.about
        left = np.maximum(memory["turning"] - 1, 0)
        memory["turning"] = np.where(fresh, np.where(there & turns, rng.integers(1, 6, n), 0), left)
        memory["side"] = np.where(fresh, np.sign(rng.random(n) - 0.5), memory["side"])
        action = self.steer(ids, memory["goal"]) + self.waver * rng.standard_normal((n, 2))
        about = np.stack([memory["side"] * rng.uniform(0.5, 1, n), np.zeros(n)], axis=1)
        action = np.where((memory["turning"] > 0)[:, None], about, action)
        anything = np.stack([rng.uniform(-1, 1, n), rng.random(n)], axis=1)
        action = np.where(rng.random((n, 1)) < self.wander, anything, action)
        return np.clip(action, (-1, 0), 1).astype(np.float32)
