"""What is timed, of which model, and what is said of it; never how fast it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import small_model

from armillary.acting.agent import Agent
from armillary.device import pick_device, synchronize
from armillary.errors import ArmillaryError
from armillary.evaluation import speed
from armillary.evaluation.speed import PARTS, measure_speed
from armillary.planning import CEM


def test_untrained_models_by_size():
    found = measure_speed(decisions=4, device="cpu")
    assert [row.model for row in found.rows] == ["nano, untrained", "tiny, untrained"]
    assert [row.image for row in found.rows] == ["64", "64"]
    assert [row.threads for row in found.rows] == [1, 1]
    assert found.rows[0].parameters < found.rows[1].parameters
    for row in found.rows:
        for part in PARTS:
            p50, p95, p99 = row.milliseconds[part].values()
            assert 0 < p50 <= p95 <= p99
        assert row.milliseconds["plan"]["p50"] < row.milliseconds["decision"]["p50"]
        assert row.planner == repr(CEM())
        assert np.isfinite(row.growth_mb)


@pytest.mark.parametrize(("hz", "late", "words"), [(1e-3, 0, "fits; p99 "), (1e9, 3, "does not fit: ticks are missed; p99 ")])
def test_whether_decisions_fit_into_a_loop(hz, late, words):
    (row,) = measure_speed(sizes=["nano"], decisions=3, device="cpu", hz=hz).rows
    assert row.late == late
    assert f"a loop at {hz:g} Hz {words}" in str(row)
    assert f"{late} of 3 decisions late ({late / 3:.1%})" in str(row)


def test_a_run_of_several_streams_with_a_critic_is_decided_for_block_by_block(tmp_path, monkeypatch):
    model = small_model("gru", seed=1)
    model.add_term("critic")
    model.save(tmp_path / "model.safetensors")
    made, act = [], Agent.act

    def watched(agent, seen, ids=None):
        assert all(isinstance(values, torch.Tensor) for values in seen.values())
        made.append(agent)
        return act(agent, seen, ids)

    monkeypatch.setattr(Agent, "act", watched)
    found = measure_speed(tmp_path, decisions=5, batch=3, device="cpu")
    agent = made[0]
    assert agent.decisions.problems == [3] * (speed.WARM_UP + 5)
    assert len(made) == 2 * (speed.WARM_UP + 5)  # blocks of two steps
    row = found.rows[0]
    assert (row.batch, row.decisions, row.image) == (3, 5, "16")
    assert "horizon=4" in row.planner
    mean = 1e3 * np.mean(agent.decisions.plan_seconds[-5:])
    assert 0 < row.per_second < 3e3 / mean
    median = 1e3 * np.median(agent.decisions.encode_seconds[-5:])
    assert row.milliseconds["encode"]["p50"] == pytest.approx(median)
    assert (row.hz, row.late) == (None, None)
    found.save(tmp_path / "new" / "speed.json")
    said = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert said["rows"][0]["milliseconds"] == row.milliseconds
    assert set(said["facts"]) == {"device", "machine", "torch", "numpy", "seed"}


def test_says_once_where_it_ran():
    found = measure_speed(sizes=["nano"], decisions=2, device="cpu")
    found.rows.append(replace(found.rows[0], model="another"))
    assert found.table().row_count == 2 * len(PARTS)
    assert found.table().caption.count("the CPU, eagerly") == 1
    assert found.table().caption.count("float32") == 2


def test_captured_it_is_one_part():
    row = measure_speed(sizes=["nano"], decisions=2, device="cpu", captured=True).rows[0]
    assert row.captured
    assert row.milliseconds["encode"]["p99"] < 0.1 * row.milliseconds["plan"]["p50"]
    assert "captured, CEM" in str(row)


def test_a_clock_can_wait_for_any_device():
    synchronize(pick_device("auto"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"decisions": 0}, "0 decisions"),
        ({"batch": 0}, "batch 0"),
        ({"sizes": ()}, "some size"),
        ({"hz": 0.0}, "expected a rate above 0 Hz, got 0"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_refuses(given, words):
    with pytest.raises(ArmillaryError, match=words):
        measure_speed(**given)


def test_no_model(tmp_path):
    with pytest.raises(ArmillaryError, match="nowhere"):
        measure_speed(tmp_path / "nowhere")
