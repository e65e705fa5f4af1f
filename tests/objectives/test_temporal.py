"""The critic counts steps along the way, where a straight line is a short cut through a wall."""

import math

import torch

from armillary.objectives.critic import TemporalDistance
from armillary.objectives.term import View

PLACES = 12
ANGLES = torch.linspace(0, 1.75 * math.pi, PLACES)
RING = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)  # an open ring: its ends are close, and a whole walk apart


def walks(batch: int, steps: int, random: torch.Generator) -> torch.Tensor:
    """Places (batch, steps) of random walks that start anywhere and turn back at the ends."""
    at = torch.randint(PLACES, (batch,), generator=random)
    places = [at]
    for _ in range(steps - 1):
        at = (at + 2 * torch.randint(2, (batch,), generator=random) - 1).clamp(0, PLACES - 1)
        places.append(at)
    return torch.stack(places, 1)


def learn(steps: int) -> tuple[TemporalDistance, list[dict[str, float]]]:
    torch.manual_seed(0)
    critic, random = TemporalDistance(2, width=64, embedding=8), torch.Generator().manual_seed(0)
    optimizer, log = torch.optim.Adam(critic.parameters(), 3e-3), []
    for _ in range(steps):
        lived = walks(128, 4, random)
        goal = torch.randint(PLACES, (128,), generator=random)  # episodes long enough to go everywhere
        losses = critic.loss(View(RING[lived], goal=RING[goal]))
        log.append({"excess": (losses["steps"] / critic.price + critic.slack).item(), "price": critic.price.item()})
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    return critic, log


def test_distances_follow_the_way_and_a_step_is_one():
    critic, log = learn(400)
    found = critic(RING[:, None], RING[None]).detach()
    steps = (torch.arange(PLACES)[:, None] - torch.arange(PLACES)).abs().float()
    assert found.shape == (PLACES, PLACES)
    torch.testing.assert_close(found, found.T)
    assert found.diagonal().max() < 0.01
    assert torch.corrcoef(torch.stack([found.flatten(), steps.flatten()]))[0, 1] > 0.97
    straight = (RING[:, None] - RING[None]).norm(dim=-1)
    assert torch.corrcoef(torch.stack([straight.flatten(), steps.flatten()]))[0, 1] < 0.8
    assert 0.8 < found.diagonal(1).mean() < 1.4
    assert found[0, -1] > 0.7 * (PLACES - 1)
    assert found[0, -1] > found[0, PLACES // 2] > found[0, 2]
    assert sum(entry["excess"] for entry in log[-50:]) / 50 < 0.2


def test_the_multiplier_rises_while_steps_are_too_long_and_falls_while_they_are_not():
    critic = TemporalDistance(2)
    near, far = RING[None, :4], 100 * RING[None, ::3]
    for lived, sign in ((far, 1), (near, -1)):
        critic.zero_grad()
        losses = critic.loss(View(lived, goal=RING[:1]))
        sum(losses.values()).backward()
        assert (losses["steps"] > 0) == (sign > 0)
        before = critic.price.item()
        torch.optim.SGD([critic.multiplier], 1e-3).step()
        assert (critic.price.item() - before) * sign > 0
    _, log = learn(60)
    rising = [entry["price"] for entry in log if entry["excess"] > 2 * critic.slack]
    assert max(rising) > log[0]["price"]


def test_goals_are_pushed_away_up_to_the_reach():
    critic, lived = TemporalDistance(2, reach=5.0), RING[None, :4]
    near, far = (critic.loss(View(lived, goal=goal[None]))["apart"] for goal in (RING[3], 1000 * RING[0]))
    assert near > 4
    assert far < 0.1
