"""A recording as a frozen encoder sees it: what is learned on latents alone encodes every frame once, and then costs little."""

from collections.abc import Iterator
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor

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
