"""All streams into one latent: each counts, in the Spec's order; the projector normalises, in float32."""

import pytest
import torch
from small_models import CAMERA, SPEC, STATE, random_batch, small_model

from armillary.errors import ArmillaryError
from armillary.model.config import ModelConfig
from armillary.model.perception.fusion import Projector, shrink
from armillary.model.world_model import WorldModel
from armillary.spec import NO_ACTION, Spec, Stream


def test_every_stream_counts():
    model, batch = small_model(), random_batch()
    z = model.encode(batch.observations)
    for name in (CAMERA, STATE):
        other = {**batch.observations, name: random_batch(seed=1).observations[name]}
        assert (model.encode(other) - z).abs().amax(-1).min() > 1e-4


def test_the_order_in_which_streams_arrive_does_not_matter():
    model, batch = small_model(), random_batch()
    backwards = dict(reversed(batch.observations.items()))
    assert torch.equal(model.encode(backwards), model.encode(batch.observations))


def test_one_stream_is_enough():
    for name in (CAMERA, STATE):
        spec = Spec((SPEC[name],), SPEC.action)
        model = small_model(spec=spec)
        assert model.encode(random_batch(spec=spec).observations).shape == (4, 4, 8)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_projector_is_normalised_over_the_batch_and_in_float32(depth):
    torch.manual_seed(0)
    projector, x = Projector(6, 16, 4, depth), torch.randn(64, 6)
    plain = projector(x)
    torch.testing.assert_close(projector(1000 * x), plain, rtol=1e-2, atol=1e-2)  # BatchNorm takes the scale away
    assert len(projector) == 3 * depth + 1
    assert all((norm.running_mean != 0).all() for norm in list(projector)[1::3])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(projector(x), plain)
        assert projector(x.bfloat16()).dtype == torch.float32


def test_shrinking_is_the_mean_of_each_area():
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (3, 12, 20, 3), generator=random, dtype=torch.uint8)
    small = shrink(images, (4, 4, 3))
    assert (small.dtype, small.shape) == (torch.uint8, (3, 4, 4, 3))
    areas = images.float().unflatten(1, (4, 3)).unflatten(3, (4, 5)).mean((2, 4))
    torch.testing.assert_close(small.float(), areas, rtol=0, atol=0.51)
    white = torch.full((1, 12, 20, 3), 255, dtype=torch.uint8)
    assert torch.equal(shrink(white, (5, 7, 3)), torch.full((1, 5, 7, 3), 255, dtype=torch.uint8))


def test_without_a_projector_the_latent_is_the_standardised_channels(tmp_path):
    spec = Spec((Stream("sensors", "vector", (3,), unit=("bar", "rad", "A")), Stream("level", "vector", (1,))), NO_ACTION)
    model = WorldModel(spec, ModelConfig(projector=0, predictor="gru", predictor_width=8, context=2)).eval()
    values = {"sensors": 5 + 3 * torch.randn(1, 200, 3), "level": 100 * torch.rand(1, 200, 1)}
    for encoder, name in zip(model.perception.encoders, values, strict=True):
        encoder.fit(values[name])
    z = model.encode(values)
    assert model.config.latent == z.shape[-1] == 5  # the angle as sine and cosine
    torch.testing.assert_close(z[..., [0, 1, 4]].std(1), torch.ones(1, 3))
    torch.testing.assert_close(z[0, :, 2], values["sensors"][0, :, 1].sin())
    model.save(tmp_path / "model.safetensors")
    torch.testing.assert_close(WorldModel.load(tmp_path / "model.safetensors", "cpu").encode(values), z)
    with pytest.raises(ArmillaryError, match="takes no further streams"):
        model.with_streams(Stream("more", "vector", (2,)))
    with pytest.raises(ArmillaryError, match="for vectors alone; camera is none"):
        WorldModel(Spec((Stream("camera", "image", (32, 32, 3)),), NO_ACTION), ModelConfig(projector=0))
