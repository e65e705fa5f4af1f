"""WorldModel: encode, predict, imagine, and a checkpoint that is all of it; what does not fit is refused by name."""

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_models import CAMERA, PLACE, PREDICTORS, SPEC, STATE, random_batch, small_config, small_model

from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.imagination import Context
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.contrast import Contrast
from armillary.objectives.critic import Critic
from armillary.objectives.egomotion import Egomotion
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.objectives.vicreg import VICReg
from armillary.spec import ActionSpace, Spec, Stream

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("kind", PREDICTORS)
def test_imagination_agrees_with_prediction_and_candidates_with_each_alone(kind):
    model, batch = small_model(kind), random_batch(clips=3, frames=4)
    z = model.encode(batch.observations)
    assert z.shape == (3, 4, model.width)
    for length in range(1, model.config.context + 1):
        context = Context(z[:, :length], batch.actions[:, : length - 1])
        candidates = torch.rand(3, 5, 2, model.actions.size) - 0.5
        candidates[:, 0, 0] = batch.actions[:, length - 1]
        imagined = model.rollout(context, candidates).z
        assert imagined.shape == (3, 5, 2, model.width)
        predicted = model.predict(z[:, :length], batch.actions[:, :length])
        torch.testing.assert_close(imagined[:, 0, 0], predicted[:, -1], **CLOSE)
        for i in range(3):
            for j in range(5):
                one = Context(context.z[i : i + 1], context.actions[i : i + 1])
                alone = model.rollout(one, candidates[i : i + 1, j : j + 1]).z
                torch.testing.assert_close(alone[0, 0], imagined[i, j], **CLOSE)


def test_a_row_of_a_batch_is_encoded_as_if_it_were_alone():
    model, batch = small_model(), random_batch()
    together = model.encode(batch.observations)
    for i in range(len(batch)):
        alone = model.encode({name: x[i : i + 1] for name, x in batch.observations.items()})
        torch.testing.assert_close(alone[0], together[i], **CLOSE)


@pytest.mark.parametrize("kind", PREDICTORS)
def test_surprise_is_the_squared_error_of_each_step(kind):
    model, batch = small_model(kind), random_batch(frames=6)
    z = model.encode(batch.observations)
    surprise = model.surprise(z, batch.actions)
    assert surprise.shape == (4, 5)
    error = model.predict(z[:, :2], batch.actions[:, :2])[:, 1] - z[:, 2]
    expected = error[:, : model.predictor.moving].square().mean(-1)
    torch.testing.assert_close(surprise[:, 1], expected, **CLOSE)
    teleported = z.clone()
    teleported[:, 3] += 5
    assert (model.surprise(teleported, batch.actions)[:, 2] > 4 * surprise[:, 2]).all()


def test_what_is_ground_truth_is_never_read():
    model, batch = small_model(), random_batch()
    assert [stream.name for stream in model.spec.streams] == [CAMERA, STATE]
    z = model.encode(batch.observations)
    assert torch.equal(model.encode({PLACE: torch.full((4, 4, 2), torch.nan), **batch.observations}), z)
    # A stream that is called truth in the recording stays out even if it is handed over as if it were observed.
    with pytest.raises(SpecMismatch, match=f"no stream '{CAMERA}'"):
        model.encode({PLACE: batch.truth[PLACE]})
    with pytest.raises(ArmillaryError, match="stream"):
        WorldModel(Spec((SPEC[PLACE],), SPEC.action), small_config())


def test_images_of_the_recordings_size_are_reduced_by_area_to_the_models():
    model, batch = small_model(), random_batch()
    native = batch.observations[CAMERA]
    assert native.shape[2:] == (32, 32, 3)
    area = native.float().unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5)).round().to(torch.uint8)
    assert area.shape[2:] == (16, 16, 3)
    reduced = model.encode({**batch.observations, CAMERA: area})
    assert torch.equal(model.encode(batch.observations), reduced)
    kept = small_model(image_size=None)
    assert kept.encode(batch.observations).shape == (4, 4, 8)
    with pytest.raises(SpecMismatch, match=r"\(4, 4, 32, 32, 3\), got \(4, 4, 16, 16, 3\)"):
        kept.encode({**batch.observations, CAMERA: area})


