"""One page that shows what was measured: `report.html`, a single file that needs nothing else, and loads nothing from anywhere.

Every part is optional: a robot's recording has no control section, and a first look may have prediction alone. Every number
stands beside its interval and beside what it has to beat, and every figure has a sentence that says what it shows.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from armillary import __version__
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.control.evaluate import ControlResult
from armillary.evaluation.judge import Judgement
from armillary.evaluation.latent.prediction import PredictionResult
from armillary.evaluation.latent.probes import ProbeResult
from armillary.evaluation.report.figures import Figure, horizons, ladder, training_curves
from armillary.evaluation.report.page import bar, document, figure, number, percent, section, table, text
from armillary.evaluation.report.page import facts as as_list
from armillary.evaluation.surprise.evaluate import SurpriseResult
from armillary.files import parse_json, write_whole

MEASURES = 200
"""Names in a log of training, at most; there is a curve for each."""
ROWS = {
    "do_nothing": "never acts; shows that no goal is reached by waiting",
    "random": "acts at random; shows that no goal is reached by luck",
    "oracle": "the world's own expert, which knows the true state; shows that every goal can be reached",
    "untrained": "the same, with a network that has learned nothing",
    "shuffled": "the same model and planner with actions shuffled: it cannot know what an action leads to",
    "model": "the learned model, from what it sees alone",
    "persistence": "nothing changes: the last frame is the forecast",
    "chance": "any frame of the episode",
    "pixels": "the raw image at 16 x 16, without a model",
    "frame difference": "how much the pixels change from frame to frame, without a model",
    "copy last": "how much the latent changes from frame to frame",
    "constant velocity": "how much the latent's change changes from frame to frame",
}


def write_report(
    out: str | Path,
    judgement: Judgement,
    *,
    title: str,
    lead: str,
    figures: Mapping[str, Sequence[Figure]] | None = None,
    animation: bytes | None = None,
) -> Path:
    """Write `out/report.html`, and the animation beside it as `animation.gif`.

    Training curves are drawn from `out/metrics.jsonl` where that is there.

    Args:
        title, lead: what this is, in a few words and in a sentence or two.
        figures: further figures by section: control, prediction, probes, surprise, training.
        animation: a GIF of `animate`, shown at the top.

    Raises:
        MissingExtra: matplotlib is not installed.
        ArmillaryError: the folder cannot be written to, or metrics.jsonl is no such file.
    """
    out, more = Path(out), {name: list(some) for name, some in (figures or {}).items()}
    control, prediction, probes = judgement.control, judgement.prediction, judgement.probes
    metrics = _metrics(out / "metrics.jsonl")
    sections = [_animation(animation, bool(more.get("control")))] if animation else []
    if control:
        ladders = [ladder(control)] if control.rows["random"].ladder else []
        sections.append(_control(control, [*ladders, *more.get("control", [])]))
    if prediction:
        sections.append(_prediction(prediction, [horizons(prediction), *more.get("prediction", [])]))
    if probes or more.get("probes"):
        sections.append(_probes(probes, more.get("probes", [])))
    if judgement.surprise:
        sections.append(_surprise(judgement.surprise, more.get("surprise", [])))
    curves = [training_curves(metrics)] if metrics else []
    if curves or more.get("training"):
        intro = "What was minimised, and the signs of health that no loss shows."
        sections.append(section("Training", intro, "", curves + more.get("training", [])))
    sections.append(section("Facts", "All that is needed to do it again.", _facts(judgement.facts, control), []))
    body = f"<h1>{text(title)}</h1><p class=lead>{text(lead)}</p>{_tiles(control, prediction, probes)}{''.join(sections)}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if animation:
            write_whole(out / "animation.gif", animation)
        write_whole(out / "report.html", document(title, body).encode())
    except OSError as error:
        raise ArmillaryError(f"{out}: the report cannot be written there ({error.strerror})") from error
    return out / "report.html"


def _tiles(control: ControlResult | None, prediction: PredictionResult | None, probes: ProbeResult | None) -> str:
    """The few numbers to begin with."""
    tiles = []
    if control and "model" in control.rows:
        model, random = control.rows["model"], control.rows["random"].success
        tiles.append((percent(model.success), f"of {control.pairs} goals reached and held (random: {random.value:.0%})"))
        if model.decision_ms_median is not None:
            tiles.append((f"{model.decision_ms_median:.1f} ms", "for a decision (median), encoding included"))
    if prediction:
        last = prediction.rows["model"][-1]
        tiles.append((percent(last.error), f"of persistence's error, {last.horizon:g} {prediction.unit} ahead"))
        tiles.append(
            (f"{prediction.effective_rank:.1f} / {prediction.latent}", "dimensions of the latent in use (effective rank)")
        )
    if probes and probes.r2:
        name, best = max(probes.r2["model"]["ridge"].items(), key=lambda item: item[1].value)
        tiles.append((number(best), f"R2 of the true {name}, read off the latent by a straight line"))
    return f"<div class=tiles>{''.join(f'<div class=tile><b>{a}</b><span>{text(b)}</span></div>' for a, b in tiles)}</div>"


def _animation(animation: bytes, goals: bool) -> str:
    if goals:
        caption = (
            "The agent is shown only an image of its goal. In the middle is what happened; on the right, what the model "
            "imagined before the first move."
        )
    else:
        caption = "On the left is what happened; on the right, what the model imagined from the first frame, given the actions."
    caption += " It draws no pixels: each imagined frame is the recorded one whose latent is nearest to the imagined latent."
    width = int.from_bytes(animation[6:8], "little")  # of the GIF's header
    return f"<section>{figure(Figure('animation', caption, animation, width))}</section>"


def _control(control: ControlResult, figures: list[Figure]) -> str:
    head = ["", "held at the end", "touched", "SPL", "score", "decision, ms", "model calls"]
    body = []
    for name, row in control.rows.items():
        timed = row.decision_ms_median is not None
        spent = f"{row.decision_ms_median:.1f} <small>p95 {row.decision_ms_p95:.1f}</small>" if timed else ""
        known = ["" if estimate is None else number(estimate) for estimate in (row.spl, row.score)]
        estimates = [percent(row.success) + bar(row.success), percent(row.first_touch), *known]
        body.append((name, [*estimates, spent, row.model_calls or ""]))
    intro = (
        f"{control.pairs} pairs of start and goal from the world's own sampler, under a seed that no recording used. A goal "
        f"counts only if the agent is there, by the world's true state, on each of the last {control.hold} steps of its "
        f"budget, which is always run to the end ({control.rule}; {control.budget_mean:.1f} steps on average)."
    )
    alarm = "" if control.ok else "<p class=alarm>A check of the judging itself is red: trust no number in this table.</p>"
    checks = "".join(
        f"<li{'' if check.ok else ' class=red'}>{text(check.expected)} <small>({check.value:.3g})</small></li>"
        for check in control.checks
    )
    notes = (
        "Touched counts a goal that was passed at some moment, which is no success. SPL weighs a success by the shortest path "
        "over the steps that it took. Score is (row - random) / (oracle - random). A decision is timed for one pair at a time, "
        "encoding included. Brackets are 95% intervals. Checks of the judging itself:"
    )
    notes = " ".join([*control.left_out, notes])
    content = f"{alarm}{table(head, body)}<p class=note>{notes}</p><ul class=checks>{checks}</ul>{_glossary(control.rows)}"
    return section("Control: does it reach its goals?", intro, content, figures)


def _prediction(prediction: PredictionResult, figures: list[Figure]) -> str:
    timed = prediction.unit == "seconds"
    ahead = [
        f"{at.horizon:g} {'s' if timed else 'step' if at.horizon == 1 else 'steps'} ahead" for at in prediction.rows["model"]
    ]
    content = ""
    for label, show in (
        ("Error, as a share of persistence's", lambda at: percent(at.error)),
        (f"Retrieval: median time error, {prediction.unit}", lambda at: number(at.time_error)),
        (f"Retrieval: {'within 0.1 s' if timed else 'the very frame'}", lambda at: percent(at.near)),
    ):
        rows = [(name, [show(at) for at in row]) for name, row in prediction.rows.items()]
        content += table([label, *ahead], rows)
    intro = (
        f"From {prediction.starts} moments of {len(prediction.episodes)} held-out episodes, the model gets the actions that "
        "were taken and predicts latents, open loop. Retrieval asks which frame of the episode is nearest to the prediction, "
        "and how far it is in time from the right one: a collapsed latent, in which all frames are alike, does as badly "
        "as chance."
    )
    used = (
        f"The latent has {prediction.latent} dimensions; its effective rank on these frames is "
        f"{prediction.effective_rank:.1f}, and {prediction.dead_share:.0%} of its dimensions are dead. Brackets are 95% "
        "intervals."
    )
    content += f"<p class=note>{used}</p>{_glossary(prediction.rows)}"
    return section("Prediction: does it know what comes?", intro, content, figures)


def _probes(probes: ProbeResult | None, figures: list[Figure]) -> str:
    intro, content = "What the latent holds, without labels in training.", ""
    if probes and probes.r2:
        streams = list(probes.r2["model"]["ridge"])
        head = ["R2 of", *(f"{text(stream)},<br>{kind}" for stream in streams for kind in ("ridge", "network"))]
        kinds = ("ridge", "mlp")
        body = [(name, [number(by[kind][s]) for s in streams for kind in kinds]) for name, by in probes.r2.items()]
        intro += (
            f" A straight line (ridge regression) and a small network are fitted to {probes.train_frames} frames of training "
            f"episodes, and scored on {probes.held_out_frames} frames of held-out ones: the share of variance explained."
        )
        content = f"{table(head, body)}{_glossary(probes.r2)}"
        if probes.constant:
            content += (
                f"<p class=note>Never changes here, so that nothing can be asked: {text(', '.join(probes.constant))}.</p>"
            )
    return section("Probes: what does it know?", intro, content, figures)


def _surprise(surprise: SurpriseResult, figures: list[Figure]) -> str:
    intro = (
        "Sets of four clips: two possible ones, and two that are the same up to an event that is impossible. The share of sets "
        "whose impossible clips surprise more in sum, the share of pairs that begin alike in which the impossible clip does "
        "(50% is chance in both), and how well single clips are told apart by their greatest surprise (AUROC; 0.5 is chance). "
        "The other rows need no understanding: what one of them tells apart says nothing of the model."
    )
    count = f"{min(surprise.scenes.values())} scenes of four clips for each property."
    if surprise.networks:
        count += f" Untrained is the mean of {surprise.networks} networks."
    rows = surprise.rows.items()
    sets = [(scorer, [percent(row[name].relative) for name in surprise.scenes]) for scorer, row in rows]
    pairs = [(scorer, [percent(row[name].pairs) for name in surprise.scenes]) for scorer, row in rows]
    single = [(scorer, [number(row[name].auroc) for name in surprise.scenes]) for scorer, row in rows]
    measures = {"sets": sets, "pairs": pairs, "AUROC": single}
    content = "".join(table([name, *surprise.scenes], lines) for name, lines in measures.items())
    content += f"<p class=note>{count} Brackets are 95% intervals.</p>{_glossary(surprise.rows)}"
    return section("Surprise: does it notice what cannot happen?", intro, content, figures)


def _facts(facts: Mapping[str, Any], control: ControlResult | None) -> str:
    rows = dict(facts)
    if control:
        rows["evaluation set"] = f"{control.eval_set_hash}, made under seed {control.eval_set_seed}"
        rows["world"] = f"{control.world} {control.version}"
    rows["armillary"] = __version__
    return as_list(rows)


def _glossary(rows: Mapping[str, Any]) -> str:
    return (
        "<dl>" + "".join(f"<dt>{text(n.replace('_', ' '))}</dt><dd>{text(ROWS[n])}</dd>" for n in rows if n in ROWS) + "</dl>"
    )


def _metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a training's log: its stage, seconds, and whatever else is a number."""
    metrics, names = [], set()
    for at, content in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
        line = parse_json(content, f"{path}, line {at}")
        if not isinstance(line, dict) or not isinstance(line.get("stage"), str) or not _is_number(line.get("seconds")):
            raise CorruptFile(f"{path}, line {at}: expected a JSON object with stage and seconds, as training writes")
        metrics.append({name: value for name, value in line.items() if name == "stage" or _is_number(value)})
        names |= metrics[-1].keys()
    if len(names) > MEASURES:
        raise CorruptFile(f"{path}: {len(names)} names of numbers, and a training logs {MEASURES} at most")
    return metrics


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
