"""Goals in hindsight: wherever an episode came to, what was done before was on the way there.

Andrychowicz et al., arXiv 1707.01495; for imitation alone, Ghosh et al., arXiv 1912.06088.
"""

import numpy as np
import torch
from torch import Tensor

from armillary.episodes.clips import Clips
from armillary.latents import Tracks
from armillary.model.world_model import WorldModel


class Hindsight:
    """All tracks of a recording as latents, from which it draws.

    Args:
        model: encodes; it is left as it is.
        clips: the recording, at the model's frame skip and image size.

    Attributes:
        z: (N, D) latents, track after track.
        blocks: (N, K) whitened block after each; zeros after the last of a track, which is never drawn.
        first, last: (N,) first and last row of each row's track.
        now: (M,) rows that something follows.
    """

    def __init__(self, model: WorldModel, clips: Clips) -> None:
        tracks = Tracks.read(model, clips, model.actions.encode)
        self.z, self.blocks, self.first, self.last = tracks.z.float(), tracks.blocks, tracks.first, tracks.last
        self.now = (torch.arange(len(self.z)) < self.last).nonzero().flatten()

    def draw(self, rng: np.random.Generator, batch: int, reach: int, context: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Moments of the recording, each with a goal up to `reach` blocks later in its track, all equally likely.

        Returns:
            The last C latents (B, C, D), the goal's (B, D), the block taken (B, K), and the blocks to the goal (B,).
        """
        now = self.now[torch.from_numpy(rng.integers(len(self.now), size=batch))]
        room = (self.last[now] - now).clamp(max=reach)
        apart = 1 + (torch.from_numpy(rng.random(batch)) * room).long()
        # As in acting, where an episode has only begun its first frame is repeated.
        past = torch.maximum(now[:, None] - torch.arange(context).flip(0), self.first[now][:, None])
        return self.z[past], self.z[now + apart], self.blocks[now], apart.to(self.z.device)