def test_observations_that_do_not_fit_are_refused_by_stream_and_shapes():
    model, good = small_model(), random_batch().observations
    for name, bad, message in (
        (STATE, None, r"no stream 'state' \(3,\); it has camera.image"),
        (STATE, good[STATE][..., :2], r"'state': expected \(4, 4, 3\), got \(4, 4, 2\)"),
        (STATE, good[STATE][:, :3], r"'state': expected \(4, 4, 3\), got \(4, 3, 3\)"),
        (STATE, good[STATE][0, 0], r"'state': expected \(4, 4, 3\), got \(3,\)"),
        (STATE, good[STATE].double(), "'state': expected raw float32 .*, got torch.float64"),
        (CAMERA, good[CAMERA][0], r"'camera.image': expected \(4, 32, 32, 32, 3\), got \(4, 32, 32, 3\)"),
        (CAMERA, good[CAMERA][..., :1], r"'camera.image': expected \(4, 4, 32, 32, 3\), got \(4, 4, 32, 32, 1\)"),
        (CAMERA, good[CAMERA].float() / 255, "'camera.image': expected raw uint8 .*, got torch.float32"),
        (CAMERA, good[CAMERA].long(), "'camera.image': expected raw uint8 .*, got torch.int64"),
    ):
        offered = {key: value for key, value in {**good, name: bad}.items() if value is not None}
        with pytest.raises(SpecMismatch, match=message):
            model.encode(offered)


def test_actions_of_the_wrong_size_are_refused_with_the_right_one():
    model, batch = small_model(), random_batch(skip=3)
    z = torch.zeros(4, 3, 8)
    message = "6 numbers; this model takes 2 actions of 2 = 4"
    for act in (
        lambda: model.predict(z, batch.actions),
        lambda: model.rollout(Context(z[:, :1], batch.actions[:, :0, :4]), batch.actions[:, None]),
        lambda: model.losses(batch),
        lambda: model.surprise(z, batch.actions[:, :2]),
    ):
        with pytest.raises(ArmillaryError, match=message):
            act()


def test_sizes_and_settings():
    camera = Spec((Stream("image", "image", (224, 224, 3)),), SPEC.action)
    base = sum(p.numel() for p in WorldModel(camera, ModelConfig.sized("base", skip=5)).parameters())
    assert 17.9e6 < base < 18.1e6
    assert ModelConfig.sized("tiny", skip=7).skip == 7
    sizes = [sum(p.numel() for p in WorldModel(camera, ModelConfig.sized(s)).parameters()) for s in ("nano", "tiny", "small")]
    assert sorted([*sizes, base]) == [*sizes, base]
    depth = Spec((Stream("depth", "depth", (8, 8)),), SPEC.action)
    for spec, config, message in (
        (SPEC, small_config("mlp", context=2), "context of 2 needs 'gru' or 'transformer'"),
        (SPEC, small_config(image_size=8), "8x8 px are too small"),
        (SPEC, small_config(encoder="vit", image_size=16, patch=5, heads=2), "do not divide into patches of 5"),
        (
            SPEC,
            small_config(objective={"prediction": Prediction(), "sigreg": SIGReg(episode_dims=9)}),
            "episode_dims is 9, and the latent has 8",
        ),
        (depth, small_config(), "8x8 px are too small"),
        (SPEC, small_config("mlp", map_channels=2), "'map' and map_channels go together; got 'mlp' and 2"),
        (SPEC, small_config("map", map_channels=0), "go together; got 'map' and 0"),
        (SPEC, small_config("map", encoder="vit", patch=4, heads=2), "a map is made of an image"),
        (SPEC, small_config("gru", linear=1.0), "share of a linear path is 0 or more and below 1, and 0 beside a map; got 1"),
        (SPEC, small_config("map", linear=0.5), "0 beside a map; got 0.5"),
    ):
        with pytest.raises(ArmillaryError, match=message):
            WorldModel(spec, config)


def test_scales_are_taken_from_the_data_so_that_units_do_not_matter():
    metres, millimetres = random_batch(clips=50), random_batch(clips=50)
    millimetres.observations[STATE][..., :2] = 1000 * millimetres.observations[STATE][..., :2] + 7  # the third is an angle
    latents = []
    for batch in (metres, millimetres):
        model = small_model()
        model.fit_scales(batch)
        latents.append(model.encode(batch.observations))
    torch.testing.assert_close(*latents, rtol=1e-3, atol=1e-3)


