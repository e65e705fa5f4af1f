"""Videos, and folders of images, into a store; with a table of actions beside each, or without actions.

- A video is an episode, and so is a folder that holds images (in the order of their names, `frame_9` before `frame_10`) and no
  video. What is longer than `longest` rows, or too large for memory, is cut.
- Frames come as they are shown, or, at a `rate`, on an even clock, each tick with the last frame at or before it. Without one,
  an episode ends where the clock jumps by ten steps, and the share of steps that are a tenth off is reported. Images have no
  clock: the rate says what theirs was.
- Images are an episode for each form of their names (`left_0`, `right_0`), which ends where numbers are missing (numbering.py).
- Every video stream of a file is a stream, on the clock of the first: a row has the last frame of each.
- Frames that cannot be decoded (a recording that begins inside a group of pictures, damage, one file of many) and second frames
  of one moment are left out and counted, and an episode ends there.
- Actions are read as video_actions.py says. Either every video has a table, or none has.
- Frames are decoded once, one after the other, so that memory holds one episode, however long the video.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby, repeat
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import Float64

from armillary.episodes.formats.clocks import JUMP, stretches
from armillary.episodes.formats.folders import files_in, folders_in, once
from armillary.episodes.formats.importing import ImportSummary, Missing, Writing, check_options, import_units, parts
from armillary.episodes.formats.numbering import Series, series_of
from armillary.episodes.formats.table_clock import UNEVEN
from armillary.episodes.formats.table_log import last_before, usual_step
from armillary.episodes.formats.video_actions import ActionTable, find_table
from armillary.episodes.formats.video_frames import (
    frame_times,
    frames_in_turn,
    frames_there,
    left_of,
    pictures_in_turn,
    shown_times,
    tracks_of,
)
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile, expect
from armillary.spec import NO_ACTION, Spec, Stream

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".y4m", ".gif")
RAW = (".h264", ".264", ".avc", ".hevc", ".h265", ".265", ".m2v")  # streams without a clock
VIDEOS += (".mts", ".m2ts", ".3gp", ".ogv", ".vob", ".asf", *RAW)
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
STREAM = "image"
SAME_RATE = 0.01  # how far the rates of two videos may be apart
EPISODE_BYTES = 512 << 20  # of frames in one episode, which is in memory while it is written


@dataclass(kw_only=True)
class VideoSummary(ImportSummary):
    """What an import did, and what only that of videos has.

    Args:
        videos: how many there are.
        longest: rows after which an episode is cut.
        uneven: share of steps that are off the clock by more than a tenth; 0 where a rate was asked for.
        apart: seconds between the clocks of a video and of its table, at the worst end; None where tables have no clock.
        remarks: what the names of images tell, and what is not kept of them, a line each.
    """

    videos: int
    longest: int
    uneven: float = 0.0
    apart: float | None = None
    remarks: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        lines = [f"what is longer than {self.longest} rows is cut", *self.remarks]
        if self.uneven:
            lines.append(f"{self.uneven:.1%} of steps are off the clock by more than a tenth; --rate makes it even")
        if self.apart is not None:
            lines.append(f"each frame has the last action at or before it; clocks end at most {self.apart:.3f} s apart")
        return lines


def import_video(
    path: str | Path,
    out: str | Path,
    *,
    controls: Sequence[str] | None = None,
    time: str | None = None,
    begins: float | None = None,
    drift: float = 0.1,
    rate: float | None = None,
    tracks: Sequence[int] | None = None,
    image_size: int | None = None,
    longest: int = 3000,
    missing: Missing = "skip",
    **writing: Unpack[Writing],
) -> VideoSummary:
    """Read videos and folders of images into a new store, as a stream `image` (and `image_2` and so on of further tracks).

    Other arguments and errors are those of `import_hdf5`.

    Args:
        path: a video, a folder of images, or a folder of several of these, which are read in the order of their names.
        controls: columns of the tables that are the action; --controls alone means no actions. Default: all columns of numbers.
        time: the column of the tables that is their clock, in dates or in seconds. Default: row i belongs to frame i.
        begins: value of that column at the first frame, in seconds. Default: 0, or the first date.
        drift: seconds by which the clocks of a video and its table may differ at either end.
        rate: frames a second to put frames on, or those of images and of raw H.264 or HEVC. Default: frames as they come.
        tracks: video streams of a file to import, 0 for the first. Default: all that the first video has.
        longest: longest episode, in rows. A longer one, or one of more than 512 MB, is cut into several. Fewer rows take less
            memory.
    """
    path = Path(path)
    check_options(writing, missing, longest, rate=rate, image_size=image_size)
    if drift < 0:
        raise ArmillaryError(f"drift not below 0 s; got {drift}")
    videos = _find(path)
    tables = {} if controls is not None and not controls else _tables(videos)
    first = next(iter(tables.values()), None)
    actions = ActionTable.like(first, tuple(controls) if controls else None, time, begins, drift) if first else None
    if not actions and (controls or time):
        raise ArmillaryError(f"{path}: columns are named, and there is no table of actions beside any video")
    if time and rate is None and any(video.files for video in videos):
        raise ArmillaryError(f"{path}: images have no clock that the column {time!r} could be held against; give their rate")
    if tracks is not None and (not tracks or min(tracks) < 0 or len(set(tracks)) < len(tracks)):
        raise ArmillaryError(f"tracks are different numbers from 0 on; got {' '.join(map(str, tracks)) or 'none'}")
    source = _Source(rate, image_size, missing == "refuse")
    streams, own = _first(videos, source, tracks)
    spec = Spec(tuple(streams.values()), actions.space if actions else NO_ACTION, own)
    summary = VideoSummary(
        format="video",
        source=str(path),
        out=str(out),
        spec=spec,
        ignored=dict(actions.ignored) if actions else {},
        videos=len(videos),
        longest=min(longest, max(2, EPISODE_BYTES // sum(stream.nbytes for stream in spec.streams))),
        remarks=_remarks(videos, path),
    )
    reader = _Reader(spec, source, {track: stream.name for track, stream in streams.items()}, actions, tables, path, summary)
    reader.every = tracks is None
    return import_units(
        ((video.name(path), reader.episodes(video)) for video in videos),
        summary,
        info={
            "source": f"video {path.name}",
            "clock": f"held at {rate:g} Hz" if rate else "frames as they come",
            "actions": "none" if not actions else "the last at or before a frame" if time else "row i is frame i's",
        },
        total=len(videos),
        missing=missing,
        **writing,
    )


@dataclass(frozen=True)
class _Video:
    """A video, or a series of the images in a folder; `form` is that of their names, where there are others."""

    path: Path
    images: Series | None = None
    form: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The images."""
        return self.images.files if self.images else ()

    def name(self, root: Path) -> str:
        name = self.path.name if self.path == root else str(self.path.relative_to(root))
        return f"{name} {self.form}".strip()

    def times(self, source: "_Source", track: int) -> Float64[np.ndarray, " t"]:
        """When each frame is shown, in seconds on the clock of the video; images at the rate, or one a second."""
        read = frame_times if source.strict else shown_times
        times = self.images.at / (source.rate or 1.0) if self.images else read(self.path, track, source.rate)
        if len(times) < 2:
            raise CorruptFile(f"{self.path}: {len(times)} frames, and an episode needs 2")
        return times

    def frames(
        self, source: "_Source", track: int, times: np.ndarray, shown: np.ndarray
    ) -> Generator[np.ndarray | None, None, None]:
        """Frames of these ascending indices, decoded one by one; None for those that cannot be, unless the source is strict."""
        if self.files:
            return pictures_in_turn([self.files[index] for index in shown], size=source.size, strict=source.strict)
        read, near = frames_in_turn if source.strict else frames_there, float(np.diff(times).min()) / 4
        return read(self.path, times[shown], size=source.size, tolerance=near, track=track, rate=source.rate)


