import json
import re

import numpy as np
import pytest
from judging_fakes import Dial

from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.judge import Judgement
from armillary.evaluation.latent.prediction import Horizon, PredictionResult
from armillary.evaluation.latent.probes import ProbeResult
from armillary.evaluation.report import report
from armillary.evaluation.report.figures import latent_map, paths, strip, training_curves
from armillary.evaluation.report.imagined import Gallery, Imagined
from armillary.evaluation.statistics import Estimate
from armillary.evaluation.surprise.discern import Discernment
from armillary.evaluation.surprise.evaluate import SurpriseResult

PNG = b"\x89PNG\r\n"


def write_report(out, *, title, lead, facts=None, figures=None, animation=None, **parts):
    judgement = Judgement(facts or {}, **parts)
    return report.write_report(out, judgement, title=title, lead=lead, figures=figures, animation=animation)


@pytest.fixture(scope="module")
def control():
    return evaluate(Dial(), make_eval_set(Dial(), 12, seed=0, rollouts=4, random_hold=1, budget=1.0))


@pytest.fixture(scope="module")
def results(control):
    at = Estimate(0.1234, 0.1, 0.2)
    row = [Horizon(1.0, at, at, at), Horizon(2.0, at, at, at)]
    prediction = PredictionResult("seconds", [3], 7, dict.fromkeys(("model", "persistence"), row), 5.5, 0.25, 8)
    probes = ProbeResult({"model": {kind: {"heading": at} for kind in ("ridge", "mlp")}}, 40, 20, ["door"])
    surprise = SurpriseResult({"model": {"wall": Discernment(at, at, at)}}, {"wall": 30}, 0)
    return {"control": control, "prediction": prediction, "probes": probes, "surprise": surprise}


def frames(seed):
    return np.random.default_rng(seed).integers(0, 255, (5, 16, 16, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def episode():
    place = np.linspace(2, 12, 10).reshape(5, 2)
    return Imagined(frames(0), frames(1), place, place + 1, frames(2)[0], True)


def test_a_report_is_one_file_that_loads_nothing(results, episode, tmp_path):
    rng = np.random.default_rng(0)
    gallery = Gallery(rng.normal(size=(30, 4)), frames(0), rng.uniform(0, 64, (30, 2)), np.linspace(0, 1, 30))
    figures = {"control": [paths([episode]), strip(episode)], "probes": [latent_map(gallery)]}
    path = write_report(tmp_path, title="A & B", lead="<lead>", facts={"seed": 3}, figures=figures, **results)
    page = path.read_text()
    assert not re.search(r'(src|href)="(?!data:)|url\(|<script|@import|https?://', page)
    assert page.count("data:image/png;base64,") == 5
    assert "A &amp; B" in page
    assert "&lt;lead&gt;" in page
    assert len(re.findall("<figcaption>[^<]{30,}", page)) == 5


def test_facts_are_lists_of_names_and_values(tmp_path):
    facts = {
        "agent": {"planner": {"name": "cem", "horizon": 5}, "habit": None},
        "stages": [{"kind": "joint"}],
        "held_out": [3, 8],
    }
    page = write_report(tmp_path, title="t", lead="l", facts=facts).read_text()
    assert not set("{}[]") & set(page.partition("<h1>")[2])
    for shown in ("<dt>horizon</dt><dd>5</dd>", "<dt>kind</dt><dd>joint</dd>", "<dd>3, 8</dd>", "<dt>habit</dt><dd>none</dd>"):
        assert shown in page


def test_every_result_is_on_the_page(results, control, tmp_path):
    page = write_report(tmp_path, title="t", lead="l", **results).read_text()
    for row in control.rows:
        assert f"<td>{row.replace('_', ' ')}</td>" in page
    for check in control.checks:
        assert check.expected.replace("'", "&#x27;") in page
    assert control.eval_set_hash in page
    assert "12% <small>[10, 20]</small>" in page
    assert "1 s ahead" in page
    assert "Never changes here, so that nothing can be asked: door" in page
    assert "class=alarm" not in page


@pytest.mark.parametrize("part", ["control", "prediction", "probes", "surprise", None])
def test_any_part_may_be_missing(results, tmp_path, part):
    headings = {"control": "Control:", "prediction": "Prediction:", "probes": "Probes:", "surprise": "Surprise:"}
    page = write_report(tmp_path, title="t", lead="l", **({part: results[part]} if part else {})).read_text()
    assert [name for name, heading in headings.items() if f"<h2>{heading}" in page] == ([part] if part else [])
    assert "Facts" in page


def test_a_red_check_raises_the_alarm(tmp_path):
    pairs = make_eval_set(Dial(), 20, seed=0, rollouts=4, random_hold=1, budget=1.0)
    result = evaluate(Dial(wraps=True), pairs)
    page = write_report(tmp_path, title="t", lead="l", control=result).read_text()
    assert "class=alarm" in page
    assert page.count("<li class=red>") == sum(not check.ok for check in result.checks) >= 1


def test_training_curves_come_from_the_metrics_beside_it(tmp_path):
    lines = [{"step": s, "seconds": s / 10, "stage": "joint" if s < 30 else "dynamics", "loss": 1 / (s + 1)} for s in range(60)]
    lines.insert(30, {"step": 30, "seconds": 3.0, "stage": "joint", "effective_rank": 4.0})
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_report(tmp_path, title="t", lead="l").read_text()
    assert "<h2>Training" in page
    assert "the next stage begins (joint, dynamics)" in page
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "sec')
    with pytest.raises(ArmillaryError, match=r"metrics\.jsonl"):
        write_report(tmp_path, title="t", lead="l")


def test_curves_of_one_stage_that_was_never_validated():
    figure = training_curves([{"step": 1, "seconds": 1.0, "stage": "joint", "loss": 0.5, "prediction": 0.2}])
    assert figure.data.startswith(PNG)
    assert "stage" not in figure.caption


def test_a_latent_without_places_is_coloured_by_time():
    figure = latent_map(Gallery(np.random.default_rng(0).normal(size=(20, 3)), frames(0), None, np.linspace(0, 1, 20)))
    assert figure.data.startswith(PNG)
    assert "time in the episode" in figure.caption


def test_the_animation_lies_beside_the_page_too(tmp_path, episode):
    from armillary.evaluation.report.animation import animate

    film = animate([episode])
    page = write_report(tmp_path, title="t", lead="l", animation=film).read_text()
    assert (tmp_path / "animation.gif").read_bytes() == film
    assert "data:image/gif;base64," in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["animation.gif", "report.html"]


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArmillaryError, match="cannot be written"):
        write_report(tmp_path / "file" / "run", title="t", lead="l")


@pytest.mark.parametrize(
    "text",
    [
        b"[1]",
        b"3",
        b"null",
        b'{"step": 1}',
        b'{"stage": [], "seconds": 1}',
        b'{"stage": "a", "seconds": "1"}',
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps({"stage": "a", "seconds": 1} | {str(i): i for i in range(5000)}).encode(),
    ],
)
def test_a_log_that_is_no_log_of_training_is_refused_by_line(text, tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(text)
    with pytest.raises(CorruptFile, match=r"metrics\.jsonl"):
        write_report(tmp_path, title="", lead="")


def test_what_is_no_number_in_a_log_is_left_out(tmp_path):
    lines = [{"stage": "a", "seconds": s, "loss": 1 / s, "note": "x", "absent": None, "list": [1]} for s in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "Training" in write_report(tmp_path, title="", lead="").read_text()
