"""Stages: windows that stay in their episode, hard ones drawn more often, goals that come later."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from training_fakes import SPEC, clips_of, new_model, record

from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.contrast import Contrast
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.training.augmentation import Augmentation
from armillary.training.stages import Latents, Stage, StageConfig, build_stage


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recording") / "store", episodes=5, rows=13)


@pytest.fixture
def model(store):
    made = new_model().eval()
    made.fit_scales(clips_of(store)[:])
    return made


def random() -> tuple[np.random.Generator, torch.Generator]:
    return np.random.default_rng(0), torch.Generator().manual_seed(0)


def losses_of(stage: Stage) -> dict[str, torch.Tensor]:
    rng, generator = random()
    return stage.losses(stage.prepare(rng), generator)


@pytest.mark.parametrize("skip", [1, 3])
def test_frozen_windows_are_the_clips_of_the_recording_encoded(store, skip):
    clips = Clips(store, 3, skip=skip)
    model = new_model().eval()
    model.actions = type(model.actions)(model.spec.action, skip)
    model.fit_scales(clips[:])
    latents = Latents(model, clips, 3)
    assert len(latents.starts) == len(clips)
    z, actions = latents.windows(torch.arange(len(clips)))
    batch = clips[:]
    wanted = model.encode(batch.observations), model.actions.standardise(batch.actions)
    # In another order: here all windows of a track follow each other.
    key = [np.lexsort(x.flatten(1).detach().numpy().T.round(4)) for x in (wanted[1], actions)]
    torch.testing.assert_close(actions[key[1]], wanted[1][key[0]], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(z[key[1]], wanted[0][key[0]], rtol=1e-4, atol=1e-4)


def test_longer_windows_than_clips_stay_in_their_episode(store, model):
    latents = Latents(model, clips_of(store), 10)
    assert len(latents.starts) == 5 * (13 - 10 + 1)
    assert latents.last.unique().tolist() == [12, 25, 38, 51, 64]
    assert (latents.starts + 9 <= latents.last[latents.starts]).all()


@pytest.mark.parametrize("kind", ["dynamics", "critic"])
def test_windows_that_predict_nothing_are_refused(store, model, kind):
    with pytest.raises(ArmillaryError, match=r"length \(1\) must exceed context \(1\)"):
        build_stage(model, clips_of(store), StageConfig(kind, steps=1, length=1))


def test_windows_that_are_too_long_are_cut_to_the_median_episode(store, model):
    latents = Latents(model, clips_of(store), 14)
    assert (latents.length, latents.starts.tolist()) == (13, [0, 13, 26, 39, 52])


def test_half_of_the_windows_are_drawn_in_proportion_to_their_error(store, model, monkeypatch):
    stage = build_stage(model, clips_of(store), StageConfig("dynamics", steps=1, batch=200))
    hard = 7
    stage.state["error"] = torch.full_like(stage.state["error"], 1e-9)
    stage.state["error"][hard] = 1.0
    drawn, windows = [], stage.latents.windows
    monkeypatch.setattr(stage.latents, "windows", lambda chosen: drawn.append(chosen) or windows(chosen))
    losses_of(stage)
    (chosen,) = drawn
    assert (chosen[:100] == hard).all()
    assert len(chosen[100:].unique()) > 30
    assert chosen.max() < len(stage.latents.starts)
    # The error of what was drawn is known anew, that of the rest is as it was.
    z, actions = windows(torch.arange(len(stage.latents.starts)))
    now = (model.predictor(z[:, :1], actions[:, :1])[:, 0] - z[:, 1]).square().mean(-1).detach()
    fresh = torch.zeros(len(now), dtype=torch.bool)
    fresh[chosen] = True
    assert not fresh.all()
    torch.testing.assert_close(stage.state["error"][fresh], now[fresh], rtol=1e-4, atol=1e-6)
    assert (stage.state["error"][~fresh] == 1e-9).all()


def test_step_by_step_a_recurrent_predictor_sees_true_latents_and_windows_are_known_by_their_worst_step(store):
    model = WorldModel(SPEC, replace(new_model().config, predictor="gru", context=2)).eval()
    model.fit_scales(clips_of(store)[:])
    stage = build_stage(model, clips_of(store, 4), StageConfig("dynamics", steps=1, batch=200, length=9, open_loop=False))
    loss = losses_of(stage)["loss"]
    z, actions = stage.latents.windows(torch.arange(len(stage.latents.starts)))
    error = (model.predictor(z[:, :-1], actions) - z[:, 1:]).square().mean(-1)
    drawn = stage.state["error"] != 1
    torch.testing.assert_close(stage.state["error"][drawn], error.amax(1)[drawn])
    assert drawn.sum() > 10
    assert error.mean(1).min() < loss < error.mean(1).max()


def test_goals_of_the_critic_are_now_or_later_in_the_same_episode(store, model, monkeypatch):
    stage, seen = build_stage(model, clips_of(store), StageConfig("critic", steps=1, batch=300)), []
    stage.latents.z[:, 0] = torch.arange(float(len(stage.latents.z)))
    loss = stage.critic.loss
    monkeypatch.setattr(stage.critic, "loss", lambda view: seen.append(view) or loss(view))
    assert losses_of(stage)["loss"].requires_grad
    lived, goal = seen[0].z[..., 0], seen[0].goal[..., 0]
    encoded, imagined = lived[:300], lived[300:]
    torch.testing.assert_close(encoded - encoded[:, :1], torch.arange(3.0).expand(300, 3))
    assert torch.equal(imagined[:, 0], encoded[:, 0])
    assert not torch.equal(imagined[:, 1:], encoded[:, 1:])
    assert torch.equal(goal[:300], goal[300:])
    first, goal = encoded[:, 0].long(), goal[:300].long()
    assert (goal >= first).all()
    assert torch.equal(goal // 13, first // 13)
    assert (goal == stage.latents.last[first]).any()


def test_a_joint_stage_draws_several_clips_of_each_episode_where_its_objective_asks_for_them(store, model, monkeypatch):
    seen = []
    monkeypatch.setattr(model, "losses", lambda batch, generator: seen.append(batch) or {})
    losses_of(build_stage(model, clips_of(store), StageConfig("joint", steps=1, batch=8)))
    episodes = seen[0].episode.unflatten(0, (4, 2))
    assert torch.equal(episodes[:, 0], episodes[:, 1])
    assert len(episodes[:, 0].unique()) == 4


def test_without_a_prediction_loss_perception_is_trained_alone(store):
    model = new_model(prediction=Prediction(0), contrast=Contrast(), inverse=Inverse(0))
    model.fit_scales(clips_of(store)[:])
    stage = build_stage(model, clips_of(store), StageConfig("joint", steps=1, batch=16))
    losses = losses_of(stage)
    assert {"contrast", "sigreg"} <= losses.keys()
    assert "prediction" not in losses
    losses["loss"].backward()
    assert all(p.grad is None for p in model.predictor.parameters())
    assert all(p.grad is not None for module in stage.modules for p in module.parameters())


def test_dynamics_are_learned_with_the_map_of_a_later_moment(store):
    torch.manual_seed(0)
    aim = {"prediction": Prediction(rollout=2), "sigreg": SIGReg()}
    small = {"image_size": 16, "width": 4, "projector": 16, "latent": 4, "predictor_width": 16, "objective": aim}
    model = WorldModel(SPEC, ModelConfig(predictor="map", map_channels=2, clips_per_episode=2, **small)).eval()
    model.fit_scales(clips_of(store)[:])
    stage = build_stage(model, clips_of(store), StageConfig("dynamics", steps=1, batch=32))
    z, seen = stage.latents.z, []
    stage.model.predictor.rollout = lambda start, past, actions: seen.append(start[:, 0]) or start.expand(-1, 2, -1)
    losses = stage.losses(*random())
    moves = [int((z[:, :4] == row[:4]).all(1).nonzero()[0]) for row in seen[0]]
    stays = [int((z[:, 4:] == row[4:]).all(1).nonzero()[0]) for row in seen[0]]
    assert all(here <= there <= stage.latents.last[here] for here, there in zip(moves, stays, strict=True))
    assert moves != stays
    assert losses["loss"].isfinite()


def test_a_linear_path_is_solved_for_when_the_stage_begins_and_the_network_learns_apart(store):
    torch.manual_seed(0)
    small = {"image_size": 16, "width": 4, "projector": 16, "latent": 4, "predictor_width": 16}
    config = ModelConfig(
        predictor="gru", context=2, linear=0.5, objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg()}, **small
    )
    model = WorldModel(SPEC, config).eval()
    model.fit_scales(clips_of(store)[:])
    nothing_changes = model.predictor.linear.weight.clone()
    stage = build_stage(model, clips_of(store, 4), StageConfig("dynamics", steps=1, batch=16))
    z, actions = stage.latents.windows(torch.arange(len(stage.latents.starts)))
    path = model.predictor.linear
    predicted = path(z[:, :2], actions[:, :2])[:, 1]
    assert not torch.equal(path.weight, nothing_changes)
    assert (predicted - z[:, 2]).square().mean() < (z[:, 1] - z[:, 2]).square().mean()
    solved = path.weight.clone()
    build_stage(model, clips_of(store, 4), StageConfig("dynamics", steps=1, batch=16))  # as in a run that is resumed
    assert torch.equal(path.weight, solved)
    before = losses_of(stage)["loss"]
    stage.state["error"].fill_(1)
    path.weight.zero_()
    torch.testing.assert_close(losses_of(stage)["loss"], before)
    assert stage.modules == [model.predictor.network]


def test_clips_that_are_too_short_and_batches_that_do_not_divide(store, model):
    with pytest.raises(ArmillaryError, match="clips of 2 frames are too short for this objective, which takes 3"):
        build_stage(model, clips_of(store, 2), StageConfig(steps=1, batch=16))
    with pytest.raises(ArmillaryError, match="a batch of 15 does not divide into 1 processes and 2 clips of each episode"):
        build_stage(model, clips_of(store), StageConfig(steps=1, batch=15))


def test_a_joint_stage_sees_images_with_other_looks_and_the_rest_as_it_is(store, model, monkeypatch):
    seen = []
    monkeypatch.setattr(model, "losses", lambda batch, generator: seen.append(batch) or {})
    for augmentation in (Augmentation(), Augmentation(tone=40), Augmentation(tone=40)):
        config = StageConfig("joint", steps=1, batch=8, augmentation=augmentation)
        losses_of(build_stage(model, clips_of(store), config))
    plain, other, again = (batch.observations for batch in seen)
    assert torch.equal(other["image"], again["image"])
    change = (other["image"].int() - plain["image"].int()).abs().flatten(2)
    assert change.amax(-1).min() > 0
    assert change.max() <= 40
    assert torch.equal(plain["place"], other["place"])


def test_a_stage_is_read_again_with_or_without_an_augmentation():
    config = StageConfig("joint", steps=3, augmentation=Augmentation(hue=0.5))
    assert StageConfig.from_json(asdict(config)) == config
    assert StageConfig.from_json({"kind": "critic", "steps": 2}) == StageConfig("critic", steps=2)


def test_a_stage_of_dynamics_learns_under_offsets(store, model):
    """Without one, the loss of the same windows is another."""
    stages = [build_stage(model, clips_of(store), StageConfig("dynamics", steps=1, batch=8, offset=size)) for size in (0, 2.0)]
    plain, moved = (losses_of(stage)["loss"].item() for stage in stages)
    assert plain != moved


def test_what_is_solved_for_learns_under_offsets_too(store, model, monkeypatch):
    fitted = []
    monkeypatch.setattr(model.predictor, "fit", lambda windows: fitted.append(next(iter(windows))))
    for size in (0, 2.0):
        stage = build_stage(model, clips_of(store), StageConfig("dynamics", steps=1, batch=8, offset=size))
    (z, actions), (moved, others) = fitted
    assert torch.equal(z, stage.latents.windows(torch.arange(len(z)))[0])
    torch.testing.assert_close(moved.diff(dim=1), z.diff(dim=1))
    for shift in (moved - z, others - actions):
        assert shift[:, 0].std(0).min() > 0
