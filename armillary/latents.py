"""Latents of what an agent sees, and of a recording as a frozen encoder sees it, each frame of which is encoded once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from armillary.arguments import check_finite, observed
from armillary.device import together
from armillary.episodes.clips import Batch, Clips
from armillary.episodes.store import Episodes
from armillary.errors import SpecMismatch
from armillary.imagination import Context
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace

FRAMES = 1024  # encoded at a time
CHUNK = 128  # rows that are read and encoded at a time


def clips_for(model: WorldModel, episodes: Episodes, length: int, which: Any = None, **options: Any) -> Clips:
    """Clips of what the model senses, with its frame skip and at its image size; see `Clips` for arguments and errors."""
    names, config = [stream.name for stream in model.spec.observed], model.config
    return Clips(episodes, length, skip=config.skip, image_size=config.image_size, which=which, streams=names, **options)


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


@dataclass
class Tracks:
    """All tracks of a recording in one, track after track, for what is learned on latents alone."""

    z: Float[Tensor, "n d"]
    """Latents of all kept frames."""
    blocks: Float[Tensor, "n k"]
    """The action block after each; zeros after the last of a track."""
    first: Int[Tensor, " n"]
    """First row of each row's track."""
    last: Int[Tensor, " n"]
    """Last row of each row's track."""
    known: Bool[Tensor, "n d"]
    """Which numbers of the latents stand for a stream that is there, see `Perception.known`."""

    @classmethod
    @torch.no_grad()
    def read(cls, model: WorldModel, clips: Clips, blocks: Callable[[Tensor], Tensor]) -> "Tracks":
        """Encode a recording.

        Args:
            blocks: of the raw action blocks of a track (t - 1, A), what is kept (t - 1, K).
        """
        z, after = zip(*((z, F.pad(blocks(raw), (0, 0, 0, 1))) for z, raw in encode_tracks(model, clips)), strict=True)
        lengths = torch.tensor([len(track) for track in z])
        ends = lengths.cumsum(0)
        first, last = (ends - lengths).repeat_interleave(lengths), (ends - 1).repeat_interleave(lengths)
        known = [model.perception.known(there, z[0].shape[1]) for there in clips.track_presence()]
        return cls(torch.cat(z), torch.cat(after), first, last, torch.stack(known).repeat_interleave(lengths, 0))


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
    return encode_seen(model, observed(model.spec, observations), exact=exact)


@torch.no_grad()
def encode_seen(model: WorldModel, given: Mapping[str, Any], *, exact: bool = True) -> Float[Tensor, "n d"]:
    """`encode_frames` of what `arguments.observed` has given."""
    frames = {}
    for stream in model.spec.observed:
        if stream.name in given:
            frame = torch.as_tensor(given[stream.name], device=model.device)
            if frame.device.type == "cpu":  # a GPU would have to be waited for
                check_finite(stream, frame)
            frames[stream.name] = (frame.float() if stream.dtype.kind == "f" else frame).unsqueeze(1)
    counts = {len(frame) for frame in frames.values()}
    parts = together(model.device, *counts) if exact and len(counts) == 1 else [slice(None)]
    return torch.cat([model.encode({name: frame[some] for name, frame in frames.items()}) for some in parts]).squeeze(1)


def encode_goals(model: WorldModel, goals: Mapping[str, Any], count: int, *, exact: bool = True) -> Float[Tensor, "n d"]:
    """Latents of the goals of `count` environments: one each, or one for all; arguments as for `encode_frames`.

    Raises:
        SpecMismatch: another number of goals, and whatever `encode_frames` raises.
    """
    z = encode_frames(model, goals, exact=exact)
    if len(z) not in (1, count):
        raise SpecMismatch(f"{len(z)} goals for {count} environments; give one each, or one for all")
    return z


@dataclass
class Encoded:
    """One episode: latents (T, D) float32 of all its frames, and its raw actions (T - 1, n), choices one-hot."""

    number: int
    z: np.ndarray
    actions: np.ndarray

    def blocks(self, rows: np.ndarray, skip: int) -> np.ndarray:
        """The block of `skip` actions taken from each of `rows` (...), flattened: (..., skip * n)."""
        return self.actions[rows[..., None] + np.arange(skip)].reshape(*rows.shape, -1)


@torch.inference_mode()
def encode_rows(model: WorldModel, episodes: Episodes, rows: np.ndarray, streams: Sequence[str] | None = None) -> np.ndarray:
    """Latents (n, D) float32 of rows (n,) of the whole store; frames are read and encoded a few at a time.

    Args:
        streams: what the model is given, of what it knows. Default: all that the recording has.
    """
    streams = [stream.name for stream in episodes.spec.observed] if streams is None else streams
    names, z = [stream.name for stream in model.spec.observed if stream.name in streams], []
    for part in np.array_split(rows, -(-len(rows) // CHUNK)):
        given = episodes.read_rows(part, names, image_size=model.config.image_size), episodes.presence(part, names)
        frames, present = ({n: torch.from_numpy(x)[None].to(model.device) for n, x in some.items()} for some in given)
        z.append(model.encode(frames, present)[0].float().cpu().numpy())
    return np.concatenate(z)


def learned_from(model: WorldModel, episodes: Episodes) -> np.ndarray:
    """Numbers of the episodes of a model's own recording that it was trained on."""
    others = [*model.provenance.get("held_out", ()), *model.provenance.get("left_out", ())]
    return np.setdiff1d(np.arange(len(episodes)), np.array(others, np.int64))


def encode_episodes(
    model: WorldModel, episodes: Episodes, which: Iterable[int], streams: Sequence[str] | None = None
) -> list[Encoded]:
    """The latents of every frame of these episodes; see `encode_rows`.

    Raises:
        SpecMismatch: the recording is not what the model was made for.
    """
    model.spec.check(episodes.spec)
    result = []
    for number in map(int, which):
        z = encode_rows(model, episodes, episodes.starts[number] + np.arange(episodes.lengths[number]), streams)
        result.append(Encoded(number, z, dense(model.spec.action, episodes.actions(number))))
    return result


@torch.inference_mode()
def imagine(model: WorldModel, episode: Encoded, first: np.ndarray, horizon: int) -> np.ndarray:
    """Open-loop predictions with the actions that were taken.

    Args:
        first: (m,) row of the first frame of each context; frames are `model.config.skip` rows apart.
        horizon: H blocks.

    Returns:
        (m, H, D) the predicted latents of the H kept frames after the context.
    """
    context, skip = model.config.context, model.config.skip
    rows = first[:, None] + skip * np.arange(context + horizon)
    blocks = torch.from_numpy(episode.blocks(rows[:, :-1], skip)).to(model.device)
    z = torch.from_numpy(episode.z[rows[:, :context]]).to(model.device)
    imagined = model.rollout(Context(z, blocks[:, : context - 1]), blocks[:, None, context - 1 :])
    return imagined.z[:, 0].float().cpu().numpy()


def dense(space: ActionSpace, actions: np.ndarray) -> np.ndarray:
    """Actions (..., n) or choices (...) as float32 (..., n), choices one-hot."""
    return np.eye(space.n, dtype=np.float32)[actions] if space.kind == "discrete" else actions.astype(np.float32)
