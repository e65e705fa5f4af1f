"""Scenes made from a recording, where no world stages any: windows of held-out episodes, and the same after a manipulation.

A and B are two windows, which are possible as they were recorded; of each an impossible clip is made.

| scene | A and B | impossible |
| --- | --- | --- |
| time reversed | any that move | each in reverse order, with its actions in reverse order |
| frames swapped | any that move | two frames of each change places |
| actions exchanged | any that move | each with the actions of the other |
| camera delayed | B begins k frames after A | each with the images of the other |
| arm frozen | an arm moves in A and rests in B | from the event on it moves as in the other, from where it was |

Actions are not negated: whether they are displacements or targets, a recording does not say. A clip in reverse may therefore be
impossible by its actions or by the direction of time. But for swapped frames, possible and impossible clips change by as much
from frame to frame, so that this says nothing; swapped frames are there to see that a model is surprised at all.

"Camera" are all streams but vectors, and "arm" are the channels of one side, by their names (left, right), the one that moves
more; or all channels where names tell no sides.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.latents import clips_for
from armillary.model.world_model import WorldModel
from armillary.spec import Stream
from armillary.worlds.scenes import Scenes

FRAMES, EVENT = 8, 4
DELAYS = 1, 4
"""Of the camera, in kept frames."""
DRAWN = 4
"""Windows that are drawn for each scene; those that move are used."""
SIDES = "left", "right"

Frames = dict[str, np.ndarray]
"""Windows by stream: (w, T, *shape), or (n, 2, T, *shape) in pairs."""


def recorded_scenes(model: WorldModel, episodes: Episodes, which: Sequence[int], n: int, seed: int) -> list[Scenes]:
    """Up to n scenes of each sort that the recording has the streams for; fewer where there are not so many windows.

    Args:
        model: says which streams, and how many rows there are from frame to frame.
        which: episodes that the model has not seen.

    Raises:
        ArmillaryError: the episodes are too short or too few, or lack streams of the model.
    """
    streams, skip = model.spec.observed, model.config.skip
    cameras, vectors = {s.name for s in streams if not s.is_tabular}, [s for s in streams if s.is_tabular]
    delays = DELAYS if cameras and vectors else ()
    which = episodes.complete(which, [stream.name for stream in streams])
    clips = clips_for(model, episodes, FRAMES + max(delays, default=0), which, stride=skip)
    rng = np.random.default_rng(seed)
    batch = clips[np.sort(rng.permutation(len(clips))[: DRAWN * n])]
    if (n := len(batch) // DRAWN) < 1:
        raise ArmillaryError(
            f"{episodes.path}: scenes need {DRAWN} windows of {clips.length} frames, got {len(batch)} of held-out episodes "
            f"{list(which)}; hold out more or longer ones"
        )
    longer, actions = {name: x.numpy() for name, x in batch.observations.items()}, batch.actions.numpy()[:, : FRAMES - 1]
    frames = {name: x[:, :FRAMES] for name, x in longer.items()}
    motion = _motion({s.name: frames[s.name] for s in vectors or streams})
    moving = rng.permutation(np.argsort(motion, kind="stable")[-2 * n :]).reshape(n, 2)
    pairs, done = {name: x[moving] for name, x in frames.items()}, actions[moving]
    backwards = done.reshape(n, 2, FRAMES - 1, skip, -1)[:, :, ::-1, ::-1].reshape(done.shape)
    swapped = np.arange(FRAMES)
    swapped[[EVENT, EVENT + 1]] = EVENT + 1, EVENT
    scenes = [
        _scenes("time reversed", pairs, {name: x[:, :, ::-1] for name, x in pairs.items()}, done, backwards),
        _scenes("frames swapped", pairs, {name: x[:, :, swapped] for name, x in pairs.items()}, done, done),
    ]
    if model.spec.action.n:
        scenes.append(_scenes("actions exchanged", pairs, pairs, done, done[:, ::-1]))
    for delay in delays:
        both = {name: np.stack([x[moving[:, 0], i : i + FRAMES] for i in (0, delay)], axis=1) for name, x in longer.items()}
        done = np.stack([batch.actions.numpy()[moving[:, 0], i : i + FRAMES - 1] for i in (0, delay)], axis=1)
        late = {name: x[:, ::-1] if name in cameras else x for name, x in both.items()}
        scenes.append(_scenes("camera delayed", both, late, done, done, "1 frame" if delay == 1 else f"{delay} frames"))
    if vectors and (cameras or model.spec.action.n):
        scenes.append(_frozen(vectors, frames, actions, n))
    return scenes


def _frozen(vectors: Sequence[Stream], frames: Frames, actions: np.ndarray, n: int) -> Scenes:
    """The windows in which the arm that moves more moves most, beside those in which it moves least."""
    sides = {side: [[i for i, c in enumerate(s.channels) if side in c.lower()] for s in vectors] for side in SIDES}
    arms = {f"{side} arm": arm for side, arm in sides.items() if any(arm)} if all(map(any, sides.values())) else {}
    arms = arms or {"all vectors": [list(range(s.shape[-1])) for s in vectors]}
    motion = {
        arm: _motion({s.name: frames[s.name][..., i] for s, i in zip(vectors, c, strict=True)}) for arm, c in arms.items()
    }
    arm = max(motion, key=lambda arm: motion[arm].sum())
    order = np.argsort(motion[arm], kind="stable")
    chosen = np.stack([order[-n:], order[:n]], axis=1)
    pairs = {name: x[chosen] for name, x in frames.items()}
    impossible = dict(pairs)
    for stream, channels in zip(vectors, arms[arm], strict=True):
        x = pairs[stream.name].copy()
        own = x[:, :, EVENT - 1 : EVENT, channels]
        x[:, :, EVENT:, channels] = own + (x[:, :, EVENT:, channels] - own)[:, ::-1]
        impossible[stream.name] = x
    return _scenes(f"{arm} frozen", pairs, impossible, actions[chosen], actions[chosen])


def _scenes(
    name: str, possible: Frames, impossible: Frames, done: np.ndarray, done_impossible: np.ndarray, difficulty: str = ""
) -> Scenes:
    observations = {stream: np.concatenate([x, impossible[stream]], axis=1) for stream, x in possible.items()}
    return Scenes(name, observations, np.concatenate([done, done_impossible], axis=1), difficulty)


def _motion(frames: Frames) -> Float[np.ndarray, " w"]:
    """How much windows (w, T, *shape) change from frame to frame: mean square, by the variance of each number."""
    total = 0.0
    for x in frames.values():
        x = np.nan_to_num(x.reshape(*x.shape[:2], -1).astype(np.float32))
        total = total + (np.square(np.diff(x, axis=1)).mean(axis=1) / np.maximum(x.var(axis=(0, 1)), 1e-8)).sum(axis=-1)
    return np.asarray(total)