@dataclass(frozen=True)
class _Source:
    """How frames are read: the rate asked for, the size they are resized to, and whether one that is damaged is refused."""

    rate: float | None
    size: int | None
    strict: bool


def _find(path: Path) -> list[_Video]:
    if not path.is_dir():
        if not path.is_file():
            raise ArmillaryError(f"{path}: there is no such file or folder")
        if path.suffix.lower() in IMAGES:
            raise ArmillaryError(f"{path}: one image is no episode; give the folder of its frames")
        return [_Video(file) for file in files_in(path, VIDEOS)]
    videos = []
    for folder in folders_in(path):
        here = [_Video(file) for file in once(files_in(folder, VIDEOS, deep=False))]
        images = [] if here else series_of(files_in(folder, IMAGES, deep=False))
        videos += here or [_Video(folder, one, one.form if len(images) > 1 else "") for one in images]
    if not videos:
        raise ArmillaryError(f"{path}: there is no video there ({' '.join(VIDEOS)}), and no folder of images")
    return videos


def _remarks(videos: list[_Video], root: Path) -> list[str]:
    """What the names of images tell, and what is left out of them."""
    folders = [[*some] for _, some in groupby((video for video in videos if video.images), lambda video: video.path)]
    several = [some for some in folders if len(some) > 1]
    lines = []
    if several:
        forms = ", ".join(video.form for video in several[0])
        lines.append(f"folders whose images have names of several forms, each an episode: {len(several)} (the first: {forms})")
    jumps = [(video, at) for video in videos if video.images for at in np.flatnonzero(video.images.begins)]
    if jumps:
        video, at = jumps[0]
        where = f"{video.name(root)}: {video.files[at - 1].name}, {video.files[at].name}"
        lines.append(f"jumps in the numbers of images, where an episode ends: {len(jumps)} (the first: {where})")
    left = Counter(what for some in folders for what in left_of(some[0].files[0]))
    return lines + [f"left out of the images of {count} folders: {what}" for what, count in left.items()]


