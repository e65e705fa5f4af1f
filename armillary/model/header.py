"""The header of a checkpoint from a stranger, checked before anything is built by what it says.

A few bytes can ask for ten million layers, or for a layer of terabytes. Each layer has a tensor of its own, and each width is a
side of one: the tensors that are there bound what may be asked for. What is left is built without memory first (`unallocated`),
and its names and shapes are compared with the tensors'.
"""

import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from armillary.errors import CorruptFile

ANY = 1_000_000
"""Whole numbers up to this cost little, whatever they mean."""
DEPTHS = ("depth", "projector_depth", "predictor_depth")
PROVENANCE = {"recording": str, "recording_hash": str, "recording_seed": int, "held_out": list, "agent": dict}


def check_config(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Require that a config asks for no more than the tensors can fill.

    Raises:
        CorruptFile: naming what does not fit.
        AttributeError, TypeError: it is no config.
    """
    elements = _elements(tensors)
    for name, number in _whole_numbers(config):
        if abs(number) > elements:
            raise CorruptFile(f"{name} is {number}, and the weights have {elements:,} numbers")
        if name in DEPTHS and number > len(tensors):
            raise CorruptFile(f"{name} is {number}, and there are {len(tensors)} tensors")


def check_provenance(provenance: Any) -> None:
    """Require that a provenance is what its readers take it for.

    Raises:
        CorruptFile: naming what is something else.
    """
    if not isinstance(provenance, dict):
        raise CorruptFile(f"its provenance is a {type(provenance).__name__}, not named values")
    for name, kind in PROVENANCE.items():
        value = provenance.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise CorruptFile(f"its provenance has a {name} that is a {type(value).__name__}, not a {kind.__name__}")
        if isinstance(value, str) and "\0" in value:
            raise CorruptFile(f"its provenance has a {name} with a null character")
    if not all(type(number) is int and number >= 0 for number in provenance.get("held_out") or []):
        raise CorruptFile("its provenance names held-out episodes that are not numbers from 0")


def check_spec(spec: Any, tensors: Mapping[str, Tensor]) -> None:
    """Require that a Spec has no more streams, channels and actions than the tensors can be for.

    Raises:
        CorruptFile: naming what does not fit.
    """
    elements = _elements(tensors)
    if len(spec.streams) > len(tensors):
        raise CorruptFile(f"it has {len(spec.streams)} streams, and there are {len(tensors)} tensors")
    for name, sizes in (*((stream.name, stream.shape) for stream in spec.streams), ("action", (spec.action.n,))):
        if max(sizes) > elements:
            raise CorruptFile(f"{name} has the shape {sizes}, and the weights have {elements:,} numbers")


@contextmanager
def unallocated() -> Generator[None]:
    """Modules that are made in here have shapes but no memory. Loading tensors into them compares names and shapes."""
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # each tensor warns that nothing was copied
        yield


def _elements(tensors: Mapping[str, Tensor]) -> int:
    return max(ANY, sum(tensor.numel() for tensor in tensors.values()))


def _whole_numbers(plain: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """All whole numbers by name, those in mappings below included."""
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _whole_numbers(value)
        elif isinstance(value, int):
            yield name, value
