"""Each kind of stream: its encoder learns what it should and cares for nothing else, and a model takes them all."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.model.config import ModelConfig
from armillary.model.perception.depth import DepthEncoder
from armillary.model.perception.points import PointsEncoder
from armillary.model.perception.scan import ScanEncoder
from armillary.model.perception.signal import SignalEncoder
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream

NAN = float("nan")


def depths(n: int) -> tuple[Tensor, Tensor]:
    """A post before a wall, seen by a camera that loses a tenth of its pixels; where it stands and how far."""
    column, distance = torch.randint(4, 28, (n,)), 1 + 3 * torch.rand(n)
    near = (torch.arange(32) - column[:, None]).abs() < 3
    image = torch.where(near, distance[:, None], 5.0)[:, None].repeat(1, 32, 1)
    return image.masked_fill(torch.rand(image.shape) < 0.1, NAN), torch.stack([column / 8, distance], 1)


def scans(n: int) -> tuple[Tensor, Tensor]:
    """Distances all round to the walls of a room of 6 x 4 m, some of which don't come back; where the sensor is."""
    place = torch.rand(n, 2) * torch.tensor([4.0, 2.0]) - torch.tensor([2.0, 1.0])
    angle = torch.arange(64) * 2 * torch.pi / 64
    way = torch.stack([angle.cos(), angle.sin()], -1)
    reach = ((way.sign() * torch.tensor([3.0, 2.0]) - place[:, None]) / way.where(way.abs() > 1e-6, torch.tensor(1e-6))).amin(
        -1
    )
    return reach.masked_fill(torch.rand(reach.shape) < 0.05, NAN), place


def clouds(n: int) -> tuple[Tensor, Tensor]:
    """A box full of points, from 20 to 50 of them; its middle, and how wide it is."""
    middle, width = 4 * torch.rand(n, 3) - 2, 0.5 + torch.rand(n, 1)
    points = middle[:, None] + width[:, None] * (torch.rand(n, 50, 3) - 0.5)
    there = torch.arange(50) < torch.randint(20, 51, (n, 1))
    return points.where(there[..., None], NAN), torch.cat([middle, width], 1)


def signals(n: int) -> tuple[Tensor, Tensor]:
    """A vibration at any phase, in noise; how strong and how fast it is."""
    strength, speed, phase = 0.5 + torch.rand(n, 1), 0.2 + 0.8 * torch.rand(n, 1), 6.28 * torch.rand(n, 1)
    x = strength * (speed * torch.arange(64) + phase).sin() + 0.05 * torch.randn(n, 64)
    return torch.stack([10 + 5 * x, 0.01 * torch.randn(n, 64)], -1), torch.cat([strength, speed], 1)


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], tuple[Tensor, Tensor]]]] = {
    "depth": (lambda: DepthEncoder((32, 32), 16), depths),
    "scan": (lambda: ScanEncoder((64,), 16, full_turn=True), scans),
    "points": (lambda: PointsEncoder((50, 3), 32), clouds),
    "signal": (lambda: SignalEncoder((64, 2), 32), signals),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_it_should(kind):
    torch.manual_seed(0)
    make, draw = KINDS[kind]
    encoder = make()
    assert encoder(draw(3)[0]).shape == (3, encoder.features)
    net = nn.Sequential(encoder, nn.Linear(encoder.features, 64), nn.GELU(), nn.Linear(64, draw(1)[1].shape[1]))
    if hasattr(encoder, "fit"):
        encoder.fit(draw(500)[0])
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 400)
        x, y = draw(64)
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    x, y = draw(500)
    with torch.no_grad():
        r2 = 1 - (net(x) - y).square().mean(0) / y.var(0)
    assert r2.min() > 0.9, r2


