"""Several processes that act as one batch.

`torchrun` starts the processes; everything here is the identity when there is only one. Two ideas are enough:
- a statistic of the batch (SIGReg's characteristic function, VICReg's covariance, BatchNorm's moments) is averaged over
  all processes by `all_mean`, through which gradients flow, so that it means the same at any number of processes;
- gradients are averaged by `average_gradients` in one flat message a step. Shards must be of equal size.
"""

import atexit
import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from armillary.errors import ArmillaryError, expect


def rank() -> int:
    """This process's number, 0 when it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def start(device: torch.device) -> None:
    """Join the group that `torchrun` announces in the environment; does nothing without one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)


def wait() -> None:
    """Go on when all processes have come this far."""
    all_mean(torch.zeros(1))


def broadcast(module: nn.Module) -> None:
    """Give every process the weights and buffers of the first."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def shard(batch: Tensor) -> Tensor:
    """This process's share of a global batch, along the first axis.

    Raises:
        ArmillaryError: the batch does not divide by the number of processes.
    """
    if len(batch) % world_size():
        raise ArmillaryError(f"a batch of {len(batch)} does not divide into {world_size()} processes; change one of them")
    return batch.chunk(world_size())[rank()]


def gather(part: Tensor) -> Tensor:
    """The global batch of which each process has a `shard`."""
    if world_size() == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(world_size())]
    dist.all_gather(parts, part)
    return torch.cat(parts)


class _AllMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        mean = x / world_size()
        dist.all_reduce(mean)
        return mean

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        return _AllMean.forward(ctx, *grads)


def all_mean(x: Tensor) -> Tensor:
    """The mean of `x` over all processes, differentiable; `x` itself when there is one."""
    return _AllMean.apply(x) if world_size() > 1 else x


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all processes."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = all_mean(torch.cat([g.flatten() for g in gradients]))
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class BatchNorm(nn.BatchNorm1d):
    """BatchNorm over the batch of all processes, on any device (torch's own synchronised one is CUDA only).

    Input and output are (N, features). Alone, this is `torch.nn.BatchNorm1d`.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        x = input.float()  # not in autocast's precision
        mean = all_mean(x.mean(0))
        centred = x - mean
        variance = all_mean(centred.square().mean(0))
        with torch.no_grad():
            moments = self.num_batches_tracked, self.running_mean, self.running_var
            batches, running_mean, running_var = (expect(moment, "running statistics") for moment in moments)
            batches += 1
            n = len(x) * world_size()
            momentum = 1 / float(batches) if self.momentum is None else self.momentum
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * n / (n - 1), momentum)
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias
