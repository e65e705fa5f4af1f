"""Play for an arm: what to record so that a model can be learned, and goals at rest are in the data.

Episodes are a chain of acts, each drawn with its own length and noise: go to a random posture and stay there, hold a random
torque, or let go. Torques drawn anew at every step, by contrast, never get the shoulder up to speed and never let the arm rest,
which is where goals are; torques that are all held long press the wrist against its limits.
"""

from dataclasses import dataclass, field

import numpy as np

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted
from armillary.worlds.reacher.arm import LIMIT, Arm

GO, HOLD, LET_GO = range(3)
SECONDS = np.array([[0.5, 1.5], [0.1, 0.5], [0.2, 0.6]])  # least and greatest length of each


@dataclass
class ArmPlay(Scripted):
    """An actor for a world with truth streams `angle` and `velocity` and torques in [-1, 1].

    Args:
        seconds: length of an env step.
        go, hold: shares of acts; in the others the arm is let go.
        noise: greatest standard deviation of what is added to torques in half of the acts; nothing is, in the others.
    """

    seconds: float
    go: float = 0.6
    hold: float = 0.3
    noise: float = 0.4
    arm: Arm = field(default_factory=Arm, repr=False)

    def memory(self, n: int) -> dict[str, np.ndarray]:
        one, two = np.zeros((n, 1)), np.zeros((n, 2))
        return {"kind": np.zeros((n, 1), int), "left": one, "posture": two, "torque": two, "pace": one, "spread": one}

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        angle, velocity = (observations[name].astype(float) for name in ("angle", "velocity"))
        n = len(angle)
        kind = np.searchsorted(np.cumsum([self.go, self.hold]), rng.random((n, 1)), side="right")
        acts = {
            "kind": kind,
            "left": np.ceil(rng.uniform(*SECONDS[kind].T).T / self.seconds),
            "posture": rng.uniform(-1, 1, (n, 2)) * (np.pi, LIMIT) + angle * (1, 0),
            "torque": rng.uniform(-1, 1, (n, 2)) * (kind == HOLD),
            "pace": rng.uniform(0.2, 1, (n, 1)),
            "spread": np.maximum(rng.uniform(-self.noise, self.noise, (n, 1)), 0),
        }
        fresh = memory["began"][:, None] | (memory["left"] == 0)
        acts = {name: np.where(fresh, new, memory[name]) for name, new in acts.items()}
        going = self.arm.towards(np.hstack([angle, velocity]), acts["posture"] - angle, self.seconds, acts["pace"])
        torque = np.where(acts["kind"] == GO, np.clip(going, -1, 1), acts["torque"])
        acts["left"] = acts["left"] - 1
        memory.update(acts)
        return np.clip(torque + acts["spread"] * rng.standard_normal((n, 2)), -1, 1).astype(np.float32)
