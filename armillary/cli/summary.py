"""What `eval` and `demo` print: the results of a run in words, in percent, with 95% intervals."""

from pathlib import Path
from typing import Any

from armillary.evaluation.judge import Judgement

ROWS = ("random", "untrained", "shuffled", "oracle")
"""Of the table of control, beside the model."""


def show(judgement: Judgement, run: Path) -> dict[str, Any]:
    """Print what was measured, and return the numbers."""
    for line in summary_lines(judgement):
        print(line)
    page = run / "report.html"
    print(f"report: {page}")
    return {**judgement.summary(), "report": page}


def summary_lines(judgement: Judgement) -> list[str]:
    """A line for each result; intervals are 95% intervals."""
    lines = []
    if control := judgement.control:
        model = control.rows["model"]
        beside = [f"{name} {control.rows[name].success.percent()}" for name in ROWS if name in control.rows]
        lines.append(f"goals reached and held: {model.success.percent()} of {control.pairs} ({', '.join(beside)})")
        lines.append(f"goals touched at some time: {model.first_touch.percent()}")
        if model.spl is not None:
            lines.append(f"path efficiency (SPL): {model.spl.percent()}")
        lines += control.left_out
        if model.decision_ms_median is not None:
            lines.append(
                f"time of a decision: {model.decision_ms_median:.1f} ms (median), {model.decision_ms_p95:.1f} ms (p95)"
            )
        if not control.ok:
            lines.append("a check of the evaluation itself failed: do not trust these numbers; the report names the check")
    if prediction := judgement.prediction:
        for at in prediction.rows["model"]:
            ahead = f"{at.horizon:g} {prediction.unit} ahead"
            lines.append(f"prediction error {ahead}: {at.error.percent()} of the error of predicting no change")
        used = f"{prediction.effective_rank:.1f} of {prediction.latent}"
        lines.append(f"dimensions of the latent in use (effective rank): {used}, {prediction.dead_share:.0%} dead")
    if judgement.probes and judgement.probes.r2:
        for name, r2 in judgement.probes.r2["model"]["mlp"].items():
            lines.append(f"variance of the true {name} explained by the latent: {r2.percent()}")
    return [*lines, "brackets: 95% intervals"] if lines else ["nothing could be evaluated: no held-out episode is long enough"]
