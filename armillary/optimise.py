"""The optimiser of everything that is learned by gradients: AdamW, at a learning rate that each step is given."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from armillary import distributed


class Optimiser:
    """AdamW (Loshchilov and Hutter, arXiv 1711.05101).

    Args:
        parameters: what is learned.
        weight_decay: AdamW's.
        matrices_only: decay matrices alone, not biases and scales.
        clip: gradients are scaled down to this norm; None leaves them as they are.
        everywhere: all processes take part, and gradients are averaged over them.
        fused: all parameters in one kernel; moments then have the memory layout of their parameters.

    Attributes:
        adamw: torch's optimiser, whose state a run that is resumed restores.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        weight_decay: float,
        *,
        matrices_only: bool = False,
        clip: float | None = None,
        everywhere: bool = False,
        fused: bool = False,
    ) -> None:
        self.parameters, self.clip, self.everywhere = list(parameters), clip, everywhere
        groups = [{"params": self.parameters, "weight_decay": weight_decay}]
        if matrices_only:
            groups = [
                {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": weight_decay},
                {"params": [p for p in self.parameters if p.ndim <= 1], "weight_decay": 0.0},
            ]
        self.adamw = torch.optim.AdamW(groups, fused=fused)

    def step(self, loss: Tensor, rate: float | None = None) -> Tensor | None:
        """Descend the loss once.

        Args:
            rate: the learning rate; None leaves that of before, such as one that a scheduler of torch sets on `adamw`.

        Returns:
            The norm of the gradient before it was clipped; None without `clip`.
        """
        if rate is not None:
            for group in self.adamw.param_groups:
                group["lr"] = rate
        self.adamw.zero_grad()
        loss.backward()
        if self.everywhere:
            distributed.average_gradients(self.parameters)
        norm = None if self.clip is None else nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.adamw.step()
        return norm
