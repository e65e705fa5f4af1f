"""A run that was killed goes on as if nothing had happened, in every stage; and only the same run goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from killed_run import CONFIG
from training_fakes import SPEC, STAGES, clips_of, new_model, record

from armillary import weights
from armillary.config import ModelConfig, Objective
from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError, CorruptFile
from armillary.model import WorldModel
from armillary.training.loop import METRICS, MODEL, STATE, TrainConfig, train
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
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tests, tests.parent)))}
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
        aim = Objective(rollout=1, slices=16)
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
        for model, some, which, how in (
            (new_model(inverse=0.0), clips, stages, config),
            (new_model(), clips_of(store, 4), stages, config),
            (new_model(), clips, wider, config),
            (new_model(), clips, stages, replace(config, seed=1)),
        ):
            with pytest.raises(ArmillaryError, match="holds a run of another model, other clips, other stages or another seed"):
                train(model, some, which, tmp_path, how, resume=True)
        assert kept == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_damaged_save_is_told(clips, tmp_path: Path):
    (tmp_path / STATE).write_bytes(b"half of something")
    with pytest.raises(CorruptFile, match=STATE):
        train(new_model(), clips, STAGES, tmp_path, CONFIG, resume=True)
