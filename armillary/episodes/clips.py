"""Clips: windows of fixed length from a store of episodes, as batches for training and evaluation.

A window that starts at row s of an episode has the frames at rows s, s + skip, s + 2 skip, ..., and between two of them
all `skip` raw actions as one dense block. Windows start at multiples of `stride` and never leave their episode.
Design choices:
- only rows that some window uses are read and decoded, each once, into the fastest tier that has room (tiers.py): small
  streams first into memory up to `budget_mb`, then into cache files if `cache_dir` is given, else read as they are needed;
- used rows are kept in the order (episode, row modulo skip, row), in which every window is contiguous;
- actions are small and always in memory. A batch is a gather without a loop over clips.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from armillary.arguments import whole, whole_numbers
from armillary.episodes.odometry import poses
from armillary.episodes.store import Episodes
from armillary.episodes.tiers import Frames, Mapped, Resident, Streamed, Tier
from armillary.errors import ArmillaryError, OutOfRange
from armillary.spec import Spec

_AHEAD = 2  # batches that `prefetch` makes before they are asked for


@dataclass
class Batch:
    """B clips of T frames.

    Args:
        observations: name -> (B, T, *shape), raw units and dtypes (uint8 images).
        actions: (B, T-1, skip * n) float32, raw units: the `skip` actions between two frames, flattened; choices one-hot.
        truth: name -> (B, T, *shape), only what was asked for; never fed to a model.
        episode: (B,) int64 number of the episode in the store.
        step: (B,) int64 row of the first frame in its episode.
        present: name -> (B, T) bool, of each optional stream: whether it is there. Elsewhere it holds NaN, or a black image.
        pose: (B, T, 3), only if asked for: where odometry has each frame, x, y (m) and heading (rad), see `odometry.poses`.
    """

    observations: dict[str, Tensor]
    actions: Tensor
    truth: dict[str, Tensor]
    episode: Tensor
    step: Tensor
    present: dict[str, Tensor] = field(default_factory=dict)
    pose: Tensor | None = None

    def __len__(self) -> int:
        return len(self.episode)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on this device. The host does not wait for copies out of pinned memory."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def pin(self) -> "Batch":
        """The same batch in pinned memory, from which a GPU takes it by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        named = self.observations, self.truth, self.present
        observations, truth, present = ({k: change(v) for k, v in streams.items()} for streams in named)
        pose = None if self.pose is None else change(self.pose)
        return Batch(observations, change(self.actions), truth, change(self.episode), change(self.step), present, pose)


