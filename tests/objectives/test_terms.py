"""A term of somebody else's: one file in a package with an entry point, and no change here."""

import sys

import pytest
import torch
from small_models import random_batch, small_model

from armillary import objectives, plugins
from armillary.errors import ArmillaryError, PluginError
from armillary.model.world_model import WorldModel
from armillary.objectives.prediction import Prediction
from armillary.training.recipes import RECIPES

SMALL_STEPS = """
from dataclasses import dataclass
from torch import nn
from armillary.objectives.term import Term, TermConfig

class SmallStepsLoss(Term):
    def __init__(self, latent, power):
        super().__init__()
        self.scale, self.power = nn.Linear(latent, 1, bias=False), power

    def loss(self, view):
        return {"small_steps": (self.scale(view.moving.diff(dim=1)).abs() ** self.power).mean()}

@dataclass(frozen=True)
class SmallSteps(TermConfig):
    power: int = 2

    def build(self, latent, action):
        return SmallStepsLoss(latent, self.power)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "package"
    (folder / "slow-1.0.dist-info").mkdir(parents=True)
    (folder / "slow.py").write_text(SMALL_STEPS)
    (folder / "slow-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (folder / "slow-1.0.dist-info" / "entry_points.txt").write_text(
        "[armillary.objectives]\nsmall_steps = slow:SmallSteps\nother = slow:SmallStepsLoss\nbroken = slow:Nothing\n"
    )
    monkeypatch.syspath_prepend(folder)
    plugins._entries.cache_clear()
    yield folder
    sys.modules.pop("slow", None)
    plugins._entries.cache_clear()


def test_it_is_found_trained_and_saved_by_its_name(package, tmp_path, monkeypatch):
    config = objectives.get("small_steps")(0.5, power=1)
    model = small_model(objective={"prediction": Prediction(rollout=2), "small_steps": config})
    losses = model.losses(random_batch())
    torch.testing.assert_close(losses["loss"], losses["prediction"] + 0.5 * losses["small_steps"])
    losses["loss"].backward()
    assert model.terms["small_steps"].scale.weight.grad.abs().max() > 0
    model.save(tmp_path / "model")
    assert WorldModel.load(tmp_path / "model", "cpu").config.objective["small_steps"] == config
    with pytest.warns(UserWarning, match="'broken'"):
        assert RECIPES["robot"].with_every_term().model.objective["small_steps"].weight == 0
    # Where the package is not installed, the name is said.
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(package)])
    plugins._entries.cache_clear()
    with pytest.raises(PluginError, match="objective 'small_steps' is none of contrast, critic,"):
        WorldModel.load(tmp_path / "model", "cpu")


def test_what_is_no_term_is_refused(package):
    for name in ("term", "os", "__init__", ""):
        with pytest.raises(PluginError, match=f"objective '{name}' is none of"):
            objectives.get(name)
    with pytest.raises(ArmillaryError, match=r"'other' is registered as .*; expected a class of TermConfig"):
        objectives.get("other")
    with pytest.raises(ArmillaryError, match=r"'broken' of slow cannot be imported \(AttributeError"):
        objectives.get("broken")
    with pytest.raises(ArmillaryError, match="expected a weight of 0 or more, got -1"):
        Prediction(-1)


def test_a_term_of_weight_0_is_left_out_of_the_model_and_its_file(tmp_path):
    model = small_model(objective=RECIPES["robot"].with_every_term().model.objective)
    assert list(model.terms) == list(model.config.objective) == ["prediction", "sigreg"]
