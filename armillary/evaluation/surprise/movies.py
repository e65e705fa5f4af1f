"""Scenes of movies on disk as a model sees them: at its image size, near its rate, without actions. One is in memory at a time.

Of a movie, every k-th frame is taken, where k is its rate by the model's, rounded. Slower movies are shown as they are.
Movies of a scene may differ by one frame after that, and are cut to the shortest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, UInt8

from armillary.console import ProgressBar
from armillary.episodes.formats.table_log import usual_step
from armillary.episodes.formats.video_frames import frame_times, frames_at, pictures_in_turn
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.surprise.intphys import IMAGES_HZ, Movie, Quadruplet
from armillary.model.world_model import WorldModel
from armillary.worlds.scenes import Scenes

SCENE_BYTES = 1 << 30
"""Of frames in one scene, at most."""
LEAST_FRAMES = 3
"""Of a clip: shortcuts look at changes of changes."""
SAME_RATE = 0.01
"""How far the rates of a scene's movies may be apart, as a share."""


class MovieScenes:
    """An iterable of scenes, each of which is read when it is asked for.

    Args:
        model: it senses one RGB image at a known rate. Its actions, if it has any, are zero.
        scenes: to read.
        progress: show it.

    Attributes:
        shown: how many scenes were shown so far at (rate of the movies in Hz, k).

    Raises:
        ArmillaryError: the model senses other things, has no rate, or cannot do nothing.
    """

    def __init__(self, model: WorldModel, scenes: Sequence[Quadruplet], *, progress: bool = True) -> None:
        spec, config = model.spec, model.config
        stream, action = spec.observed[0], spec.action
        if len(spec.observed) > 1 or not stream.is_picture or stream.shape[2] != 3:
            have = ", ".join(f"{one.name} ({one.kind} {one.shape})" for one in spec.observed)
            raise ArmillaryError(f"expected a model of one RGB image, got {have}; train one on the camera alone (--streams)")
        if spec.rate is None:
            raise ArmillaryError(
                "the model's recording has no rate, so its frames are an unknown time apart; give it one (--rate)"
            )
        if action.kind == "discrete" or any(low > 0 or high < 0 for low, high in zip(action.low, action.high, strict=True)):
            raise ArmillaryError(
                f"movies have no actions, and those of the model ({action.kind}) cannot be 0; take one without"
            )
        if not config.image_size and stream.shape[0] != stream.shape[1]:
            raise ArmillaryError(f"expected a model of a square image, got {stream.shape}; train it with an image_size")
        self._scenes, self._progress = scenes, progress
        self._stream, self._size = stream.name, config.image_size or stream.shape[0]
        self._actions = model.actions.size
        self._hz = spec.rate / config.skip
        self.shown: Counter[tuple[float, int]] = Counter()

    def __iter__(self) -> Iterator[Scenes]:
        with ProgressBar(self._progress) as bar:
            for number, scene in enumerate(self._scenes):
                bar.update("scenes", number / len(self._scenes), scene.name)
                yield self._read(scene)
            bar.update("scenes", 1.0, "")

    @property
    def shown_as(self) -> str:
        """How the scenes that were read were shown."""
        rates = ", ".join(
            f"{'every frame' if k == 1 else f'1 frame in {k}'} of {hz:g} Hz ({count} scenes)"
            for (hz, k), count in sorted(self.shown.items())
        )
        actions = "actions taken as zero" if self._actions else "no actions"
        return f"{rates}, for a model of {self._hz:g} Hz and {self._size} px, {actions}"

    def _read(self, scene: Quadruplet) -> Scenes:
        times = [_times(movie) for movie in scene.movies]
        rates = [1 / usual_step(some) for some in times]
        if max(rates) > (1 + SAME_RATE) * min(rates):
            raise CorruptFile(f"{scene.name}: its movies have different rates, {min(rates):g} to {max(rates):g} Hz")
        every = max(1, round(rates[0] / self._hz))
        lengths = [-(-len(some) // every) for some in times]
        rows = min(lengths)
        if max(lengths) > rows + 1:
            said = ", ".join(str(len(some)) for some in times)
            raise CorruptFile(f"{scene.name}: its movies have different lengths: {said} frames")
        if rows < LEAST_FRAMES:
            raise CorruptFile(f"{scene.name}: {rows} frames at {rates[0] / every:g} Hz, and {LEAST_FRAMES} or more are needed")
        if (size := 4 * rows * 3 * self._size**2) > SCENE_BYTES:
            raise CorruptFile(f"{scene.name}: its frames take {size >> 20} MB, and {SCENE_BYTES >> 20} MB at most are read")
        at = np.arange(rows) * every
        frames = np.stack([_frames(movie, some, at, self._size) for movie, some in zip(scene.movies, times, strict=True)])
        self.shown[round(rates[0], 2), every] += 1
        frames = frames if scene.paired else matched(frames)
        return Scenes(scene.violated, {self._stream: frames[None]}, np.zeros((1, 4, rows - 1, self._actions), np.float32))


def matched(frames: UInt8[np.ndarray, "4 t h w c"]) -> UInt8[np.ndarray, "4 t h w c"]:
    """Two possible clips, then the impossible ones in such an order that each begins like its possible one for longest."""

    def alike(possible: int, impossible: int) -> int:
        differ = (frames[possible] != frames[impossible]).any(axis=(1, 2, 3))
        return int(differ.argmax()) if differ.any() else len(differ)

    crossed = alike(0, 3) + alike(1, 2) > alike(0, 2) + alike(1, 3)
    return frames[[0, 1, 3, 2]] if crossed else frames


def _times(movie: Movie) -> Float64[np.ndarray, " t"]:
    """When each frame is shown, s."""
    times = np.arange(len(movie.images)) / IMAGES_HZ if movie.images else frame_times(movie.path)
    if len(times) < LEAST_FRAMES:
        raise CorruptFile(f"{movie.path}: {len(times)} frames, and {LEAST_FRAMES} or more are needed")
    steps = np.diff(times)
    for row in np.flatnonzero(abs(steps / usual_step(times) - 1) > 0.5)[:1]:
        raise CorruptFile(f"{movie.path}: a frame is missing: two are {steps[row]:.4f} s apart at {times[row]:.4f} s")
    return times


def _frames(movie: Movie, times: np.ndarray, at: np.ndarray, size: int) -> UInt8[np.ndarray, "t h w c"]:
    if movie.images:
        return np.array([*pictures_in_turn([movie.images[row] for row in at], size=size)])
    return frames_at(movie.path, times[at], size=size, tolerance=usual_step(times) / 4)
