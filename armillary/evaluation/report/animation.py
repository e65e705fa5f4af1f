"""Animations of what happened beside what the model imagined: pages of pictures, as a GIF or a video."""

import textwrap
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np

from armillary.errors import require
from armillary.evaluation.report.imagined import Imagined

PANEL, GAP, HEADER, NOTE = 160, 12, 26, 20  # px
PAPER, INK, MUTED, GREEN, RED = "#ffffff", "#1f2933", "#cbd2d9", "#2f9e63", "#d64545"
MILLISECONDS, HOLD = 220, 5


def animate(episodes: Sequence[Imagined], together: int = 3) -> bytes:
    """A GIF that loops: `together` episodes at a time, one below the other; each as goal (if any), reality, imagination.

    When an episode is over its last frames stay, framed in green where the goal was held, in red where it was not.
    """
    frames, rows = [], min(together, len(episodes))
    for begin in range(0, len(episodes), rows):
        shown = episodes[begin : begin + rows]
        longest = max(len(episode.real) for episode in shown)
        frames += [_moment(shown, moment, rows) for moment in range(longest + HOLD)]
    return gif(frames, MILLISECONDS)


def gif(frames: Sequence[Any], milliseconds: float) -> bytes:
    """PIL images as a GIF that loops."""
    # One palette for all frames, taken from a page of the middle, keeps the file small and the colours still.
    palette = frames[len(frames) // 2].quantize(128)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours > 245).all(axis=1)] = 255  # paper stays white
    palette.putpalette(colours.ravel().tolist())
    frames = [frame.quantize(palette=palette, dither=0) for frame in frames]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    return file.getvalue()


def mp4(frames: Sequence[Any], milliseconds: float) -> bytes:
    """PIL images as a video (H.264)."""
    av, file = require("av", "data"), BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(1000 / milliseconds).limit_denominator(1000))
        stream.width, stream.height = (side - side % 2 for side in frames[0].size)  # as yuv420p needs
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            image = frame.crop((0, 0, stream.width, stream.height))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return file.getvalue()


def draw_page(
    titles: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    outlines: Sequence[Sequence[str]],
    *,
    least: int = 0,
    note: str = "",
) -> Any:
    """A PIL image of rows of pictures.

    Args:
        titles: of the columns.
        rows: pictures (H, W, C) uint8.
        outlines: a colour for each picture.
        least: rows to leave room for.
        note: a sentence below.
    """
    image, fonts = require("PIL.Image", "report"), require("PIL.ImageFont", "report")
    width = GAP + len(titles) * (PANEL + GAP)
    lines = textwrap.wrap(note, int(width / 6.2))
    height = HEADER + max(least, len(rows)) * (PANEL + GAP) + NOTE * len(lines)
    page = image.new("RGB", (width, height), PAPER)
    pen, font = require("PIL.ImageDraw", "report").Draw(page), fonts.load_default(14)
    for column, title in enumerate(titles):
        pen.text((GAP + column * (PANEL + GAP) + PANEL / 2, HEADER / 2), title, INK, font, anchor="mm")
    for row, (panels, colours) in enumerate(zip(rows, outlines, strict=True)):
        for column, (panel, colour) in enumerate(zip(panels, colours, strict=True)):
            corner = GAP + column * (PANEL + GAP), HEADER + row * (PANEL + GAP)
            rgb = panel[..., :3] if panel.shape[-1] >= 3 else np.repeat(panel[..., :1], 3, axis=-1)
            page.paste(image.fromarray(rgb).resize((PANEL, PANEL), image.Resampling.BICUBIC), corner)
            pen.rectangle((corner[0] - 2, corner[1] - 2, corner[0] + PANEL + 1, corner[1] + PANEL + 1), outline=colour, width=2)
    for below, line in enumerate(reversed(lines)):
        pen.text((GAP, height - NOTE * below - NOTE / 2 - 2), line, INK, fonts.load_default(12), anchor="lm")
    return page


def draw_action(action: np.ndarray, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """A picture (PANEL, PANEL, 3) of an action (n,): a bar for each number between its limits, from 0; up to eight of them."""
    image = require("PIL.Image", "report").new("RGB", (PANEL, PANEL), PAPER)
    pen, font = require("PIL.ImageDraw", "report").Draw(image), require("PIL.ImageFont", "report").load_default(11)
    values = np.asarray(action, float)[:8]
    height = PANEL / max(len(values), 3)
    for i, value in enumerate(values):
        least, most = (low[i], high[i]) if np.isfinite([low[i], high[i]]).all() else (-1.0, 1.0)
        x = [8 + (PANEL - 16) * float(np.clip((v - least) / (most - least), 0, 1)) for v in (0.0, value)]
        top = i * height + height / 2
        pen.text((8, top - height / 4), f"{i}: {value:+.2f}", INK, font, anchor="lm")
        pen.line((8, top + height / 5, PANEL - 8, top + height / 5), MUTED, 1)
        pen.rectangle((min(x), top + height / 5 - 3, max(x), top + height / 5 + 3), fill=GREEN)
    return np.asarray(image)


def _moment(episodes: Sequence[Imagined], moment: int, rows: int) -> Any:
    titles = ["goal"] * (episodes[0].goal is not None) + ["what happened", "what it imagined"]
    panels, outlines = [], []
    for episode in episodes:
        at = min(moment, len(episode.real) - 1)
        panels.append([*([] if episode.goal is None else [episode.goal]), episode.real[at], episode.imagined[at]])
        over = moment >= len(episode.real) - 1 and episode.success is not None
        ending = (GREEN if episode.success else RED) if over else MUTED
        outlines.append([*[MUTED] * (len(titles) - 2), ending, MUTED])
    return draw_page(titles, panels, outlines, least=rows)
