"""The transformer block that perception and dynamics share, in its two kinds: those of LeWM (arXiv 2603.19312).

- Plain: pre-norm attention and MLP, as in the vision transformer (arXiv 2010.11929).
- Conditioned: AdaLN-zero (Peebles and Xie, arXiv 2212.09748). The condition gives shift, scale and gate of both halves
  through a layer that starts at zero, so that a new block is the identity. What was shifted and scaled is normalised once
  more, as LeWM does.

A causal block also takes tokens in parts (`extend`), so that imagining does no work twice: what was computed for earlier
tokens is kept, and nothing is computed for tokens whose outcome nobody wants.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.device import fuses_attention
from armillary.errors import expect

Seen = list[tuple[Tensor, Tensor]]
"""Key and value (B, S, heads, head width) of each token so far; S is 1 where all samples share a token."""


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
        epsilon = 1e-5 if condition else 1e-12
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.q = nn.Linear(width, heads * head_width, bias=not condition)
        self.kv = nn.Linear(width, 2 * heads * head_width, bias=not condition)
        self.out = nn.Linear(heads * head_width, width)
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.modulation = None
        if condition:
            modulate = nn.Linear(condition, 6 * width)
            nn.init.zeros_(modulate.weight)
            nn.init.zeros_(modulate.bias)
            self.modulation = nn.Sequential(nn.SiLU(), modulate)

    def modulate(self, condition: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch m"]:
        """Shift, scale and gate of both halves of a conditioned block, M = 6 * width."""
        return expect(self.modulation, "a block with a condition")(condition)

    def attend(self, x: Float[Tensor, "b t w"], outcomes: int | None = None) -> Float[Tensor, "b n w"]:
        """Multi-head self-attention of all tokens, or of the first N = `outcomes`, to all; causal if the block is."""
        parts = self.q(x[:, :outcomes]), *self.kv(x).chunk(2, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        dropout = self.dropout if self.training else 0.0
        if self.causal or dropout or fuses_attention(q):
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, dropout_p=dropout)
        else:
            mixed = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(-1) @ v
        return F.dropout(self.out(mixed.transpose(1, 2).flatten(2)), dropout)

    def forward(
        self, x: Float[Tensor, "b t w"], condition: Float[Tensor, "b t c"] | None = None, outcomes: int | None = None
    ) -> Float[Tensor, "b n w"]:
        """All tokens, or in a plain block the first N = `outcomes`, after attention and MLP."""
        if self.modulation is None:
            x = x[:, :outcomes] + self.attend(self.norm1(x), outcomes)
            return x + self.mlp(self.norm2(x))
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulate(expect(condition, "the condition of the tokens")).chunk(
            6, -1
        )
        x = x + gate1 * self.attend(self.norm1(_modulate(x, shift1, scale1)))
        return x + gate2 * self.mlp(self.norm2(_modulate(x, shift2, scale2)))

    def extend(
        self, x: Float[Tensor, "b s t w"], modulation: Float[Tensor, "b s t m"], seen: Seen, wanted: int
    ) -> Float[Tensor, "b s n w"]:
        """The next T tokens of a conditioned causal block, in eval mode; what `forward` gives at their places.

        Args:
            x: the tokens of S samples that go on from the same tokens or from their own.
            modulation: `modulate` of their conditions, M = 6 * width.
            seen: the tokens before them; these are added.
            wanted: the last N tokens come out; the others are only seen.
        """
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation.chunk(6, -1)
        y = self.norm1(_modulate(x, shift1, scale1))
        seen.extend(token.unbind(-3) for token in self.kv(y).unflatten(-1, (2, self.heads, -1)).unbind(2))
        x, y, gate1, shift2, scale2, gate2 = (u[:, :, u.shape[2] - wanted :] for u in (x, y, gate1, shift2, scale2, gate2))
        if not wanted:
            return x
        # The first token of all sees itself alone, so that it has nothing to ask.
        asking = min(wanted, len(seen) - 1)
        mixed = [] if asking == wanted else [seen[0][1]]
        if asking:
            queries = self.q(y[:, :, wanted - asking :]).unflatten(-1, (self.heads, -1))
            mixed += [_mix(q, seen[: len(seen) - asking + i + 1]) for i, q in enumerate(queries.unbind(2))]
        x = x + gate1 * self.out(torch.stack(mixed, 2).flatten(-2))
        return x + gate2 * self.mlp(self.norm2(_modulate(x, shift2, scale2)))


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def _mix(query: Float[Tensor, "b s h e"], seen: Seen) -> Float[Tensor, "b s h e"]:
    """Attention of one token to a few, written out: a third of the time of a fused kernel, which is made for many."""
    scores = torch.stack([(query * key).sum(-1) for key, _ in seen], -1) * query.shape[-1] ** -0.5
    shares = scores.softmax(-1).unsqueeze(-1).unbind(-2)
    mixed = shares[0] * seen[0][1]
    for share, (_, value) in zip(shares[1:], seen[1:], strict=True):
        mixed = torch.addcmul(mixed, share, value)
    return mixed
