"""What the model imagines, made visible.

The model has no decoder, so an imagined latent cannot be drawn. What is shown for it is the recorded frame whose latent is
nearest: a picture that the model would take for what it imagines, and no more than that. Where there are no images, it is a
drawing of another stream, as its kind draws it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from armillary import kinds
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, expect
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.control.rollouts import Rollouts
from armillary.latents import encode_episodes, encode_rows, imagine
from armillary.model.perception.fusion import shrink
from armillary.model.world_model import WorldModel
from armillary.spec import Spec, Stream
from armillary.worlds.world import Judged


@dataclass
class Gallery:
    """M recorded frames to look imagined latents up in.

    Args:
        z: (M, D) latents.
        frames: (M, H, W, C) uint8 of `shown_stream`.
        place: (M, 2) the first two numbers of a stream that tells where things are, or None.
        when: (M,) share of its episode that had passed.
    """

    z: np.ndarray
    frames: np.ndarray
    place: np.ndarray | None
    when: np.ndarray

    def nearest(self, z: np.ndarray) -> np.ndarray:
        """Numbers (...) of the frames nearest to latents (..., D), with every dimension at unit variance."""
        scale = np.maximum(self.z.std(axis=0), 1e-6)
        ours, theirs = self.z / scale, z / scale
        return (np.square(ours).sum(axis=1) - 2 * theirs @ ours.T).argmin(axis=-1)


@dataclass
class Imagined:
    """What happened beside what was imagined, at the same moments, from the present one on.

    Args:
        real, imagined: (T, H, W, C) uint8 frames; the two may differ in size.
        real_place, imagined_place: (t, 2) in pixels of the real frames, or None.
        goal: (H, W, C), or None.
        success: whether the goal was held at the end, or None.
    """

    real: np.ndarray
    imagined: np.ndarray
    real_place: np.ndarray | None = None
    imagined_place: np.ndarray | None = None
    goal: np.ndarray | None = None
    success: bool | None = None


def shown_stream(spec: Spec) -> Stream | None:
    """The stream that is shown: the first that is seen as pictures, or else the first that its kind draws; None without any."""
    drawn = [stream for stream in spec.observed if kinds.of(stream).is_drawn]
    return next((stream for stream in drawn if stream.is_picture), drawn[0] if drawn else None)


def make_gallery(
    model: WorldModel,
    episodes: Episodes,
    which: Sequence[int] | np.ndarray,
    *,
    place: str | None = None,
    count: int = 3000,
    seed: int = 0,
) -> Gallery:
    """Draw frames of these episodes at random.

    Args:
        place: a stream of two or more numbers, such as a true position.

    Raises:
        ArmillaryError: nothing of the recording can be drawn, or `place` is no such stream.
    """
    stream = shown_stream(model.spec)
    if stream is None or (place and episodes.spec[place].shape[0] < 2):
        names = ", ".join(stream.name for stream in model.spec.observed)
        raise ArmillaryError(f"a gallery needs an image stream and, if any, a place of two numbers; got {names} and {place!r}")
    which = np.asarray(which, np.int64)
    rows = np.concatenate([episodes.starts[e] + np.arange(episodes.lengths[e]) for e in which])
    passed = np.concatenate([np.linspace(0, 1, episodes.lengths[e]) for e in which])
    for there in episodes.presence(rows, [stream.name]).values():
        rows, passed = rows[there], passed[there]
    if not len(rows):
        raise ArmillaryError(f"none of these {len(which)} episodes has the stream {stream.name!r}, so there is no gallery")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    rows = rows[chosen]
    where = None
    if place:
        hidden = episodes.spec[place].truth
        where = episodes.read_rows(rows, [] if hidden else [place], truth=[place] if hidden else [])[place][:, :2]
    frames = _drawn(model, episodes, stream, rows)
    return Gallery(encode_rows(model, episodes, rows), frames, where, passed[chosen])


def imagined_control(
    world: Judged,
    pairs: EvalSet,
    rollouts: Rollouts,
    gallery: Gallery,
    rows: Iterable[int],
    *,
    skip: int,
    place: str | None = None,
) -> list[Imagined]:
    """What happened in these pairs, beside what the plan that was made at the start said would happen.

    Args:
        rollouts: of an agent that plans, from `ControlResult.rollouts`.
        rows: numbers of pairs.
        skip: env steps of an action block.
        place: as the gallery has it.
    """
    stream = expect(shown_stream(world.stream_spec), "a world with a stream that can be drawn")
    first = [decision for decision in rollouts.decisions if decision.step == 0]
    success, result = rollouts.held(pairs.hold), []
    for row in rows:
        kept = np.arange(0, pairs.budget[row] + 1, skip)
        seen, goal = (world.render_states(s) for s in (rollouts.states[kept, row], pairs.goal[row : row + 1]))
        real, wanted = (kinds.of(stream).draw(stream, shown[stream.name]) for shown in (seen, goal))
        decision = next(d for d in first if row in d.rows)
        latents = decision.latents[list(decision.rows).index(row)]
        # The plan ends before the budget does: from there on its last frame stays.
        found = gallery.nearest(latents)[np.minimum(np.arange(len(kept) - 1), len(latents) - 1)]
        before = shrink(torch.from_numpy(real[:1]), gallery.frames.shape[1:]).numpy()
        imagined = np.concatenate([before, gallery.frames[found]])
        episode = Imagined(real, imagined, goal=wanted[0], success=bool(success[row]))
        if place:
            episode.real_place = seen[place][:, :2]
            known = expect(gallery.place, "a gallery with places")
            episode.imagined_place = np.concatenate([seen[place][:1, :2], known[gallery.nearest(latents)]])
        result.append(episode)
    return result


def imagined_recording(
    model: WorldModel, episodes: Episodes, held_out: Sequence[int] | np.ndarray, gallery: Gallery, blocks: int, count: int = 3
) -> list[Imagined]:
    """Stretches of held-out episodes, beside what the model imagined from their start with the actions that were taken."""
    stream = expect(shown_stream(model.spec), "a model with a stream that can be drawn")
    context, skip, result = model.config.context, model.config.skip, []
    for number in list(held_out)[:count]:
        room = int(episodes.lengths[number]) - skip * (context - 1 + blocks)
        if room < 1 or not all(episodes.presence(episodes.starts[[number]], [stream.name]).values()):
            continue
        (encoded,) = encode_episodes(model, episodes, [number])
        first = np.array([room // 3])
        rows = first + skip * (context - 1 + np.arange(blocks + 1))
        real = _drawn(model, episodes, stream, episodes.starts[number] + rows)
        found = gallery.nearest(imagine(model, encoded, first, blocks)[0])
        result.append(Imagined(real, np.concatenate([real[:1], gallery.frames[found]])))
    return result


def _drawn(model: WorldModel, episodes: Episodes, stream: Stream, rows: np.ndarray) -> np.ndarray:
    """A stream at these rows of the store, as pictures (n, H, W, C)."""
    return kinds.of(stream).draw(
        stream, episodes.read_rows(rows, [stream.name], image_size=model.config.image_size)[stream.name]
    )
