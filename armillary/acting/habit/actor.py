"""Acting by habit alone (Mode 1 of LeCun 2022): beside planning, at a fraction of its cost."""

from typing import Any

import numpy as np
import torch

from armillary.acting.habit.cloning import Habit
from armillary.acting.memory import grown
from armillary.actor import Action, Actor, Observations, Started
from armillary.device import together
from armillary.latents import encode_frames, encode_goals
from armillary.model.world_model import WorldModel


class HabitActor(Actor):
    """A habit and the model whose latents it was learned on. It looks, and decides, every `skip` steps.

    Raises:
        SpecMismatch: the habit is of another model.
    """

    needs_goals = True

    def __init__(self, model: WorldModel, habit: Habit) -> None:
        habit.check(model)
        self.model, self.habit = model.eval(), habit
        self.reset()

    def __str__(self) -> str:
        return repr(self.habit.config)

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment."""
        width, device = self.model.width, self.model.device
        self._started, self._steps, self._has_goal = Started(), np.zeros(0, np.int64), np.zeros(0, bool)
        self._goal, self._z = torch.zeros(0, width, device=device), torch.zeros(0, self.habit.context, width, device=device)
        self._actions = self.model.actions.split(torch.zeros(0, 1, self.model.actions.size)).cpu().numpy()

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """See `Actor.start`; environments keep the goal that they have where none is given."""
        named = self._started.named(ids)
        goal = None if goals is None else encode_goals(self.model, goals, len(named))
        rows = self._started.add(named)
        if new := len(self._started) - len(self._steps):
            self._goal, self._z = grown(self._goal, new), grown(self._z, new)
            kept = self._steps, self._has_goal, self._actions
            self._steps, self._has_goal, self._actions = (grown(each, new) for each in kept)
        self._steps[rows] = 0
        if goal is not None:
            self._goal[rows], self._has_goal[rows] = goal, True

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """See `Actor.act`.

        Raises:
            ArmillaryError: an environment has no goal, or was not started.
        """
        rows, skip = self._started.rows(ids), self.model.config.skip
        self._started.require_goals(rows, self._has_goal)
        steps = self._steps[rows]
        decided = steps % skip == 0
        if decided.any():
            due, names = rows[decided], [s.name for s in self.model.spec.observed if s.name in observations]
            z = encode_frames(self.model, {name: observations[name][decided] for name in names}).unsqueeze(1)
            first = torch.as_tensor(steps[decided] == 0, device=z.device)[:, None, None]
            seen = torch.where(first, z.expand(-1, self.habit.context, -1), torch.cat([self._z[due, 1:], z], 1))
            parts = together(self.model.device, len(due))
            blocks = torch.cat([self.habit.act(seen[part], self._goal[due][part]) for part in parts])
            self._z[due], self._actions[due] = seen, self.model.actions.split(blocks.unsqueeze(1)).cpu().numpy()
        self._steps[rows] += 1
        return Action(self._actions[rows, steps % skip], "habit", decided)