def _tables(videos: list[_Video]) -> dict[Path, Path]:
    inside = Counter(video.path.parent for video in videos if not video.files)
    found = {video.path: find_table(video.path, alone=inside[video.path.parent] == 1) for video in videos}
    return {video: table for video, table in found.items() if table}


def _first(videos: list[_Video], source: _Source, tracks: Sequence[int] | None) -> tuple[dict[int, Stream], float | None]:
    """The streams, by track, and the rate of the first video that can be read, which the others have to fit."""
    problems = []
    for video in videos:
        try:
            found = range(tracks_of(video.path)) if not video.files else range(1)
            streams = {
                track: Stream(STREAM if not place else f"{STREAM}_{place + 1}", "image", _shape(video, source, track))
                for place, track in enumerate(found if tracks is None else tracks)
            }
            own = source.rate or (None if video.files else round(1 / usual_step(video.times(source, next(iter(streams)))), 3))
        except CorruptFile as error:
            if source.strict:
                raise
            problems.append(str(error))
            continue
        return {track: replace(stream, rate=own) for track, stream in streams.items()}, own
    raise ArmillaryError(f"none of {len(videos)} videos can be read: {'; '.join(problems[:3])}")


def _shape(video: _Video, source: _Source, track: int) -> tuple[int, ...]:
    """Of the first frame that can be decoded."""
    times = np.unique(video.times(source, track))
    with closing(video.frames(source, track, times, np.arange(len(times)))) as frames:
        for frame in frames:
            if frame is not None:
                return frame.shape
    raise CorruptFile(f"{video.path}: none of its {len(times)} frames can be decoded")


