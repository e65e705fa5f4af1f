"""The prediction objective: predicted latents against encoded ones, without stop-gradient on either side.

One-step (LeWM): teacher-forced at every position of the clip. Rollout (EB-JEPA, arXiv 2602.03604): from the context, open
loop to the end of the clip, so that errors that would add up in planning are trained against. Of latents whose first part
moves and whose other part stays (`Predictor.moving`), the first alone is compared.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from armillary.errors import expect
from armillary.model.actions import ActionBlocks
from armillary.model.dynamics.predictor import Predictor
from armillary.objectives.term import Term, TermConfig, View


def one_step(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1 m"]:
    """Squared error of each prediction from true latents."""
    return (predictor(z[:, :-1], actions) - z[:, 1:])[..., : predictor.moving].square()


def foreseen(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1 m"]:
    """Squared error of what was foreseen of each latent from true ones: the mean over the predictor's horizons.

    A horizon that reaches back to before the first latent counts as right.
    """
    predictions, total = predictor.foresee(z[:, :-1], actions), torch.zeros(())
    for steps, predicted in zip(predictor.horizons, predictions, strict=True):
        if steps < z.shape[1]:
            error = (predicted[:, : z.shape[1] - steps] - z[:, steps:])[..., : predictor.moving].square()
            total = total + F.pad(error, (0, 0, steps - 1, 0))
    return total / len(predictions)


def rollout(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b h m"]:
    """Squared error of each prediction of an open-loop rollout from the first `context` latents to the clip's end."""
    context = predictor.context
    imagined = predictor.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
    return (imagined - z[:, context:])[..., : predictor.moving].square()


def with_map(z: Float[Tensor, "*batch d"], other: Float[Tensor, "*batch d"], latent: int) -> Float[Tensor, "*batch d"]:
    """What moves of `z`, the first `latent` numbers, with the map of `other` behind it."""
    return torch.cat([z[..., :latent], other[..., latent:]], -1)


class PredictionLoss(Term):
    """The mean squared error of `one_step`, or of `rollout` beyond one step. It has no parameters of its own.

    A map is that of another moment of the episode: what is on it must stay.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.error = one_step if steps == 1 else rollout

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        z = view.z
        if view.latent is not None and view.latent < z.shape[-1]:
            z = with_map(z, z.unflatten(0, (-1, view.clips_per_episode)).roll(1, 1).flatten(0, 1), view.latent)
        predictor, actions = expect(view.predictor, "a predictor in the view"), expect(view.actions, "actions in the view")
        return {"prediction": self.error(predictor.learned, z, actions).float().mean()}


@dataclass(frozen=True)
class Prediction(TermConfig):
    """Prediction. Weight 0 leaves the dynamics to a stage of their own."""

    rollout: int = 3
    """Steps that the loss looks ahead, open loop; 1 is teacher-forced at every step of the clip."""

    trains_predictor = True

    def frames(self, context: int) -> int:
        return context + self.rollout

    def build(self, latent: int, action: int) -> PredictionLoss:
        return PredictionLoss(self.rollout)


def offset(
    z: Float[Tensor, "b t d"],
    actions: Float[Tensor, "b t-1 a"],
    blocks: ActionBlocks,
    size: float,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t-1 a"]]:
    """Each clip with a random constant added to its latents, and one to every action of its standardised blocks.

    A robot drifts between sittings: the camera is moved, a joint's zero, the idle arm rests elsewhere. What leads from one
    moment to the next stays. Choices, which have no zero, stay as they are.

    Args:
        size: standard deviation of the constants, in that of latents (over the batch) and of actions.
    """

    def constant(width: int) -> Tensor:
        drawn = torch.randn(len(z), 1, width, generator=generator, device=generator.device if generator else z.device)
        return size * drawn.to(z)

    if blocks.space.kind == "box":
        actions = actions + constant(blocks.space.n).repeat(1, 1, blocks.skip)
    return z + constant(z.shape[-1]) * z.detach().std((0, 1)), actions
