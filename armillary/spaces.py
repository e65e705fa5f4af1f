"""Gymnasium's spaces as streams and actions, and the Spec of an environment.

Dictionaries and tuples in each other are taken apart: the stream of `{"robot": {"q": ...}}` is `robot.q`. What is no stream is
left out by name, with the reason.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from armillary import kinds
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream


def spec_of(env: Any) -> Spec:
    """The Spec of a Gymnasium environment or vector environment.

    A world of ours carries its own as `stream_spec`. Elsewhere the kinds are found (`kinds.recognise`), every part of a
    dictionary or tuple is a stream, and a lone space is named `image` or `state`. What is no stream is left out, with a
    warning that names it.

    Raises:
        ArmillaryError: no space that is a stream, or another action space; the message names it.
    """
    own = getattr(getattr(env, "unwrapped", env), "stream_spec", None)
    if own is not None:
        return own
    space = getattr(env, "single_observation_space", None) or env.observation_space
    action = getattr(env, "single_action_space", None) or env.action_space
    streams, left_out = streams_of(space)
    said = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
    if not streams:
        raise ArmillaryError(f"nothing in the observation space becomes a stream: {said}")
    if left_out:
        warnings.warn(f"left out of the streams: {said}", stacklevel=2)
    return Spec(tuple(streams), action_of(action), (env.metadata or {}).get("render_fps"))


def leaves(tree: Any, name: str = "") -> dict[str, Any]:
    """The parts of a space or an observation that are in no further part, by their keys with dots between; "" of a lone one."""
    parts = getattr(tree, "spaces", tree)
    if isinstance(parts, tuple):
        parts = dict(enumerate(parts))
    if not isinstance(parts, Mapping):
        return {name: tree}
    inside = (leaves(part, f"{name}.{key}" if name else str(key)) for key, part in parts.items())
    return {path: leaf for some in inside for path, leaf in some.items()}


def streams_of(space: Any) -> tuple[list[Stream], dict[str, str]]:
    """The streams of an observation space, and what is left out, with the reason.

    A lone space is called `image` or `state`. Channels of vectors have no common unit: positions, velocities and what not.
    """
    streams, left_out = [], {}
    for path, leaf in leaves(space).items():
        try:
            streams.append(_stream_of(path, leaf))
        except ArmillaryError as error:
            left_out[path or "the observation"] = str(error)
    return streams, left_out


def _stream_of(path: str, space: Any) -> Stream:
    shape, dtype = getattr(space, "shape", None), np.dtype(getattr(space, "dtype", None) or object)
    if shape is None or dtype.kind not in "biuf":
        raise ArmillaryError(f"{type(space).__name__} is not numbers")
    kind = kinds.recognise(path.rsplit(".", 1)[-1], shape, dtype)
    if kind is None:
        what = (
            "which axis has the channels is not clear"
            if dtype == np.uint8
            else "images are uint8, and vectors up to 64 numbers"
        )
        raise ArmillaryError(f"{dtype} {shape} is of no kind by itself: {what}; give a spec, or wrap the environment")
    stream = Stream(path or "state", kind, kinds.get(kind).read_as(shape, dtype)[0])
    if stream.is_picture:
        return replace(stream, name=path or "image")
    return replace(stream, unit=("",) * stream.shape[0]) if stream.is_tabular else stream


def action_of(space: Any) -> ActionSpace:
    """The action space; a box of integers keeps its actions whole.

    Raises:
        ArmillaryError: neither a box of rank 1 nor choices from 0.
    """
    if hasattr(space, "n") and not space.shape and getattr(space, "start", 0) == 0:
        return ActionSpace("discrete", int(space.n))
    if hasattr(space, "low") and len(space.shape) == 1:
        whole = bool(np.issubdtype(space.dtype, np.integer))
        return ActionSpace("box", space.shape[0], tuple(space.low.tolist()), tuple(space.high.tolist()), whole=whole)
    raise ArmillaryError(f"action space {space}: only Box (n,) and Discrete(n) from 0 are supported")
