"""Acting by habit on pairs of start and goal: a row beside planning, at a fraction of its cost.

It is shown what planning is shown: observed streams, now and at the goal. It does not know the budget.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from armillary.acting.habit.cloning import Habit
from armillary.device import together
from armillary.latents import encode_frames
from armillary.model import WorldModel


@dataclass
class Habitual:
    """A habit and the model whose latents it was learned on, as a `Policy`. It looks, and decides, every `skip` steps.

    Raises:
        SpecMismatch: the habit is of another model.
    """

    model: WorldModel
    habit: Habit
    decided: bool = field(init=False, default=False)
    """Whether the last `act` chose anew."""

    def __post_init__(self) -> None:
        self.habit.check(self.model)

    def begin(self, problems: np.ndarray, goal: np.ndarray, goal_observation: dict[str, np.ndarray], steps: int) -> None:
        self.z_goal, self.step = encode_frames(self.model.eval(), goal_observation), 0

    def act(self, observation: dict[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        skip = self.model.config.skip
        self.decided = self.step % skip == 0
        if self.decided:
            z = encode_frames(self.model, observation).unsqueeze(1)
            first = z.expand(-1, self.habit.context, -1)
            self.z = first if self.step == 0 else torch.cat([self.z[:, 1:], z], 1)
            parts = together(self.model.device, len(z))
            blocks = torch.cat([self.habit.act(self.z[some], self.z_goal[some]) for some in parts])
            self.actions = self.model.actions.split(blocks.unsqueeze(1)).cpu().numpy()
        self.step += 1
        return self.actions[:, (self.step - 1) % skip]
