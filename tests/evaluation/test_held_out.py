"""Nothing that is judged on held-out episodes has learned from them, nor from what lies in the gap before them."""

from unittest.mock import Mock

import numpy as np
import pytest
from linear_model import LinearModel

from armillary.acting.agent import Agent
from armillary.episodes.store import Episode, Episodes
from armillary.evaluation import judge as judging
from armillary.evaluation.judge import Judgement, judge
from armillary.evaluation.run import evaluate_run
from armillary.planning import CEM
from armillary.spec import Spec, Stream
from armillary.suite import methods as comparing
from armillary.worlds.world import WORLDS


def test_habits_and_probes_learn_from_what_the_model_learned_from(tmp_path, monkeypatch):
    learned = []
    model = LinearModel()
    model.provenance = {"held_out": [1, 4], "left_out": [3]}
    store = store_with_truth(tmp_path / "store", [np.linspace(0, 1, 30)] * 6)
    monkeypatch.setattr(comparing, "train_habit", lambda *given, which, **_: learned.append(list(which)) or Mock(context=1))
    monkeypatch.setattr(judging, "probe", lambda model, episodes, train, held, **_: learned.append(list(train)))
    comparing.methods(Agent(model, CEM(), "auto", seed=0), store, 0)
    judge(model, episodes=store, held_out=[1, 4])
    assert len(learned) == 1 + len(comparing.HABITS)
    assert all(which == [0, 2, 5] for which in learned)


def store_with_truth(path, truths) -> Episodes:
    """The linear model's stream, wandering, and a number of truth in each row."""
    spec = Spec((Stream("position", "vector", (2,)), Stream("load", "vector", (1,), truth=True)), LinearModel().spec.action)
    store, rng = Episodes.create(path, spec), np.random.default_rng(0)
    for truth in truths:
        actions = rng.uniform(-1, 1, (len(truth) - 1, 2)).astype(np.float32)
        places = np.concatenate([np.zeros((1, 2)), actions.cumsum(0)]).astype(np.float32)
        store.append(Episode({"position": places}, actions, {"load": np.asarray(truth, np.float32)[:, None]}))
    return store


@pytest.mark.parametrize("rows", [30, 5])
def test_truth_that_never_changes_and_short_held_out_episodes_cost_their_numbers_alone(rows, tmp_path, capsys, monkeypatch):
    store, model = store_with_truth(tmp_path / "store", [np.ones(rows)] * 5), LinearModel()
    model.provenance = {"held_out": [1], "recording": store.path, "recording_hash": store.content_hash(), "seed": 0}
    monkeypatch.setattr("armillary.evaluation.run.open_run", lambda *_: (model, store))
    (tmp_path / "run").mkdir()
    evaluate_run(tmp_path / "run", pairs=0, device="cpu")
    summary = Judgement.load(tmp_path / "run" / "results.json").summary()
    assert "probe_r2" not in summary
    said = capsys.readouterr().err
    if rows == 30:
        assert "prediction_error_share_16_steps" in summary
        assert not said
    else:
        assert [name for name in summary if "error_share" in name] == [
            "prediction_error_share_2_steps",
            "prediction_error_share_4_steps",
        ]
        assert "no prediction 8 and 16 steps ahead is judged" in said


def test_without_pairs_nobody_asks_for_the_world_of_the_recording(tmp_path, monkeypatch):
    store, model = store_with_truth(tmp_path / "store", [np.ones(30)] * 5), LinearModel()
    store.info["world"] = "cube"
    model.provenance = {"held_out": [1], "recording": store.path, "recording_hash": store.content_hash(), "seed": 0}
    monkeypatch.setattr("armillary.evaluation.run.open_run", lambda *_: (model, store))
    monkeypatch.setitem(WORLDS, "cube", ("nowhere:Cube", "no_such_package", "cube"))
    (tmp_path / "run").mkdir()
    assert evaluate_run(tmp_path / "run", pairs=0, device="cpu").control is None
