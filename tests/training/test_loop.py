"""The loop: what it writes, when it validates and stops, and what it says when training goes wrong."""

import copy
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fakes import SPEC, STAGES, clips_of, new_model, record

from armillary.errors import ArmillaryError, MissingExtra
from armillary.model.config import ModelConfig
from armillary.model.world_model import MODEL, WorldModel
from armillary.objectives.inverse import Inverse
from armillary.objectives.sigreg import SIGReg
from armillary.training import loop
from armillary.training.loop import TrainConfig, train
from armillary.training.metrics import METRICS
from armillary.training.stages import StageConfig
from armillary.training.validation import CollapseWarning, recalibrate

QUIET = TrainConfig(progress=False, log_every=4)
JOINT = StageConfig("joint", steps=12, batch=16)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return clips_of(record(tmp_path_factory.mktemp("recording") / "store"))


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / METRICS).read_text().splitlines()]


def test_a_run_leaves_a_checkpoint_and_its_metrics(clips, tmp_path: Path):
    model = new_model()
    assert train(model, clips, STAGES, tmp_path / "new" / "run", QUIET, provenance={"recording": "dots"}) is model
    assert not model.training
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == [METRICS, MODEL]
    loaded, batch = WorldModel.load(tmp_path / "new" / "run"), clips[:5]
    assert torch.equal(loaded.encode(batch.observations), model.encode(batch.observations))
    assert loaded.critic is not None
    assert loaded.provenance["recording"] == "dots"
    assert loaded.provenance["seed"] == 0
    logged = lines(tmp_path / "new" / "run")
    assert loaded.provenance["train_seconds"] == pytest.approx(logged[-1]["seconds"], abs=1e-3)
    terms = {"prediction", "sigreg", "sigreg_episode", "inverse", "loss", "gradient_norm", "learning_rate"}
    assert terms <= set(logged[0])
    assert [(line["stage"], line["step"]) for line in logged if "loss" in line] == [
        (stage.kind, step) for stage in STAGES for step in (4, 8, 12)
    ]
    assert (np.diff([line["seconds"] for line in logged]) >= 0).all()


def test_the_same_seed_gives_the_same_model_and_another_one_another(clips, tmp_path: Path):
    made = [
        train(new_model(), clips, (JOINT,), tmp_path / str(i), replace(QUIET, seed=seed)).state_dict()
        for i, seed in enumerate((0, 0, 1))
    ]
    name = "predictor.net.0.weight"
    assert torch.equal(made[0][name], made[1][name])
    assert not torch.equal(made[0][name], made[2][name])


def test_the_learning_rate_rises_and_falls_as_the_schedule_says(clips, tmp_path: Path):
    stage = replace(JOINT, steps=40, warmup=0.25, learning_rate=1e-3)
    train(new_model(), clips, (stage,), tmp_path, replace(QUIET, log_every=1))
    rates = np.array([line["learning_rate"] for line in lines(tmp_path) if "loss" in line])
    assert len(rates) == 40
    assert rates[0] == pytest.approx(0.02e-3)
    assert (np.diff(rates[:11]) > 0).all()
    assert rates[10] == rates.max() == pytest.approx(1e-3)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[25] == pytest.approx(0.51e-3)
    assert 0.02e-3 < rates[-1] < 0.03e-3


@pytest.mark.filterwarnings("ignore::armillary.training.validation.CollapseWarning")
def test_weights_decay_and_biases_do_not(clips, tmp_path: Path):
    """At a learning rate at which gradients hardly count, decay alone shows."""
    model = new_model()
    before = copy.deepcopy(dict(model.named_parameters()))
    stage = replace(JOINT, steps=4, learning_rate=1e-6, weight_decay=1e5, warmup=0.0)
    train(model, clips, (stage,), tmp_path, QUIET)
    for name, parameter in model.named_parameters():
        shrunk = 1 - parameter.norm() / before[name].norm()
        assert shrunk > 0.15 if parameter.ndim > 1 else shrunk < 0.01 or before[name].norm() == 0, name


