"""Play in Push-T: go round to a side of the T without touching it, push through it for a while, and again.

Random actions move the T in one step of twenty; this moves it in two of five, in all directions and by all of its sides. Once
in a while it wanders instead, so that the disc is seen everywhere. What a push will do is known (`tee.push`), so that only
those are made that leave the T where there is a way around it: at a wall, play would end.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted
from armillary.worlds.push_t import tee
from armillary.worlds.push_t.ways import INWARD, SIDE_LENGTHS, SIDES, go_around, stand_off

TRIES = 6  # pushes that are drawn for each one that is made
PATIENCE = 8  # steps on the way to a side, before another one is drawn
ROOM = 40.0  # px, between T and walls


@dataclass
class FacePushing(Scripted):
    """An actor that is told where the T and the disc are.

    Args:
        reach: px that the disc moves under an action of 1.
        wander: how often a random action, held, takes the place of a push.
    """

    reach: float
    wander: float = 0.15

    def memory(self, n: int) -> dict[str, np.ndarray]:
        return {
            "left": np.zeros(n, int),
            "steps": np.zeros(n, int),
            "pushing": np.zeros(n, bool),
            "begin": np.zeros((n, 2)),
            "action": np.zeros((n, 2)),
        }

    def choose(
        self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator
    ) -> Float[np.ndarray, "n 2"]:
        agent, pose = observations["agent"].astype(float), tee.pose_at(observations["block"], observations["angle"])
        left, steps, pushing, begin = (memory[name] for name in ("left", "steps", "pushing", "begin"))
        if (fresh := memory["began"] | (left == 0)).any():
            begin[fresh], memory["action"][fresh], steps[fresh] = self._draw(pose[fresh], agent[fresh], rng)
            left[fresh], pushing[fresh] = PATIENCE, False
        there = ~pushing & (np.abs(agent - begin).max(axis=1) < 1)
        left[there], pushing[there] = steps[there], True
        left -= 1
        action, on_way = memory["action"].copy(), ~pushing
        target = go_around(pose[on_way], agent[on_way], begin[on_way], self.reach)
        action[on_way] = (target - agent[on_way]) / self.reach
        return np.clip(action, -1, 1).astype(np.float32)

    def _draw(
        self, pose: Float[np.ndarray, "m 3"], agent: Float[np.ndarray, "m 2"], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where pushes begin (m, 2), their actions (m, 2) and steps (m,).

        Of each TRIES, that is the nearest which leaves ROOM, or the one that leaves most.
        """
        shape, rows = (len(pose), TRIES), np.arange(len(pose))
        side, along = rng.choice(len(SIDES), shape, p=SIDE_LENGTHS / SIDE_LENGTHS.sum()), rng.random((*shape, 1))
        contact = SIDES[side, :2] * (1 - along) + SIDES[side, 2:] * along
        begin = pose[:, None, :2] + tee.rotated(stand_off(contact, INWARD[side]), pose[:, None, 2])
        aim, steps = pose[:, None, 2] + rng.uniform(-0.5, 0.5, shape), rng.integers(1, 4, shape)
        action = tee.rotated(INWARD[side], aim) * rng.uniform(0.5, 1, (*shape, 1))
        wanders = rng.random(len(pose)) < self.wander
        begin[wanders], action[wanders] = agent[wanders, None], rng.uniform(-1, 1, (*shape, 2))[wanders]
        end = begin + action * steps[..., None] * self.reach
        after = tee.push(np.repeat(pose, TRIES, axis=0), begin.reshape(-1, 2), end.reshape(-1, 2), ticks=40)
        reachable = ((begin >= tee.REACHABLE[0]) & (begin <= tee.REACHABLE[1])).all(axis=-1)
        room = np.minimum(tee.clearance(after).reshape(shape), ROOM)
        way = np.hypot(*np.moveaxis(begin - agent[:, None], -1, 0))  # in an arena of this size, 0.002 of it only breaks ties
        best = rows, np.where(reachable, room - 0.002 * way, -np.inf).argmax(axis=1)
        return begin[best], action[best], steps[best]
