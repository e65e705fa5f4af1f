"""Scales: channels of one unit share one, a unit of measurement changes nothing, and what is still stays small."""

import pytest
import torch

from armillary.episodes.clips import Batch
from armillary.model.actions import ActionBlocks
from armillary.model.config import ModelConfig
from armillary.model.perception.vector import VectorEncoder
from armillary.model.world_model import WorldModel
from armillary.scales import mean_and_scale
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.recipes import RECIPES

JOINTS = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.5, 0.005])


def test_which_channels_share_a_scale():
    assert Stream("joints", "vector", (3,)).scale_groups == (0, 0, 0)
    assert Stream("plant", "vector", (5,), unit=("bar", "", "A", "bar", "")).scale_groups == (0, 1, 2, 0, 4)
    assert Stream("cloud", "points", (9, 6)).scale_groups == (0, 0, 0, 1, 1, 1)
    assert ActionSpace("box", 3).scale_groups == (0, 0, 0)
    assert ActionSpace("box", 3, (-1, -1, 0), (1, 1, 30)).scale_groups == (0, 0, 2)
    assert ActionSpace("box", 3, (-1, -1, 0), (1, 1, 30), unit=("m", "rad", "m")).scale_groups == (0, 1, 0)
    assert ActionSpace("discrete", 4).scale_groups == (0, 0, 0, 0)


@pytest.mark.parametrize("scale", ["unit", "channel"])
def test_a_joint_that_hardly_moves_stays_small_unless_each_channel_is_asked_to_be_scaled(scale):
    spec = Spec((Stream("joints", "vector", (3,)),), ActionSpace("box", 3))
    model = WorldModel(spec, ModelConfig(scale=scale, skip=2))
    still = JOINTS.unflatten(0, (-1, 2))
    model.fit_scales(Batch({"joints": still}, still.flatten(1)[:, None], {}, torch.zeros(1000), torch.zeros(1000)))
    (encoder,) = model.perception.encoders
    assert (len(set(encoder.std.tolist())) == 1) is (scale == "unit")
    moved = torch.tensor([[0.0, 0.0, 0.1]])  # an offset of another day
    assert bool(encoder.standardise(moved).abs().max() < 1) is (scale == "unit")
    assert bool(model.actions.standardise(moved.repeat(1, 2)).abs().max() < 1) is (scale == "unit")


def test_planners_search_along_small_numbers_of_an_action_too():
    blocks = ActionBlocks(ActionSpace("box", 3), 1)
    blocks.fit(JOINTS, (0, 0, 0))
    assert blocks.dim == 3
    torch.testing.assert_close(blocks.decode(blocks.encode(JOINTS)), JOINTS, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(blocks.encode(JOINTS).std(0), torch.ones(3), rtol=0.05, atol=0)


@pytest.mark.parametrize(("factor", "offset"), [(1e-9, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_a_unit_of_measurement_changes_nothing(factor, offset):
    plain, other = VectorEncoder((3,), 0), VectorEncoder((3,), 0)
    changed = factor * JOINTS + offset
    plain.fit(JOINTS)
    other.fit(changed)
    torch.testing.assert_close(other(changed), plain(JOINTS), rtol=0, atol=1e-3 + offset * 5e-5)


def test_rounding_is_not_a_measurement_and_what_never_varies_has_the_scale_of_its_unit():
    rows = torch.stack([JOINTS[:, 0], torch.full((2000,), 0.7), torch.full((2000,), 3e7)], 1)
    rows[::2, 2] = rows[0, 2].nextafter(torch.tensor(torch.inf))
    mean, scale = mean_and_scale(rows, (0, 0, 2))
    torch.testing.assert_close(scale, torch.stack([rows[:, 0].std(), rows[:, 0].std(), mean[2]]))
    assert mean_and_scale(torch.zeros(5, 1))[1] == 1


def test_a_machine_s_sensors_are_scaled_one_by_one():
    assert RECIPES["sensors"].model.scale == "channel"
