"""The token model: a GRU over the tokens of frames, and a transformer that gives the likelihood of a later frame's tokens.

A clip of 48 frames is too long for attention among all of its tokens on a CPU. So time is the GRU's, whose state keeps the
whole clip, and the transformer attends within the predicted frame: to the tokens before this one (causal), each with what is
now at its place. The likelihood is autoregressive in full: each token depends on all before it in the clip.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.model.attention import Block
from contestants.contestant import AHEAD, MEMORY, Contestant

EMBEDDED = 192
"""Numbers of a frame that the GRU sees, in equal parts of each token."""


class Tokens(Contestant):
    """Predicts tokens; surprise is their negative log-likelihood, nats a token.

    Args:
        tokenizer: frames (N, 64, 64, 3) to tokens (N, tokens), with `reconstruction` to learn by.
        width: of the transformer.
        blocks: of it.
    """

    def __init__(self, tokenizer: nn.Module, width: int = 80, blocks: int = 2) -> None:
        super().__init__()
        self.tokenizer, codes, tokens = tokenizer, tokenizer.fsq.codes, tokenizer.tokens
        self.embed = nn.Embedding(codes, EMBEDDED // tokens)
        self.gru = nn.GRU(EMBEDDED, MEMORY, batch_first=True)
        self.condition = nn.ModuleList(nn.Linear(MEMORY, width) for _ in AHEAD)
        self.now, self.before = nn.Embedding(codes, width), nn.Embedding(codes, width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.blocks = nn.Sequential(*(Block(width, 4, width // 4, 4 * width, causal=True) for _ in range(blocks)))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, codes))

    def see(self, frames: Tensor) -> Tensor:
        return self.tokenizer(frames)

    def reconstruction(self, frames: Tensor) -> Tensor:
        return self.tokenizer.reconstruction(frames)

    def remember(self, seen: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.gru(self.embed(seen).flatten(2))[0].float()

    def errors(self, memory: Tensor, now: Tensor, later: Tensor, frames: Tensor, ahead: int) -> dict[str, Tensor]:
        before = F.pad(self.before(later[:, :-1]), (0, 0, 1, 0))
        with torch.autocast("cpu", torch.bfloat16):
            x = self.place + self.now(now) + before + self.condition[ahead](memory)[:, None]
            logits = self.logits(self.blocks(x)).float()
        return {"likelihood": F.cross_entropy(logits.transpose(1, 2), later, reduction="none").mean(1)}
