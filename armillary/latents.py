"""Latents of what an agent sees, and of a recording as a frozen encoder sees it, each frame of which is encoded once."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.arguments import check_finite, observed
from armillary.device import together
from armillary.episodes.clips import Batch, Clips
from armillary.model import WorldModel

FRAMES = 1024  # encoded at a time


def encode_tracks(model: WorldModel, clips: Clips) -> Iterator[tuple[Float[Tensor, "t d"], Float[Tensor, "t-1 a"]]]:
    """Latents and raw action blocks of each track of a recording; tracks are encoded some thousand frames at a time."""
    waiting: list[Batch] = []
    for track in chain(clips.tracks(), [None]):
        if track is not None:
            waiting.append(track.to(model.device))
        lengths = [track.actions.shape[1] + 1 for track in waiting]
        if waiting and (track is None or sum(lengths) >= FRAMES):
            frames = {name: torch.cat([t.observations[name] for t in waiting], 1) for name in waiting[0].observations}
            present = {name: torch.cat([t.present[name] for t in waiting], 1) for name in waiting[0].present}
            parts = [slice(i, i + FRAMES) for i in range(0, sum(lengths), FRAMES)]
            z = [model.encode(*({name: x[:, some] for name, x in xs.items()} for xs in (frames, present))) for some in parts]
            yield from zip(torch.cat(z, 1)[0].split(lengths), [t.actions[0] for t in waiting], strict=True)
            waiting = []


@torch.no_grad()
def encode_frames(model: WorldModel, observations: Mapping[str, Any], *, exact: bool = True) -> Float[Tensor, "n d"]:
    """Latents of N moments, each seen once.

    Args:
        observations: arrays or tensors (N, *shape) by stream. Streams beyond the model's are left out.
        exact: to the last bit, no latent depends on which others are asked for (`device.together`); else they are encoded in
            one go, which is faster.

    Raises:
        SpecMismatch: a stream that the model needs is missing, has another shape or dtype, or is not finite.
    """
    frames, given = {}, observed(model.spec, observations)
    for stream in model.spec.observed:
        if stream.name in given:
            frame = torch.as_tensor(given[stream.name], device=model.device)
            if frame.device.type == "cpu":  # a GPU would have to be waited for
                check_finite(stream, frame)
            frames[stream.name] = (frame.float() if stream.dtype.kind == "f" else frame).unsqueeze(1)
    counts = {len(frame) for frame in frames.values()}
    parts = together(model.device, *counts) if exact and len(counts) == 1 else [slice(None)]
    return torch.cat([model.encode({name: frame[some] for name, frame in frames.items()}) for some in parts]).squeeze(1)
