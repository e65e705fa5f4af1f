"""Mode 1 proposes: what a habit would do from here to a horizon, each block on what the model imagines after the one before."""

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.acting.habit.cloning import Habit
from armillary.imagination import Context, Imagination


@torch.no_grad()
def propose(
    imagination: Imagination, habit: Habit, context: Context, z_goal: Float[Tensor, "b d"], horizon: int
) -> Float[Tensor, "b h k"]:
    """Coordinates of H blocks towards each goal, from which a planner may start.

    Args:
        context: at most as many latents as a prediction looks back on.
    """
    blocks, kept = [], imagination.context_length
    for _ in range(horizon):
        seen = context.z[:, -habit.context :]
        missing = habit.context - seen.shape[1]
        seen = torch.cat([seen[:, :1].expand(-1, missing, -1), seen], 1)  # as in acting, the first is repeated
        blocks.append(habit.act(seen, z_goal))
        after = imagination.rollout(context, blocks[-1][:, None, None]).z[:, :, 0]
        z, actions = torch.cat([context.z, after], 1), torch.cat([context.actions, blocks[-1].unsqueeze(1)], 1)
        context = Context(z[:, -kept:], actions[:, max(0, actions.shape[1] - kept + 1) :])
    return imagination.actions.encode(torch.stack(blocks, 1))
