"""The page of a judged model: which figures apply, and what is shown on them."""

from pathlib import Path

import numpy as np

from armillary.episodes.store import Episodes
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.judge import Judgement
from armillary.evaluation.report import figures
from armillary.evaluation.report.animation import animate
from armillary.evaluation.report.imagined import imagined_control, imagined_recording, make_gallery, shown_stream
from armillary.evaluation.report.report import write_report
from armillary.model.world_model import WorldModel
from armillary.worlds.world import Judged

SHOWN = 4
"""Pairs, or stretches of recordings, in the animation."""


def illustrate(
    out: str | Path,
    judgement: Judgement,
    *,
    title: str,
    lead: str,
    model: WorldModel | None = None,
    episodes: Episodes | None = None,
    world: Judged | None = None,
    pairs: EvalSet | None = None,
    blocks: int = 10,
) -> Path:
    """Write `out/report.html` with every figure that the arguments allow; see `write_report`.

    Args:
        model, episodes: needed for pictures of what the model imagines; there are none where nothing that it sees can be drawn.
        world, pairs: those of `judgement.control`, whose rollouts are shown.
        blocks: action blocks of an imagined stretch of a recording.
    """
    pictures: dict[str, list[figures.Figure]] = {}
    animation = None
    if model is not None and episodes is not None and (stream := shown_stream(model.spec)):
        held_out = judgement.facts.get("held_out", [])
        place = next((s.name for s in episodes.spec.truth if s.is_tabular and s.shape[0] >= 2), None)
        gallery = make_gallery(model, episodes, np.setdiff1d(np.arange(len(episodes)), held_out), place=place)
        pictures["probes"] = [figures.latent_map(gallery)]
        rollouts = judgement.control.rollouts if judgement.control else {}
        if pairs is not None and world is not None and world.any_state and "model" in rollouts:
            far = np.argsort(-(pairs.budget if pairs.distance is None else pairs.distance), kind="stable")[: 4 * SHOWN : 4]
            shown = imagined_control(world, pairs, rollouts["model"], gallery, far, skip=model.config.skip, place=place)
            pictures["control"] = [figures.paths(shown)] if place and stream.is_picture else []
            pictures["control"].append(figures.strip(shown[0]))
        else:
            shown = imagined_recording(model, episodes, held_out, gallery, blocks, SHOWN)
            pictures["prediction"] = [figures.strip(shown[0])] if shown else []
        animation = animate(shown) if shown else None
    return write_report(out, judgement, title=title, lead=lead, figures=pictures, animation=animation)
