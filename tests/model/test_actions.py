"""ActionBlocks: coordinates that are the recorded actions' own, and never leave what can be done."""

import pytest
import torch
from jaxtyping import TypeCheckError

from armillary.errors import ArmillaryError
from armillary.model.actions import ActionBlocks
from armillary.spec import ActionSpace

BOX = ActionSpace("box", 2, (-1.0, -2.0), (1.0, 2.0))
RANDOM = torch.Generator().manual_seed(0)


def uniform(*shape: int) -> torch.Tensor:
    return 2 * torch.rand(*shape, generator=RANDOM) - 1


def held(n: int, skip: int) -> torch.Tensor:
    return (uniform(n, 1, 2) * torch.tensor([1.0, 2.0])).expand(-1, skip, -1).flatten(1)


def fitted(space: ActionSpace, skip: int, blocks: torch.Tensor) -> ActionBlocks:
    made = ActionBlocks(space, skip)
    made.fit(blocks)
    return made


def test_held_actions_have_as_many_coordinates_as_one_action():
    data = held(500, 5)
    blocks = fitted(BOX, 5, data)
    assert (blocks.size, blocks.dim) == (10, 2)
    torch.testing.assert_close(blocks.decode(blocks.encode(data)), data, rtol=1e-4, atol=1e-4)
    coordinates = blocks.encode(data)
    torch.testing.assert_close(coordinates.T @ coordinates / len(data), torch.eye(2), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(blocks.encode(blocks.decode(0.5 * coordinates)), 0.5 * coordinates, rtol=1e-4, atol=1e-4)


def test_smooth_actions_have_few_and_white_ones_have_all():
    walk = (0.1 * torch.randn(3000, 8, 2, generator=RANDOM)).cumsum(1) + uniform(3000, 1, 2)
    smooth = fitted(ActionSpace("box", 2), 8, walk.flatten(1))
    assert 2 < smooth.dim <= 6
    lost = walk.flatten(1) - smooth.decode(smooth.encode(walk.flatten(1)))
    assert lost.square().sum() < 0.02 * walk.square().sum()
    assert fitted(BOX, 8, uniform(3000, 16)).dim == 16


def test_noise_in_the_coordinates_looks_like_the_data():
    """What planners rely on: white noise, decoded, has the mean and the covariance of the recorded blocks."""
    data = 0.2 * torch.randn(5000, 4, 2, generator=RANDOM).cumsum(1) + torch.tensor([0.1, -0.3])
    blocks = fitted(ActionSpace("box", 2, (-9.0, -9.0), (9.0, 9.0)), 4, data.flatten(1))
    drawn = blocks.decode(torch.randn(20_000, blocks.dim, generator=RANDOM))
    torch.testing.assert_close(drawn.mean(0), data.flatten(1).mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.T.cov(), data.flatten(1).T.cov(), rtol=0.1, atol=0.02)


def test_decoded_actions_are_within_the_bounds_of_the_space_or_of_the_data():
    far = 100 * torch.randn(1000, 2, generator=RANDOM)
    low, high = (torch.tensor(x).repeat(5) for x in (BOX.low, BOX.high))
    decoded = fitted(BOX, 5, 0.5 * held(500, 5)).decode(far)
    assert ((decoded >= low) & (decoded <= high)).all()
    assert torch.equal(decoded.amax(0), high)
    data = held(500, 5)
    half = fitted(ActionSpace("box", 2, (-1.0, -torch.inf), (torch.inf, torch.inf)), 5, data)
    assert torch.equal(half.low[::2], torch.full((5,), -1.0))
    decoded = half.decode(far)
    torch.testing.assert_close(decoded.amax(0), data.amax(0))
    torch.testing.assert_close(decoded[:, 1::2].amin(0), data[:, 1::2].amin(0))


def test_choices_come_out_as_hard_one_hot():
    chosen = torch.randint(3, (500, 4), generator=RANDOM)
    data = torch.nn.functional.one_hot(chosen, 3).float().flatten(1)
    blocks = fitted(ActionSpace("discrete", 3), 4, data)
    assert blocks.size == 12
    assert torch.equal(blocks.decode(blocks.encode(data)), data)
    drawn = blocks.decode(torch.randn(50, 7, blocks.dim, generator=RANDOM)).unflatten(-1, (4, 3))
    assert torch.equal(drawn.sum(-1), torch.ones(50, 7, 4))
    assert torch.equal(drawn.amax(-1), torch.ones(50, 7, 4))
    assert (drawn.mean((0, 1, 2)) > 0.2).all()


def test_a_number_that_never_changes_stays_as_it_is():
    data = uniform(200, 4)
    data[:, 1::2] = 0.7
    blocks = fitted(BOX, 2, data)
    assert blocks.dim == 2
    torch.testing.assert_close(blocks.decode(torch.randn(50, 2))[:, 1::2], torch.full((50, 2), 0.7))
    assert blocks.standardise(data)[:, 1].abs().max() < 1e-4
    torch.testing.assert_close(blocks.standardise(data)[:, 0].std(), torch.tensor(1.0))


def test_actions_to_learn_nothing_from_are_an_error():
    for data, message in ((torch.full((50, 4), 0.3), "never change"), (uniform(1, 4), "at least 2 blocks of 2 actions, got 1")):
        with pytest.raises(ArmillaryError, match=message):
            ActionBlocks(BOX, 2).fit(data)


def test_shapes_are_checked_in_tests():
    """The hook of conftest.py is on; without it every shape in a signature would be a comment."""
    with pytest.raises(TypeCheckError, match="blocks"):
        ActionBlocks(BOX, 2).fit(uniform(3, 2, 2))


@pytest.mark.parametrize("low", [-2.0, -float("inf")])
def test_blocks_of_a_single_number_learn_their_range(low):
    blocks = fitted(ActionSpace("box", 1, (low,), (-low,)), 3, torch.tensor([[-1.0, 0.0, 1.0], [1.0, 0.5, -1.0]]))
    assert blocks.low.tolist() == ([-2.0] * 3 if low == -2 else [-1.0, 0.0, -1.0])
    blocks.load_state_dict(blocks.state_dict())
