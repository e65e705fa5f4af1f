"""Encoders: raw observations to features, each row by itself, at any size that they say they take."""

import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.model.perception.convolutional import ConvolutionalEncoder, centre_pixels
from armillary.model.perception.vector import VectorEncoder
from armillary.model.perception.vit import VisionTransformer

PATCH = {ConvolutionalEncoder: {}, VisionTransformer: {"heads": 3, "depth": 2, "patch": 8}}
RANDOM = torch.Generator().manual_seed(0)


def images(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, generator=RANDOM, dtype=torch.uint8)


def test_pixels_are_centred_in_the_precision_of_the_caller():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    centred = centre_pixels(every)
    assert centred.shape == (1, 1, 16, 16)
    torch.testing.assert_close(centred.flatten(), (torch.arange(256.0) - 127.5) / 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert centre_pixels(every).dtype == torch.bfloat16


@pytest.mark.parametrize("make", [ConvolutionalEncoder, VisionTransformer])
def test_an_encoder_of_standardised_images_cares_little_for_light_and_ground_and_as_much_for_things(make):
    torch.manual_seed(0)
    plain, standard = make((64, 64, 3), 12, **PATCH[make]), make((64, 64, 3), 12, **PATCH[make], standardise=True)
    scene = torch.full((1, 64, 64, 3), 200, dtype=torch.uint8)
    scene[:, 20:30, 20:30] = torch.tensor([150, 20, 20], dtype=torch.uint8)
    tinted, moved = scene + torch.tensor([40, 0, 20], dtype=torch.uint8), scene.roll(16, 2)

    def change(encoder: torch.nn.Module, other: torch.Tensor) -> float:
        with torch.no_grad():
            return float((encoder(other) - encoder(scene)).norm() / (encoder(moved) - encoder(scene)).norm())

    assert change(standard, tinted) < 1e-3 < 0.05 < change(plain, tinted)
    assert change(standard, (scene.float() * 0.8).byte()) < change(plain, (scene.float() * 0.8).byte())
    assert standard(torch.full_like(scene, 9)).isfinite().all()


@pytest.mark.parametrize("shape", [(16, 16, 3), (24, 40, 1), (64, 64, 4)])
@pytest.mark.parametrize("kind", ["convolutional", "fine", "vit"])
def test_image_encoders_take_rectangles_and_any_channels(kind, shape):
    torch.manual_seed(0)
    encoder = {
        "convolutional": lambda: ConvolutionalEncoder(shape, 8),
        "fine": lambda: ConvolutionalEncoder(shape, 8, patch=4),
        "vit": lambda: VisionTransformer(shape, 12, 2, 3, patch=8),
    }[kind]()
    assert encoder.shape == shape
    batch = images(5, *shape)
    features = encoder(batch)
    assert features.shape == (5, encoder.features)
    torch.testing.assert_close(encoder(batch[2:3])[0], features[2], rtol=1e-4, atol=1e-5)
    for corner in ((0, 0), (-1, -1), (0, -1)):  # every pixel counts
        changed = batch.clone()
        changed[:, corner[0], corner[1]] = 255 - changed[:, corner[0], corner[1]]
        assert (encoder(changed) - features).abs().amax(1).min() > 1e-6


def test_where_a_thing_is_matters_to_a_vision_transformer():
    torch.manual_seed(0)
    encoder, left = VisionTransformer((16, 16, 1), 12, 2, 3, patch=8), torch.zeros(1, 16, 16, 1, dtype=torch.uint8)
    left[:, 2:6, 2:6] = 255
    assert (encoder(left) - encoder(left.roll(8, 2))).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvolutionalEncoder((15, 64, 3)), "15x64 px are too small for this encoder; it needs 16x16"),
        (lambda: VisionTransformer((224, 220, 3)), "224x220 px do not divide into patches of 14"),
    ],
)
def test_images_that_do_not_fit(make, message):
    with pytest.raises(ArmillaryError, match=message):
        make()


def test_an_angle_that_wraps_is_the_same_angle():
    encoder = VectorEncoder((2,), width=8, angles=[1])
    turned = torch.tensor([[0.3, 3.0], [0.3, 3.0 - 2 * torch.pi], [0.3, 2.0]])
    once, wrapped, other = encoder(turned)
    torch.testing.assert_close(once, wrapped)
    assert (once - other).abs().max() > 1e-3


def test_vectors_are_standardised_by_what_was_recorded():
    torch.manual_seed(0)
    encoder = VectorEncoder((3,), width=8)
    data = torch.randn(500, 3, generator=RANDOM) * torch.tensor([1e-2, 1e3, 0.0]) + torch.tensor([5.0, -2e4, 0.7])
    encoder.fit(data)
    plain = VectorEncoder((3,), width=8)
    plain.net.load_state_dict(encoder.net.state_dict())
    standard = (data - data.mean(0)) / torch.tensor([data[:, 0].std(), data[:, 1].std(), 1.0])
    torch.testing.assert_close(encoder(data), plain(standard), rtol=1e-3, atol=1e-3)
    # A channel that never changed keeps its own scale, so that a change of it later is no explosion.
    later = data[:1].clone()
    later[:, 2] += 1
    assert (encoder(later) - encoder(data[:1])).abs().max() < 2
    assert set(encoder.state_dict()) >= {"mean", "std"}
