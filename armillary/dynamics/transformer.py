"""The causal transformer predictor of LeWM (arXiv 2603.19312): latents are the tokens, actions the AdaLN-zero condition."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.attention import Block
from armillary.distributed import BatchNorm
from armillary.dynamics.predictor import Predictor


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
        self.position = nn.Parameter(0.02 * torch.randn(1, context, latent))
        self.embed = nn.Sequential(nn.Linear(action, 4 * latent), nn.SiLU(), nn.Linear(4 * latent, latent))
        self.blocks = nn.ModuleList(
            Block(latent, heads, head_width, hidden, condition=latent, causal=True, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(latent)
        self.residual = not head
        self.head = (
            nn.Sequential(nn.Linear(latent, head), BatchNorm(head), nn.GELU(), nn.Linear(head, latent))
            if head
            else nn.Linear(latent, latent)
        )

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        if z.shape[1] > self.context:
            # The first window foretells every one of its steps, each later window its last.
            windows, past = (x.unfold(1, self.context, 1).transpose(2, 3)[:, 1:] for x in (z, actions))
            later = self(windows.flatten(0, 1), past.flatten(0, 1))[:, -1].unflatten(0, windows.shape[:2])
            return torch.cat([self(z[:, : self.context], actions[:, : self.context]), later], 1)
        x = z + self.position[:, : z.shape[1]]
        condition = self.embed(actions)
        for block in self.blocks:
            x = block(x, condition)
        predicted = self.head(self.norm(x).flatten(0, 1)).unflatten(0, z.shape[:2])
        return z + predicted if self.residual else predicted