def test_the_loss_is_the_weighted_sum_of_the_terms_that_were_asked_for():
    every = {
        "prediction": Prediction(1, rollout=2),
        "sigreg": SIGReg(2, episode_dims=3),
        "vicreg": VICReg(3, covariance=4),
        "inverse": Inverse(5),
        "contrast": Contrast(6),
        "egomotion": Egomotion(7),
        "critic": Critic(8),
    }
    weights = {"prediction": 1, "sigreg": 2, "sigreg_episode": 2, "variance": 3, "covariance": 3, "inverse": 5, "contrast": 6}
    weights |= {"egomotion": 7}
    model, batch = small_model(objective=every, clips_per_episode=2), random_batch(frames=3)
    assert set(model.terms) == set(every) - {"critic"}  # which has a stage of its own
    model.train()
    with pytest.raises(ArmillaryError, match="make the clips with odometry=NAME"):
        model.losses(batch)
    batch.pose = torch.randn(len(batch), 3, 3)
    losses = model.losses(batch, torch.Generator().manual_seed(0))
    assert set(losses) == {*weights, "loss"}
    torch.testing.assert_close(losses["loss"], sum(weight * losses[name] for name, weight in weights.items()))
    again = model.losses(batch, torch.Generator().manual_seed(0))
    assert again["sigreg"] == losses["sigreg"] != model.losses(batch, torch.Generator().manual_seed(1))["sigreg"]
    plain = small_model(objective={"prediction": Prediction(rollout=2)})
    assert set(plain.losses(batch)) == {"prediction", "loss"}


@pytest.mark.parametrize("kind", PREDICTORS)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_prediction_loss_trains_encoder_and_predictor(kind, steps):
    model = small_model(kind, objective={"prediction": Prediction(rollout=steps)})
    frames = model.config.context + steps
    batch = random_batch(frames=frames)
    model.train()
    model.losses(batch)["loss"].backward()
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:  # BatchNorm takes some biases away
            assert parameter.grad.abs().max() > 1e-6, name


def test_losses_per_step_see_what_a_pool_of_all_steps_hides():
    pooled, apart = (
        small_model(objective={"prediction": Prediction(), "sigreg": SIGReg(slices=256, per_step=per_step)})
        for per_step in (False, True)
    )
    batch, random = random_batch(clips=256), torch.Generator().manual_seed(0)
    # One step of four is a Gaussian of twice the width, the others are narrower: the pool looks the same to both.
    z = torch.randn(256, 4, 8, generator=random) * torch.tensor([1.7, 0.6, 0.6, 0.6])[:, None]
    for model in (pooled, apart):
        model.encode = lambda observations, present: z
    assert apart.losses(batch, random)["sigreg"] > 2 * pooled.losses(batch, random)["sigreg"]


def test_the_untrained_baseline_has_the_scales_and_none_of_the_weights():
    model, batch = small_model(), random_batch(clips=50)
    model.fit_scales(batch)
    model.add_term("critic")
    torch.manual_seed(1)
    fresh = model.untrained()
    assert torch.equal(fresh.actions.basis, model.actions.basis)
    assert torch.equal(fresh.perception.encoders[1].std, model.perception.encoders[1].std)
    assert not torch.equal(fresh.perception.encoders[1].net[0].weight, model.perception.encoders[1].net[0].weight)
    assert fresh.critic is not None
    assert not fresh.training
    before = model.actions.mean.clone()
    fresh.actions.mean += 1
    assert torch.equal(model.actions.mean, before)


