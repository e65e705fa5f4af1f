"""Whole episodes through a model: the latent of every frame, and the action blocks between frames. What judges start from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from armillary.episodes.store import Episodes
from armillary.imagination import Context
from armillary.model import WorldModel
from armillary.spec import ActionSpace

CHUNK = 128  # frames that are read and encoded at a time


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
        streams: what the model is given, of what it knows; all that the recording has unless given.
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
