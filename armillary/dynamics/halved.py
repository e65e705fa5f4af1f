"""A module's double with its matrices in bfloat16, to compute with under autocast.

Autocast alone converts a weight at every call; where a call is one of thirty rollouts of a plan, that is a twentieth of the
time. The double is made when it is first asked for, and anew when a weight or statistic has changed or moved.
"""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


class Halved(Generic[Module]):
    """Calls give the double of the module at hand."""

    def __init__(self) -> None:
        self._made_of: list[tuple[int, int, torch.device]] | None = None
        self._double: Module | None = None

    def __call__(self, module: Module) -> Module:
        tensors = [*module.parameters(), *module.buffers()]
        made_of = [(tensor.data_ptr(), _version(tensor), tensor.device) for tensor in tensors]
        if made_of != self._made_of:
            self._made_of, self._double = made_of, None
            with torch.inference_mode(False):
                double = copy.deepcopy(module).requires_grad_(False)
                for part in double.modules():
                    if isinstance(part, nn.Linear):
                        part.to(torch.bfloat16)
            self._double = double
        return self._double


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
