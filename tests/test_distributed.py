"""Two processes are one batch: the same gradients, statistics, losses and files as one process alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import two_processes
from training.training_fakes import record

from armillary import distributed, weights
from armillary.errors import ArmillaryError
from armillary.model.world_model import MODEL
from armillary.training.metrics import METRICS


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """What one process leaves, and what two do that torchrun starts."""
    folder = tmp_path_factory.mktemp("runs")
    store = record(folder / "store")
    tests = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": tests, "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, two_processes.__file__, store.path, str(folder / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    two_processes.main(store.path, str(folder / "one"))
    return folder / "one", folder / "two"


def test_gradients_and_statistics_are_those_of_the_global_batch(runs):
    (one, alone), (two, together) = (weights.read(out / "gradients") for out in runs)
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert set(one) == set(two)
    assert {"loss/variance", "loss/covariance", "loss/sigreg", "loss/sigreg_episode", "loss/inverse"} <= set(one)
    for name, value in one.items():  # a bias before BatchNorm has no gradient but rounding
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=5e-5, msg=name)
    flat = [torch.cat([value.flatten() for name, value in run.items() if name.startswith("gradient/")]) for run in (one, two)]
    assert (flat[1] - flat[0]).norm() < 1e-5 * flat[0].norm()


def logged(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / METRICS).read_text().splitlines()]


def test_a_run_by_torchrun_gives_the_losses_of_one_process_and_each_line_once(runs):
    one, two = (logged(out / "stages") for out in runs)
    assert [(line["stage"], line["step"], sorted(line)) for line in one] == [
        (line["stage"], line["step"], sorted(line)) for line in two
    ]
    for single, double in zip(one, two, strict=True):
        names = [name for name in single if name not in ("stage", "seconds", "waiting")]
        found, expected = ([line[name] for name in names] for line in (double, single))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"{single['stage']} {single['step']} {names}")


def test_the_first_process_alone_judges_and_writes(runs):
    for out in runs:
        assert (out / "stages" / "judged").read_text().split() == ["0"] * 6
        assert sorted(path.name for path in (out / "stages").iterdir()) == sorted([METRICS, MODEL, "judged"])
    for line in logged(runs[1] / "large"):
        assert np.isfinite(line.get("loss", 0))


def test_alone_everything_is_the_identity():
    x = torch.arange(6.0, requires_grad=True)
    assert distributed.all_mean(x) is x
    assert torch.equal(distributed.shard(x), x)
    assert distributed.gather(x) is x
    distributed.start(x.device)
    distributed.wait()
    assert (distributed.rank(), distributed.world_size()) == (0, 1)


def test_a_batch_that_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    with pytest.raises(ArmillaryError, match="a batch of 6 does not divide into 4 processes"):
        distributed.shard(torch.arange(6))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_of_several_processes_is_torchs_own(monkeypatch, momentum):
    """The formulas, where all_mean has nothing to average."""
    torch.manual_seed(0)
    ours, theirs = distributed.BatchNorm(5, momentum=momentum), torch.nn.BatchNorm1d(5, momentum=momentum)
    theirs.load_state_dict(ours.state_dict())
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_mean", lambda x: x)
    for _ in range(3):
        x = 3 * torch.randn(1000, 5) + 1
        torch.testing.assert_close(ours(x), theirs(x))
    for name, value in theirs.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], value, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-3, atol=1e-3)
