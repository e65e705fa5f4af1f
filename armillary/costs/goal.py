"""Goals: how far from where it should be does an imagined future lead?

The distance is summed over the rollout, so that arriving early and staying is cheapest; with the last step alone ("last")
the two-room world falls from 95% to 12%. Distance is squared and straight in latent space (LatentGoal), which is right near the
goal and saturates far from it, or counted in steps by the learned critic (CriticGoal), which knows the way round a wall.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from jaxtyping import Float
from torch import Tensor

from armillary.costs.cost import Cost
from armillary.errors import ArmillaryError
from armillary.goals.goal import Goal
from armillary.imagination import Rollout
from armillary.model.world_model import WorldModel

Reduce = Literal["sum", "last"]
"""Over the steps of a rollout: their sum, or the last alone."""


@dataclass(frozen=True, eq=False)
class LatentGoal(Cost):
    """Squared distance to the goal's latent, averaged over its dimensions.

    Raises:
        ArmillaryError: when called, if goal and rollout do not fit together; the message has both shapes.
    """

    measures: ClassVar[bool] = True

    reduce: Reduce = "sum"
    """over the steps of the rollout: their sum, or the last alone"""

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        z, z_goal = _align(rollout.z, goal.z, self.reduce)
        return (z - z_goal).square().sum((-2, -1)) / z.shape[-1]

    def distance(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        return (a - b).square().mean(-1)

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        return z


class Distance(Protocol):
    """A learned distance, such as `model.critic`."""

    def __call__(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        """How far apart latents are."""
        ...

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Latents to points whose Euclidean distance orders them alike."""
        ...


@dataclass(frozen=True, eq=False)
class CriticGoal(Cost):
    """How far the goal is as a learned distance tells it, such as steps by the temporal-distance critic: the trainable cost.

    Raises:
        ArmillaryError: when called, if goal and rollout do not fit together; the message has both shapes.
    """

    measures: ClassVar[bool] = True

    critic: Distance
    """such as `model.critic`"""
    reduce: Reduce = "sum"
    """over the steps of the rollout: their sum, or the last alone"""

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        return self.critic(*_align(rollout.z, goal.z, self.reduce)).sum(-1)

    def __repr__(self) -> str:
        return f"CriticGoal({type(self.critic).__name__}, reduce={self.reduce!r})"

    def distance(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        return self.critic(a, b)

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        return self.critic.embed(z)


def goal_cost(model: WorldModel, name: str = "auto") -> Cost:
    """How far a model's goals are.

    Args:
        name: of a distance that the model has learned, such as critic or contrast, or `latent` for distance in latent space;
            `auto` takes the first of these that the model has.

    Raises:
        ArmillaryError: the model has no distance of this name.
    """
    if name == "auto":
        name = next(iter(model.distances), "latent")
    if name == "latent":
        return LatentGoal()
    if name not in model.distances:
        known = ", ".join(["auto", "latent", *model.distances])
        raise ArmillaryError(f"expected one of the costs {known}; got {name!r}; train a model with it in its objective")
    return CriticGoal(model.distances[name])


def _align(z: Tensor, z_goal: Tensor, reduce: Reduce) -> tuple[Tensor, Tensor]:
    """The steps that count (B, S, H, D), and the goal (B, 1, 1, D) to compare them with."""
    if z_goal.ndim != 2 or z_goal.shape[0] not in (1, z.shape[0]) or z_goal.shape[1] != z.shape[-1]:
        raise ArmillaryError(
            f"a goal of shape {tuple(z_goal.shape)} does not fit a rollout of shape {tuple(z.shape)}; "
            f"expected ({z.shape[0]}, {z.shape[-1]}) or (1, {z.shape[-1]})"
        )
    if reduce not in ("sum", "last"):
        raise ArmillaryError(f"a goal reduces over steps by 'sum' or 'last', not {reduce!r}")
    return z if reduce == "sum" else z[:, :, -1:], z_goal[:, None, None]
