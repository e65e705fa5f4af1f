"""The scripts of `examples/`: each runs from start to end on little data, and prints what it promises."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("lance", reason="the examples record: pip install 'armillary[all]'")
EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "compare_objectives": (
        {"episodes": 20, "steps": 4, "seeds": 1},
        ["sigreg, seed 0, model: 10 steps", "vicreg, seed 0, untrained: "],
    ),
    "evaluate_honestly": (
        {"episodes": 30, "steps": 4, "pairs": 2},
        ["development pairs, cem: ", "development pairs, mppi: ", "test pairs, ", "shuffled: ", "oracle: 100% ["],
    ),
    "import_table": (
        {"rows": 400},
        ["2 missing numbers filled: interpolate", "lag of the action        0 rows", "episode 1: ", "actions (199, 1)"],
    ),
    "own_world": ({"episodes": 30, "steps": 4, "goals": 2}, ["goals reached: ", "random actions: 0%"]),
    "predict_robot": ({"episodes": 12, "steps": 4}, ["0.5 s ahead: ", "4.0 s ahead: ", "of persistence's error"]),
    "record_train_plan": ({"episodes": 30, "steps": 4, "goals": 2}, ["goals reached: ", "random actions: ", "goal ["]),
    "resume_and_finetune": (
        {"episodes": 20, "steps": 4},
        ["interrupted", "before fine-tuning, ", "after fine-tuning, ", "of the error of predicting no change"],
    ),
    "robot_loop": ({"episodes": 30, "steps": 4, "ticks": 5, "hz": 1000}, ["5 ticks at 1000 Hz, "]),
    "sense_ablation": (
        {"episodes": 12, "steps": 4},
        ["from camera and joints, 1 s ahead: ", "from camera, ", "from joints, "],
    ),
    "watch_machine": ({"steps": 100}, [" alarms, the first at ", "flow"]),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_runs(name, tmp_path, capsys, monkeypatch):
    arguments, printed = SMALL[name]
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 2)
    monkeypatch.syspath_prepend(EXAMPLES)  # as Python does when it runs a script
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


def test_late_decisions_hold_the_last_action(monkeypatch):
    """Each decision takes two and a half ticks of a clock: two actions are held, and half a tick is waited for."""
    monkeypatch.syspath_prepend(EXAMPLES)
    robot_loop, now, sent, waits = importlib.import_module("robot_loop"), [0.0], [], []

    def act(observation):
        now[0] += 0.25
        return SimpleNamespace(values=np.full((1, 2), 0.4 * observation["count"]))

    def step(action):
        sent.append(float(action[0, 0]))
        return {"count": len(sent)}

    def sleep(seconds):
        now[0] += seconds
        waits.append(seconds)

    space = SimpleNamespace(low=(-1, -1), high=(1, 1))
    agent = SimpleNamespace(act=act, model=SimpleNamespace(spec=SimpleNamespace(action=space)))
    monkeypatch.setattr(robot_loop, "perf_counter", lambda: now[0])
    monkeypatch.setattr(robot_loop, "sleep", sleep)
    assert robot_loop.loop(agent, step, ticks=3, hz=10) == 6
    assert sent == pytest.approx([0, 0, 0, 0.4, 0.4, 0.4, 1, 1, 1])
    assert waits == pytest.approx([0.05] * 3)
