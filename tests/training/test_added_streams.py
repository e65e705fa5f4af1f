"""A stream that a checkpoint is given later: at first it changes nothing, and then it is learned."""

import warnings
from dataclasses import replace

import pytest
import torch
from small_models import CAMERA, SPEC, STATE, random_batch, small_model
from training_fakes import record

from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.spec import Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES, Recipe
from armillary.training.stages import StageConfig
from armillary.training.validation import CollapseWarning

LIDAR = Stream("lidar", "scan", (32,), full_turn=True, optional=True)


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_at_first_it_changes_nothing(drop, tmp_path):
    model, batch = (
        small_model("gru", drop_streams=drop, objective={"prediction": Prediction(), "sigreg": SIGReg(), "inverse": Inverse()}),
        random_batch(),
    )
    model.add_term("critic")
    z = model.encode(batch.observations)
    grown = model.with_streams(LIDAR)
    assert [stream.name for stream in grown.spec.streams] == [CAMERA, STATE, "lidar"]
    seen = {**batch.observations, "lidar": torch.rand(4, 4, 32) * 5}
    for observations in (seen, batch.observations):
        again = grown.encode(observations)
        torch.testing.assert_close(again, z, rtol=0, atol=1e-5)
        torch.testing.assert_close(grown.predict(again[:, :3], batch.actions), model.predict(z[:, :3], batch.actions))
    torch.testing.assert_close(grown.critic(z, z.flip(0)), model.critic(z, z.flip(0)))
    grown.fit_scales(random_batch(seed=1))  # of what it knows, the scales stay
    torch.testing.assert_close(grown.encode(batch.observations), z, rtol=0, atol=1e-5)
    grown.save(tmp_path / "model.safetensors")
    loaded = WorldModel.load(tmp_path / "model.safetensors", "cpu")
    assert torch.equal(loaded.encode(seen), grown.encode(seen))


def test_a_stream_that_is_there_may_become_optional():
    model, batch = small_model(), random_batch()
    with pytest.raises(SpecMismatch, match=f"no stream '{STATE}'"):
        model.encode({CAMERA: batch.observations[CAMERA]})
    grown = model.with_streams(replace(SPEC[STATE], optional=True))
    grown.encode({CAMERA: batch.observations[CAMERA]})
    torch.testing.assert_close(grown.encode(batch.observations), model.encode(batch.observations))


def test_then_it_is_learned(tmp_path):
    store = record(tmp_path / "store")
    config = ModelConfig(
        image_size=16,
        width=4,
        projector=16,
        latent=4,
        predictor_width=16,
        objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg()},
    )
    recipe, quiet = Recipe(config, (StageConfig("joint", steps=20, batch=16),)), TrainConfig(progress=False)
    first = fit(store, tmp_path / "first", recipe, quiet, streams=("place",), device="cpu")
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    other = replace(recipe, model=replace(config, latent=8))
    both = fit(store, tmp_path / "both", other, quiet, device="cpu", start=first)
    assert both.config == config
    assert both.provenance["start"]["run"] == first.provenance["run"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in first.state_dict().items())
    assert torch.equal(both.perception.encoders[0].mean, first.perception.encoders[0].mean)
    seen = Clips(store, 2)[:8].observations
    dark = {**seen, "image": torch.zeros_like(seen["image"])}
    assert (both.encode(seen) - both.encode(dark)).abs().mean() > 1e-3


def test_a_model_goes_on_with_the_streams_that_it_has(tmp_path):
    """As after maintenance: the same sensors, other recordings. A latent without a projector is the sensors themselves."""
    vectors = replace(RECIPES["sensors"].model, context=2, predictor_width=8)
    recipe, quiet = Recipe(vectors, (StageConfig("dynamics", steps=5, batch=16),)), TrainConfig(progress=False)
    made = {"streams": ("place",), "device": "cpu"}
    first = fit(record(tmp_path / "before"), tmp_path / "first", recipe, quiet, **made)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        second = fit(record(tmp_path / "after", seed=1), tmp_path / "second", recipe, quiet, start=first, **made)
    assert second.spec == first.spec
    assert len(second.provenance["trained"]) == 2
    assert torch.equal(second.perception.encoders[0].mean, first.perception.encoders[0].mean)
    assert not torch.equal(second.predictor.learned.out.weight, first.predictor.learned.out.weight)


def test_going_on_never_holds_out_what_was_learned_from(tmp_path):
    store = record(tmp_path / "store")
    recipe, quiet = Recipe(small_model().config, (StageConfig("joint", steps=1, batch=16),)), TrainConfig(progress=False)
    first = fit(store, tmp_path / "first", recipe, quiet, held_out=6, device="cpu")
    for seed in range(1, 4):
        again = fit(store, tmp_path / f"{seed}", recipe, replace(quiet, seed=seed), held_out=3, device="cpu", start=first)
        assert set(again.provenance["held_out"]) < set(first.provenance["held_out"])
        assert len(again.provenance["held_out"]) == 3


def test_what_is_wrong_is_said(tmp_path):
    model = small_model()
    with pytest.raises(ArmillaryError, match="place is ground truth"):
        model.with_streams(SPEC["place"])
    with pytest.raises(SpecMismatch, match=rf"stream '{STATE}': expected vector \(5,\), the model has vector \(3,\)"):
        model.with_streams(Stream(STATE, "vector", (5,)))
    with pytest.raises(ArmillaryError, match="a map takes all streams"):
        small_model("map").with_streams(LIDAR)
    with pytest.raises(SpecMismatch, match=r"the recording has no stream 'camera\.image'"):
        fit(record(tmp_path / "store", episodes=4), tmp_path / "run", Recipe(model.config, ()), device="cpu", start=model)