def test_points_have_no_order_and_empty_places_do_not_count():
    torch.manual_seed(0)
    encoder, points = PointsEncoder((50, 3), 16), clouds(4)[0]
    encoder.fit(points)
    assert encoder.mean.isfinite().all()
    features = encoder(points)
    torch.testing.assert_close(encoder(points[:, torch.randperm(50)]), features)
    torch.testing.assert_close(encoder(torch.cat([points, torch.full((4, 30, 3), NAN)], 1)), features)
    nothing = encoder(torch.full((2, 50, 3), NAN))
    assert (nothing == 0).all()
    nothing.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_a_scan_that_goes_round_turns_with_the_sensor():
    torch.manual_seed(0)
    scan = scans(3)[0]

    def layers(encoder: ScanEncoder, x: Tensor) -> Tensor:
        return encoder(x)[:, : 16 * 8].unflatten(1, (16, -1))

    round_, open_ = (ScanEncoder((64,), 16, full_turn) for full_turn in (True, False))
    torch.testing.assert_close(layers(round_, scan.roll(16, 1)), layers(round_, scan).roll(2, 2))
    torch.testing.assert_close(round_(scan.roll(16, 1))[:, 16 * 8 :], round_(scan)[:, 16 * 8 :])  # of the place, whichever way
    assert not torch.allclose(layers(open_, scan.roll(16, 1)), layers(open_, scan).roll(2, 2))


@pytest.mark.parametrize("make", [lambda: DepthEncoder((16, 16), 8), lambda: ScanEncoder((16,), 8)])
def test_nothing_measured_is_neither_near_nor_far(make):
    torch.manual_seed(0)
    encoder = make()
    metres = torch.full((1, *encoder.shape), 2.0)
    features = [encoder(metres.where(torch.rand(metres.shape) < 2, 2) * scale) for scale in (1, 0, 50)]
    lost = encoder(torch.full_like(metres, NAN))
    assert lost.isfinite().all()
    assert all(not torch.allclose(lost, other) for other in features)


def test_a_signal_counts_for_what_happens_and_not_for_when():
    torch.manual_seed(0)
    encoder, time = SignalEncoder((64, 1), 16), torch.arange(64.0)
    wave = lambda speed, phase: (speed * time + phase).sin()[None, :, None]  # noqa: E731
    with torch.no_grad():
        same, later, faster = (encoder(wave(*x)) for x in ((0.4, 0), (0.4, 1), (0.9, 0)))
    assert (later - same).norm() < 0.3 * (faster - same).norm()


def test_a_model_takes_all_kinds_and_a_store_keeps_what_was_not_measured(tmp_path):
    streams = Stream("image", "image", (32, 32, 3)), Stream("depth", "depth", (32, 32)), Stream("points", "points", (50, 3))
    streams += Stream("scan", "scan", (64,), full_turn=True), Stream("state", "vector", (2,)), Stream("imu", "signal", (64, 2))
    spec, rng = Spec(streams, ActionSpace("box", 1)), np.random.default_rng(0)
    torch.manual_seed(0)
    seen = {"depth": depths(4), "points": clouds(4), "scan": scans(4), "imu": signals(4)}
    observations = {name: x.numpy() for name, (x, _) in seen.items()} | {"state": rng.normal(size=(4, 2)).astype(np.float32)}
    observations["image"] = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    with Episodes.create(tmp_path / "store", spec) as store:
        store.append(Episode(observations, np.zeros((3, 1), np.float32)))
    store = Episodes.open(tmp_path / "store")
    assert store.spec == spec
    for name, values in store.read(0).items():
        np.testing.assert_array_equal(values, observations[name])
    model = WorldModel(spec, ModelConfig(image_size=32, width=8, latent=4)).eval()
    z = model.encode({name: torch.from_numpy(values)[None] for name, values in observations.items()})
    assert z.shape == (1, 4, 4)
    assert z.isfinite().all()
    model.save(tmp_path / "model.safetensors")
    again = WorldModel.load(tmp_path / "model.safetensors", "cpu")
    torch.testing.assert_close(again.encode({name: torch.from_numpy(v)[None] for name, v in observations.items()}), z)


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ArmillaryError, match="full_turn is for scans"):
        Stream("a", "vector", (3,), full_turn=True)
    store = Episodes.create(tmp_path / "store", Spec((Stream("scan", "scan", (4,)),), ActionSpace("box", 1)))
    with pytest.raises(ArmillaryError, match="not a finite number in row 0"):
        store.append(Episode({"scan": np.full((2, 4), np.inf, np.float32)}, np.zeros((1, 1), np.float32)))
