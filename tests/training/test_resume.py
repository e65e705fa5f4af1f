"""A run that was killed goes on as if nothing had happened, in every stage; and only the same run goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
import torch
from killed_run import CONFIG
from training_fakes import SPEC, STAGES, clips_of, new_model, record

from armillary import weights
from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.run import open_run, report_run
from armillary.model.config import ModelConfig
from armillary.model.world_model import MODEL, STATE, WorldModel
from armillary.monitoring.calibrate import load_calibration
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.training import loop, stages, state
from armillary.training.fit import fit
from armillary.training.folder import LOCK, one_writer
from armillary.training.loop import TrainConfig, train
from armillary.training.metrics import METRICS
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recording") / "store")


@pytest.fixture(scope="module")
def clips(store) -> Clips:
    return clips_of(store)


def lines(out: Path) -> list[dict]:
    """What was logged, without the clock."""
    logged = map(json.loads, (out / METRICS).read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in ("seconds", "waiting")} for line in logged]


def test_kill_9_at_any_moment_of_any_stage_changes_nothing(store, clips, tmp_path: Path):
    judge = {"validate": lambda model: {"asked": 1.0}}
    unbroken = train(new_model(), clips, STAGES, tmp_path / "unbroken", CONFIG, **judge)
    out, tests = tmp_path / "killed", Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tests, *tests.parents[:2])))}
    # Each stage saves at steps 4 and 8, and validates at 6 and 12.
    for number, moment, stage, step in ((2, "before", 0, 4), (3, "amid", 1, 4), (3, "after", 2, 8)):
        command = [sys.executable, str(tests / "killed_run.py"), store.path, str(out), str(number), moment]
        assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
        progress = weights.read(out / STATE)[1]["progress"]
        assert (progress["stage"], progress["step"]) == (stage, step)
        assert not (out / MODEL).exists()
        logged = lines(out)
        assert logged == lines(tmp_path / "unbroken")[: len(logged)]
        assert len(logged) >= progress["lines"]
    resumed = train(new_model(seed=1), clips, STAGES, out, CONFIG, **judge, resume=True)
    assert lines(out) == lines(tmp_path / "unbroken")
    assert [(entry["stage"], entry["step"]) for entry in lines(out) if "asked" in entry] == [
        (stage.kind, step) for stage in STAGES for step in (6, 12)
    ]
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert sorted(path.name for path in out.iterdir()) == [METRICS, MODEL]


class Stop(Exception):
    pass


def stop_at(call: int) -> Callable[[WorldModel], dict[str, float]]:
    """A judge that ends the run at its n-th validation."""
    calls = iter(range(1, call))

    def judge(model: WorldModel) -> dict[str, float]:
        if next(calls, None) is None:
            raise Stop
        return {}

    return judge


@pytest.mark.parametrize("predictor", ["gru", "transformer"])
def test_dropout_and_running_statistics_go_on_too(clips, tmp_path: Path, predictor):
    def build() -> WorldModel:
        torch.manual_seed(0)
        small = {"image_size": 16, "width": 4, "projector": 16, "latent": 4, "predictor_width": 16, "predictor_depth": 1}
        aim = {"prediction": Prediction(rollout=1), "sigreg": SIGReg(slices=16)}
        head = {"predictor_head": 8, "predictor_heads": 2, "dropout": 0.5}
        return WorldModel(SPEC, ModelConfig(**small, **head, predictor=predictor, context=2, objective=aim))

    stages = (StageConfig("joint", steps=9, batch=16), StageConfig("dynamics", steps=9, batch=16))
    config = TrainConfig(log_every=2, save_every=0, validations=3, progress=False)
    unbroken = train(build(), clips, stages, tmp_path / "unbroken", config)
    # Validations at 3, 6 and 9 of each stage: the first run ends at 6 of the first, the second at 6 of the other.
    for call, resume in ((2, False), (4, True)):
        with pytest.raises(Stop):
            train(build(), clips, stages, tmp_path / "broken", config, validate=stop_at(call), resume=resume)
    resumed = train(build(), clips, stages, tmp_path / "broken", config, resume=True)
    assert lines(tmp_path / "broken") == lines(tmp_path / "unbroken")
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_a_finished_run_is_loaded_and_not_trained_again(clips, tmp_path: Path):
    stages = (*STAGES[:1], STAGES[2])
    done = train(new_model(), clips, stages, tmp_path, CONFIG, provenance={"note": "first"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = new_model(seed=5)
    again = train(other, clips, stages, tmp_path, CONFIG, resume=True, provenance={"note": "second"})
    assert again is other
    assert not again.training
    assert again.provenance == done.provenance
    assert again.provenance["note"] == "first"
    for name, tensor in done.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_run_is_not_overwritten_nor_another_one_resumed(store, clips, tmp_path: Path):
    stages, config = STAGES[:1], replace(CONFIG, log_every=1)
    with pytest.raises(ArmillaryError, match="holds no run to resume; leave --resume out"):
        train(new_model(), clips, stages, tmp_path, config, resume=True)

    with pytest.raises(Stop):
        train(new_model(), clips, stages, tmp_path, config, validate=stop_at(1))
    assert (tmp_path / STATE).exists()
    for finished in (False, True):
        if finished:
            train(new_model(), clips, stages, tmp_path, config, resume=True)
            assert (tmp_path / MODEL).exists()
        kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(ArmillaryError, match="holds a run already; add --resume"):
            train(new_model(), clips, stages, tmp_path, config)
        wider = (replace(stages[0], steps=13),)
        for differs, model, some, which, how in (
            ("model", new_model(inverse=Inverse(0)), clips, stages, config),
            ("training clips", new_model(), clips_of(store, 4), stages, config),
            ("recipe", new_model(), clips, wider, config),
            (r"seed \(0 there, 1 here\)", new_model(), clips, stages, replace(config, seed=1)),
        ):
            with pytest.raises(ArmillaryError, match=f"holds a run of another {differs}"):
                train(model, some, which, tmp_path, how, resume=True)
        assert kept == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def at_call(number: int, act: Callable[[], None], of: Callable) -> Callable:
    """`of`, that acts in its n-th call first."""
    calls = iter(range(1, number))

    def called(*given):
        if next(calls, None) is None:
            act()
        return of(*given)

    return called


def test_an_interrupt_at_any_moment_of_any_stage_keeps_a_save(clips, tmp_path: Path, monkeypatch):
    """Amid a step, while a stage is built, and while the caller judges; long before the first periodic save."""
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in (signal.SIGINT, signal.SIGTERM)]
    config, out = replace(CONFIG, save_every=1e9), tmp_path / "broken"
    judge = lambda model: {"asked": 1.0}  # noqa: E731
    unbroken = train(new_model(), clips, STAGES, tmp_path / "unbroken", config, validate=judge)

    sent = cycle((signal.SIGINT, signal.SIGTERM))

    def interrupt() -> None:
        os.kill(os.getpid(), next(sent))

    moments = (
        (stages.Joint, "losses", 1, (0, 1)),
        (loop, "check", 1, (0, 6)),
        (loop, "check", 2, (0, 12)),
        (loop, "build_stage", 2, (1, 0)),
        (stages.Dynamics, "losses", 7, (1, 7)),
        (stages.Critic, "losses", 3, (2, 3)),
        (loop, "check", 2, (2, 12)),
    )
    try:
        for number, (where, name, call, (stage, step)) in enumerate(moments):
            with monkeypatch.context() as patch:
                patch.setattr(where, name, at_call(call, interrupt, getattr(where, name)))
                with pytest.raises(KeyboardInterrupt):
                    train(new_model(seed=number), clips, STAGES, out, config, validate=judge, resume=number > 0)
            assert not (out / MODEL).exists()
            progress = weights.read(out / STATE)[1]["progress"]
            assert (progress["stage"], progress["step"]) == (stage, step)
        resumed = train(new_model(seed=1), clips, STAGES, out, config, validate=judge, resume=True)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    assert lines(out) == lines(tmp_path / "unbroken")
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert sorted(path.name for path in out.iterdir()) == [METRICS, MODEL]


def test_the_checkpoint_is_written_before_it_is_judged(clips, tmp_path: Path):
    def judge(model: WorldModel) -> dict[str, float]:
        assert (tmp_path / "run" / MODEL).exists()
        raise ArmillaryError("nothing to judge by")

    with pytest.warns(UserWarning, match="not validated: nothing to judge by"):
        train(new_model(), clips, STAGES[:1], tmp_path / "run", replace(CONFIG, validations=1), validate=judge)
    with pytest.raises(Stop):
        train(new_model(), clips, STAGES[:1], tmp_path / "other", replace(CONFIG, validations=1), validate=stop_at(1))
    assert (tmp_path / "other" / MODEL).exists()
    assert not (tmp_path / "other" / STATE).exists()


def test_a_folder_has_one_writer(clips, tmp_path: Path):
    with one_writer(tmp_path), pytest.raises(ArmillaryError, match=rf"another process \({os.getpid()}\) trains there"):
        train(new_model(), clips, STAGES[:1], tmp_path, CONFIG)
    assert not list(tmp_path.iterdir())
    (tmp_path / LOCK).write_text("12345")  # of a process that was killed
    train(new_model(), clips, STAGES[:1], tmp_path, CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == [METRICS, MODEL]


def test_only_the_same_recording_split_and_starting_model_go_on(store, tmp_path: Path):
    recipe = Recipe(new_model().config, (replace(STAGES[0], steps=4),))
    fitting = {"config": replace(CONFIG, log_every=1), "device": "cpu"}
    stop = {"validate": lambda held: stop_at(1)}
    other = record(tmp_path / "other", seed=5)
    start = fit(store, tmp_path / "start", recipe, **fitting)
    with pytest.raises(Stop):
        fit(store, tmp_path / "run", recipe, **fitting, **stop)
    for differs, recorded, how in (
        ("recording", other, {}),
        ("split", store, {"held_out": 0.4}),
        ("split", store, {"held_out": [3]}),
        ("starting model", store, {"start": start}),
    ):
        with pytest.raises(ArmillaryError, match=f"holds a run of another {differs}|, another {differs}"):
            fit(recorded, tmp_path / "run", recipe, **fitting, **how, resume=True)
    fit(store, tmp_path / "run", recipe, **fitting, resume=True)


def test_a_run_that_is_not_finished_says_so(clips, tmp_path: Path):
    with pytest.raises(Stop):
        train(new_model(), clips, STAGES[:1], tmp_path, CONFIG, validate=stop_at(1))
    for reader in (WorldModel.load, report_run, load_calibration, open_run, lambda run: WorldModel.load(run / STATE)):
        with pytest.raises(ArmillaryError, match="the run is not finished; add --resume"):
            reader(tmp_path)
    spec, progress = state.describe(tmp_path / STATE)
    assert spec == SPEC
    assert (progress.stage, progress.step) == (0, 6)


def test_a_damaged_save_is_told(clips, tmp_path: Path):
    (tmp_path / STATE).write_bytes(b"half of something")
    with pytest.raises(CorruptFile, match=STATE):
        train(new_model(), clips, STAGES, tmp_path, CONFIG, resume=True)
