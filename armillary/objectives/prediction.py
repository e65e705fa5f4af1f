"""The prediction objective: latents foretold against latents encoded, without stop-gradient on either side.

One-step (LeWM): teacher-forced at every position of the clip. Rollout (EB-JEPA, arXiv 2602.03604): from the context, open
loop to the end of the clip, so that errors that would add up in planning are trained against. Of latents whose first part
moves and whose other part stays (`Predictor.moving`), the first alone is compared.
"""

from jaxtyping import Float
from torch import Tensor

from armillary.dynamics.predictor import Predictor


def one_step(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1 m"]:
    """Squared error of each prediction from true latents."""
    return (predictor(z[:, :-1], actions) - z[:, 1:])[..., : predictor.moving].square()


def rollout(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b h m"]:
    """Squared error of each prediction of an open-loop rollout from the first `context` latents to the clip's end."""
    context = predictor.context
    imagined = predictor.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
    return (imagined - z[:, context:])[..., : predictor.moving].square()
