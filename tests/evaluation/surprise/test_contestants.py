"""Contestants of the physics exam: each learns a toy clip, and is surprised in time; tokens are counted rightly."""

import json
from itertools import count

import numpy as np
import physics_contestants
import pytest
import torch
from contestants.contestant import AHEAD, Training, surprise, train
from contestants.pixel import Pixel, edges
from contestants.tokenizers import FSQ, FrameTokenizer, LatentTokenizer, codebook_use
from contestants.tokens import Tokens
from torch import nn

from armillary.acting.recording import record
from armillary.device import one_thread
from armillary.worlds import make
from armillary.worlds.physics import scenes

LENGTH = 16


class Blurred(nn.Module):
    """A stand-in for a frozen encoder: the frame in 8 x 8 px."""

    def forward(self, observations, present):
        frames = observations["image"].flatten(0, 1).permute(0, 3, 1, 2).float()
        return nn.functional.avg_pool2d(frames, 8).flatten(1)[None]


FAMILIES = {
    "pixel": Pixel,
    "pixel, end to end": lambda: Pixel(end_to_end=True),
    "tokens": lambda: Tokens(FrameTokenizer()),
    "64 tokens": lambda: Tokens(FrameTokenizer(side=8)),
    "tokens of latents": lambda: Tokens(LatentTokenizer(Blurred(), latent=192), width=72),
}


@pytest.fixture(scope="module")
def clips():
    """A square that moves to the right, from one of four places."""
    shown = np.full((4, LENGTH, 64, 64, 3), 200, np.uint8)
    for number, clip in enumerate(shown):
        for t, frame in enumerate(clip):
            frame[8 * number + 16 : 8 * number + 24, 3 * t : 3 * t + 8] = 30, 60, 90
    return shown


@pytest.fixture(autouse=True)
def a_step_takes_a_second(monkeypatch):
    monkeypatch.setattr("time.process_time", count().__next__)


@pytest.fixture(params=FAMILIES)
def one(request):
    torch.manual_seed(0)
    with one_thread():
        yield FAMILIES[request.param]()


def test_it_learns_a_clip_and_is_surprised_by_a_change_from_then_on(one, clips):
    shown = torch.from_numpy(clips)
    before = surprise(one.eval(), shown)
    report = []
    drawn = train(one, clips, Training(seconds=60, frames=16, clips=4), 0, report.append)
    found = surprise(one, shown)
    assert all(row.shape == (4, LENGTH - 1) and np.isfinite(row).all() for row in found.values())
    assert next(iter(found)) == "model"
    assert found["model"].mean() < 0.97 * before["model"].mean()
    assert drawn == 4 * 40  # steps of a second in 0.7 of the time, but for two that go by at the change
    assert report
    changed, at = shown.clone(), 9
    changed[:, at] = 255 - changed[:, at]
    after = surprise(one, changed)
    for name, row in after.items():
        np.testing.assert_allclose(row[:, : at - 1], found[name][:, : at - 1], rtol=1e-4, atol=1e-5)
        assert row[:, at - 1].mean() > found[name][:, at - 1].mean()


def test_parameters_are_those_of_the_latent_model_to_a_tenth(one):
    own = sum(p.numel() for name, p in one.named_parameters())
    if isinstance(getattr(one, "tokenizer", None), LatentTokenizer):
        own += 370_000  # of the latent model's encoder, for which there is a stand-in here
    assert own == pytest.approx(1_945_000, rel=0.1)


def test_surprise_sums_the_predictions_that_were_made_of_a_frame(one, clips):
    found = surprise(one.eval(), torch.from_numpy(clips))
    once = next(row for name, row in found.items() if name.endswith("one step"))
    np.testing.assert_array_equal(found["model"][:, : AHEAD[1] - 1], once[:, : AHEAD[1] - 1])
    assert (found["model"][:, AHEAD[1] - 1 :] > once[:, AHEAD[1] - 1 :]).all()


def test_fsq_gives_each_combination_of_levels_a_number_and_passes_gradients():
    fsq = FSQ((3, 2))
    low, high = -9.0, 9.0
    x = torch.tensor([[a, b] for b in (low, high) for a in (low, 0.0, high)], requires_grad=True)
    quantised, tokens = fsq(x)
    assert tokens.tolist() == [0, 1, 2, 3, 4, 5]
    assert quantised.detach().tolist() == [[a, b] for b in (-1, 0) for a in (-1, 0, 1)]
    quantised.sum().backward()
    assert x.grad[1, 0] > 0


def test_codebook_use_counts_codes_and_how_evenly_they_occur():
    use = codebook_use(torch.tensor([[0, 0], [3, 3]]), codes=8)
    assert use == {"used": pytest.approx(0.25), "perplexity": pytest.approx(2)}


def test_edges_are_where_a_frame_changes():
    frame = torch.zeros(1, 3, 8, 8)
    frame[..., 4:] = 1
    found = edges(frame)
    assert (found[..., 3:5] > 0).all()
    assert (found[..., :3] == 0).all()
    assert found.mean() == pytest.approx(1)


def test_a_contestant_is_trained_examined_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, "PROPERTIES", {"permanence": scenes.PROPERTIES["permanence"]})
    world = make("physics", num_envs=4, max_steps=47, hand=False)
    record(world, "random", tmp_path / "recording", episodes=4, seed=0)
    args = physics_contestants.Args("tokens", tmp_path / "recording", out=tmp_path / "out", held_out=0.25)
    args.training, args.scenes, args.varieties, args.untrained = Training(seconds=10, clips=2, frames=8), 1, ("held_out",), 1
    physics_contestants.main(args)
    result = json.loads((tmp_path / "out/tokens-0.json").read_text())
    assert {"model", "untrained", "likelihood, one step", "frame difference"} <= set(result["exam"]["held_out"]["rows"])
    assert result["clips"] > 0
    assert 0 < result["codebook"]["used"] <= 1
    assert (tmp_path / "out/tokens-0.safetensors").exists()
