"""The scripts of `examples/`: each runs from start to end on little data, and prints what it promises."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("lance", reason="the examples record: pip install 'armillary[all]'")
EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "compare_objectives": (
        {"episodes": 20, "steps": 4, "seeds": 1},
        ["sigreg, seed 0, model: 10 steps", "vicreg, seed 0, untrained: "],
    ),
    "predict_robot": ({"episodes": 12, "steps": 4}, ["0.5 s ahead: ", "4.0 s ahead: ", "of persistence's error"]),
    "record_train_plan": ({"episodes": 30, "steps": 4, "goals": 2}, ["goals reached: ", "random actions: ", "goal ["]),
    "watch_machine": ({"steps": 100}, [" alarms, the first at ", "flow"]),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_runs(name, tmp_path, capsys, monkeypatch):
    arguments, printed = SMALL[name]
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 2)
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(tmp_path / "out", **arguments)
    said = capsys.readouterr().out
    assert all(part in said for part in printed), said


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert f"python examples/{path.name} --out " in text