@dataclass
class _Reader:
    """Videos to episodes, one after the other."""

    spec: Spec
    source: _Source
    names: dict[int, str]  # of the stream of each track
    actions: ActionTable | None
    tables: dict[Path, Path]
    root: Path
    summary: VideoSummary
    every: bool = True  # track is wanted
    steps: int = field(default=0, init=False)
    uneven: int = field(default=0, init=False)

    def episodes(self, video: _Video) -> Iterator[Episode]:
        """The episodes of one video."""
        name, first = video.name(self.root), next(iter(self.names))
        if self.every and not video.files and (more := tracks_of(video.path) - len(self.names)) > 0:
            self.summary.ignored[f"{name}: {more} more video streams"] = "the first video does not have as many"
        times = {track: video.times(self.source, track) for track in self.names}
        begin, whole = times[first][0], times[first]
        times = {track: np.unique(stamps) for track, stamps in times.items()}
        self.summary.leave(f"{name}: another frame has the same time", len(whole) - len(times[first]))
        frames = times[first] - begin
        clock = self._clock(video, frames)
        actions = np.empty((len(clock), 0), np.float32)
        if self.actions is not None:
            actions = self._actions(video, whole - begin, clock)
        rows = enumerate(zip(*(self._rows(video, track, times[track], begin + clock) for track in self.names), strict=True))
        row, shown = next(rows)
        inside, there, taken = np.zeros((3, len(clock)), bool)
        for start, stop in self._parts(video, clock):
            pixels = {name: np.empty((stop - start, *self.spec[name].shape), np.uint8) for name in self.names.values()}
            inside[start:stop] = True
            for at in range(start, stop):
                while row < at:
                    row, shown = next(rows)
                there[at] = all(frame is not None for frame in shown)
                for (stream, values), frame in zip(pixels.items(), shown if there[at] else (), strict=False):
                    if frame.shape != values.shape[1:]:
                        what = f"frames are {frame.shape}, and {stream} of the first video {values.shape[1:]}"
                        raise CorruptFile(f"{video.path}: {what}; give an image size for all")
                    values[at - start] = frame
            for low, high in stretches(there[start:stop], np.zeros(stop - start, bool)):
                taken[start + low : start + high] = True
                info = {"source": name, "row": int(start + low), "begins": float(clock[start + low])}
                some = {stream: values[low:high] for stream, values in pixels.items()}
                yield Episode(some, actions[start + low : start + high - 1], info=info)
        what = "frames that cannot be decoded" + ", or without one of another video stream" * (len(self.names) > 1)
        if damaged := [file.name for file, bad in zip(video.files, inside & ~there, strict=False) if bad]:
            what += f" ({', '.join(damaged[:3])}{', ...' * (len(damaged) > 3)})"
        self.summary.leave(f"{name}: {what}", int((inside & ~there).sum()))
        self.summary.leave(f"{name}: alone between such frames", int((there & ~taken).sum()))
        if not taken.any():
            raise CorruptFile(f"{video.path}: no two frames after each other can be decoded")

    def _rows(self, video: _Video, track: int, times: np.ndarray, moments: np.ndarray) -> Iterator[np.ndarray | None]:
        """What each moment shows of a track; None where that cannot be decoded, or not yet, or no longer."""
        shown, step = last_before(times, moments), JUMP * usual_step(times)
        gone = (moments < times[0] - step / JUMP / 2) | (moments > times[-1] + step)
        distinct, repeated = np.unique(shown, return_counts=True)
        decoded = video.frames(self.source, track, times, distinct)
        held = (frame for frame, count in zip(decoded, repeated, strict=True) for frame in repeat(frame, count))
        return (None if late else frame for frame, late in zip(held, gone, strict=True))

    def _clock(self, video: _Video, frames: Float64[np.ndarray, " f"]) -> Float64[np.ndarray, " t"]:
        """When each row is, in seconds since the first frame: on an even clock, or with the frames."""
        if self.source.rate and video.files:
            return frames
        if self.source.rate:
            ticks = np.arange(int(frames[-1] * self.source.rate + 1e-3) + 1) / self.source.rate
            if len(ticks) < 2:
                raise CorruptFile(
                    f"{video.path}: at {self.source.rate:g} Hz its {frames[-1]:.3f} s are one row, and an episode needs 2"
                )
            return ticks
        own, expected = None if video.files else 1 / usual_step(frames), self.spec.rate
        if (own is None) != (expected is None) or (own and expected and abs(own - expected) > SAME_RATE * expected):
            rates = [f"{rate:.3f} frames a second" if rate else "no clock" for rate in (own, expected)]
            raise CorruptFile(f"{video.path}: it has {rates[0]}, and the first {rates[1]}; give a rate that all are held at")
        if own:
            self.steps += len(frames) - 1
            self.uneven += int((abs(np.diff(frames) * own - 1) > UNEVEN).sum())
            self.summary.uneven = self.uneven / self.steps
        return frames

    def _actions(self, video: _Video, frames: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """The action in force at each row."""
        if video.path not in self.tables:
            raise CorruptFile(f"{video.path}: there is no table of actions beside it, as there is beside others")
        actions, apart = expect(self.actions, "a table of actions").actions_at(self.tables[video.path], frames, clock)
        if apart is not None:
            self.summary.apart = max(self.summary.apart or 0.0, apart)
        return actions

    def _parts(self, video: _Video, clock: np.ndarray) -> list[tuple[int, int]]:
        """First row and row after the last of each episode."""
        steps = np.diff(clock)
        begins = video.images.begins if video.images else np.concatenate([[False], steps > JUMP * np.median(steps)])
        found = stretches(np.ones(len(clock), bool), begins)
        alone = len(clock) - sum(stop - start for start, stop in found)
        what = "the numbers of images" if video.images else "the clock"
        self.summary.leave(f"alone between two jumps of {what}", alone)
        return [
            (start + first, start + last) for start, stop in found for first, last in parts(stop - start, self.summary.longest)
        ]
