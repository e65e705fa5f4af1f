"""A cost: the largest difference from the goal in any dimension, at the end."""

from jaxtyping import Float
from torch import Tensor

from armillary.costs import Cost
from armillary.goals.goal import Goal
from armillary.imagination import Rollout
from armillary.model.world_model import WorldModel


class Farthest(Cost):
    def __init__(self, model: WorldModel) -> None:
        self.width = model.config.latent

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        return (rollout.z[:, :, -1] - goal.z[:, None])[..., : self.width].abs().amax(-1)
