"""Augmentation: looks change within their bounds, places do not, and every image has a look of its own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from armillary.errors import ArmillaryError
from armillary.training.augmentation import Augmentation, grown


def scene(n: int = 8) -> torch.Tensor:
    images = torch.full((n, 32, 32, 3), 200, dtype=torch.uint8)
    images[:, 8:14, 20:26] = torch.tensor([150, 40, 60], dtype=torch.uint8)
    return images


def looks(images: torch.Tensor, seed: int = 0, **settings: float) -> torch.Tensor:
    return Augmentation(**settings)(images, np.random.default_rng(seed)).int()


def test_nothing_asked_for_is_nothing_done():
    assert not Augmentation()
    assert (looks(scene()) == scene()).all()
    assert Augmentation(hue=0.1)


def test_black_and_white_points_move_by_no_more_than_the_tone():
    images = torch.tensor([0, 255], dtype=torch.uint8)[None, :, None, None].expand(50, 2, 1, 3)
    change = (looks(images, tone=40) - images).flatten(1)
    assert change.abs().max() <= 40
    assert change[:, :3].max() > 20  # of black, which brightens
    assert change[:, 3:].min() < -20


def test_colours_turn_about_grey():
    turned = looks(scene(), hue=1.0)
    assert (turned[:, 0, 0] - 200).abs().max() <= 1
    assert (turned[:, 10, 22].float().mean(-1) - 250 / 3).abs().max() < 2
    assert turned[:, 10, 22].float().std(0).min() > 5
    grey = scene()[..., :1]
    assert (looks(grey, hue=1.0) == grey).all()


def test_a_wave_of_light_lies_over_the_scene():
    light = looks(scene(), wave=30) - scene()
    assert light.abs().amax((1, 2, 3)).float().mean() > 5
    assert light.abs().max() <= 30
    assert (light[..., 0] - light[..., 1]).abs().max() <= 1


@pytest.mark.parametrize("bright", [True, False])
def test_things_grow_to_their_neighbours(bright):
    images = torch.randint(256, (3, 2, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sign = 1 if bright else -1
    expected = F.max_pool2d(sign * images.float(), 3, 1, 1) * sign
    assert (grown(images, torch.tensor([bright, bright])) == expected).all()
    mixed = grown(images, torch.tensor([True, False]))
    assert (mixed[:, 0] >= images[:, 0]).all()
    assert (mixed[:, 1] <= images[:, 1]).all()


def test_images_shift_whole_and_each_by_itself():
    images = torch.randint(256, (40, 12, 10, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen, found = looks(images, shift=2), set()
    padded = F.pad(images.movedim(-1, 1).float(), (2, 2, 2, 2), mode="replicate").movedim(1, -1)
    for was, now in zip(padded, seen, strict=True):
        found |= {(i, j) for i in range(5) for j in range(5) if (was[i : i + 12, j : j + 10] == now).all()}
    assert {i for i, _ in found} == {j for _, j in found} == set(range(5))
    assert len(found) > 10
    assert (looks(scene(), tone=40, shift=2) != looks(scene(), tone=40)).any()


def test_places_stay_and_looks_differ():
    seen = looks(scene(), tone=40, hue=1.0, wave=10, grow=1.0)
    edge = (seen[:, :, 1:] - seen[:, :, :-1]).abs().sum(-1).float()
    assert (edge.amax(1).topk(2).indices.sort().values - torch.tensor([19, 25])).abs().max() <= 1
    assert (seen[0] != seen[1]).any()
    assert (looks(scene(), 3, tone=40) == looks(scene(), 3, tone=40)).all()


@pytest.mark.parametrize("wrong", [{"tone": 128}, {"hue": 1.1}, {"wave": -1}, {"grow": 2}, {"shift": 17}])
def test_a_look_out_of_range_is_refused(wrong):
    with pytest.raises(ArmillaryError, match=next(iter(wrong))):
        Augmentation(**wrong)
