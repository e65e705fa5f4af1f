"""The one place that names a device. Everything else works on whatever device its model or its tensors are on."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch

from armillary.errors import ArmillaryError

_HAS_BFLOAT16: dict[str, bool] = {}


def pick_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; any other name is taken as it is, if it is there.

    Under `torchrun` each process of a machine takes its own CUDA device.

    Raises:
        ArmillaryError: the name is no device, or the device is not on this machine.
    """
    if name == "auto":
        fast = "mps" if torch.backends.mps.is_available() else "cpu"
        name = "cuda" if torch.cuda.is_available() else fast
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ArmillaryError(f"device {name!r} cannot be used here ({reason}); take auto, cpu, cuda or mps") from error
    return device


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told to: before a clock is read."""
    getattr(torch, device.type).synchronize()


def describe(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return "the CPU, eagerly, without a GPU" if device.type == "cpu" else str(device)


def autocast(device: torch.device, enabled: bool = True) -> torch.autocast:
    """bfloat16 where the device has arithmetic for it, else a context that does nothing."""
    if device.type not in _HAS_BFLOAT16:  # asked for once: a compiler can't look into the answer
        gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        _HAS_BFLOAT16[device.type] = gpu or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and _HAS_BFLOAT16[device.type])


def together(device: torch.device, count: int) -> list[slice]:
    """Which of `count` problems are computed in one go: each alone on a CPU, all of them elsewhere.

    How the sums of a matrix product are rounded depends on the sizes of the matrices. So a problem that is computed among
    others comes out a few bits different, which contact amplifies until an episode ends another way. Alone, each has the very
    numbers that it has in any batch. A GPU is made for batches; there, problems agree to rounding only.
    """
    return [slice(i, i + 1) for i in range(count)] if device.type == "cpu" and count else [slice(count)]


class Captured:
    """A function of tensors whose work on a CUDA device is recorded once for each set of shapes, and replayed as one graph.

    A replay costs the host one call instead of thousands. The function may not wait for the device, nor do anything on the host
    that differs from call to call, and has run once before with these shapes, so that what it makes at first use is there.
    On other devices it is called as it is, and that is said once on stderr.

    Args:
        function: named tensors, on the device or in the host's memory, to a tuple of tensors and of what is not a tensor.
        device: where it computes.
    """

    _said = False

    def __init__(self, function: Callable[..., tuple], device: torch.device) -> None:
        self._function, self._device = function, device
        self._graphs: dict[tuple, _Graph] = {}
        if device.type != "cuda" and not Captured._said:
            print(f"decisions are not captured on {describe(device)}: the same code runs step by step", file=sys.stderr)
            Captured._said = True

    def __call__(self, **inputs: torch.Tensor) -> tuple:
        if self._device.type != "cuda":
            return self._function(**inputs)
        shapes = tuple((name, *tensor.shape, tensor.dtype) for name, tensor in inputs.items())
        if shapes not in self._graphs:
            self._graphs[shapes] = _Graph(self._function, inputs, self._device)
        return self._graphs[shapes](inputs)


class _Graph:
    """One recording: inputs and outputs stay where they are. What comes from the host goes through pinned memory."""

    def __init__(self, function: Callable[..., tuple], inputs: dict[str, torch.Tensor], device: torch.device) -> None:
        self._pinned = {name: torch.empty_like(x).pin_memory() for name, x in inputs.items() if x.device.type == "cpu"}
        self._inputs = {name: x.to(device, copy=True) for name, x in inputs.items()}
        self._device, self._graph = device, torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            aside, here = torch.cuda.Stream(), torch.cuda.current_stream()
            aside.wait_stream(here)
            with torch.cuda.stream(aside):  # libraries set themselves up, which cannot be captured
                for _ in range(3):
                    function(**self._inputs)
            here.wait_stream(aside)
            with torch.cuda.graph(self._graph):
                self._outputs = function(**self._inputs)

    def __call__(self, inputs: dict[str, torch.Tensor]) -> tuple:
        for name, value in inputs.items():
            if name in self._pinned:
                value = self._pinned[name].copy_(value)
            self._inputs[name].copy_(value, non_blocking=True)
        with torch.cuda.device(self._device):
            self._graph.replay()
        return tuple(x.clone() if isinstance(x, torch.Tensor) else x for x in self._outputs)


def compiles(device: torch.device) -> bool:
    """Whether `torch.compile` is worth a minute, since small operations cost more to begin than to do."""
    return device.type == "cuda"


def fuses_attention(queries: torch.Tensor) -> bool:
    """Whether attention in one kernel is faster than as matrix products: everywhere but in training in bfloat16 on a CPU.

    There, 64 images of 257 tokens take half the time in products, and gradients are rounded to 0.7% instead of 0.3%.
    """
    return queries.device.type != "cpu" or queries.dtype != torch.bfloat16 or not queries.requires_grad


def works_aside(device: torch.device) -> bool:
    """Whether the host is free for other things while the device computes."""
    return device.type != "cpu"


def takes_pinned(device: torch.device) -> bool:
    """Whether copies to the device out of pinned memory go on by themselves."""
    return device.type == "cuda"


def packs_matrices(device: torch.device) -> bool:
    """Whether matrices can be laid out once and for all as oneDNN computes with them."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@contextmanager
def one_thread(enabled: bool = True) -> Generator[None]:
    """Run what is within on one CPU thread, as small networks run best.

    Their operations take tens of microseconds, which is what it costs to hand work to a second thread; and where another
    process holds that thread's core, all wait for it: training the demo's model then took ten times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if enabled else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
