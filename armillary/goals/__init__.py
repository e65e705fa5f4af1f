"""What is wanted: goals as data."""

from armillary.goals.goal import Goal, goal_of

__all__ = ["Goal", "goal_of"]
