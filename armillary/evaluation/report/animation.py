"""An animation (GIF) of what happened beside what the model imagined."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from armillary.errors import require
from armillary.evaluation.report.imagined import Imagined

PANEL, GAP, HEADER = 160, 12, 26  # px
PAPER, INK, MUTED, GREEN, RED = "#ffffff", "#1f2933", "#cbd2d9", "#2f9e63", "#d64545"
MILLISECONDS, HOLD = 220, 5


def animate(episodes: Sequence[Imagined], together: int = 3) -> bytes:
    """A GIF that loops: `together` episodes at a time, one below the other; each as goal (if any), reality, imagination.

    When an episode is over its last frames stay, framed in green where the goal was held, in red where it was not.
    """
    drawing = require("PIL.ImageDraw", "report"), require("PIL.ImageFont", "report")
    frames, rows = [], min(together, len(episodes))
    for begin in range(0, len(episodes), rows):
        some = episodes[begin : begin + rows]
        longest = max(len(episode.real) for episode in some)
        frames += [_page(some, moment, rows, *drawing) for moment in range(longest + HOLD)]
    # One palette for all frames, taken from a page of the middle, keeps the file small and the colours still.
    palette = frames[len(frames) // 2].quantize(128)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours > 245).all(axis=1)] = 255  # paper stays white
    palette.putpalette(colours.ravel().tolist())
    frames = [frame.quantize(palette=palette, dither=0) for frame in frames]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0)
    return file.getvalue()


def _page(episodes: Sequence[Imagined], moment: int, rows: int, draw, fonts):
    image = require("PIL.Image", "report")
    titles = ["goal"] * (episodes[0].goal is not None) + ["what happened", "what it imagined"]
    width = GAP + len(titles) * (PANEL + GAP)
    page = image.new("RGB", (width, HEADER + rows * (PANEL + GAP)), PAPER)
    pen, font = draw.Draw(page), fonts.load_default(14)
    for column, title in enumerate(titles):
        pen.text((GAP + column * (PANEL + GAP) + PANEL / 2, HEADER / 2), title, INK, font, anchor="mm")
    for row, episode in enumerate(episodes):
        at = min(moment, len(episode.real) - 1)
        panels = [episode.goal] * (episode.goal is not None) + [episode.real[at], episode.imagined[at]]
        over = moment >= len(episode.real) - 1 and episode.success is not None
        for column, panel in enumerate(panels):
            corner = GAP + column * (PANEL + GAP), HEADER + row * (PANEL + GAP)
            page.paste(image.fromarray(_colour(panel)).resize((PANEL, PANEL), image.Resampling.BICUBIC), corner)
            ending = GREEN if episode.success else RED
            ending = ending if over and column == len(panels) - 2 else MUTED
            pen.rectangle((corner[0] - 2, corner[1] - 2, corner[0] + PANEL + 1, corner[1] + PANEL + 1), outline=ending, width=2)
    return page


def _colour(frame: np.ndarray) -> np.ndarray:
    """(H, W, C) as (H, W, 3)."""
    return frame[..., :3] if frame.shape[-1] >= 3 else np.repeat(frame[..., :1], 3, axis=-1)
