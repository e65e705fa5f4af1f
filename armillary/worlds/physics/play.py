"""Play with the hand in the physics world: go to one side of an object, push through it, and again; or wander."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted

STAND_OFF = 0.7  # m, from an object, where a push begins
APPROACH, NOISE = 0.8, 0.1  # length of an action on the way there, and what is added to all, by the greatest
PATIENCE = 10  # steps on the way there, before another one is drawn


@dataclass
class Pushing(Scripted):
    """An actor that is told where the hand and the objects are.

    Args:
        reach: m that the hand moves under an action of 1.
        wander: how often a random action, held, takes the place of a push.
    """

    reach: float
    wander: float = 0.3

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {
            "left": np.zeros(n, int),
            "steps": np.zeros(n, int),
            "object": np.zeros(n, int),  # -1: none, where it wanders
            "pushing": np.zeros(n, bool),
            "action": np.zeros((n, 2)),
        }

    def choose(
        self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator
    ) -> Float[np.ndarray, "n 2"]:
        hand, mass = observations["hand"].astype(float), observations["mass"]
        places = observations["position"].reshape(len(hand), -1, 2)
        left, chosen, pushing, action = (memory[name] for name in ("left", "object", "pushing", "action"))
        fresh = memory["began"] | (left == 0)
        n, angle = int(fresh.sum()), rng.uniform(-np.pi, np.pi, len(hand))[fresh]
        action[fresh] = rng.uniform(0.4, 1, (n, 1)) * np.stack([np.cos(angle), np.sin(angle) / 2], axis=1)
        chosen[fresh] = np.where(mass[fresh] > 0, rng.random((n, mass.shape[1])), -1).argmax(axis=1)
        wanders = rng.random(n) < self.wander
        chosen[fresh] = np.where(wanders, -1, chosen[fresh])
        memory["steps"][fresh] = rng.integers(3, 8, n)
        left[fresh], pushing[fresh] = np.where(wanders, memory["steps"][fresh], PATIENCE), wanders
        begin = places[np.arange(len(hand)), chosen] - STAND_OFF * action / np.hypot(*action.T)[:, None]
        there = ~pushing & (np.abs(begin - hand).max(axis=1) < self.reach)
        left[there], pushing[there] = memory["steps"][there], True
        left -= 1
        way = (begin - hand) / self.reach
        way *= np.minimum(1, APPROACH / np.maximum(np.hypot(*way.T), 1e-9))[:, None]
        done = np.where(pushing[:, None], action, way) + rng.normal(0, NOISE, way.shape)
        return np.clip(done, -1, 1).astype(np.float32)
