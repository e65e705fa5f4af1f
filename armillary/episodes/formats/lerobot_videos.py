"""Which frames of which film belong to the rows of a LeRobot episode.

- v2: a film holds one episode. A row finds its frame by its time stamp, so that a dropped frame is an error with the figure and
  never a silent shift of everything that follows.
- v3: a film holds many episodes, and `from_timestamp` says where each begins. Those stamps drift in real datasets, by a
  millisecond an episode, until they point at the next frame. So episodes are placed by counting, wherever the film has as many
  frames as its episodes have rows (or as the stamps say that they have frames). Where it has not, the stamps are used, as far
  as they agree with the count of the frames before them.
- A film may be one frame short, as recorders end that are stopped between two frames: the last row is then left out.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from armillary.episodes.formats.lerobot_metadata import Entry, Video
from armillary.episodes.formats.video_frames import frame_times
from armillary.errors import CorruptFile, expect

TOLERANCE = 0.1  # of the time between two frames: how far a row or a frame may be from its moment
REGULAR = 0.5  # of it: how far two frames of an episode may be apart beyond it
OPEN = 16  # films whose frame times are kept


class Films:
    """The films of a dataset.

    Args:
        entries: all episodes that the metadata list, also those whose files are not there.
        fps: frames a second.
    """

    def __init__(self, entries: Sequence[Entry], fps: float):
        self._fps = fps
        self._shared: dict[Path, list[tuple[Video, Entry]]] = defaultdict(list)
        for entry in entries:
            for video in entry.videos.values():
                if video.frames is not None:
                    self._shared[video.path].append((video, entry))
        for listed in self._shared.values():
            listed.sort(key=lambda one: one[0].start)
        self._times = lru_cache(OPEN)(frame_times)

    def moments(self, video: Video, entry: Entry, rows: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, " n"]:
        """When the frames of an episode are shown, in seconds on the clock of its film: of all its rows, or all but the last.

        Args:
            rows: the time stamps of its rows.

        Raises:
            CorruptFile: the film cannot be read, or its frames cannot be told apart by rows; the message has the figures.
        """
        shown = self._times(video.path)
        if not len(shown):
            raise CorruptFile(f"{video.path}: there is no frame in it")
        if video.frames is None:
            return rows[: self._count(video, len(shown), len(rows), "in the video")]
        listed = self._shared[video.path]
        place = next(i for i, (_, other) in enumerate(listed) if other.index == entry.index)
        for counts in ([one.length for _, one in listed], [expect(one.frames, "frames of a film") for one, _ in listed]):
            if sum(counts) == len(shown):
                first = [0, *accumulate(counts)][place]
                kept = shown[first : first + self._count(video, counts[place], len(rows), f"of episode {entry.index}")]
                return self._regular(video, kept)
        return self._stamped(video, listed, place, rows, shown)

    def _count(self, video: Video, frames: int, rows: int, where: str) -> int:
        if frames not in (rows, rows - 1):
            raise CorruptFile(f"{video.path}: {frames} frames {where} for {rows} rows")
        return frames

    def _regular(self, video: Video, shown: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        steps = np.diff(shown) * self._fps
        for frame in np.flatnonzero(abs(steps - 1) > REGULAR)[:1]:
            what = f"two frames are {steps[frame]:.1f} steps apart at {shown[frame]:.4f} s"
            raise CorruptFile(f"{video.path}: {what}; one is missing, or there twice")
        return shown

    def _stamped(
        self,
        video: Video,
        listed: list[tuple[Video, Entry]],
        place: int,
        rows: Float64[np.ndarray, " t"],
        shown: Float64[np.ndarray, " n"],
    ) -> Float64[np.ndarray, " m"]:
        """By `from_timestamp`, where that is a whole number of frames after what is before it."""
        end = drift = 0.0
        for one, _ in listed[: place + 1]:
            between = (one.start - end) * self._fps
            drift += between - max(round(between), 0)
            end = one.start + expect(one.frames, "frames of a film") / self._fps
        if abs(drift) > TOLERANCE:
            total = sum(one.length for _, one in listed)
            what = (
                f"it begins at {video.start:.4f} s by its stamp, which is {drift:.1f} frames off the count of those before it"
            )
            raise CorruptFile(f"{video.path}: {what}, and the film has {len(shown)} frames for {total} rows")
        moments = video.start + rows
        over = int((moments > shown[-1] + TOLERANCE / self._fps).sum()) if place == len(listed) - 1 else 0
        return moments[:-1] if over == 1 else moments