@pytest.mark.parametrize(
    ("budget", "steps"),
    [({"steps": 5}, 5), ({"seconds": 10}, 10), ({"steps": 3, "seconds": 10}, 3), ({"steps": 99, "seconds": 4}, 4)],
)
def test_a_stage_ends_when_its_steps_or_its_time_are_spent(clips, tmp_path: Path, monkeypatch, budget, steps):
    done = 0

    class Clock:
        """A second passes in each step."""

        @staticmethod
        def perf_counter() -> float:
            return float(done)

    losses = WorldModel.losses

    def count(*given):
        nonlocal done
        done += 1
        return losses(*given)

    monkeypatch.setattr(loop, "time", Clock)
    monkeypatch.setattr(WorldModel, "losses", count)
    model = train(new_model(), clips, (replace(JOINT, **{"steps": None, **budget}),), tmp_path, QUIET)
    assert done == steps
    assert model.provenance["train_seconds"] == steps
    assert lines(tmp_path)[-1]["step"] == steps


def test_batches_made_ahead_are_the_same_batches(tmp_path: Path, monkeypatch):
    store, made = record(tmp_path / "store"), []
    stages = (JOINT, replace(STAGES[1], steps=3))
    for tier, more in (
        ("resident", {}),
        ("mapped", {"budget_mb": 0, "cache_dir": tmp_path / "cache"}),
        ("streamed", {"budget_mb": 0}),
    ):
        clips = clips_of(store, **more)
        assert set(clips.tiers.values()) == {tier}
        train(new_model(), clips, stages, tmp_path / tier, QUIET)
        made.append([{k: v for k, v in line.items() if k not in ("seconds", "waiting")} for line in lines(tmp_path / tier)])
        assert all(0 <= line["waiting"] <= 1 for line in lines(tmp_path / tier) if "loss" in line)
    assert made[0] == made[1] == made[2]


def test_validations_are_evenly_spaced_on_a_model_that_is_ready_to_be_judged(clips, tmp_path: Path):
    seen = []

    def judge(model: WorldModel) -> dict[str, float]:
        seen.append(not any(module.training for module in model.modules()))
        return {"score": float(len(seen))}

    train(new_model(), clips, STAGES[:2], tmp_path, replace(QUIET, validations=3), validate=judge)
    assert seen == [True] * 6
    judged = [line for line in lines(tmp_path) if "score" in line]
    assert [(line["stage"], line["step"], line["score"]) for line in judged] == [
        (kind, step, number) for kind, numbers in (("joint", (1, 2, 3)), ("dynamics", (4, 5, 6)))
        for step, number in zip((4, 8, 12), numbers, strict=True)
    ]  # fmt: skip
    assert all({"effective_rank", "dead_share", "spread"} <= set(line) for line in judged)


def test_later_stages_leave_what_they_do_not_train(clips, tmp_path: Path):
    kept: dict[str, dict] = {}

    def remember(model: WorldModel) -> dict[str, float]:
        kept[f"stage {len(kept)}"] = copy.deepcopy(model.state_dict())
        return {}

    train(new_model(), clips, STAGES, tmp_path, QUIET, validate=remember)
    joint, dynamics, critic = kept.values()
    for name in joint:
        moved = not torch.equal(joint[name], dynamics[name])
        assert moved == name.startswith("predictor."), name
    for name in critic:
        moved = name not in dynamics or not torch.equal(dynamics[name], critic[name])
        assert moved == name.startswith("terms.critic."), name


def test_frozen_latents_are_those_of_the_model_when_it_is_used(clips, tmp_path: Path, monkeypatch):
    """Also right after a stage in which the encoder was in training mode."""
    built, build = [], loop.build_stage
    monkeypatch.setattr(loop, "build_stage", lambda *given: built.append(build(*given)) or built[-1])
    model = train(new_model(), clips, STAGES, tmp_path, QUIET)
    expected = torch.cat([model.encode(track.observations)[0] for track in clips.tracks()])
    for stage in built[1:]:
        torch.testing.assert_close(stage.latents.z, expected, rtol=1e-4, atol=1e-5)


