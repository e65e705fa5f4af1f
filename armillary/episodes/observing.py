"""What an environment gives as streams, and actions as it takes them: any order of axes, nested, NumPy arrays or tensors.

Tensors may be on any device. An environment that gives tensors, as ManiSkill and Isaac Lab do, is given its actions as tensors
on the same device.
"""

from typing import Any

import numpy as np
import torch

from armillary import kinds
from armillary.errors import ArmillaryError
from armillary.spaces import leaves
from armillary.spec import Spec, Stream


def to_numpy(values: Any) -> np.ndarray:
    """An array of an array, a list or a tensor."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def observe(observation: Any, spec: Spec) -> dict[str, np.ndarray]:
    """The observations of N environments by stream, (N, *stream.shape), without optional ones that are not there.

    Args:
        observation: as a vector environment gives it: an array or tensor (N, ...), or dictionaries and tuples of them. A lone
            array is the only stream.

    Raises:
        ArmillaryError: a stream is missing, or of another shape or type.
    """
    named = leaves(observation)
    if "" in named:
        named = {spec.streams[0].name: named[""]}
    if missing := [stream.name for stream in spec.streams if stream.name not in named and not stream.optional]:
        raise ArmillaryError(f"the environment's observation has no {', '.join(missing)}; it has {', '.join(named)}")
    return {stream.name: as_stream(to_numpy(named[stream.name]), stream) for stream in spec.streams if stream.name in named}


def as_stream(values: np.ndarray, stream: Stream) -> np.ndarray:
    """Values (N, ...) as the stream has them, (N, *stream.shape), without a copy where they are.

    The kind says which orders of axes, units and types it takes (`Kind.take`): whole numbers of depth are millimetres.

    Raises:
        ArmillaryError: another shape, or numbers that the kind does not take.
    """
    given = f"{values.dtype} {values.shape[1:]}"
    values = kinds.of(stream).take(stream, values)
    if stream.dtype == np.uint8 != values.dtype and (values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255):
        raise ArmillaryError(f"stream {stream.name!r}: {stream.kind} is uint8 from 0 to 255, and this is {values.dtype}")
    if values.shape[1:] != stream.shape:
        raise ArmillaryError(f"stream {stream.name!r}: expected {stream.shape}, and the environment gives {given}")
    values = values.astype(stream.dtype, copy=False)
    return np.where(np.isinf(values), np.nan, values) if stream.gaps and np.isinf(values).any() else values


def device_of(observation: Any) -> torch.device | None:
    """Where an environment's tensors are; None where it gives arrays."""
    first = next(iter(leaves(observation).values()))
    return first.device if isinstance(first, torch.Tensor) else None


def for_environment(actions: np.ndarray, space: Any, device: torch.device | None = None) -> np.ndarray | torch.Tensor:
    """Actions (N, ...) of the whole numbers that an environment's space may ask for, as a tensor where it gives tensors."""
    dtype = getattr(space, "dtype", None)
    if dtype is not None and np.issubdtype(dtype, np.integer):
        actions = actions.astype(dtype, copy=False)
    return actions if device is None else torch.as_tensor(actions, device=device)
