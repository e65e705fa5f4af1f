"""Egomotion: what two latents of an episode tell of the way between them."""

import math

import torch
from torch import nn

from armillary.episodes.clips import Batch
from armillary.objectives.egomotion import METRES, RelativePose, relative
from armillary.objectives.term import View


def poses(episodes: int, moments: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(episodes, moments, 3, generator=generator) * torch.tensor([2.0, 2.0, 3.0])


def loss(egomotion: RelativePose, z: torch.Tensor, pose: torch.Tensor, clips_per_episode: int) -> torch.Tensor:
    batch = Batch({}, torch.zeros(0), {}, torch.zeros(0), torch.zeros(0), pose=pose)
    return egomotion.loss(View(z, batch=batch, clips_per_episode=clips_per_episode))["egomotion"]


def test_a_later_pose_in_the_frame_of_an_earlier_one():
    here, there = torch.tensor([1.0, 1.0, math.pi / 2]), torch.tensor([1.0, 3.0, math.pi])
    told = relative(here, there)  # it looked along y, went 2 m that way, and turned to the left
    torch.testing.assert_close(told, torch.tensor([2 / METRES, 0, 0, 1]), atol=1e-6, rtol=0)
    back = relative(there, here)
    torch.testing.assert_close(back, torch.tensor([0, 2 / METRES, 0, -1]), atol=1e-6, rtol=0)


def test_the_frame_of_an_episode_does_not_count_and_episodes_are_not_compared():
    egomotion, z, pose = RelativePose(4), torch.randn(4, 3, 4), poses(4, 3)
    angle = 0.7
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    moved = pose.clone()
    moved[:2, :, :2] = pose[:2, :, :2] @ turn + 5  # the first episode, which has two clips, told in another frame
    moved[:2, :, 2] += angle
    torch.testing.assert_close(loss(egomotion, z, pose, 2), loss(egomotion, z, moved, 2), rtol=1e-4, atol=1e-5)
    moved[1] += 1  # one clip of it alone
    assert not torch.isclose(loss(egomotion, z, pose, 2), loss(egomotion, z, moved, 2), rtol=1e-3)


def test_an_encoder_learns_the_place_from_odometry_alone():
    # What is seen: pose, hidden in a fixed mixture beside louder noise.
    torch.manual_seed(0)
    mixture = torch.linalg.qr(torch.randn(12, 12)).Q
    encoder, egomotion = nn.Linear(12, 4), RelativePose(4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *egomotion.parameters()], 5e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        place, heading = 2 * torch.randn(64, 2, 2), 6.3 * torch.rand(64, 2, 1)
        seen = torch.cat([place / 2, heading.cos(), heading.sin(), 3 * torch.randn(64, 2, 8)], -1) @ mixture
        return seen, torch.cat([place, heading], -1)

    seen, pose = batch()
    before = loss(egomotion, encoder(seen), pose, 1).item()
    for _ in range(800):
        x, p = batch()
        optimizer.zero_grad()
        loss(egomotion, encoder(x), p, 1).backward()
        optimizer.step()
    assert loss(egomotion, encoder(seen), pose, 1).item() < 0.4 * before
    # A linear layer reads the place off the latent.
    z, place = encoder(seen).detach().flatten(0, 1), pose[..., :2].flatten(0, 1)
    z = torch.cat([z, torch.ones(len(z), 1)], 1)
    assert ((z @ torch.linalg.lstsq(z, place).solution - place).var(0) < 0.1 * place.var(0)).all()
