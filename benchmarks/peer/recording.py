"""The recording that both sides stream: a block slides over a shaded ground; camera noise makes images hard to compress."""

import common
import numpy as np

EPISODES, ROWS, PX = common.SETTINGS["episodes"], 200, 224
PATHS = {"lance": "clips.lance", "hdf5": "clips.h5", "folder": "clips_folder", "video": "clips_video"}
"""of the peer's formats, in the work folder"""


def episode(number: int) -> dict[str, list[np.ndarray]]:
    """`pixels` (ROWS, PX, PX, 3) uint8 and `action` (ROWS, 2) float32 of an episode, row by row."""
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
