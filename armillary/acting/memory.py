"""Short-term memory: the latents and action blocks that an agent is acting from, for a batch of environments.

Each environment has its own history, which begins anew when it is reset. Nothing is padded: `groups` hands out environments
of equally long histories together, so that a context is always as long as what was really seen.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.imagination import Context


def grown(kept: Any, new: int) -> Any:
    """An array or a tensor (N, ...) with so many rows of zeros after its own."""
    if isinstance(kept, Tensor):
        return torch.cat([kept, kept.new_zeros(new, *kept.shape[1:])])
    return np.concatenate([kept, np.zeros((new, *kept.shape[1:]), kept.dtype)])


class Memory:
    """The last `context` latents of each of N environments, and the blocks between them.

    Args:
        num_envs: N.
        context: latents that are kept.
        latent, block: widths D and A.
        device: where they are kept.
    """

    def __init__(self, num_envs: int, context: int, latent: int, block: int, device: torch.device | None = None) -> None:
        self.lengths = np.zeros(num_envs, np.int64)
        # The newest is last; blocks[:, i] led to z[:, i].
        self.z = torch.zeros(num_envs, context, latent, device=device)
        self.blocks = torch.zeros(num_envs, context, block, device=device)

    def grow(self, new: int) -> None:
        """Room for so many more environments."""
        self.lengths, self.z, self.blocks = grown(self.lengths, new), grown(self.z, new), grown(self.blocks, new)

    def reset(self, indices: np.ndarray) -> None:
        """Forget these environments' histories."""
        self.lengths[indices] = 0

    def add(self, indices: np.ndarray, z: Float[Tensor, "n d"], blocks: Float[Tensor, "n a"]) -> None:
        """Remember what was just seen in these environments.

        Args:
            indices: (n,) distinct environments.
            z: their latents.
            blocks: raw action blocks that led to them; of no meaning, and never handed out, at the first after a reset.
        """
        rows = torch.as_tensor(indices, device=self.z.device)
        for kept, new in ((self.z, z), (self.blocks, blocks)):
            kept[rows] = torch.cat([kept[rows, 1:], new.unsqueeze(1)], 1)
        self.lengths[indices] = np.minimum(self.lengths[indices] + 1, self.z.shape[1])

    def groups(self, indices: np.ndarray) -> Iterator[tuple[np.ndarray, Context]]:
        """These environments by length of history, shortest first: (indices, their Context). Those without one are left out."""
        lengths = self.lengths[indices]
        for length in np.unique(lengths[lengths > 0]):
            group = indices[lengths == length]
            yield group, Context(self.z[group, -length:], self.blocks[group, self.z.shape[1] - length + 1 :])
