"""The causal transformer predictor of LeWM (arXiv 2603.19312): latents are the tokens, actions the AdaLN-zero condition.

Imagining (`imagine`) gives what sliding a window gives, with less work: what an action does to each block is computed once;
while the window still grows, only the new token is; tokens of the context, which all samples share, are computed once for
all; and the last block answers for the last token alone. Once the window slides, its tokens change their positions, and all
of them are computed anew.
"""

import warnings

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.distributed import BatchNorm
from armillary.model.attention import Block, Seen
from armillary.model.dynamics.predictor import Predictor
from armillary.model.module_list import ModuleList

Windows = list[list[Seen]]
"""What each block has seen of the context, window by window."""
# Linux's malloc gives freed memory back to the system until a block of up to 32 MB has been freed; then it keeps twice as much.
# Getting it back, page by page, took 6% of a rollout of 300 samples.
KEPT_BYTES = 31 * 2**20


class TransformerPredictor(Predictor):
    """(B, T, latent) and actions (B, T, action) to (B, T, latent); each step sees the last `context` steps.

    Args:
        latent: width of the latent and of the residual stream.
        action: width of the standardised action block.
        depth, heads, head_width, hidden: of the blocks.
        context: steps that it looks back on.
        dropout: LeWM's 0.1 matters: without it Push-T loses 18 points.
        head: width of the projection head after the blocks, as LeWM has; 0 for the residual form z + Linear.
    """

    def __init__(
        self,
        latent: int,
        action: int,
        *,
        depth: int = 6,
        heads: int = 16,
        head_width: int = 64,
        hidden: int = 2048,
        context: int = 3,
        dropout: float = 0.1,
        head: int = 2048,
    ) -> None:
        super().__init__()
        self.context = context
        self.position = nn.Parameter(torch.randn(1, context, latent))
        with warnings.catch_warnings():  # without actions, the first layer is its bias alone
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            self.embed = nn.Sequential(nn.Linear(action, 4 * latent), nn.SiLU(), nn.Linear(4 * latent, latent))
        self.blocks = ModuleList(
            Block(latent, heads, head_width, hidden, condition=latent, causal=True, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(latent)
        self.residual = not head
        self.head = (
            nn.Sequential(nn.Linear(latent, head), BatchNorm(head), nn.GELU(), nn.Linear(head, latent))
            if head
            else nn.Linear(latent, latent)
        )
        np.empty(KEPT_BYTES, np.uint8)

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        if z.shape[1] > self.context:
            # The first window predicts every one of its steps, each later window its last.
            windows, past = (x.unfold(1, self.context, 1).transpose(2, 3)[:, 1:] for x in (z, actions))
            later = self(windows.flatten(0, 1), past.flatten(0, 1))[:, -1].unflatten(0, windows.shape[:2])
            return torch.cat([self(z[:, : self.context], actions[:, : self.context]), later], 1)
        x = z + self.position[:, : z.shape[1]]
        condition = self.embed(actions)
        for block in self.blocks:
            x = block(x, condition)
        return self._answer(z.flatten(0, 1), x.flatten(0, 1)).unflatten(0, z.shape[:2])

    def imagine(
        self, z: Float[Tensor, "b c d"], past: Float[Tensor, "b c-1 a"], actions: Float[Tensor, "b s h a"]
    ) -> Float[Tensor, "b s h d"]:
        if self.training:
            return super().imagine(z, past, actions)
        return self.go_on(z, actions, self.look_back(z, past))

    def look_back(self, z: Float[Tensor, "b c d"], past: Float[Tensor, "b c-1 a"], kept: int | None = None) -> Windows:
        """What each block has seen of the context but for its last step, in each window that reaches back so far.

        Args:
            kept: latents of a full window that are left when the next comes; all but one by default, so that it slides.
        """
        kept = self.context if kept is None else kept
        condition = self.embed(past).unsqueeze(1)
        modulations = [block.modulate(condition) for block in self.blocks]
        windows, first = [], max(0, z.shape[1] - self.context)
        while first < past.shape[1]:
            seen: list[Seen] = [[] for _ in self.blocks]
            self._feed(z[:, None, first:-1], 0, [modulation[:, :, first:] for modulation in modulations], seen, wanted=0)
            windows.append(seen)
            first += self.context + 1 - kept
        return windows

    def go_on(
        self, z: Float[Tensor, "b c d"], actions: Float[Tensor, "b s h a"], windows: Windows, kept: int | None = None
    ) -> Float[Tensor, "b s h d"]:
        """`imagine`, after `look_back` on the same context with the same `kept`."""
        kept = self.context if kept is None else kept
        samples, horizon = actions.shape[1:3]
        condition = self.embed(actions)
        modulations = [block.modulate(condition) for block in self.blocks]
        states = [z[:, None, -1].expand(-1, samples, -1)]
        before, ahead = min(z.shape[1], self.context) - 1, iter(windows)
        first, seen = -before, [[*tokens] for tokens in next(ahead, [[] for _ in self.blocks])]
        fed = 0
        for now in range(horizon):
            if now + 1 - first > self.context:
                first = now + 1 - kept
                fed = max(first, 0)
                seen = [[*tokens] for tokens in next(ahead, [[] for _ in self.blocks])]
            x = torch.stack(states[fed:], 2)
            x = self._feed(x, fed - first, [modulation[:, :, fed : now + 1] for modulation in modulations], seen, wanted=1)
            fed = now + 1
            states.append(self._answer(states[now].flatten(0, 1), x.flatten(0, 2)).unflatten(0, (-1, samples)))
        return torch.stack(states[1:], 2)

    def _feed(
        self, x: Float[Tensor, "b s t d"], place: int, modulations: list[Tensor], seen: list[Seen], wanted: int
    ) -> Float[Tensor, "b s n d"]:
        """The next T latents of a window, from its `place` on, through all blocks; the last N = `wanted` come out."""
        x = x + self.position[:, place : place + x.shape[2]]
        for block, modulation, tokens in zip(self.blocks, modulations, seen, strict=True):
            x = block.extend(x, modulation, tokens, wanted if block is self.blocks[-1] else x.shape[2])
        return x

    def _answer(self, z: Float[Tensor, "n d"], x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        predicted = self.head(self.norm(x))
        return z + predicted if self.residual else predicted
