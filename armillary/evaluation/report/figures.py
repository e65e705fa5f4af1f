"""The pictures of a report: one function each, from results or arrays to a `Figure` with its caption.

Drawn with matplotlib's objects alone, without pyplot and its global state; the file is a PNG inside the Figure.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from armillary.errors import expect, require
from armillary.evaluation.control.evaluate import ControlResult
from armillary.evaluation.latent.prediction import PredictionResult
from armillary.evaluation.report.imagined import Gallery, Imagined

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
COLOURS = {
    "model": "#2563eb",
    "oracle": "#2f9e63",
    "untrained": "#e08e0b",
    "shuffled": "#b44fc4",
    "random": "#98a2b3",
    "persistence": "#d64545",
    "chance": "#98a2b3",
}
STAGES = ("#2563eb", "#e08e0b", "#2f9e63", "#b44fc4", "#d64545")


@dataclass(frozen=True)
class Figure:
    """A picture (PNG or GIF) and the sentence that says what it shows."""

    name: str
    caption: str
    data: bytes
    width: int
    """On the page, in px; the picture itself may have more."""

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        kind = "gif" if self.data[:3] == b"GIF" else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


def training_curves(metrics: Sequence[Mapping[str, Any]]) -> Figure:
    """The lines of metrics.jsonl: every loss term, and what was measured at validations, over seconds of training."""
    skipped = {"step", "seconds", "stage", "learning_rate", "gradient_norm"}
    at_steps = [line for line in metrics if "loss" in line]
    looks = [line for line in metrics if "loss" not in line]
    terms = sorted({name for line in at_steps for name in line} - skipped, key=lambda name: (name != "loss", name))
    measured = sorted({name for line in looks for name, value in line.items() if isinstance(value, float | int)} - skipped)
    stages = list(dict.fromkeys(line["stage"] for line in metrics))
    panels = [("loss terms", at_steps, terms)] + [(name.replace("_", " "), looks, [name]) for name in measured]
    columns = min(3, len(panels))
    figure, axes = _axes(-(-len(panels) // columns), columns, 3.2, 2.4)
    for ax, (title, lines, names) in zip(axes, panels, strict=False):
        for i, name in enumerate(names):
            points = [(line["seconds"], line[name]) for line in lines if line.get(name) is not None]
            mark = "o-" if len(points) < 20 else "-"
            ax.plot(*zip(*points, strict=True), mark, ms=3, lw=1.4, color=STAGES[i % len(STAGES)], label=name.replace("_", " "))
        ax.set_title(title)
        ax.set_xlabel("seconds of training")
        if lines is at_steps:
            ax.set_yscale("log")
            ax.yaxis.set_minor_formatter("")
            ax.legend()
        else:
            ax.set_ylim(0, 1.15 * max([line[name] for line in lines for name in names if line.get(name) is not None] + [1e-3]))
        for stage in stages[1:]:
            ax.axvline(next(line["seconds"] for line in metrics if line["stage"] == stage), color=MUTED, lw=0.8, ls=":")
    _hide(axes[len(panels) :])
    caption = "What training minimised, and what was measured on the way."
    if len(stages) > 1:
        caption += f" Dotted lines: the next stage begins ({', '.join(stages)})."
    return _save(figure, "training", caption)


def ladder(control: ControlResult) -> Figure:
    """Success by distance to the goal, with intervals."""
    figure, (ax,) = _axes(1, 1, 8.0, 3.0)
    shown = [name for name in control.rows if name != "do_nothing"]
    for i, name in enumerate(shown):
        rungs = control.rows[name].ladder
        x = np.array([(r.low + r.high) / 2 for r in rungs]) * (1 + 0.008 * (i - len(shown) / 2))
        y, low, high = (100 * np.array([getattr(r.success, part) for r in rungs]) for part in ("value", "low", "high"))
        colour = COLOURS.get(name, INK)
        ax.errorbar(x, y, [y - low, high - y], fmt="o-", color=colour, ms=4, lw=1.4, elinewidth=1, capsize=2, label=name)
    ax.set(xlabel="shortest path to the goal, env steps", ylabel="held at the end, %", ylim=(-4, 104))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _save(
        figure, "ladder", "Success by distance, so that far goals cannot hide behind near ones; bars are 95% intervals."
    )


def horizons(prediction: PredictionResult) -> Figure:
    """Both measures of prediction over the horizon."""
    figure, axes = _axes(1, 2, 4.7, 2.8)
    for ax, measure, title in (
        (axes[0], "error", "error, as a share of persistence's"),
        (axes[1], "time_error", f"median time error of retrieval, {prediction.unit}"),
    ):
        for name, row in prediction.rows.items():
            x = [at.horizon for at in row]
            y, low, high = (np.array([getattr(getattr(at, measure), part) for at in row]) for part in ("value", "low", "high"))
            colour = COLOURS.get(name, INK)
            ax.plot(x, y, "o-", ms=4, lw=1.6, color=colour, label=name)
            ax.fill_between(x, low, high, color=colour, alpha=0.12, lw=0)
        ax.set(title=title, xlabel=f"horizon, {prediction.unit}")
        ax.set_ylim(bottom=0)
    axes[0].set_ylim(0, min(3.0, max(1.5, 1.3 * max(at.error.high for at in prediction.rows["model"]))))
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    caption = "How far ahead the model knows what comes, on episodes it never saw; lower is better. Bands are 95% intervals."
    return _save(figure, "prediction", caption)


def latent_map(gallery: Gallery) -> Figure:
    """Latents on their two main axes, coloured by where (or when) the frame was recorded."""
    centred = gallery.z - gallery.z.mean(axis=0)
    _, strength, directions = np.linalg.svd(centred, full_matrices=False)
    flat, share = centred @ directions[:2].T, np.square(strength) / np.square(strength).sum()
    figure, axes = _axes(1, 2 if gallery.place is not None else 1, 4.4, 4.0)
    if gallery.place is not None:
        colours = _corners(gallery.place)
        axes[0].scatter(*gallery.place.T, c=colours, s=5, lw=0)
        axes[0].set(title="where the frames were recorded", xlabel="x", ylabel="y", aspect="equal")
        axes[0].invert_yaxis()
        axes[1].scatter(*flat.T, c=colours, s=5, lw=0)
        by = "a colour is a true place, which the model was never told"
    else:
        dots = axes[0].scatter(*flat.T, c=gallery.when, s=5, lw=0, cmap="viridis")
        figure.colorbar(dots, label="share of the episode that has passed")
        by = "the colour is the time in the episode"
    axes[-1].set(
        title="the same frames in the latent",
        xlabel=f"first axis ({share[0]:.0%} of the variance)",
        ylabel=f"second axis ({share[1]:.0%})",
    )
    return _save(figure, "latent map", f"The latent's two main axes (PCA); each dot is a recorded frame, and {by}.")


def paths(episodes: Sequence[Imagined]) -> Figure:
    """Where the agent went beside where the plan at the start said it would go."""
    columns = min(4, len(episodes))
    figure, axes = _axes(-(-len(episodes) // columns), columns, 2.3, 2.3)
    for ax, episode in zip(axes, episodes, strict=False):
        goal, went = expect(episode.goal, "a goal"), expect(episode.real_place, "places")
        imagined = expect(episode.imagined_place, "places")
        height, width = goal.shape[:2]
        ax.imshow(goal, extent=(0, width, height, 0), alpha=0.55)
        ax.plot(*went.T, "-", color=COLOURS["model"], lw=2, label="went")
        ax.plot(*imagined.T, "o--", color=COLOURS["untrained"], ms=3.5, lw=1.2, label="imagined")
        ax.plot(*went[0], "s", color=INK, ms=5, label="start")
        ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
        ax.set_title(
            "goal held" if episode.success else "goal not held", color=COLOURS["oracle" if episode.success else "persistence"]
        )
    _hide(axes[len(episodes) :])
    axes[0].legend(loc="upper left", fontsize=7)
    caption = (
        "Where the agent went, over an image of the goal, and where the plan that it made before the first move said it would "
        "be. An imagined place is that of the recorded frame with the nearest latent."
    )
    return _save(figure, "paths", caption)


def strip(episode: Imagined, frames: int = 10) -> Figure:
    """One episode frame by frame: reality above, imagination below."""
    chosen = np.unique(np.linspace(0, len(episode.real) - 1, min(frames, len(episode.real))).astype(int))
    figure, axes = _axes(2, len(chosen), 0.95, 1.0)
    for column, at in enumerate(chosen):
        for row, panel in enumerate((episode.real[at], episode.imagined[at])):
            ax = axes[row * len(chosen) + column]
            ax.imshow(panel if panel.shape[-1] == 3 else panel[..., 0], cmap="gray")
            ax.set(xticks=[], yticks=[])
        axes[column].set_title(f"{at}")
    axes[0].set_ylabel("happened")
    axes[len(chosen)].set_ylabel("imagined")
    known = "before the first move" if episode.goal is not None else "from the first frame on, given the actions"
    caption = (
        f"One episode, block by block. Below: what the model imagined {known}. It draws no pixels, so each imagined frame is "
        "the recorded one whose latent is nearest."
    )
    return _save(figure, "strip", caption)


def _corners(place: np.ndarray) -> np.ndarray:
    """A colour for each place (n, 2): a blend of four, one for each corner."""
    x, y = ((place - place.min(axis=0)) / np.maximum(np.ptp(place, axis=0), 1e-9)).T[..., None]
    a, b, c, d = (np.array(rgb) / 255 for rgb in ((37, 99, 235), (224, 142, 11), (47, 158, 99), (180, 40, 140)))
    return (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * c + x * d)


def _axes(rows: int, columns: int, width: float, height: float):
    """A figure of (rows, columns) panels of this size in inches, and its axes in one list."""
    figure = require("matplotlib.figure", "report").Figure((columns * width, rows * height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(MUTED)
        ax.tick_params(colors=MUTED, labelsize=8)
        ax.grid(color=GRID, lw=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def _hide(axes: Sequence) -> None:
    for ax in axes:
        ax.set_axis_off()


def _save(figure, name: str, caption: str) -> Figure:
    for ax in figure.axes:
        for words, size in ((ax.title, 9), (ax.xaxis.label, 8), (ax.yaxis.label, 8)):
            words.set_fontsize(size)
        legend = ax.get_legend()
        if legend is not None:
            legend.set_frame_on(False)
            for text in legend.get_texts():
                text.set_fontsize(8)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return Figure(name, caption, file.getvalue(), int(figure.get_figwidth() * 100))
