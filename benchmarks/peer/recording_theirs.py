"""One recording in the peer's four formats, by its writers: 20 episodes of 200 frames at 224 px.

A block slides over a shaded ground; camera noise makes images hard to compress.
"""

import common
import lewm  # noqa: F401  torchvision, which its formats import
import numpy as np

EPISODES, ROWS, PX = 20, 200, 224
PATHS = {"lance": "clips.lance", "hdf5": "clips.h5", "folder": "clips_folder", "video": "clips_video"}


def episode(number: int) -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng([common.SETTINGS["seed"], number])
    axis = np.linspace(0, 1, PX)
    ground = (40 + 160 * axis[:, None, None]) * np.array([1, 0.9, 0.8]) + 40 * axis[None, :, None]
    frames = np.repeat(ground[None], ROWS, 0)
    corner = rng.integers(0, PX - 28, 2) + np.cumsum(rng.integers(-2, 3, (ROWS, 2)), 0)
    for frame, (y, x) in zip(frames, corner.clip(0, PX - 28), strict=True):
        frame[y : y + 28, x : x + 28] = 250, 30, 30
    frames += 8 * rng.standard_normal(frames.shape, np.float32)
    actions = rng.uniform(-1, 1, (ROWS, 2)).astype(np.float32)
    return {"pixels": list(frames.clip(0, 255).astype(np.uint8)), "action": list(actions)}


def main() -> None:
    from stable_worldmodel.data.format import get_format

    for name, path in PATHS.items():
        with get_format(name).open_writer(common.WORK / path) as writer:
            writer.write_episodes(map(episode, range(EPISODES)))
    common.answer(frames=EPISODES * ROWS)


if __name__ == "__main__":  # recording_ours takes the same episodes
    main()
