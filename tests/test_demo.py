"""The demo from end to end, small: 30 episodes and a few steps, so that it shows the way and not how well it is learned."""

import json
from dataclasses import replace

import pytest

from armillary import demo as module
from armillary.demo import WRITTEN, demo
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.own_run import clear_run
from armillary.training.folder import one_writer

pytest.importorskip("lance", reason="the demo records: pip install 'armillary[all]'")


@pytest.fixture
def small(monkeypatch):
    recipe = module.RECIPES["two_room"]
    stages = tuple(replace(stage, steps=6) for stage in recipe.stages)
    monkeypatch.setattr(module, "RECIPES", {"two_room": replace(recipe, model=replace(recipe.model, width=8), stages=stages)})
    record = module.record
    monkeypatch.setattr(module, "record", lambda *args, **more: record(*args, **{**more, "episodes": 30}))
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 3)


def test_the_demo_leaves_all_that_it_promises(small, tmp_path):
    out = tmp_path / "demo"
    judgement = demo(out, pairs=4, seed=3, progress=False)
    assert {path.name for path in out.iterdir()} == {
        *("recording", "model.safetensors", "metrics.jsonl", "pairs.json", "results.json", "report.html", "animation.gif")
    }
    results = json.loads((out / "results.json").read_text())
    assert results["wall_seconds"] > results["train_seconds"] > 0
    assert (results["episodes"], results["success_oracle"], results["seed"]) == (4, 1, 3)
    assert results["recording_seed"] == 3
    assert "cross=True" in judgement.control.rule
    assert len(Episodes.open(out / "recording")) == 30
    (out / "thesis").write_text("not of a demo")
    (out / "cache").mkdir()
    (out / "cache" / "mine").write_text("not of a demo")
    clear_run(out, f"armillary demo --out {out.resolve()}", WRITTEN)
    assert {path.name for path in out.iterdir()} == {"recording", "thesis", "cache"}
    assert (out / "cache" / "mine").exists()
    (tmp_path / "elsewhere").mkdir()
    (out / "recording").rename(tmp_path / "elsewhere" / "recording")
    with pytest.raises(ArmillaryError, match="has not made there"):
        demo(tmp_path / "elsewhere", progress=False)


def test_the_demo_replaces_nothing_but_a_demo(tmp_path):
    (tmp_path / "d" / "recording").mkdir(parents=True)
    (tmp_path / "d" / "thesis").write_text("x")
    with pytest.raises(ArmillaryError, match="has not made there"):
        demo(tmp_path / "d", progress=False)
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"recording", "thesis"}


def test_a_folder_has_one_demo(tmp_path):
    with one_writer(tmp_path / "demo", "demo.lock"), pytest.raises(ArmillaryError, match="runs a demo there; wait"):
        demo(tmp_path / "demo", progress=False)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("seed", [-1, 10_000])
def test_the_demo_keeps_off_the_seeds_of_evaluation(seed, tmp_path):
    with pytest.raises(ArmillaryError, match="for evaluation"):
        demo(tmp_path / "demo", seed=seed, progress=False)
    assert not (tmp_path / "demo").exists()
