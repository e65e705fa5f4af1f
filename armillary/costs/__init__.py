"""What planning minimises. Costs add up with weights: `LatentGoal(z) + 0.1 * Effort(model.actions)` is a Cost."""

from armillary.costs.cost import Cost
from armillary.costs.effort import Effort
from armillary.costs.goal import CriticGoal, LatentGoal, encode_frames, image_goal

__all__ = ["Cost", "CriticGoal", "Effort", "LatentGoal", "encode_frames", "image_goal"]
