"""A recording without actions, such as plain sensors: stored, examined, learned, judged, loaded; and never planned with."""

import numpy as np
import pytest
import torch
from episode_fakes import assert_equal

from armillary.acting.agent import Agent
from armillary.episodes.clips import Clips
from armillary.episodes.doctor import diagnose
from armillary.episodes.split import split
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.planning import CEM
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig

SPEC = Spec((Stream("sensors", "vector", (4,)),), NO_ACTION, rate=10.0)


def turning(seed: int, rows: int = 60) -> Episode:
    """Two pendulums at their own pace: what comes next follows from what is seen."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2) + np.outer(np.arange(rows), [0.3, 0.5])
    sensors = np.hstack([np.sin(phase), np.cos(phase)]).astype(np.float32)
    return Episode({"sensors": sensors}, np.empty((rows - 1, 0), np.float32))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    store = Episodes.create(tmp_path_factory.mktemp("free") / "store", SPEC)
    store.append(*map(turning, range(20)))
    return store


def test_it_is_stored_and_read(recording):
    store = Episodes.open(recording.path)
    assert store.spec == SPEC
    assert Spec.from_json(SPEC.to_json()) == SPEC
    assert_equal(store.episode(3), turning(3))
    assert store.actions().shape == (20 * 60, 0)
    batch = Clips(store, 4, skip=2).sample(5, np.random.default_rng(0))
    assert batch.actions.shape == (5, 3, 0)
    with pytest.raises(SpecMismatch, match=r"action space: expected box\(2\), the recording has none\(0\)"):
        Spec(SPEC.streams, ActionSpace("box", 2)).check(SPEC)


def test_the_doctor_does_not_ask_for_actions(recording):
    report = diagnose(recording, parts=split(recording, 0.2))
    assert {row.check for row in report.rows} >= {"episode length", "constant channels", "state coverage"}
    assert not any("action" in row.check for row in report.rows)
    assert report.verdict != "fail"


@pytest.mark.parametrize("predictor", ["mlp", "gru", "transformer"])
def test_it_is_learned(recording, tmp_path, predictor):
    context = 1 if predictor == "mlp" else 2
    shape = {"predictor_width": 32, "predictor_depth": 1, "predictor_heads": 2, "dropout": 0.0}
    config = ModelConfig(
        latent=8,
        predictor=predictor,
        context=context,
        objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg()},
        **shape,
    )
    recipe = Recipe(config, (StageConfig("joint", steps=150, learning_rate=3e-3), StageConfig("critic", steps=5)))
    model = fit(recording, tmp_path, recipe, TrainConfig(progress=False), held_out=0.2, device="cpu")
    held = model.provenance["held_out"]
    result = evaluate_prediction(model, recording, held, [0.5])
    assert result.rows["model"][0].error.high < 0.3  # of persistence's
    loaded = WorldModel.load(tmp_path, "cpu")
    z = loaded.encode({"sensors": torch.from_numpy(turning(99).observations["sensors"])[None]})
    torch.testing.assert_close(loaded.surprise(z, torch.empty(1, 59, 0)), model.surprise(z, torch.empty(1, 59, 0)))
    with pytest.raises(ArmillaryError, match="trained without actions"):
        Agent(loaded, CEM())


def test_what_needs_actions_says_so():
    with pytest.raises(ArmillaryError, match=r"objective.inverse.weight > 0 needs a recording with actions"):
        WorldModel(SPEC, ModelConfig(objective={"prediction": Prediction(), "sigreg": SIGReg(), "inverse": Inverse()}))
    with pytest.raises(ArmillaryError, match="kind none has no numbers"):
        ActionSpace("none", 2)
    with pytest.raises(ArmillaryError, match=r"expected 0 numbers an action, got shape \(3, 2\)"):
        NO_ACTION.check(np.zeros((3, 2)))
