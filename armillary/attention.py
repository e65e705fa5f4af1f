"""The transformer block that perception and dynamics share.

Pre-norm attention and MLP. With a condition, AdaLN-zero (Peebles and Xie, arXiv 2212.09748): the condition gives shift,
scale and gate of both halves through a layer that starts at zero, so that a new block is the identity.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Block(nn.Module):
    """(B, T, width), and a condition (B, T, condition) if there is one, to (B, T, width).

    Args:
        width: of the residual stream.
        heads, head_width: of the attention; their product need not be `width`.
        hidden: of the MLP.
        condition: width of the condition, or 0 for a plain block.
        causal: each step sees itself and the past alone.
        dropout: on attention weights and on both outputs, while training.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        hidden: int,
        *,
        condition: int = 0,
        causal: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        affine = not condition
        self.norm1 = nn.LayerNorm(width, elementwise_affine=affine)
        self.qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=affine)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.modulation = None
        if condition:
            self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(condition, 6 * width))
            nn.init.zeros_(self.modulation[1].weight)
            nn.init.zeros_(self.modulation[1].bias)

    def attend(self, x: Float[Tensor, "b t w"]) -> Float[Tensor, "b t w"]:
        """Multi-head self-attention, causal if the block is."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, dropout_p=dropout)
        return F.dropout(self.out(mixed.transpose(1, 2).flatten(2)), dropout)

    def forward(self, x: Float[Tensor, "b t w"], condition: Float[Tensor, "b t c"] | None = None) -> Float[Tensor, "b t w"]:
        if self.modulation is None:
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition).chunk(6, -1)
        x = x + gate1 * self.attend(self.norm1(x) * (1 + scale1) + shift1)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)
