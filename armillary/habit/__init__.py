"""Mode 1: act by habit, without imagining."""

from armillary.habit.cloning import INVERSE_DYNAMICS, Habit, HabitConfig, train_habit
from armillary.habit.proposal import propose

__all__ = ["INVERSE_DYNAMICS", "Habit", "HabitConfig", "propose", "train_habit"]