def test_recalibrated_statistics_make_judged_latents_those_of_training(clips):
    torch.manual_seed(0)
    config = ModelConfig(image_size=16, width=4, projector=16, latent=4, predictor="transformer", predictor_width=16)
    model = WorldModel(SPEC, replace(config, predictor_depth=1, predictor_heads=2, predictor_head=8)).eval()
    model.fit_scales(clips[:])
    batch = clips[np.random.default_rng(0).permutation(len(clips))[:256]]

    def apart() -> list[float]:
        """Between training mode and eval mode, as a share of the spread: latents, and predictions from the same latents."""
        found, kept = [], model.encode(batch.observations)
        for run in (lambda m: m.encode(batch.observations), lambda m: m.predict(kept[:, :-1], batch.actions)):
            judged, trained = run(model), run(copy.deepcopy(model).train())
            found.append(float((judged - trained).detach().square().mean().sqrt() / trained.detach().std()))
        return found

    before = apart()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    statistics = [norm.running_mean.clone() for norm in norms]
    recalibrate(model, clips, modules=[model.predictor])
    assert torch.equal(norms[0].running_mean, statistics[0])
    assert not torch.equal(norms[1].running_mean, statistics[1])
    recalibrate(model, clips)
    after = apart()
    assert min(before) > 5 * max(after)
    assert max(after) < 0.1
    assert not model.training
    assert [norm.momentum for norm in norms] == [0.1, 0.1]


def test_a_run_ends_with_the_statistics_of_its_last_weights(clips, tmp_path: Path):
    model = train(new_model(), clips, (JOINT,), tmp_path, QUIET)
    statistics = copy.deepcopy(model.state_dict())
    recalibrate(model, clips, QUIET.seed)
    for name, tensor in statistics.items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_collapse_is_noticed_and_only_collapse(clips, tmp_path: Path):
    stage, aim = StageConfig("joint", steps=60, batch=32, learning_rate=3e-3), {"inverse": Inverse(0)}
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        train(new_model(sigreg=SIGReg(slices=16), **aim), clips, (stage,), tmp_path / "held", QUIET)
    with pytest.warns(CollapseWarning, match="raise the weight of sigreg"):
        train(new_model(sigreg=SIGReg(0), **aim), clips, (stage,), tmp_path / "free", QUIET)
    assert lines(tmp_path / "held")[-1]["spread"] > 2 * lines(tmp_path / "free")[-1]["spread"]


@pytest.mark.filterwarnings("ignore::armillary.training.validation.CollapseWarning")
def test_a_loss_that_is_no_number_ends_the_run(clips, tmp_path: Path):
    stage = replace(JOINT, learning_rate=1e30, clip=1e30)
    with pytest.raises(ArmillaryError, match=r"stage joint, step \d+: the loss is (nan|inf).*lower the learning rate"):
        train(new_model(), clips, (stage,), tmp_path, replace(QUIET, log_every=1))
    assert not (tmp_path / MODEL).exists()
    assert all(np.isfinite(line["loss"]) for line in lines(tmp_path))


def test_tensorboard_gets_the_same_numbers_on_request(clips, tmp_path: Path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(new_model(), clips, STAGES[:2], tmp_path, replace(QUIET, tensorboard=True))
    read = events.EventAccumulator(str(tmp_path))
    read.Reload()
    for tag, stage in (("joint/inverse", "joint"), ("dynamics/loss", "dynamics")):
        logged = [
            (line["step"], line[tag.split("/")[1]]) for line in lines(tmp_path) if line["stage"] == stage and "loss" in line
        ]
        found = [(scalar.step, scalar.value) for scalar in read.Scalars(tag)]
        np.testing.assert_allclose(found, logged, rtol=1e-6)
    assert "joint/effective_rank" in read.Tags()["scalars"]


def test_tensorboard_that_is_not_installed_names_its_extra(clips, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'armillary\[tensorboard\]'"):
        train(new_model(), clips, (JOINT,), tmp_path, replace(QUIET, tensorboard=True))


def test_a_place_that_cannot_be_written_to_is_one_line(clips, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ArmillaryError, match="cannot write there"):
        train(new_model(), clips, (JOINT,), tmp_path / "file", QUIET)


def test_a_disk_that_fills_up_is_one_line(clips, tmp_path: Path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here, the disk that is always full")

    def fill(model: WorldModel) -> dict[str, float]:
        (tmp_path / METRICS).unlink()
        (tmp_path / METRICS).symlink_to("/dev/full")
        return {}

    with pytest.raises(ArmillaryError, match=rf"{METRICS}: cannot write there \(No space left"):
        train(new_model(), clips, (JOINT,), tmp_path, QUIET, validate=fill)


def test_settings_that_make_no_run():
    with pytest.raises(ArmillaryError, match="stage critic: give it steps or seconds"):
        StageConfig("critic")
    for wrong in ({"validations": 0}, {"log_every": 0}):
        with pytest.raises(ArmillaryError, match="log_every and validations are at least 1"):
            TrainConfig(**wrong)
