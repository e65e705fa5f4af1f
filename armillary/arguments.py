"""What callers pass in, taken or refused in one line: whole numbers, seeds, observations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from armillary.errors import ArmillaryError, SpecMismatch
from armillary.spec import Spec, Stream


def whole(value: Any, what: str, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number from `least` to `most`, as an int.

    Raises:
        ArmillaryError: anything else, booleans and floats included.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ArmillaryError(f"{what} is a whole number from {least}{f' to {most}' if most < 2**63 - 1 else ''}, not {value!r}")
    return int(value)


def seed_of(value: Any, what: str = "seed") -> int:
    """A seed, from 0 to below 2**63.

    Raises:
        ArmillaryError: anything else.
    """
    return whole(value, what)


def whole_numbers(values: Any, what: str) -> Int[np.ndarray, " n"]:
    """Whole numbers in a list, an array or a tensor, or a lone one, as (n,) int64.

    Raises:
        ArmillaryError: floats, booleans, or more axes than one.
    """
    array = np.atleast_1d(an_array(values, what))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArmillaryError(f"{what}: expected whole numbers in a list, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)


def observed(spec: Spec, observations: Mapping[str, Any]) -> dict[str, Any]:
    """The observed streams among `observations`, each a tensor as it is, or an array in the dtype of its stream; less
    its offset where the stream has one.

    Lists, other numbers that fit and arrays with steps backwards are taken.

    Raises:
        SpecMismatch: no mapping, or numbers that the stream's dtype cannot hold; the message names the stream.
    """
    if not isinstance(observations, Mapping):
        raise SpecMismatch(f"observations are arrays by stream, not a {type(observations).__name__}")
    return {s.name: _taken(s, observations[s.name]) for s in spec.observed if s.name in observations}


def check_finite(stream: Stream, values: torch.Tensor) -> None:
    """Require finite numbers (n, *shape), but where a stream may hold NaN for what was not measured.

    Raises:
        SpecMismatch: naming the stream and the first place.
    """
    if stream.gaps or not values.is_floating_point() or (finite := values.isfinite()).all():
        return
    row, *place = finite.logical_not().nonzero()[0].tolist()
    channel = f" ({stream.channels[place[-1]]})" if stream.channels and place else ""
    raise SpecMismatch(f"stream {stream.name!r}: number {place}{channel} of observation {row} is NaN or infinite; repair it")


def _taken(stream: Stream, value: Any) -> Any:
    if isinstance(value, torch.Tensor) and not stream.offset:
        return value
    array = an_array(value, f"stream {stream.name!r}")
    if stream.offset and array.dtype.kind in "fiu":
        return stream.stored(array)
    if array.dtype == stream.dtype:
        return np.ascontiguousarray(array)
    if array.dtype.kind in "fiub" and stream.dtype != np.uint8:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(array, np.float32)
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        return np.ascontiguousarray(array, np.uint8)
    raise SpecMismatch(f"stream {stream.name!r}: expected raw {stream.dtype} in its own unit, got {array.dtype}")


def an_array(values: Any, what: str) -> np.ndarray:
    """An array of a list, an array or a tensor.

    Raises:
        ArmillaryError: it makes no array.
    """
    try:
        return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    except (ValueError, TypeError, OverflowError) as error:
        raise ArmillaryError(f"{what}: expected an array of numbers ({error})") from error
