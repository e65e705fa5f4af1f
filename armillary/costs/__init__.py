"""What planning minimises. Costs add up with weights: `LatentGoal() + 0.1 * Effort(model.actions)` is a Cost."""

from armillary.costs.cost import Cost
from armillary.costs.effort import Effort
from armillary.costs.goal import CriticGoal, LatentGoal, goal_cost

__all__ = ["Cost", "CriticGoal", "Effort", "LatentGoal", "goal_cost"]