@pytest.mark.parametrize("discrete", [False, True], ids=["box", "discrete"])
@pytest.mark.parametrize("kind", PREDICTORS)
def test_a_checkpoint_is_the_whole_model(tmp_path: Path, kind, discrete):
    spec = replace(SPEC, action=ActionSpace("discrete", 2)) if discrete else replace(SPEC, rate=10.0)
    objective = {"prediction": Prediction(rollout=2), "sigreg": SIGReg(), "inverse": Inverse()}
    model, batch = small_model(kind, spec=spec, objective=objective), random_batch(clips=40, spec=spec)
    if discrete:
        batch.actions = torch.eye(2)[torch.randint(2, (40, 3, 2))].flatten(2)
    else:
        batch.actions[..., 2:] = batch.actions[..., :2]  # held, so that K < A
    model.fit_scales(batch)
    model.add_term("critic")
    assert model.actions.dim < model.actions.size
    model.save(tmp_path / "run" / "model.safetensors", {"seed": 3, "note": "naïve"})
    loaded = WorldModel.load(tmp_path / "run")
    assert (loaded.spec, loaded.config) == (model.spec, model.config)
    assert loaded.provenance == {"seed": 3, "note": "naïve"}
    assert not loaded.training
    assert set(loaded.state_dict()) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    z = model.encode(batch.observations)
    assert torch.equal(loaded.encode(batch.observations), z)
    assert torch.equal(loaded.predict(z[:, :-1], batch.actions), model.predict(z[:, :-1], batch.actions))
    coordinates = torch.randn(5, model.actions.dim)
    assert torch.equal(loaded.actions.decode(coordinates), model.actions.decode(coordinates))
    assert torch.equal(loaded.critic(z[:, 0], z[:, 1]), model.critic(z[:, 0], z[:, 1]))
    loaded.save(tmp_path / "again")  # provenance is handed on
    assert (tmp_path / "again").read_bytes() == (tmp_path / "run" / "model.safetensors").read_bytes()


def test_a_file_that_is_no_checkpoint_is_one_line_and_nothing_in_it_is_run(tmp_path: Path, monkeypatch):
    good, path = tmp_path / "good", tmp_path / "bad.safetensors"
    small_model().save(good)
    whole = good.read_bytes()
    (size,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + size])
    ours = json.loads(header["__metadata__"]["armillary"])

    def with_header(other: object) -> bytes:
        text = json.dumps({**header, "__metadata__": {"armillary": json.dumps(other)}}).encode()
        return struct.pack("<Q", len(text)) + text + whole[8 + size :]

    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    pickled = tmp_path / "pickled"
    torch.save({"state": torch.zeros(3), "trap": Trap()}, pickled)
    config = ours["config"]
    damaged = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "truncated header": whole[:100],
        "of a huge header": struct.pack("<Q", 2**62) + whole[8:],
        "text": b"not a checkpoint at all",
        "pickle": pickle.dumps(Trap()),
        "torch.save": pickled.read_bytes(),
        "foreign": struct.pack("<Q", 2) + b"{}",
        "of another format": with_header(ours | {"format": 99}),
        "with no spec": with_header(ours | {"spec": "{}"}),
        "with a spec of no text": with_header(ours | {"spec": 3}),
        "with a wider latent": with_header(ours | {"config": {**config, "latent": 16}}),
        "with an unknown setting": with_header(ours | {"config": {**config, "colour": 1}}),
        "with a setting of another type": with_header(ours | {"config": {**config, "latent": "wide"}}),
        "with no objective": with_header(ours | {"config": {k: v for k, v in config.items() if k != "objective"}}),
        "with an impossible setting": with_header(ours | {"config": {**config, "context": 5}}),
        "with no heads": with_header(ours | {"config": {**config, "encoder": "vit", "heads": 0}}),
        "with a config that is a list": with_header(ours | {"config": [1]}),
        "with a critic that is not there": with_header(ours | {"terms": ["critic"]}),
        "with settings that no term has": with_header(ours | {"config": {**config, "objective": {"sigreg": {"os": 1}}}}),
        "with other action coordinates": with_header(ours | {"action_dim": 1}),
        "with a header that is no object": with_header([ours]),
    }
    for what, content in damaged.items():
        path.write_bytes(content)
        with pytest.raises(CorruptFile, match=r"bad\.safetensors") as raised:
            WorldModel.load(path)
        assert "\n" not in str(raised.value), what
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ArmillaryError, match="no such file"):
        WorldModel.load(tmp_path / "absent")
    with pytest.raises(ArmillaryError, match="device 'toaster'"):
        WorldModel.load(good, device="toaster")
    assert isinstance(WorldModel.load(good), WorldModel)
