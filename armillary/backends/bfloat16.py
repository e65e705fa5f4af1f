"""A module's double with its matrices in bfloat16, to compute with under autocast where no gradient is asked for.

Autocast alone converts every matrix at every call, and on a CPU oneDNN then lays it out anew; where a call is one of thirty
rollouts of a plan, the two take a tenth of the time. The double is made when it is first asked for, and anew when a weight or
statistic has changed or moved.
"""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from armillary.device import packs_matrices

Module = TypeVar("Module", bound=nn.Module)


class Bfloat16(Generic[Module]):
    """Calls give the double of the module at hand."""

    def __init__(self) -> None:
        self._made_of: list[tuple[int, int, torch.device]] | None = None
        self._double: Module | None = None

    def __call__(self, module: Module) -> Module:
        if self._double is not None and torch.compiler.is_compiling():  # a compiler can't look where weights are kept
            return self._double
        tensors = [*module.parameters(), *module.buffers()]
        made_of = [(tensor.data_ptr(), _version(tensor), tensor.device) for tensor in tensors]
        if self._double is None or made_of != self._made_of:
            double = copy.deepcopy(module)
            for part in list(double.modules()):
                for name, child in part.named_children():
                    if isinstance(child, nn.Linear):
                        setattr(part, name, _Packed(child) if packs_matrices(child.weight.device) else child.to(torch.bfloat16))
            self._made_of, self._double = made_of, double
        return self._double


class _Packed(nn.Module):
    """A linear layer in bfloat16, in oneDNN's own layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().bfloat16())
        self.bias = None if linear.bias is None else linear.bias.detach().bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x.bfloat16(), self.weight, self.bias, "none", [], "")


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
