"""From a recording to a checkpoint: what is held out teaches nothing."""

from dataclasses import replace

import pytest
from training_fakes import STAGES, new_model, record

from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError
from armillary.latents import learned_from
from armillary.training import fit as fitting
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES, Recipe, recipe_named


def test_a_model_is_trained_on_no_held_out_episode(tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(fitting, "Clips", lambda *given, **how: used.append(Clips(*given, **how)) or used[-1])
    recipe = Recipe(new_model().config, (replace(STAGES[0], steps=1),))
    store = record(tmp_path / "store")
    model = fitting.fit(store, tmp_path / "run", recipe, TrainConfig(progress=False), held_out=6, device="cpu")
    held = model.provenance["held_out"]
    assert len(held) == 6
    assert set(used[0].which) == set(range(24)) - set(held)
    assert learned_from(model, store).tolist() == used[0].which.tolist()


def test_a_recipe_may_be_given_by_name(tmp_path):
    with pytest.raises(ArmillaryError, match=r"expected a recipe of two_room, .*, got 'tow_room'"):
        fitting.fit(record(tmp_path / "store"), tmp_path / "run", "tow_room")
    assert recipe_named("two_room") is RECIPES["two_room"]
