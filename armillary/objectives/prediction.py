"""The prediction objective: latents foretold against latents encoded, without stop-gradient on either side.

One-step (LeWM): teacher-forced at every position of the clip. Rollout (EB-JEPA, arXiv 2602.03604): from the context, open
loop to the end of the clip, so that errors that would add up in planning are trained against. Of latents whose first part
moves and whose other part stays (`Predictor.moving`), the first alone is compared.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.actions import ActionBlocks
from armillary.dynamics.predictor import Predictor


def one_step(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1 m"]:
    """Squared error of each prediction from true latents."""
    return (predictor(z[:, :-1], actions) - z[:, 1:])[..., : predictor.moving].square()


def rollout(predictor: Predictor, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b h m"]:
    """Squared error of each prediction of an open-loop rollout from the first `context` latents to the clip's end."""
    context = predictor.context
    imagined = predictor.rollout(z[:, :context], actions[:, : context - 1], actions[:, context - 1 :])
    return (imagined - z[:, context:])[..., : predictor.moving].square()


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
