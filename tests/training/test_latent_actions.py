"""Actions that are inferred from a few that are known: right, within bounds, in their rows, and unsure where they should be."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_fakes import SPEC, record

from armillary.episodes.clips import Clips
from armillary.episodes.merge import merge
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream
from armillary.training.latent_actions import InverseConfig, fit_inverse, infer_actions

CONFIG = InverseConfig(members=2, width=64, steps=150, batch=128, learning_rate=1e-2)
PLACE = Spec((SPEC["place"],), SPEC.action)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return record(tmp_path_factory.mktemp("labelled") / "store")


def model_of(spec: Spec, store: Episodes, skip: int = 1) -> WorldModel:
    """An untrained encoder of a place keeps it."""
    torch.manual_seed(0)
    model = WorldModel(spec, ModelConfig(latent=8, projector=64, predictor_width=16, skip=skip))
    clips = Clips(store, 3, skip=skip, streams=["place"])
    model.fit_scales(clips[:])
    return model.eval()


def without_actions(store: Episodes, path, change=lambda place: place) -> Episodes:
    """The places alone, and nothing of what was done."""
    hidden = Episodes.create(path, Spec(PLACE.streams, NO_ACTION))
    for number in range(len(store)):
        place = store.read(number, streams=["place"])["place"]
        hidden.append(Episode({"place": change(place)}, np.empty((len(place) - 1, 0), np.float32), info={"number": number}))
    return hidden


@pytest.mark.parametrize("skip", [1, 5])
def test_they_are_right_and_in_their_rows(labelled, tmp_path, skip):
    model = model_of(PLACE, labelled, skip)
    inverse = fit_inverse(model, labelled, np.arange(20), CONFIG)
    inferred = infer_actions(inverse, without_actions(labelled, tmp_path / "hidden"), tmp_path / "inferred")
    assert inferred.spec.action == SPEC.action
    rows = 13 if skip == 1 else 11  # what does not fill a block is cut
    assert set(inferred.lengths) == {rows}
    for number in range(20, 24):
        one = inferred.episode(number)
        assert one.info["actions"] == "inferred"
        assert one.info["number"] == number
        np.testing.assert_array_equal(one.observations["place"], labelled.read(number, slice(rows))["place"])
        assert np.abs(one.actions).max() <= 1
        true = labelled.actions(number)[: rows - 1]
        if skip == 1:
            assert np.square(one.actions - true).mean() < 0.1 * true.var()
        else:  # of a block, what is done together can be told
            sums = (x.reshape(-1, skip, 2).sum(1) for x in (one.actions, true))
            assert np.corrcoef(*(x.reshape(-1) for x in sums))[0, 1] > 0.95


def test_it_is_unsure_of_what_it_never_saw(labelled, tmp_path):
    inverse = fit_inverse(model_of(PLACE, labelled), labelled, np.arange(24), CONFIG)
    inferred = [
        infer_actions(inverse, without_actions(labelled, tmp_path / f"h{i}", change), tmp_path / f"i{i}")
        for i, change in enumerate((lambda place: place, lambda place: 3 * place))
    ]
    usual, strange = (np.array([info["deviation"] for info in store.infos]) for store in inferred)
    assert np.median(strange) > 3 * np.median(usual)


def test_choices_are_inferred_and_merged(labelled, tmp_path):
    spec = Spec(PLACE.streams, ActionSpace("discrete", 2))
    known = Episodes.create(tmp_path / "known", spec)
    for number in range(len(labelled)):
        right = (labelled.actions(number)[:, 0] > 0).astype(np.int64)
        known.append(Episode({"place": labelled.read(number)["place"]}, right))
    inverse = fit_inverse(model_of(spec, known), known, np.arange(20), CONFIG)
    inferred = infer_actions(inverse, without_actions(known, tmp_path / "hidden"), tmp_path / "inferred")
    assert np.mean([np.mean(inferred.actions(n) == known.actions(n)) for n in range(20, 24)]) > 0.9
    assert len(merge([known, inferred], tmp_path / "both")) == 48


def test_what_is_wrong_is_said(labelled, tmp_path):
    model = model_of(PLACE, labelled)
    with pytest.raises(ArmillaryError, match="1 episodes and 2 networks"):
        fit_inverse(model, labelled, [0], CONFIG)
    inverse = fit_inverse(model, labelled, [0, 1], replace(CONFIG, steps=1))
    other = Episodes.create(tmp_path / "other", Spec((Stream("sound", "vector", (2,)),), NO_ACTION))
    with pytest.raises(SpecMismatch, match="no stream 'place'"):
        infer_actions(inverse, other, tmp_path / "out")
