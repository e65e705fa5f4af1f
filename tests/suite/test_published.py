"""Published tables say what the raw results say."""

import json
from pathlib import Path

import pytest

from armillary.errors import ArmillaryError, CorruptFile
from armillary.suite.published import BLOCKS, PAGES, figures, render

ROOT = Path(__file__).parents[2]


def test_pages_agree_with_the_raw_results():
    differ = figures([ROOT / page for page in PAGES], ROOT / "results", check=True)
    assert not differ, "run: armillary bench figures"


@pytest.fixture
def page(tmp_path):
    """A page with one block, as the results have it."""
    path = tmp_path / "page.md"
    path.write_text("before\n\n<!-- figures: planners -->\n<!-- end of figures -->\n\nafter\n")
    assert figures([path], ROOT / "results") == [path]
    return path


def test_a_block_is_written_and_the_rest_stays(page):
    text = page.read_text()
    assert text.startswith("before\n\n<!-- figures: planners -->\n\n|")
    assert text.endswith("|\n\n<!-- end of figures -->\n\nafter\n")
    assert figures([page], ROOT / "results") == []


def test_a_digit_that_was_changed_is_found(page):
    text = page.read_text()
    page.write_text(text.replace("99.0", "99.5", 1))
    assert figures([page], ROOT / "results", check=True) == [page]
    assert "99.5" in page.read_text()  # checking changes nothing
    figures([page], ROOT / "results")
    assert page.read_text() == text


def test_what_cannot_be_made_is_said(page, tmp_path):
    with pytest.raises(ArmillaryError, match=r"planners\.json: the raw results cannot be read"):
        figures([page], tmp_path)
    page.write_text(page.read_text().replace("figures: planners", "figures: moods"))
    with pytest.raises(ArmillaryError, match="no block of figures 'moods'; expected one of"):
        figures([page], ROOT / "results")


def test_every_block_is_on_a_page():
    shown = "".join((ROOT / page).read_text() for page in PAGES)
    assert [name for name in BLOCKS if f"<!-- figures: {name} -->" not in shown] == []


def test_a_table_is_of_one_machine(tmp_path):
    rows = {side: {"installed": {"megabytes": 10, "packages": 2}} for side in ("theirs", "ours")}
    case = {"unit": "s", "machine": "A", "cores": {"1": {"ratios": {}, "rows": rows}}}
    raw = tmp_path / "peer_swm.json"
    raw.write_text(json.dumps({"cases": {"import": case}}))
    assert render("peer", tmp_path).startswith("Machine: A.")
    raw.write_text(json.dumps({"cases": {"import": case, "plan": {**case, "machine": "B"}}}))
    with pytest.raises(CorruptFile, match="several machines: A; B"):
        render("peer", tmp_path)


def test_a_task_without_an_expert_has_no_cell_for_it(tmp_path):
    rows = {row: {"success": {"value": 0.5, "low": 0.4, "high": 0.6}} for row in ("model", "random", "untrained", "shuffled")}
    cloning = {"behaviour_cloning": rows["model"]}
    car = {"tuned_on": True, "runs": {"0": {"pairs": 50, "rows": {**rows, **cloning}}}}
    assert render("vectors", tmp_path) == "Not run yet."
    (tmp_path / "vectors.json").write_text(json.dumps({"car": car}))
    (line,) = render("vectors", tmp_path).splitlines()[2:]
    assert line == "| car, tuned on, 1 x 50 | 50.0 [40, 60] | 50.0 [40, 60] |  | 50.0 / 50.0 / 50.0 |"
