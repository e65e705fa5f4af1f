"""Mode 1: act by habit, without imagining."""

from armillary.acting.habit.actor import HabitActor
from armillary.acting.habit.cloning import INVERSE_DYNAMICS, Habit, HabitConfig, train_habit
from armillary.acting.habit.proposal import propose

__all__ = ["INVERSE_DYNAMICS", "Habit", "HabitActor", "HabitConfig", "propose", "train_habit"]