class Clips:
    """All windows of a recording, by number: `clips[indices]` is a Batch.

    Args:
        episodes: the store.
        length: frames T of a window.
        skip: environment steps between two frames.
        stride: windows start at multiples of it.
        which: numbers of the episodes to use; all by default. See split.py.
        streams: names of observed streams; all by default.
        truth: names of truth streams, for probes.
        odometry: name of the stream that tells poses; it need not be among `streams`.
        budget_mb: memory for decoded frames, in MB.
        cache_dir: folder for what is larger than the budget, decoded; without it that is read from the store each time.
        image_size: images are resized to (image_size, image_size), by the average of each area.

    Attributes:
        spec: the Spec of its batches, with the resized images.

    Raises:
        ArmillaryError: the store is empty, no episode is long enough, a stream or an episode is not there, an episode has none
            of the streams, or `odometry` is none.
    """

    def __init__(
        self,
        episodes: Episodes,
        length: int,
        *,
        skip: int = 1,
        stride: int = 1,
        which: np.ndarray | Sequence[int] | None = None,
        streams: Sequence[str] | None = None,
        truth: Sequence[str] = (),
        odometry: str | None = None,
        budget_mb: float = 512,
        cache_dir: str | os.PathLike | None = None,
        image_size: int | None = None,
    ):
        length, skip, stride = (whole(n, name, 1) for n, name in ((length, "length"), (skip, "skip"), (stride, "stride")))
        episodes.require_some()
        self.length, self.skip, self.stride = length, skip, stride
        self.which = np.arange(len(episodes)) if which is None else np.unique(whole_numbers(which, "episodes"))
        if len(self.which) and not 0 <= self.which[0] <= self.which[-1] < len(episodes):
            raise ArmillaryError(f"episodes {self.which} were asked for; the store has {len(episodes)}, counted from 0")
        lengths, self._start = episodes.lengths[self.which], episodes.starts[self.which]
        reach = (length - 1) * skip + 1  # rows from the first frame to the last, both included
        counts = np.maximum(0, (lengths - reach) // stride + 1)
        if not counts.any():
            longest = f"the longest of {len(lengths)} episodes has {lengths.max()}" if len(lengths) else "no episode was chosen"
            raise ArmillaryError(f"clips of {length} frames with skip {skip} need {reach} rows; {longest}")
        self._first = np.concatenate([[0], np.cumsum(counts)])  # number of the first window of each episode
        self._row, self._slot = self._lay_out()

        self.spec = _offered(episodes, streams, truth, image_size)
        self._present = {s.name: episodes.present[s.name][self.which] for s in self.spec.observed if s.optional}
        if self.spec.observed and len(self._present) == len(self.spec.observed):
            blind = self.which[~np.any(list(self._present.values()), 0)]
            if len(blind):
                raise ArmillaryError(
                    f"{len(blind)} episodes have none of the streams {', '.join(self._present)}, such as {blind[:8].tolist()}; "
                    "choose more streams, or leave those episodes out"
                )
        self._frames: dict[str, Tier] = {}
        left = budget_mb * 1e6
        for stream in sorted(self.spec.streams, key=lambda stream: stream.nbytes):
            frames = Frames(episodes, stream, self._row)
            if frames.nbytes <= left:
                self._frames[stream.name] = Resident(frames)
                left -= frames.nbytes
            else:
                self._frames[stream.name] = Streamed(frames) if cache_dir is None else Mapped(frames, cache_dir)
        actions = episodes.actions()
        if actions.ndim == 1:
            actions = (actions[:, None] == np.arange(self.spec.action.n)).astype(np.float32)
        self._actions = torch.from_numpy(actions)
        self._poses = None if odometry is None else torch.from_numpy(poses(episodes, odometry))

    def _lay_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The row of the store in each slot, in the order in which frames are kept; and the first slot of every window."""
        row = self._locate(np.arange(len(self)))[2]
        used = np.zeros(row[-1] + (self.length - 1) * self.skip + 1, bool)
        for frame in range(self.length):
            used[row + frame * self.skip] = True
        rows = np.flatnonzero(used)
        position = np.searchsorted(self._start, rows, "right") - 1
        step = rows - self._start[position]
        rows = rows[np.lexsort((step, step % self.skip, position))]
        slot_of = np.empty(len(used), np.int64)
        slot_of[rows] = np.arange(len(rows))
        return rows, slot_of[row]

    def _locate(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position in `which`, step and row in the store of the first frame of these windows."""
        position = np.searchsorted(self._first, windows, "right") - 1
        step = (windows - self._first[position]) * self.stride
        return position, step, self._start[position] + step

    @property
    def tiers(self) -> dict[str, str]:
        """Where each stream's frames are: "resident", "mapped" or "streamed"."""
        return {name: type(tier).__name__.lower() for name, tier in self._frames.items()}

    def __len__(self) -> int:
        """How many different windows there are."""
        return int(self._first[-1])

    def __getitem__(self, indices: int | slice | Sequence[int] | np.ndarray) -> Batch:
        if isinstance(indices, slice):
            indices = range(len(self))[indices]
        windows = whole_numbers(indices, "clips")
        windows = np.where(windows < 0, windows + len(self), windows)
        if ((windows < 0) | (windows >= len(self))).any():
            raise OutOfRange(f"there are {len(self)} windows, and no window {indices}")
        position, step, row = self._locate(windows)
        return self._gather(position, step, row, self._slot[windows], self.length)

    def _gather(self, position: np.ndarray, step: np.ndarray, row: np.ndarray, slot: np.ndarray, length: int) -> Batch:
        values = {name: tier.gather(slot, length) for name, tier in self._frames.items()}
        truth = {stream.name: values.pop(stream.name) for stream in self.spec.truth}
        actions = self._actions[torch.from_numpy(row[:, None] + np.arange((length - 1) * self.skip))]
        actions = actions.reshape(len(row), length - 1, self.skip * self.spec.action.n)
        present = {name: torch.from_numpy(there[position])[:, None].repeat(1, length) for name, there in self._present.items()}
        pose = None if self._poses is None else self._poses[torch.from_numpy(row[:, None] + self.skip * np.arange(length))]
        return Batch(values, actions, truth, torch.from_numpy(self.which[position]), torch.from_numpy(step), present, pose)

    def batch(self, indices: Sequence[int] | np.ndarray) -> Batch:
        """The windows of these numbers, as `clips[indices]`."""
        return self[indices]

    def draw(self, batch_size: int, generator: np.random.Generator, per_episode: int | None = None) -> np.ndarray:
        """Numbers (batch_size,) of random windows.

        Args:
            per_episode: draw episodes first, all different if there are enough, and so many windows of each, which stand
                side by side: with 4, a batch of 64 is 16 episodes. By default every window is equally likely.

        Raises:
            ArmillaryError: the batch is no multiple of `per_episode`.
        """
        if per_episode is None:
            return generator.integers(len(self), size=batch_size)
        if batch_size % per_episode:
            raise ArmillaryError(f"a batch of {batch_size} clips cannot hold {per_episode} of each episode")
        counts = np.diff(self._first)
        usable, wanted = np.flatnonzero(counts), batch_size // per_episode
        chosen = generator.choice(usable, wanted, replace=wanted > len(usable))[:, None]
        within = generator.random((wanted, per_episode)) * counts[chosen]
        return (self._first[chosen] + within.astype(np.int64)).reshape(-1)

    def sample(self, batch_size: int, generator: np.random.Generator, per_episode: int | None = None) -> Batch:
        """Random windows; see `draw`."""
        return self[self.draw(batch_size, generator, per_episode)]

    def tracks(self) -> Iterator[Batch]:
        """Every frame that is in some window, once: each longest run of frames `skip` rows apart, as one long clip (B = 1).

        With `stride` a multiple of `skip` that is one track an episode, else up to `skip` of them.
        """
        position, parts = self._tracks()
        for slots in parts:
            first, row = slots[:1], self._row[slots[:1]]
            yield self._gather(position[first], row - self._start[position[first]], row, first, len(slots))

    def track_presence(self) -> Iterator[dict[str, bool]]:
        """Of each of the `tracks`, which optional streams it has."""
        position, parts = self._tracks()
        for slots in parts:
            yield {name: bool(there[position[slots[0]]]) for name, there in self._present.items()}

    def _tracks(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Position in `which` of the row in each slot, and the slots of each track."""
        position = np.searchsorted(self._start, self._row, "right") - 1
        ends = (np.diff(self._row) != self.skip) | (np.diff(position) != 0)
        return position, np.split(np.arange(len(self._row)), np.flatnonzero(ends) + 1)

    def sequential(self, batch_size: int) -> Iterator[Batch]:
        """Every window once, in order; the last batch may be smaller. Made ahead in the background."""
        return self.prefetch(np.array_split(np.arange(len(self)), range(batch_size, len(self), batch_size)))

    def stream(self, batch_size: int, generator: np.random.Generator, per_episode: int | None = None) -> Iterator[Batch]:
        """What `sample` would give, call after call, without end; made ahead in the background."""
        return self.prefetch(self.draw(batch_size, generator, per_episode) for _ in repeat(None))

    def prefetch(self, windows: Iterable[np.ndarray]) -> Iterator[Batch]:
        """A Batch for each of these arrays of window numbers, in order, with the next ones made in the background."""
        with ThreadPoolExecutor(_AHEAD, "armillary-clips") as pool:
            ahead: deque[Future[Batch]] = deque()
            for number in windows:
                ahead.append(pool.submit(self.batch, number))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def _offered(episodes: Episodes, streams: Sequence[str] | None, truth: Sequence[str], image_size: int | None) -> Spec:
    """The Spec of batches: the chosen streams, with images at the size that is asked for."""
    chosen = list(episodes.spec.observed) if streams is None else [episodes.stream(name) for name in streams]
    chosen += [episodes.stream(name, truth=True) for name in truth]
    if image_size is not None:
        size = (image_size, image_size)
        chosen = [replace(s, shape=(*size, s.shape[-1])) if s.is_picture else s for s in chosen]
    return Spec(tuple(chosen), episodes.spec.action, episodes.spec.rate)
